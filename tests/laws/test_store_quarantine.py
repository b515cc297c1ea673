"""The laws of the quarantine and of rebuilds, on both databases: what is kept, one at a time, all or nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psutil
import pytest
from sqlalchemy import event

from store import BytesExpired, HeldEvent, ModelStore, NoSuchModel, Refused, ScorePoint, Store, StoreUnreachable
from store.entries import Change, Entry
from store.errors import RebuildOutdated
from store.offsets import Offsets
from store.rebuilds import Rebuild
from store.types import NewVersion, Ref, Run, RunKind, Segment, Version
from tests.laws.test_store_faults import cut_at_commit
from tests.store.values import HOST, NOON, Clock, child, counts, genesis, save

SEVEN = {"where": "sensor == 's7'"}


def offsets(*stretches: tuple[int, int, int]) -> Offsets:
    return Offsets.of(("t", *stretch) for stretch in stretches)


def add(model: ModelStore, *stretches: tuple[int, int, int], **changes: Any) -> Entry:
    asked = {"resolved": {0: 20, 1: 5}, "who": "ann", "why": "garbage", **changes}
    return model.quarantine_add("t", SEVEN, offsets(*stretches), **asked)


# -- entries


def test_an_entry_is_read_back_with_who_when_and_why(model: ModelStore, clock: Clock) -> None:
    assert model.quarantine() == (0, [])
    added = add(model, (0, 3, 9), (1, 0, 2), (0, 9, 11))
    assert added == Entry(
        entry=1,
        topic="t",
        selector=SEVEN,
        offsets=offsets((0, 3, 11), (1, 0, 2)),
        resolved={0: 20, 1: 5},
        changes=(Change(1, 1, "suspect", None, "ann", "garbage", NOON),),
    )
    assert (added.status, added.release, added.active, added.why) == ("suspect", None, True, "garbage")
    clock.now = NOON + timedelta(minutes=1)
    confirmed = model.quarantine_change(1, "confirmed", who="bob", why="seen")
    assert (confirmed.status, confirmed.active, confirmed.why) == ("confirmed", True, "garbage")
    clock.now = NOON + timedelta(minutes=2)
    released = model.quarantine_change(1, "released", release="late", who="cid", why="mended")
    assert (released.status, released.release, released.active) == ("released", "late", False)
    assert released.changes == (
        *added.changes,
        Change(2, 1, "confirmed", None, "bob", "seen", NOON + timedelta(minutes=1)),
        Change(3, 1, "released", "late", "cid", "mended", NOON + timedelta(minutes=2)),
    )
    assert model.quarantine() == (3, [released])


def test_changes_are_counted_over_all_entries_and_apart_for_each_model(model: ModelStore, store: Store) -> None:
    assert [add(model, (0, 0, 5)).entry, add(model, (0, 2, 7), status="confirmed").entry] == [1, 2]
    model.quarantine_change(1, "released", release="rewrite", who="ann", why="")
    add(model)
    revision, entries = model.quarantine()
    assert (revision, [entry.entry for entry in entries]) == (4, [1, 2, 3])
    assert [[change.revision for change in entry.changes] for entry in entries] == [[1, 3], [2], [4]]
    assert [entry.active for entry in entries] == [False, True, True]
    assert [len(entry.offsets) for entry in entries] == [5, 5, 0]
    assert model.look() == (model.watch(), 4)
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    assert (twin.quarantine(), twin.look()) == ((0, []), (twin.watch(), 0))
    assert (add(twin, (1, 1, 2)).entry, twin.quarantine()[0], model.quarantine()[0]) == (1, 1, 4)


def test_what_an_entry_means_grows_and_that_is_no_change(model: ModelStore) -> None:
    add(model, (0, 3, 9))
    other = add(model, (0, 3, 5))
    grown = model.quarantine_extend(1, offsets((0, 7, 12), (2, 4, 5)), {0: 30, 2: 9})
    assert grown.offsets == offsets((0, 3, 12), (2, 4, 5))
    assert grown.resolved == {0: 30, 1: 5, 2: 9}
    again = model.quarantine_extend(1, offsets((0, 2, 13)), {0: 10, 1: 6})
    assert again.offsets == offsets((0, 2, 13), (2, 4, 5))
    assert again.resolved == {0: 30, 1: 6, 2: 9}, "what was read does not become unread"
    assert model.quarantine() == (2, [again, other])
    assert model.quarantine_extend(1, Offsets(), {}) == again


def test_an_entry_that_is_not_there_is_refused(model: ModelStore, store: Store) -> None:
    add(model)
    before = counts(store)
    with pytest.raises(Refused, match="number 2"):
        model.quarantine_change(2, "confirmed", who="ann", why="")
    with pytest.raises(Refused, match="number 2"):
        model.quarantine_extend(2, offsets((0, 0, 1)), {})
    for call in (lambda: add(store.model("none")), store.model("none").look):
        with pytest.raises(NoSuchModel):
            call()
    assert counts(store) == before
    assert model.quarantine()[0] == 1


def test_entries_survive_every_rollback_and_are_of_any_time(model: ModelStore) -> None:
    save(model)
    entry = add(model, (0, 0, 100))
    model.move("head", 1, kind="rewind", who="ann", why="")
    assert model.quarantine() == (1, [entry])
    assert save(model, quarantine=1).quarantine == 1
    assert [version.quarantine for version in model.versions()] == [0, 0, 1]
    assert [version.covers for version in model.versions()] == [None] * 3


def test_entries_that_race_are_counted_one_by_one(model: ModelStore) -> None:
    def work() -> None:
        for _ in range(8):
            entry = add(model, (0, 0, 3))
            model.quarantine_change(entry.entry, "confirmed", who="ann", why="")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    revision, entries = model.quarantine()
    assert (revision, [entry.entry for entry in entries]) == (48, list(range(1, 25)))
    assert sorted(change.revision for entry in entries for change in entry.changes) == list(range(1, 49))


@pytest.mark.parametrize("statement", [1, 2, 3, 4])
def test_an_entry_that_is_made_amid_a_read_is_there_or_not(store: Store, store_url: str, statement: int) -> None:
    model = store.model("elec2")
    model.create(genesis(), config={}, who="ann")
    first = add(model, (0, 0, 5))
    left = statement

    def amid(_c: object, _cursor: object, found: str, *_rest: object) -> None:
        nonlocal left
        left -= found.startswith("SELECT")
        if not left:
            left = -1
            add(other.model("elec2"), (0, 3, 9))

    with Store.open(store_url) as other:
        event.listen(store._engine, "before_cursor_execute", amid)
        revision, entries = model.quarantine()
        event.remove(store._engine, "before_cursor_execute", amid)
    assert left < 0, "nothing was made amid it"
    assert entries[0] == first
    assert [entry.offsets for entry in entries[1:]] in ([], [offsets((0, 3, 9))])
    assert revision <= len(entries), "what is said to be known is"


# -- rebuilds

ME = {"host": HOST, "pid": os.getpid(), "pid_started": psutil.Process().create_time()}


@pytest.fixture
def dead() -> dict[str, Any]:
    """A process of this host that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = psutil.Process(process.pid).create_time()
        process.communicate(b"\n")
    return {"host": HOST, "pid": process.pid, "pid_started": started}


