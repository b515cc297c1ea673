"""The laws of the store, on SQLite and on a real PostgreSQL: the past of a model, across a rollback."""

from __future__ import annotations

from datetime import timedelta

import pytest

from store import HeldEvent, ModelStore, NoSuchVersion, Run, ScorePoint, Segment
from store.history import Holds, Outline
from tests.store.values import NOON, Clock, child, save


def held(offset: int, reason: str, detail: str, at_ms: int | None = None) -> HeldEvent:
    return HeldEvent("t", 0, offset, "malformed", reason, detail, b"{", at_ms)


@pytest.fixture
def forked(model: ModelStore) -> ModelStore:
    """Versions 1 2 3 are left behind by a rewind to 2; then 4 and 5, and 6 after a skip."""
    one, two, three, four = (
        held(1, "json", "b", 70),
        held(2, "json", "a", 50),
        held(3, "bound", "c"),
        held(4, "json", "d"),
    )
    first = Segment((Run("t", 0, 0, 10, 10),), (one.hold(), two.hold()))
    save(model, segment=first, held=(one, two), points=(ScorePoint(5, {"MAE": {"window": 1.0}}),))  # 2
    gone = Segment((Run("t", 0, 10, 20, 10),), (three.hold(), four.hold()))
    save(model, segment=gone, held=(three, four), points=(ScorePoint(15, {"MAE": {"window": 2.0}}),))  # 3
    model.move("head", 2, kind="rewind", who="ann", why="garbage")
    again = Segment((Run("t", 0, 10, 15, 5), Run("t", 0, 15, 17, 0, "gap")), (three.hold(),))
    save(model, segment=again, points=(ScorePoint(14, {"MAE": {"window": 3.0}}, {"Mean": {}}, 7),))  # 4
    save(model)  # 5
    model.skip(2, who="ann", why="more garbage", environment={})  # 6
    return model


def test_the_outline_has_every_version_in_order(forked: ModelStore) -> None:
    found = forked.outline()
    assert [(each.version, each.parent, each.kind) for each in found] == [
        (1, None, "genesis"), (2, 1, "save"), (3, 2, "save"), (4, 2, "save"), (5, 4, "save"), (6, 2, "skip"),
    ]  # fmt: skip
    assert found[1] == Outline(2, 1, "save", 10, "every 10 events", NOON, has_bytes=True, read=10, held=0)
    assert forked.expire(keep_last=1, dry_run=False, now=NOON) != []
    bytes_left = {each.version: each.has_bytes for each in forked.outline()}
    assert bytes_left == {each.version: each.blob is not None for each in forked.versions()}
    assert set(bytes_left.values()) == {True, False}


def test_holds_are_those_of_the_lineage_by_reason(forked: ModelStore) -> None:
    json = Holds("json", 2, 2, 2, 50, 70, "a")
    assert forked.holds(2) == forked.holds(6) == [json]
    assert forked.holds(3) == [Holds("json", 3, 2, 3, 50, 70, "a"), Holds("bound", 1, 3, 3, None, None, "c")]
    assert forked.holds(5) == [json, Holds("bound", 1, 4, 4, None, None, "c")]
    assert forked.holds(1) == []


def test_an_event_held_for_another_reason_since_is_no_example(forked: ModelStore) -> None:
    save(forked, held=(held(1, "bound", "other"), held(2, "bound", "other")))
    assert forked.holds(2) == [Holds("json", 2, 2, 2, None, None, None)]


def test_what_was_passed_over_is_told_with_its_version(forked: ModelStore) -> None:
    assert forked.passed_over(5) == [(4, Run("t", 0, 15, 17, 0, "gap"))]
    assert forked.passed_over(3) == []
    ((version, run),) = forked.passed_over(6)
    assert (version, run.kind, run.start) == (6, "skip", 10)


def test_points_beside_are_those_that_no_lineage_has(forked: ModelStore) -> None:
    assert [(number, point.events) for number, point in forked.points_beside(6)] == [(3, 15), (4, 14)]
    assert forked.points_beside(4) == [(3, ScorePoint(15, {"MAE": {"window": 2.0}}))]
    for version in (2, 3, 5):
        both = sorted(forked.points(version) + forked.points_beside(version), key=lambda entry: entry[0])
        assert [number for number, _ in both] == [2, 3, 4]


def test_the_last_points_are_the_last_of_all_points(forked: ModelStore) -> None:
    save(forked, points=tuple(ScorePoint(events, {}) for events in (20, 22, 24)))
    every = forked.points(7)
    assert [point.events for _, point in every] == [5, 20, 22, 24]
    assert [forked.points(7, last=count) for count in (1, 3, 9)] == [every[-1:], every[-3:], every]


def test_moves_by_hand_leave_out_what_training_moves(forked: ModelStore, clock: Clock) -> None:
    version, ref = forked.head()
    forked.save(child(version), ref=ref, who="ann", publish=True)
    clock.now += timedelta(seconds=1)
    forked.move("champion", 2, kind="promote", who="bob", why="older, better")
    clock.now += timedelta(seconds=1)
    forked.undo(who="ann", why="")
    found = forked.moves_by_hand()
    assert [(move.ref, move.kind, move.new) for move in found] == [
        ("head", "rewind", 2), ("head", "skip", 6), ("champion", "promote", 2), ("head", "undo", 5),
    ]  # fmt: skip
    assert found == [move for move in forked.moves() if move in found]
    assert forked.moves_by_hand(last=2) == found[-2:]


def test_a_model_without_versions_has_no_past(model: ModelStore) -> None:
    with pytest.raises(NoSuchVersion):
        model.points_beside(9)
    assert model.holds(9) == model.passed_over(9) == []
