"""The laws of the store, on SQLite and on a real PostgreSQL: trials of backtests, and which one is taken up again."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psutil
import pytest
from sqlalchemy import text

from store import ModelStore, Refused, Store, StoreError, Trial
from store.engine import transaction
from tests.store.values import HOST, NOON, counts, genesis, run_of

KEY = "ab" * 32
TOLD: dict[str, Any] = {
    "name": "one",
    "recipe": "linear_model.LogisticRegression()",
    "identity": "LogisticRegression()",
    "key": KEY,
    "outcome": "running",
    "place": {"stretch": 1, "next": {"t": {"0": 7}}},
    "result": {"scores": {"Accuracy": {"cumulative": 0.1 + 0.2}}},
}


def put(model: ModelStore, run: int, number: int = 0, **changes: Any) -> Trial:
    told = {**TOLD, **changes}
    told.setdefault("now", NOON)
    model.put_trial(run, number, **{"state": b"state", "values": None, **told})
    kept = {name: value for name, value in told.items() if name not in ("state", "values", "now")}
    return Trial(run, number, **kept, at=told["now"])


def ended(model: ModelStore, outcome: Any) -> int:
    """Return a run that ended so."""
    run = run_of(model).run
    model.end_run(run, outcome=outcome, error=None, result={}, now=NOON)
    return run


def a_dead_process() -> tuple[int, float]:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    child.communicate(b"\n")
    return child.pid, started


def test_a_trial_is_replaced_by_a_later_put(store: Store) -> None:
    model = store.model("none")  # it has no version
    run = run_of(model).run
    assert model.trials(run) == []
    first = put(model, run)
    assert model.trials(run) == [first]
    other = put(model, run, 1, name="nul \0", key="cd", state=None, values=b"v")
    later = NOON + timedelta(seconds=2)
    done = put(model, run, outcome="done", place={}, result={"events": 9}, state=None, values=b"\0\xff", now=later)
    assert model.trials(run) == [done, replace(other, name="nul \ufffd")]
    assert done.at == later
    assert model.trial_bytes(run, 0) == (None, b"\0\xff")
    assert model.trial_bytes(run, 1) == (None, b"v")
    assert not model.exists()
    assert counts(store)["trials"] == 2


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_bytes_come_back_equal(store: Store, size: int) -> None:
    model = store.model("none")
    run = run_of(model).run
    state, values = random.Random(size).randbytes(size), bytes(size)
    put(model, run, state=state, values=values)
    assert model.trial_bytes(run, 0) == (state, values)


def test_damaged_bytes_are_told(store: Store) -> None:
    model = store.model("none")
    run = run_of(model).run
    put(model, run, state=os.urandom(100))
    with transaction(store._engine, write=True) as connection:
        packed = bytearray(connection.scalar(text("SELECT state FROM trials")))
        packed[50] ^= 1
        connection.execute(text("UPDATE trials SET state = :state"), {"state": bytes(packed)})
    with pytest.raises(StoreError, match="damaged"):
        model.trial_bytes(run, 0)


def test_what_is_not_there_is_refused_and_models_are_apart(store: Store) -> None:
    model, twin = store.model("none"), store.model("twin")
    run = ended(model, "failed")
    trial = put(model, run)
    with pytest.raises(Refused, match="run 1 of model 'twin'"):
        put(twin, run)
    with pytest.raises(Refused):
        put(model, run + 1)
    with pytest.raises(Refused):
        model.trial_bytes(run, 1)
    with pytest.raises(Refused):
        twin.trial_bytes(run, 0)
    assert (twin.trials(run), twin.unfinished(KEY)) == ([], None)
    assert (model.trials(run), model.unfinished(KEY)) == ([trial], trial)


@pytest.mark.parametrize("outcome", ["failed", "interrupted", "lost"])
def test_the_newest_trial_of_what_did_not_end_well_is_taken_up(store: Store, outcome: Any) -> None:
    model = store.model("none")
    model.create(genesis(), config={}, who="ann")
    assert model.unfinished(KEY) is None
    put(model, ended(model, outcome), place={"old": 1})
    newest = put(model, ended(model, outcome), outcome="done")  # this candidate was done, the run was not
    put(model, ended(model, outcome), key="cd" * 32)
    assert model.unfinished(KEY) == newest
    put(model, done := ended(model, "done"), outcome="done")
    assert model.unfinished(KEY) is None, "a later run was done: the next begins anew"
    again = put(model, ended(model, outcome))
    assert again.run > done
    assert model.unfinished(KEY) == again


def test_a_run_that_says_it_is_running_is_taken_up_when_its_process_is_gone(store: Store) -> None:
    model = store.model("none")
    first = put(model, ended(model, "failed"))
    alive = put(model, run_of(model).run)
    assert model.unfinished(KEY, host=HOST) == first
    pid, started = a_dead_process()
    dead = model.start_run(
        command="backtest",
        config_hash="c",
        config={},
        environment={},
        host=HOST,
        pid=pid,
        pid_started=started,
        now=NOON,
    )
    killed = put(model, dead)
    assert model.unfinished(KEY, host=HOST) == killed
    assert model.unfinished(KEY, host="another") == first, "whether it lives there cannot be seen"
    model.mark_lost(host=HOST, now=NOON)
    assert model.unfinished(KEY, host="another") == killed
    assert model.unfinished(KEY) == killed
    assert alive.run < killed.run


def test_what_was_told_at_the_start_of_a_run_stays_when_it_is_lost(store: Store) -> None:
    model = store.model("none")
    pid, started = a_dead_process()
    model.start_run(
        command="backtest",
        config_hash="c",
        config={},
        environment={},
        host=HOST,
        now=NOON,
        pid=pid,
        pid_started=started,
        result={"commit": "abc"},
    )
    assert model.mark_lost(host=HOST, now=NOON) == [1]
    (record,) = model.runs()
    assert (record.outcome, record.result) == ("lost", {"commit": "abc"})


def test_expire_deletes_the_states_that_no_run_goes_on_from(store: Store) -> None:
    model, twin = store.model("m"), store.model("twin")
    model.create(genesis(), config={}, who="ann")
    lost = put(model, ended(model, "lost"), values=b"v")
    waiting = put(model, ended(model, "interrupted"), key="cd")
    done = put(model, ended(model, "done"), values=b"v")
    again = put(model, ended(model, "failed"))
    other = put(twin, ended(twin, "done"))
    model.expire(keep_last=1, dry_run=True, now=NOON)
    assert model.trial_bytes(done.run, 0) == (b"state", b"v")
    model.expire(keep_last=1, dry_run=False, now=NOON)
    assert [model.trial_bytes(trial.run, 0) for trial in (lost, waiting, done, again)] == [
        (None, b"v"),
        (b"state", None),
        (None, b"v"),
        (b"state", None),
    ]
    assert (model.unfinished(KEY), model.unfinished("cd")) == (again, waiting)
    assert model.trials(done.run) == [done]
    assert twin.trial_bytes(other.run, 0) == (b"state", None)