def begin(model: ModelStore, base: int = 2, revision: int = 1, **changes: Any) -> Rebuild:
    return model.rebuild_begin(base, revision, **{"who": "ann", "why": "clean", **ME, **changes})


def branch(model: ModelStore, rebuild: Rebuild, covers: int, **changes: Any) -> tuple[Version, Rebuild]:
    return model.rebuild_save(rebuild, rebuilt(model, rebuild, covers, **changes))


def rebuilt(model: ModelStore, rebuild: Rebuild, covers: int, **changes: Any) -> NewVersion:
    return child(model.version(rebuild.tip), **{"covers": covers, "quarantine": rebuild.revision, **changes})


@pytest.fixture
def touched(model: ModelStore) -> ModelStore:
    """Versions 1 to 4, the head; an entry that was learned in version 3."""
    for _ in range(3):
        save(model)
    add(model, (0, 12, 14))
    return model


def test_a_branch_grows_beside_head_and_is_swapped_in(touched: ModelStore, clock: Clock) -> None:
    model = touched
    head = model.watch()
    rebuild = begin(model)
    assert rebuild == Rebuild(1, 2, 1, "running", 2, 2, "ann", "clean", *ME.values(), NOON, None)
    held = HeldEvent("t", 0, 12, "suspect", "quarantined", "entry 1", b"{", None)
    point = ScorePoint(18, {"Accuracy": {"cumulative": 0.5}})
    version, rebuild = branch(model, rebuild, 3, held=(held,), points=(point,))
    assert (version.version, version.parent, version.covers, version.quarantine) == (5, 2, 3, 1)
    assert (rebuild.tip, rebuild.covers, rebuild.state) == (5, 3, "running")
    assert model.watch() == head
    assert model.held() == [held]
    assert model.points(5) == [(5, point)]
    second, rebuild = branch(model, rebuild, 4)
    assert (second.version, second.parent, second.covers) == (6, 5, 4)
    clock.now = NOON + timedelta(hours=1)
    moved = model.rebuild_swap(rebuild, who="bob", why="clean now")
    assert moved == Ref("head", 6, head.moves + 1, head.epoch) == model.watch()
    (last,) = model.moves("head")[-1:]
    assert (last.kind, last.old, last.new, last.who, last.why) == ("rebuild", 4, 6, "bob", "clean now")
    (done,) = model.rebuilds()
    assert (done.state, done.tip, done.covers, done.ended_at) == ("done", 6, 4, clock.now)
    assert [each.version for each in model.lineage(6)] == [1, 2, 5, 6]
    assert save(model).parent == 6
    model.move("head", 5, kind="rewind", who="ann", why="to a version of the branch")
    assert model.undo(who="ann", why="").version == 7
    assert model.move("head", 4, kind="rewind", who="ann", why="the old versions stay").version == 4


