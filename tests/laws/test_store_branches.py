"""The laws of the store, on SQLite and on a real PostgreSQL: versions saved beside head, and adopt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from store import (
    BytesExpired,
    Fenced,
    HeadMoved,
    HeldEvent,
    ModelStore,
    NoSuchModel,
    NoSuchVersion,
    Refused,
    ScorePoint,
    Segment,
    Store,
    StoreUnreachable,
    Version,
)
from tests.laws.test_store_faults import cut_at_commit
from tests.store.values import NOON, Clock, child, counts, genesis, run_of, save

OTHER = "tree.HoeffdingTreeClassifier()"


def beside(model: ModelStore, parent: Version | None = None, **changes: object) -> list[Version]:
    """Save a branch: a genesis of another recipe (or a known version as parent), and two versions after it."""
    base = model.version(1)
    recipe = {"recipe": OTHER, "identity": OTHER} if parent is None else {}
    start = replace(genesis(b"tree"), recipe=OTHER, identity=OTHER)
    one = replace(child(parent or base, **changes), parent=parent.version if parent else None, **recipe)
    two = replace(child(base, events=30, **changes), parent=None, **recipe)
    return model.save_beside([one, two] if parent else [start, one, two], "ann")


# -- saved beside head


def test_a_branch_moves_no_reference(model: ModelStore, store: Store) -> None:
    save(model)
    model.move("champion", 2, kind="promote", who="ann", why="")
    before, head, config = (model.refs(), model.moves()), model.head(), model.config()
    points = (ScorePoint(5, {"Accuracy": {"cumulative": 0.5}}),)
    found = beside(model, points=points)
    assert [(v.version, v.parent, v.kind, v.identity, v.beside) for v in found] == [
        (3, None, "genesis", OTHER, True),
        (4, 3, "save", OTHER, True),
        (5, 4, "save", OTHER, True),
    ]
    assert (model.refs(), model.moves()) == before
    assert (model.head(), model.config()) == (head, config)
    assert model.versions()[2:] == found == model.lineage(5)
    assert model.payload(3) == b"tree"
    assert model.segment(4).events == 10
    assert model.points(5) == [(4, points[0]), (5, points[0])]
    assert save(model).version == 6, "numbers are never given twice"
    assert [v.beside for v in model.versions()] == [False, False, True, True, True, False]


def test_a_branch_may_begin_at_any_version(model: ModelStore) -> None:
    known = save(model)
    save(model)
    found = beside(model, known)
    assert [(v.version, v.parent, v.identity) for v in found] == [(4, 2, known.identity), (5, 4, known.identity)]
    assert [v.version for v in model.lineage(5)] == [1, 2, 4, 5]
    with pytest.raises(NoSuchVersion):
        beside(model, replace(known, version=9))
    assert len(model.versions()) == 5


def test_held_events_of_a_branch_change_none_that_are_kept(model: ModelStore) -> None:
    live = HeldEvent("t", 0, 3, "malformed", "json", "live", b"{", None, "ab", NOON)
    save(model, held=(live,))
    (of_branch,) = (replace(live, reason="rule", detail="backtest"),)
    beside(model, held=(of_branch, replace(of_branch, offset=4)), segment=Segment((), (of_branch.hold(),)))
    assert model.held() == [live, replace(of_branch, offset=4)]
    assert model.segment(5).holds == (of_branch.hold(),)


def test_a_branch_is_saved_whole_or_not_at_all(model: ModelStore, store: Store) -> None:
    before = counts(store)
    good = child(model.version(1))
    with pytest.raises(NoSuchVersion):
        model.save_beside([good, replace(child(model.version(1)), parent=9)], "ann")
    assert counts(store) == before
    assert save(model).version == 2


def test_a_model_without_versions_is_made_with_its_genesis_as_head(store: Store) -> None:
    model = store.model("new")
    start = genesis()
    branch = [start, replace(genesis(b"tree"), identity=OTHER), replace(genesis(b"x"), kind="save")]
    with pytest.raises(NoSuchModel):
        model.save_beside(branch, "ann")
    assert not model.exists()
    made = model.save_beside(branch, "ann", config={"a": 1})
    assert [(v.version, v.parent, v.kind, v.beside) for v in made] == [
        (1, None, "genesis", False),
        (2, None, "genesis", True),
        (3, 2, "save", True),
    ]
    assert (model.head()[0], model.config()) == (made[0], {"a": 1})
    assert [(m.kind, m.new, m.who) for m in model.moves()] == [("genesis", 1, "ann")]
    model.save_beside([replace(genesis(b"y"), kind="save", parent=1)], "ann", config={"a": 2})
    assert model.config() == {"a": 1}, "it is there already"


def test_a_branch_and_a_connection_that_is_cut(postgres_url: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("m")
        model.create(genesis(), config={}, who="ann")
        before = counts(store)
        with cut_at_commit(store, postgres_url, committed=False), pytest.raises(StoreUnreachable):
            beside(model)
        assert counts(store) == before
        with cut_at_commit(store, postgres_url, committed=True):
            found = beside(model)
        assert model.versions()[1:] == found
        assert [v.version for v in found] == [2, 3, 4]


def test_what_was_saved_beside_head_does_not_keep_genesis_from_being_renewed(model: ModelStore) -> None:
    tip = beside(model)[-1]
    made, _ = model.renew(genesis(b"mended"), config={"b": 2}, who="ann")
    assert (model.head()[0], model.config(), made.beside) == (made, {"b": 2}, False)
    model.adopt(tip.version, config={}, who="ann", why="", expected=model.head()[1])
    with pytest.raises(Refused, match="learned nothing"):
        model.renew(genesis(b"again"), config={"c": 3}, who="ann")


# -- retention


def test_the_end_of_a_branch_keeps_its_bytes_and_takes_no_place(model: ModelStore, store: Store, clock: Clock) -> None:
    save(model)  # 2
    clock.now = NOON + timedelta(hours=1)
    one = beside(model)  # 3 (genesis), 4, 5
    save(model)  # 6
    clock.now = NOON + timedelta(days=1)
    two = beside(model, one[1])  # 7, 8: from 4 on
    save(model)  # 9
    save(model)  # 10
    three = beside(model)  # 11, 12, 13
    clock.now = NOON + timedelta(days=2)
    save(model)  # 14: head
    # the last of their days are 6 and 10; the last two of head's are 10 and 14; ends are 5, 8 and 13
    assert [one[-1].version, two[-1].version, three[-1].version, model.head()[0].version] == [5, 8, 13, 14]
    assert model.expire(keep_last=2, dry_run=False, now=clock.now) == [2, 4, 7, 9, 12]
    assert model.payload(5)
    _, ref = model.head()
    model.adopt(8, config={}, who="ann", why="", expected=ref)
    clock.now = NOON + timedelta(days=3)
    save(model)  # 15, a child of 8, and 16
    save(model)
    assert model.expire(keep_last=1, dry_run=False, now=clock.now) == [8, 15]
    assert [v.version for v in model.lineage(16)] == [3, 4, 7, 8, 15, 16]


# -- adopt


def test_adopt_moves_head_to_any_version_with_the_configuration_given(model: ModelStore, clock: Clock) -> None:
    save(model)
    model.move("champion", 2, kind="promote", who="ann", why="")
    epoch = model.claim(run_of(model), now=NOON)
    tip = beside(model)[-1]
    clock.now = NOON + timedelta(minutes=1)
    _, ref = model.head()
    moved = model.adopt(tip.version, config={"model.learner": OTHER}, who="bob", why="a tree", expected=ref)
    assert (moved.version, moved.moves, moved.epoch) == (5, 3, epoch)
    assert model.head() == (tip, moved)
    assert model.config() == {"model.learner": OTHER}
    last = model.moves("head")[-1]
    assert (last.kind, last.old, last.new, last.who, last.why, last.at) == ("adopt", 2, 5, "bob", "a tree", clock.now)
    assert model.moves_by_hand()[-1] == last
    assert model.ref("champion").version == 2
    saved = save(model)
    assert (saved.parent, saved.beside) == (5, False)
    assert model.undo(who="ann", why="worse").version == 2
    assert model.undo(who="ann", why="better after all").version == 6


def test_adopt_is_refused_when_head_moved_or_another_owner_took_over(model: ModelStore, store: Store) -> None:
    save(model)
    tip = beside(model)[-1].version
    model.claim(run_of(model), now=NOON)
    _, ref = model.head()
    model.move("head", 1, kind="rewind", who="ann", why="")
    before = counts(store), model.head(), model.config()
    with pytest.raises(HeadMoved):
        model.adopt(tip, config={"b": 2}, who="bob", why="", expected=ref)
    assert (counts(store), model.head(), model.config()) == before
    _, ref = model.head()
    model.claim(run_of(model), take_over=True, now=NOON)
    with pytest.raises(Fenced):
        model.adopt(tip, config={"b": 2}, who="bob", why="", expected=ref)
    assert model.config() == {"model": {"name": "elec2"}}


def test_adopt_needs_a_version_that_training_can_go_on_from(model: ModelStore, store: Store) -> None:
    one, two = beside(model, model.version(1))
    (closing,) = model.save_beside([child(two, kind="closing")], "ann")
    _, ref = model.head()
    before = counts(store), model.head()
    with pytest.raises(Refused, match="closing version 4") as caught:
        model.adopt(closing.version, config={}, who="ann", why="", expected=ref)
    assert "version 3" in caught.value.hint
    with pytest.raises(NoSuchVersion):
        model.adopt(9, config={}, who="ann", why="", expected=ref)
    model.expire(keep_last=0, dry_run=False, now=NOON)
    with pytest.raises(BytesExpired):
        model.adopt(one.version, config={}, who="ann", why="", expected=ref)
    assert model.head() == before[1]
    assert model.config() == {"model": {"name": "elec2"}}


def test_head_goes_back_along_an_adopted_branch_only(model: ModelStore) -> None:
    save(model)
    tip = beside(model)[-1].version
    with pytest.raises(Refused, match="head has been at"):
        model.move("head", tip, kind="rewind", who="ann", why="")
    model.adopt(tip, config={}, who="ann", why="", expected=model.head()[1])
    assert model.move("head", 4, kind="rewind", who="ann", why="").version == 4
    assert model.move("head", 2, kind="rewind", who="ann", why="").version == 2
