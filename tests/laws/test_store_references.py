"""The laws of the store, on both databases: references, owners, runs, retention."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest

from store import (
    Claimant,
    Fenced,
    HeadMoved,
    ModelStore,
    NoSuchVersion,
    OwnerAlive,
    Proof,
    Ref,
    Refused,
    Run,
    Segment,
    Store,
)
from tests.store.values import HOST, NOON, beat_of, counts, genesis, position, run_of, save

# -- references


def test_head_moves_back_only_to_where_it_was(model: ModelStore) -> None:
    save(model)
    with pytest.raises(NoSuchVersion):
        model.move("head", 9, kind="rewind", who="ann", why="")
    save(model)
    model.move("head", 1, kind="rewind", who="ann", why="suspect")
    _, ref = model.head()
    assert ref == Ref("head", 1, 4, 0)
    model.move("head", 3, kind="rewind", who="ann", why="no, it was fine", expected=ref)
    with pytest.raises(HeadMoved):
        model.move("head", 1, kind="rewind", who="ann", why="", expected=ref)
    assert model.watch() == Ref("head", 3, 5, 0)


def test_another_reference_may_point_anywhere(model: ModelStore) -> None:
    save(model)
    assert model.move("champion", 2, kind="promote", who="ann", why="good") == Ref("champion", 2, 1, 0)
    assert model.move("champion", 1, kind="promote", who="ann", why="better") == Ref("champion", 1, 2, 0)
    with pytest.raises(HeadMoved):
        model.move("champion", 2, kind="promote", who="ann", why="", expected=Ref("champion", 2, 1, 0))
    with pytest.raises(HeadMoved):
        model.move("new", 2, kind="promote", who="ann", why="", expected=Ref("new", 2, 1, 0))
    for name in ("7", "v7", "", "a b", "-x", "x" * 101):
        with pytest.raises(Refused):
            model.move(name, 1, kind="promote", who="ann", why="")
    assert [m.ref for m in model.moves()].count("champion") == 2


def test_undo_takes_back_the_last_move_of_a_person(model: ModelStore) -> None:
    with pytest.raises(Refused):
        model.undo(who="ann", why="")
    for _ in range(3):
        save(model)
    with pytest.raises(Refused):
        model.undo(who="ann", why="")
    model.move("head", 2, kind="rewind", who="ann", why="suspect")
    save(model)  # version 5, on 2
    assert model.undo(who="ann", why="it was fine").version == 4
    assert model.undo(who="ann", why="it was not").version == 5
    assert [m.kind for m in model.moves("head")][-3:] == ["save", "undo", "undo"]
    model.move("champion", 2, kind="promote", who="ann", why="")
    with pytest.raises(Refused, match="made it"):
        model.undo(name="champion", who="ann", why="")
    model.move("champion", 3, kind="promote", who="ann", why="")
    assert model.undo(name="champion", who="ann", why="").version == 2
    with pytest.raises(Refused):
        model.undo(name="nothing", who="ann", why="")


def test_skip_keeps_the_model_and_the_position_of_head(model: ModelStore) -> None:
    proof = Proof("d1", '["0x1p-1"]', {"Accuracy": {"cumulative": 0.5}}, {})
    two = save(model, proof=proof)
    save(model)
    save(model)
    model.claim(run_of(model), now=NOON)
    version, ref = model.skip(2, who="ann", why="garbage", environment={"python": "3.12"})
    assert (version.version, version.parent, version.kind, version.blob) == (5, 2, "skip", two.blob)
    assert version.position == position(30, 0)
    assert (version.proof, version.accounts) == (proof, two.accounts)
    assert (version.reason, version.environment) == ("garbage", {"python": "3.12"})
    assert model.segment(5) == Segment((Run("t", 0, 10, 30, 0, "skip"),))
    assert model.payload(5) == model.payload(2)
    assert ref == model.watch() == Ref("head", 5, 5, 1)
    assert [v.version for v in model.lineage(5)] == [1, 2, 5]
    assert model.undo(who="ann", why="").version == 4


def test_skip_to_what_is_further_than_head_learns_nothing_twice(model: ModelStore) -> None:
    save(model)
    save(model, position=position(20, 4))
    model.move("head", 2, kind="rewind", who="ann", why="")
    version, _ = model.skip(3, who="ann", why="after all", environment={})
    assert version.position == position(20, 4)
    assert model.segment(version.version) == Segment()


# -- owners


def test_one_of_many_claims_wins(model: ModelStore) -> None:
    owners = [run_of(model) for _ in range(6)]

    def claim(owner: Claimant) -> int | None:
        try:
            return model.claim(owner, now=NOON)
        except OwnerAlive:
            return None

    with ThreadPoolExecutor(6) as pool:
        assert sorted(e for e in pool.map(claim, owners) if e is not None) == [1]
        epochs = list(pool.map(lambda owner: model.claim(owner, take_over=True, now=NOON), owners))
    assert sorted(epochs) == [2, 3, 4, 5, 6, 7]
    assert model.watch().epoch == 7


def test_a_claim_waits_for_a_fresh_heartbeat(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    epoch = model.claim(one, now=NOON)
    model.beat(beat_of(one, epoch, NOON + timedelta(seconds=30)))
    with pytest.raises(OwnerAlive) as caught:
        model.claim(two, now=NOON + timedelta(seconds=39.9))
    assert (caught.value.host, caught.value.pid) == (HOST, os.getpid())
    assert caught.value.age == pytest.approx(9.9)
    assert model.watch().epoch == 1
    assert model.claim(one, now=NOON + timedelta(seconds=31)) == 2  # a run does not wait for itself
    assert model.claim(two, now=NOON + timedelta(seconds=41)) == 3


def test_a_trainer_runs_while_it_beats_and_its_process_is_there(model: ModelStore) -> None:
    here = {"host": HOST, "now": NOON}
    assert not model.owned(**here)
    one = run_of(model)
    epoch = model.claim(one, now=NOON)
    assert model.owned(**here)
    model.beat(beat_of(one, epoch, NOON + timedelta(seconds=30), quarantine=7))
    beat = model.heartbeat()
    assert beat is not None
    assert beat.quarantine == 7
    assert model.owned(host=HOST, now=NOON + timedelta(seconds=39.9))
    assert not model.owned(host=HOST, now=NOON + timedelta(seconds=40))
    gone = replace(one, pid_started=1.0)
    model.claim(gone, take_over=True, now=NOON)
    beat = model.heartbeat()
    assert beat is not None
    assert beat.quarantine is None, "another trainer has not said anything yet"
    assert not model.owned(**here)
    assert model.owned(host="elsewhere", now=NOON)
    model.release(2, state="stopped", now=NOON)
    assert not model.owned(host="elsewhere", now=NOON)


def test_an_owner_that_released_is_not_waited_for(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    epoch = model.claim(one, now=NOON)
    model.release(epoch, state="stopped", now=NOON)
    model.beat(beat_of(one, epoch, NOON + timedelta(seconds=1)))  # a heartbeat that was under way
    beat = model.heartbeat()
    assert beat is not None
    assert beat.state == "stopped"
    assert model.claim(two, now=NOON + timedelta(seconds=1)) == 2
    model.release(epoch, state="stopped", now=NOON)  # too late: another one owns it
    with pytest.raises(OwnerAlive):
        model.claim(one, now=NOON + timedelta(seconds=2))


def test_a_process_that_was_killed_is_gone_at_once(model: ModelStore) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        dead = run_of(model, pid=process.pid)
        mine = run_of(model)
        epoch = model.claim(dead, now=NOON)
        model.beat(beat_of(dead, epoch, NOON))
        with pytest.raises(OwnerAlive):
            model.claim(mine, now=NOON)
        assert model.mark_lost(host=HOST, now=NOON) == []
    finally:
        process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    with pytest.raises(OwnerAlive):
        model.claim(replace(mine, host="elsewhere"), now=NOON)  # from afar it cannot be seen
    assert model.claim(mine, now=NOON) == 2
    assert process.wait() == -9
    assert model.mark_lost(host="elsewhere", now=NOON) == []
    assert model.mark_lost(host=HOST, now=NOON) == [dead.run]
    assert [(r.run, r.outcome) for r in model.runs()] == [(dead.run, "lost"), (mine.run, "running")]


def test_a_number_given_to_another_process_is_not_the_owner(model: ModelStore) -> None:
    reused = run_of(model, started=1000.0)
    model.claim(reused, now=NOON)
    assert model.claim(run_of(model), now=NOON) == 2


def test_heartbeats_of_an_old_owner_are_ignored(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    model.claim(one, now=NOON)
    model.claim(two, take_over=True, now=NOON)
    mine = beat_of(two, 2, NOON + timedelta(seconds=1), lag=7)
    model.beat(mine)
    model.beat(beat_of(one, 1, NOON + timedelta(seconds=2)))
    assert model.heartbeat() == mine


def test_a_model_to_be_is_claimed_and_made_in_that_epoch(store: Store) -> None:
    model = store.model("new")
    one, two = run_of(model), run_of(model)
    assert model.claim(one, now=NOON) == 1
    assert model.claim(two, take_over=True, now=NOON) == 2
    before = counts(store)
    with pytest.raises(Fenced):
        model.create(replace(genesis(), run=one.run), config={}, who="ann")
    assert counts(store) == before
    _, ref = model.create(replace(genesis(), run=two.run), config={}, who="ann")
    assert ref == Ref("head", 1, 1, 2) == model.watch()