def test_a_swap_need_not_catch_the_trainer_which_follows(touched: ModelStore) -> None:
    rebuild = branch(touched, begin(touched), 3)[1]
    version, ref = touched.head()
    newer, ref = touched.save(child(version), ref=ref, who="trainer")
    moved = touched.rebuild_swap(rebuild, who="ann", why="")
    assert (moved.version, moved.moves) == (rebuild.tip, ref.moves + 1)
    with pytest.raises(Exception, match="head") as caught:
        touched.save(child(newer), ref=ref, who="trainer")
    assert type(caught.value).__name__ == "HeadMoved"
    assert touched.undo(who="ann", why="").version == newer.version


def test_one_rebuild_at_a_time(touched: ModelStore, store: Store) -> None:
    begun = begin(touched)
    before = counts(store)
    other = {"pid": os.getppid(), "pid_started": psutil.Process(os.getppid()).create_time()}
    for process in (other, {"host": "elsewhere"}, {}):
        with pytest.raises(Refused, match="found one by process") as caught:
            begin(touched, **process)
        assert "--take-over" in caught.value.hint
    assert (counts(store), touched.rebuilds()) == (before, [begun])
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    assert begin(twin, base=1, revision=0).rebuild == 1


def test_a_rebuild_goes_on_after_its_process_is_gone(touched: ModelStore, dead: dict[str, Any]) -> None:
    killed = branch(touched, begin(touched, **dead), 3)[1]
    again = begin(touched, who="bob", why="again")
    assert (again.rebuild, again.tip, again.covers, again.state) == (1, killed.tip, 3, "running")
    assert (again.pid, again.host, again.who) == (ME["pid"], HOST, "ann")
    branch(touched, again, 4)
    assert len(touched.rebuilds()) == 1


def test_a_process_of_another_host_is_taken_to_be_at_work(touched: ModelStore, dead: dict[str, Any]) -> None:
    begin(touched, **{**dead, "host": "elsewhere"})
    with pytest.raises(Refused):
        begin(touched)


@pytest.mark.parametrize("changed", ["base", "revision"])
def test_a_rebuild_of_something_else_is_abandoned(
    touched: ModelStore, dead: dict[str, Any], clock: Clock, changed: str
) -> None:
    old = branch(touched, begin(touched, **dead), 3)[1]
    add(touched, (0, 2, 3))
    clock.now = NOON + timedelta(hours=1)
    new = begin(touched, **({"base": 1} if changed == "base" else {"revision": 2}))
    assert (new.rebuild, new.tip, new.state) == (2, new.base, "running")
    assert new.covers == new.base
    first, second = touched.rebuilds()
    assert (first.state, first.tip, first.ended_at, second) == ("abandoned", old.tip, clock.now, new)
    assert touched.version(old.tip).covers == 3, "its versions stay"


def test_taking_over_fences_the_process_before(touched: ModelStore, store: Store) -> None:
    mine = branch(touched, begin(touched), 3)[1]
    theirs = begin(touched, take_over=True, host="elsewhere")
    assert (theirs.rebuild, theirs.tip) == (1, mine.tip)
    before, head = counts(store), touched.watch()
    for go_on in _what_a_rebuild_does(touched, mine):
        with pytest.raises(RebuildOutdated, match="another process"):
            go_on()
    assert (counts(store), touched.watch(), touched.rebuilds()) == (before, head, [theirs])
    theirs = branch(touched, theirs, 4)[1]
    assert touched.rebuild_swap(theirs, who="ann", why="").version == theirs.tip


