"""The laws of the store, on SQLite and on a real PostgreSQL: versions, saves, scores."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from store import (
    Accounts,
    CorruptSnapshot,
    Cursor,
    Fenced,
    HeadMoved,
    HeldEvent,
    ModelStore,
    NoSuchModel,
    NoSuchVersion,
    Position,
    Proof,
    Ref,
    Refused,
    Run,
    ScorePoint,
    Segment,
    Store,
    StoreError,
    TopicPosition,
)
from store.engine import transaction
from store.schema import blobs, models
from tests.store.values import NOON, Clock, child, counts, genesis, run_of, save

# -- models and versions


def test_what_was_saved_is_read_back(model: ModelStore, store: Store, clock: Clock) -> None:
    base, ref = model.head()
    assert (base.version, base.kind, ref) == (1, "genesis", Ref("head", 1, 1, 0))
    held = HeldEvent("t", 1, 3, "malformed", "json", "nul \0 and lone \ud800", b"\xff{", 1_700_000_000_000, "ab", NOON)
    new = child(
        base,
        position=Position({"t": TopicPosition("cluster/topic", {0: Cursor(9, 8, "ff"), 1: Cursor(4, None, None)})}),
        segment=Segment(
            (Run("t", 0, 0, 9, 8, "read", 3), Run("t", 1, 0, 4, 4, "late"), Run("t", 1, 9, 11, 0, "gap")),
            (held.hold(),),
        ),
        accounts=Accounts(12, 7, 1, 3, 1),
        held=(held,),
        points=(ScorePoint(5, {"Accuracy": {"cumulative": 0.1}}, {"Mean": {"MAE": {"window": None}}}, -7),),
        run=run_of(model).run,
    )
    clock.now = NOON + timedelta(seconds=1, microseconds=5)
    version, head = model.save(new, ref=ref, who="bob")
    assert head == Ref("head", 2, 2, 0)
    for name in (
        "kind", "parent", "position", "accounts", "proof", "recipe", "identity", "schema", "config_hash",
        "environment", "token", "reason", "run",
    ):  # fmt: skip
        assert getattr(version, name) == getattr(new, name)
    assert version.created_at == clock.now
    assert version.created_at.tzinfo is UTC
    assert model.payload(2) == new.state
    assert model.segment(2) == new.segment
    assert model.held() == [replace(held, detail="nul \ufffd and lone ?")]
    assert model.held_count() == 1
    assert model.points(2) == [(2, new.points[0])]
    assert model.head() == (version, head)
    assert [model.version(s) for s in (2, "2", "v2", "head")] == [version] * 4
    assert model.versions() == [base, version] == model.lineage(2)
    assert model.config() == {"model": {"name": "elec2"}}
    assert [(m.kind, m.old, m.new, m.move, m.who, m.epoch) for m in model.moves("head")] == [
        ("genesis", None, 1, 1, "ann", 0),
        ("save", 1, 2, 2, "bob", 0),
    ]
    assert store.models() == ["elec2"]


def test_a_model_is_made_once(model: ModelStore, store: Store) -> None:
    before = counts(store)
    with pytest.raises(Refused):
        model.create(genesis(b"other"), config={}, who="bob")
    assert counts(store) == before


def test_what_is_not_there_is_named(model: ModelStore, store: Store) -> None:
    none = store.model("none")
    assert not none.exists()
    assert none.ref("head") is None
    assert (none.refs(), none.versions(), none.runs(), none.held(), none.heartbeat()) == ([], [], [], [], None)
    for read in (none.head, none.watch, none.config, lambda: none.version("head"), lambda: none.version(1)):
        with pytest.raises(NoSuchModel, match="none"):
            read()
    for selector in (9, "v9", "challenger", "²", "-1", ""):
        with pytest.raises(NoSuchVersion):
            model.version(selector)
    for read_by_number in (model.payload, model.segment, model.lineage, model.points):
        with pytest.raises(NoSuchVersion):
            read_by_number(9)


def test_a_held_event_is_updated_when_read_again(model: ModelStore) -> None:
    first = HeldEvent("t", 0, 3, "malformed", "json", "one", b"{", None)
    again = replace(first, kind="suspect", reason="bound", detail="two", raw=None, timestamp_ms=5, sha256="ab")
    again = replace(again, held_at=NOON)
    save(model, held=(first, replace(first, offset=4)))
    save(model, held=(again, again))
    assert model.held() == [again, replace(first, offset=4)]
    assert model.held(limit=1) == [again]


def test_the_same_state_is_kept_once(model: ModelStore, store: Store) -> None:
    save(model, state=b"same" * 1000)
    before = counts(store)["blobs"]
    twin = store.model("twin")
    twin.create(genesis(b"same" * 1000), config={}, who="ann")
    save(model, state=b"same" * 1000)
    assert counts(store)["blobs"] == before
    assert model.payload(3) == twin.payload(1) == b"same" * 1000


@pytest.mark.parametrize("place", [0, 9, 20, -1])
def test_a_flipped_byte_is_seen_on_read(model: ModelStore, store: Store, place: int) -> None:
    version = save(model, state=b"weights" * 100)
    with transaction(store._engine, write=True) as connection:
        envelope = bytearray(connection.scalar(select(blobs.c.envelope).where(blobs.c.sha256 == version.blob)) or b"")
        envelope[place] ^= 1
        connection.execute(update(blobs).where(blobs.c.sha256 == version.blob).values(envelope=bytes(envelope)))
    with pytest.raises(CorruptSnapshot, match="version 2") as caught:
        model.payload(2)
    assert version.blob in str(caught.value)
    assert model.payload(1) == b"untrained"


def test_version_numbers_are_never_given_twice(model: ModelStore, store: Store) -> None:
    assert [save(model).version for _ in range(3)] == [2, 3, 4]
    model.move("head", 2, kind="rewind", who="ann", why="bad day")
    assert save(model).version == 5
    version, ref = model.head()
    with pytest.raises(HeadMoved):
        model.save(child(version), ref=replace(ref, moves=1), who="ann")
    assert save(model).version == 6
    assert [v.parent for v in model.versions()] == [None, 1, 2, 3, 2, 5]


# -- save: all or nothing


def test_a_save_is_refused_when_head_moved_and_nothing_is_written(model: ModelStore, store: Store) -> None:
    save(model)
    version, ref = model.head()
    model.move("head", 1, kind="rewind", who="bob", why="back")
    model.move("head", 2, kind="undo", who="bob", why="forth")  # at the same version again, two moves later
    before, head = counts(store), model.head()
    held = HeldEvent("t", 0, 3, "malformed", "json", "", b"{", None)
    new = child(version, held=(held,), points=(ScorePoint(5, {}),))
    with pytest.raises(HeadMoved) as caught:
        model.save(new, ref=ref, who="ann", publish=True)
    assert (caught.value.expected, caught.value.found, caught.value.exit_code) == (2, 4, 4)
    assert counts(store) == before
    assert model.head() == head


def test_a_save_of_an_old_owner_is_fenced_and_nothing_is_written(model: ModelStore, store: Store) -> None:
    one = model.claim(run_of(model), now=NOON)
    version, ref = model.head()
    assert ref.epoch == one == 1
    two = model.claim(run_of(model), take_over=True, now=NOON)
    before = counts(store)
    with pytest.raises(Fenced) as caught:
        model.save(child(version), ref=ref, who="ann")
    assert (caught.value.expected, caught.value.found) == (one, two)
    assert counts(store) == before
    with pytest.raises(Fenced):
        model.move("head", 1, kind="rewind", who="ann", why="", expected=ref)
    save(model)
    assert model.watch() == Ref("head", 2, 2, 2)


def test_a_save_that_fails_at_its_last_step_leaves_nothing(model: ModelStore, store: Store) -> None:
    version, ref = model.head()
    before = counts(store)

    def cut(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO moves" in statement:
            raise InterruptedError

    event.listen(store._engine, "before_cursor_execute", cut)
    with pytest.raises(InterruptedError):
        model.save(child(version), ref=ref, who="ann")
    event.remove(store._engine, "before_cursor_execute", cut)
    assert counts(store) == before
    assert save(model).version == 2


def test_publishing_moves_champion_with_head(model: ModelStore) -> None:
    version, ref = model.head()
    model.save(child(version), ref=ref, who="ann", publish=True)
    save(model)
    assert {r.name: r.version for r in model.refs()} == {"head": 3, "champion": 2}
    assert model.version("champion").version == 2
    assert [(m.kind, m.old, m.new) for m in model.moves("champion")] == [("publish", None, 2)]


def test_saves_and_moves_that_race_leave_one_line_of_moves(model: ModelStore) -> None:
    refused: list[StoreError] = []
    tally = {"saved": 0}

    def train() -> None:
        while tally["saved"] < 20:
            version, ref = model.head()
            try:
                model.save(child(version), ref=ref, who="trainer")
                tally["saved"] += 1
            except HeadMoved as error:
                refused.append(error)

    def rewind() -> None:
        for _ in range(20):
            model.move("head", 1, kind="rewind", who="person", why="race")

    threads = [threading.Thread(target=train), threading.Thread(target=rewind)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = model.moves("head")
    assert [move.move for move in log] == list(range(1, 42))
    assert [move.old for move in log[1:]] == [move.new for move in log[:-1]]
    numbers = [version.version for version in model.versions()]
    assert numbers == list(range(1, 22))
    assert model.watch().moves == 41
    print(f"{len(refused)} saves were refused")


def test_reading_goes_on_while_another_writes(model: ModelStore, store: Store) -> None:
    with transaction(store._engine, write=True) as connection:
        connection.execute(update(models).values(next_version=50))
        started = time.monotonic()
        assert model.watch().version == 1
        assert model.payload(1) == b"untrained"
        assert time.monotonic() - started < 5
    assert save(model).version == 50


# -- scores


def test_points_follow_the_lineage(model: ModelStore) -> None:
    points = [ScorePoint(n, {"Accuracy": {"cumulative": n / 7, "window": None}}) for n in (10, 20, 30)]
    save(model, points=tuple(points[:1]))
    save(model, points=tuple(points[1:2]))
    model.move("head", 2, kind="rewind", who="ann", why="")
    other = ScorePoint(25, {"Accuracy": {"cumulative": 0.25}})
    save(model, points=(other,))
    model.add_points(3, [points[1], points[2], ScorePoint(20, {"Accuracy": {"cumulative": 9.0}})])
    model.add_points(3, [])
    assert model.points(3) == [(2, points[0]), (3, points[1]), (3, points[2])]
    assert model.points(4) == [(2, points[0]), (4, other)]
    with pytest.raises(NoSuchVersion):
        model.add_points(99, points)


def test_a_version_has_any_number_of_points(model: ModelStore) -> None:
    """They are written some at a time."""
    points = [ScorePoint(n, {"Accuracy": {"cumulative": n / 7}}) for n in range(1, 252)]
    save(model, points=tuple(points))
    assert model.points(2) == [(2, point) for point in points]


@given(
    values=st.lists(st.floats(), min_size=1, max_size=8),
    big=st.integers(min_value=0, max_value=2**62),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_are_kept_exactly(model: ModelStore, values: list[float], big: int) -> None:
    scores = {"M": {str(n): value for n, value in enumerate(values)}}
    kept = {"M": {name: value if math.isfinite(value) else None for name, value in scores["M"].items()}}
    version = save(model, proof=Proof("00", "[]", scores, {"B": scores}), accounts=Accounts(read=big, learned=big))
    model.add_points(version.version, [ScorePoint(big, scores)])
    read = model.version("head")
    assert repr(read.proof.scores) == repr(kept)
    assert repr(read.proof.baselines) == repr({"B": kept})
    assert read.accounts.read == big
    (point,) = [point for number, point in model.points(version.version) if number == version.version]
    assert (point.events, repr(point.scores)) == (big, repr(kept))


@pytest.mark.parametrize("call", [ModelStore.exists, ModelStore.watch, ModelStore.runs])
def test_a_read_takes_no_lock(model: ModelStore, store: Store, call: Callable[[ModelStore], object]) -> None:
    with transaction(store._engine, write=True) as connection:
        connection.execute(update(models).values(next_version=99))
        call(model)
