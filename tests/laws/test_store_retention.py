"""The laws of the store, on both databases: runs, and what expire deletes."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psutil
import pytest
from sqlalchemy import event

from store import (
    BytesExpired,
    ModelStore,
    Refused,
    Store,
)
from tests.store.values import NOON, Clock, counts, genesis, run_of, save

# -- runs


def test_runs_are_kept_with_how_they_ended(store: Store) -> None:
    model = store.model("failed")
    run = run_of(model).run
    (record,) = model.runs()
    assert (record.model, record.command, record.outcome, record.config) == ("failed", "train", "running", {"a": 1})
    assert (record.started_at, record.ended_at) == (NOON, None)
    assert record.pid_started == psutil.Process().create_time()
    model.end_run(run, outcome="failed", error="no \0 broker", result={"events": 0, "rate": math.inf}, now=NOON)
    (record,) = model.runs()
    assert (record.outcome, record.error, record.ended_at) == ("failed", "no \ufffd broker", NOON)
    assert record.result == {"events": 0, "rate": None}
    with pytest.raises(Refused):
        model.end_run(run + 1, outcome="done", error=None, result={}, now=NOON)
    assert not model.exists()


# -- retention


def test_expire_deletes_bytes_and_keeps_versions(model: ModelStore, store: Store, clock: Clock) -> None:
    for hours in (1, 2, 25, 26, 27, 49, 50, 51, 52):  # versions 2..10, on days 1, 2 and 3
        clock.now = NOON + timedelta(hours=hours)
        save(model)
    model.move("champion", 4, kind="promote", who="ann", why="")
    twin = store.model("twin")
    twin.create(genesis(b"shared"), config={}, who="ann")
    assert model.expire(keep_last=2, dry_run=True, now=clock.now) == [2, 5, 7, 8]
    assert all(v.blob for v in model.versions())
    before = counts(store)
    assert model.expire(keep_last=2, dry_run=False, now=clock.now) == [2, 5, 7, 8]
    after = counts(store)
    assert before.pop("blobs") - after.pop("blobs") == 4
    assert after == before
    assert [v.version for v in model.versions() if v.blob is None] == [2, 5, 7, 8]
    assert model.expire(keep_last=2, dry_run=False, now=clock.now) == []
    with pytest.raises(BytesExpired, match="2026-03-03"):
        model.payload(5)
    for attempt in (
        lambda: model.move("head", 5, kind="rewind", who="ann", why=""),
        lambda: model.skip(5, who="ann", why="", environment={}),
    ):
        with pytest.raises(BytesExpired):
            attempt()
    assert len(model.lineage(10)) == 10
    assert model.segment(5).events == 10
    assert model.expire(keep_last=100, dry_run=True, now=clock.now) == []


def test_expire_keeps_bytes_that_another_version_uses(model: ModelStore, store: Store) -> None:
    save(model, state=b"shared")
    save(model)
    save(model)
    twin = store.model("twin")
    twin.create(genesis(b"shared"), config={}, who="ann")
    assert model.expire(keep_last=0, dry_run=False, now=NOON) == [2, 3]
    assert twin.payload(1) == b"shared"


def test_expire_waits_for_a_save_of_the_same_bytes(model: ModelStore, store: Store) -> None:
    save(model, state=b"shared")
    save(model)
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    written = threading.Event()

    def pause(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO moves" in statement:
            written.set()
            time.sleep(0.5)

    event.listen(store._engine, "before_cursor_execute", pause)
    with ThreadPoolExecutor(1) as pool:
        saving = pool.submit(save, twin, state=b"shared")
        written.wait(10)
        assert model.expire(keep_last=0, dry_run=False, now=NOON) == [2]
        assert twin.payload(saving.result().version) == b"shared"


def test_expire_and_saves_of_the_same_bytes_race(model: ModelStore, store: Store) -> None:
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    stop = threading.Event()

    def expire() -> None:
        while not stop.is_set():
            model.expire(keep_last=0, dry_run=False, now=NOON)

    thread = threading.Thread(target=expire)
    thread.start()
    try:
        for number in range(40):
            state = str(number // 2).encode()
            save(model, state=state)
            assert twin.payload(save(twin, state=state).version) == state
    finally:
        stop.set()
        thread.join()
    for version in twin.versions():
        assert twin.payload(version.version)