def test_a_rebuild_that_is_over_does_nothing_more(touched: ModelStore) -> None:
    begun = branch(touched, begin(touched), 3)[1]
    touched.rebuild_swap(begun, who="ann", why="")
    moves = touched.watch().moves
    for go_on in _what_a_rebuild_does(touched, begun):
        with pytest.raises(RebuildOutdated, match="which is done"):
            go_on()
    assert touched.watch().moves == moves
    (done,) = touched.rebuilds()
    abandoned = begin(touched)
    touched.rebuild_end(abandoned, "abandoned")
    for go_on in _what_a_rebuild_does(touched, abandoned):
        with pytest.raises(RebuildOutdated, match="which is abandoned"):
            go_on()
    assert [each.state for each in touched.rebuilds()] == ["done", "abandoned"]
    assert touched.rebuilds()[0] == done


def test_a_changed_quarantine_makes_a_rebuild_outdated(touched: ModelStore, store: Store) -> None:
    begun = branch(touched, begin(touched), 3)[1]
    for change in (
        lambda: add(touched, (0, 25, 27)),
        lambda: touched.quarantine_change(1, "released", release="late", who="ann", why=""),
    ):
        change()
        before, head = counts(store), touched.watch()
        for go_on in _what_a_rebuild_does(touched, begun):
            with pytest.raises(RebuildOutdated, match="the quarantine was changed"):
                go_on()
        assert (counts(store), touched.watch(), touched.rebuilds()) == (before, head, [begun])


def test_what_an_entry_means_may_grow_during_a_rebuild(touched: ModelStore) -> None:
    begun = begin(touched)
    touched.quarantine_extend(1, offsets((0, 90, 91)), {0: 99})
    begun = branch(touched, begun, 3)[1]
    assert touched.rebuild_swap(begun, who="ann", why="").version == begun.tip


def test_a_head_that_went_elsewhere_is_not_swapped(touched: ModelStore, store: Store) -> None:
    begun = branch(touched, begin(touched), 4)[1]
    for to in (3, 2, 1):
        touched.move("head", to, kind="rewind", who="bob", why="")
        before, head = counts(store), touched.watch()
        with pytest.raises(RebuildOutdated, match="does not descend from version 4"):
            touched.rebuild_swap(begun, who="ann", why="")
        assert (counts(store), touched.watch(), touched.rebuilds()) == (before, head, [begun])
    save(touched)
    with pytest.raises(RebuildOutdated):
        touched.rebuild_swap(begun, who="ann", why="")
    touched.move("head", 4, kind="rewind", who="bob", why="back where it was")
    assert touched.rebuild_swap(begun, who="ann", why="").version == begun.tip


@pytest.mark.parametrize("kind", ["skip", "gap"])
def test_what_was_passed_over_since_is_not_read_again(touched: ModelStore, store: Store, kind: RunKind) -> None:
    begun = branch(touched, begin(touched), 4)[1]
    save(touched)
    if kind == "skip":
        touched.skip(4, who="bob", why="", environment={})
    else:
        save(touched, segment=Segment((Run("t", 0, 40, 50, 0, kind),)))
    passed = touched.head()[0]
    save(touched)
    before, head = counts(store), touched.watch()
    with pytest.raises(RebuildOutdated, match=f"version {passed.version} has passed over events"):
        touched.rebuild_swap(begun, who="ann", why="")
    assert (counts(store), touched.watch(), touched.rebuilds()) == (before, head, [begun])
    begun = branch(touched, begun, passed.version)[1]
    assert touched.rebuild_swap(begun, who="ann", why="").version == begun.tip


def test_a_rebuild_goes_back_along_its_branch(touched: ModelStore) -> None:
    one, begun = branch(touched, begin(touched), 3)
    _, begun = branch(touched, begun, 4)
    touched.move("head", 3, kind="rewind", who="bob", why="")
    begun = touched.rebuild_back(begun, one.version, 3)
    assert (begun.tip, begun.covers, begun.state) == (one.version, 3, "running")
    assert touched.rebuild_swap(begun, who="ann", why="").version == one.version


def test_a_swap_keeps_the_owner_of_head(touched: ModelStore) -> None:
    begun = branch(touched, begin(touched), 4)[1]
    epoch = touched.watch().epoch
    assert touched.rebuild_swap(begun, who="ann", why="").epoch == epoch


