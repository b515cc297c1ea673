"""Values to fill a store with, for its laws and faults."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import psutil
from sqlalchemy import func, select

from store import (
    Accounts,
    Claimant,
    Cursor,
    Heartbeat,
    ModelStore,
    NewVersion,
    Position,
    Proof,
    Run,
    Segment,
    Store,
    TopicPosition,
    Version,
)
from store.engine import transaction
from store.schema import metadata

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "here"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def position(*offsets: int) -> Position:
    return Position(
        {"t": TopicPosition("t", {p: Cursor(o, o - 1 if o else None, "ab") for p, o in enumerate(offsets)})}
    )


def genesis(state: bytes = b"untrained") -> NewVersion:
    return NewVersion(
        kind="genesis",
        parent=None,
        state=state,
        position=position(0, 0),
        segment=Segment(),
        accounts=Accounts(),
        proof=Proof("00", "[]", {"Accuracy": {"cumulative": None}}, {"NoChange": {"Accuracy": {"cumulative": None}}}),
        recipe="linear_model.LogisticRegression()",
        identity="LogisticRegression()",
        schema={"nswprice": {"type": "number"}},
        config_hash="c0ffee",
        environment={"python": "3.11"},
        token=uuid4().hex,
        reason="start",
    )


def child(parent: Version, *, events: int = 10, **changes: object) -> NewVersion:
    start = parent.position.next_offsets()["t"][0]
    new = replace(
        genesis(os.urandom(16)),
        kind="save",
        parent=parent.version,
        position=position(start + events, 0),
        segment=Segment((Run("t", 0, start, start + events, events),)),
        accounts=Accounts(read=start + events, learned=start + events),
        reason="every 10 events",
    )
    return replace(new, **changes)


def save(model: ModelStore, **changes: object) -> Version:
    version, ref = model.head()
    return model.save(child(version, **changes), ref=ref, who="ann")[0]


def counts(store: Store) -> dict[str, int]:
    with transaction(store._engine, write=False) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def run_of(model: ModelStore, *, pid: int | None = None, started: float | None = None) -> Claimant:
    me = psutil.Process(pid)
    pid_started = me.create_time() if started is None else started
    run = model.start_run(
        command="train",
        config_hash="c0ffee",
        config={"a": 1},
        environment={},
        host=HOST,
        pid=me.pid,
        pid_started=pid_started,
        now=NOON,
    )
    return Claimant(run, HOST, me.pid, pid_started)


def beat_of(owner: Claimant, epoch: int, at: datetime, **changes: object) -> Heartbeat:
    beat = Heartbeat(
        owner.run, epoch, owner.host, owner.pid, owner.pid_started, "polling", at, 1, 5, 4, 1, None, 2.5, "x"
    )
    return replace(beat, **changes)