def test_expire_keeps_the_bytes_that_a_rebuild_goes_on_from(touched: ModelStore, clock: Clock) -> None:
    tip, begun = branch(touched, begin(touched), 4)
    clock.now = NOON + timedelta(minutes=1)
    save(touched)
    save(touched)
    assert tip.version not in touched.expire(keep_last=1, dry_run=False, now=clock.now)
    assert touched.payload(touched.rebuild_swap(begun, who="ann", why="").version)
    save(touched)
    touched.expire(keep_last=1, dry_run=False, now=clock.now)
    with pytest.raises(BytesExpired):
        touched.payload(tip.version)


# -- all or nothing


def _what_a_rebuild_does(model: ModelStore, rebuild: Rebuild) -> list[Callable[[], object]]:
    return [
        lambda: branch(model, rebuild, 4),
        lambda: model.rebuild_back(rebuild, rebuild.base, rebuild.base),
        lambda: model.rebuild_swap(rebuild, who="ann", why=""),
    ]


@contextmanager
def _stopped_at(store: Store, statement: str) -> Iterator[None]:
    """Let every statement that begins so raise before it is executed."""

    def cut(_c: object, _cursor: object, found: str, *_rest: object) -> None:
        if found.startswith(statement):
            raise InterruptedError

    event.listen(store._engine, "before_cursor_execute", cut)
    yield
    event.remove(store._engine, "before_cursor_execute", cut)


WRITES: dict[str, tuple[str, Callable[[ModelStore, Rebuild], object]]] = {
    "add": ("INSERT INTO quarantine_changes", lambda model, _: add(model, (0, 3, 5))),
    "extend": ("UPDATE quarantine", lambda model, _: model.quarantine_extend(1, offsets((1, 8, 9)), {0: 99})),
    "change": ("INSERT INTO quarantine_changes", lambda model, _: _release(model)),
    "begin another": ("INSERT INTO rebuilds", lambda model, _: begin(model, base=1, take_over=True)),
    "save": ("UPDATE rebuilds", lambda model, rebuild: branch(model, rebuild, 4)),
    "swap": ("UPDATE rebuilds", lambda model, rebuild: model.rebuild_swap(rebuild, who="ann", why="")),
}


def _release(model: ModelStore) -> Entry:
    return model.quarantine_change(1, "released", release="rewrite", who="ann", why="")


def _all_of(store: Store, model: ModelStore) -> tuple[object, ...]:
    return counts(store), model.head(), model.quarantine(), model.rebuilds(), model.moves(), model.versions()


@pytest.mark.parametrize("what", WRITES)
def test_what_fails_at_its_last_step_leaves_nothing(touched: ModelStore, store: Store, what: str) -> None:
    rebuild = branch(touched, begin(touched), 3)[1]
    statement, write = WRITES[what]
    before = _all_of(store, touched)
    with _stopped_at(store, statement), pytest.raises(InterruptedError):
        write(touched, rebuild)
    assert _all_of(store, touched) == before
    write(touched, rebuild)
    assert _all_of(store, touched) != before


@pytest.mark.postgres
@pytest.mark.parametrize("what", WRITES)
def test_a_connection_cut_before_the_commit_changes_nothing(postgres_url: str, what: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        model.create(genesis(), config={}, who="ann")
        for _ in range(3):
            save(model)
        add(model, (0, 12, 14))
        rebuild = branch(model, begin(model), 3)[1]
        before = _all_of(store, model)
        with cut_at_commit(store, postgres_url, committed=False), pytest.raises(StoreUnreachable):
            WRITES[what][1](model, rebuild)
        assert _all_of(store, model) == before
        WRITES[what][1](model, rebuild)
        assert _all_of(store, model) != before


@pytest.mark.postgres
def test_after_a_cut_at_the_commit_of_a_swap_head_tells(postgres_url: str, dead: dict[str, Any]) -> None:
    """What is told as out of reach may have been done: it is whole, and a rebuild that goes on sees it."""
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        model.create(genesis(), config={}, who="ann")
        for _ in range(3):
            save(model)
        add(model, (0, 12, 14))
        rebuild = begin(model, **dead)
        with cut_at_commit(store, postgres_url, committed=True), pytest.raises(StoreUnreachable):
            branch(model, rebuild, 3)
        rebuild = begin(model)
        assert (rebuild.rebuild, rebuild.covers, model.version(rebuild.tip).covers) == (1, 3, 3)
        with cut_at_commit(store, postgres_url, committed=True), pytest.raises(StoreUnreachable):
            model.rebuild_swap(rebuild, who="ann", why="")
        assert model.watch().version == rebuild.tip
        assert model.rebuilds()[0].state == "done"
