"""Who owns a head: an epoch that counts the owners, and a heartbeat of the present one.

A new owner raises the epoch in `owners` and in head's reference in one transaction; from then on every save of the
old owner is refused. Locks are taken in the order owners, models, refs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, RowMapping, select, update

from store.dialects import insert
from store.errors import OwnerAlive
from store.processes import gone
from store.refs import HEAD
from store.running import Heartbeat
from store.schema import models, owners, refs

HEARTBEAT_FRESH_S = 10.0  # a trainer beats at least once a second: ten missed beats are not an accident
_NOTHING_YET = {
    "version": 0,
    "read": 0,
    "learned": 0,
    "held": 0,
    "lag": None,
    "events_per_s": 0.0,
    "detail": "",
    "quarantine": None,
}


@dataclass(frozen=True, slots=True)
class Claimant:
    """A process that claims a head: its run, and how to tell whether it is still there."""

    run: int
    host: str
    pid: int
    pid_started: float


def claim(connection: Connection, model: str, owner: Claimant, *, take_over: bool, now: datetime) -> int:
    """Make this process the owner and return its epoch. Contract: `ModelStore.claim`."""
    epoch = lock(connection, model, now=now)
    connection.execute(select(models.c.name).where(models.c.name == model).with_for_update())
    if epoch and not take_over:
        _refuse_alive(_found(connection, model), owner, now)
    values = {**asdict(owner), "epoch": epoch + 1, "released": False, "state": "starting", "at": now}
    connection.execute(update(owners).where(owners.c.model == model).values({**values, **_NOTHING_YET}))
    connection.execute(update(refs).where(refs.c.model == model, refs.c.name == HEAD).values(epoch=epoch + 1))
    return epoch + 1


def lock(connection: Connection, model: str, *, now: datetime) -> int:
    """Lock the owner of a model, which need not exist yet, for this transaction; return its epoch (0: none yet)."""
    nobody = {"model": model, "epoch": 0, "released": True, "host": "", "pid": 0, "pid_started": 0.0, "state": "none"}
    made = insert(connection, owners).values({**nobody, "at": now, **_NOTHING_YET})
    connection.execute(made.on_conflict_do_nothing())
    epoch = connection.scalar(select(owners.c.epoch).where(owners.c.model == model).with_for_update())
    return int(epoch or 0)


def beat(connection: Connection, model: str, heartbeat: Heartbeat) -> None:
    """Write a heartbeat; one of an owner that was replaced, or that released the model, is ignored."""
    mine = (owners.c.model == model) & (owners.c.epoch == heartbeat.epoch) & ~owners.c.released
    connection.execute(update(owners).where(mine).values(asdict(heartbeat)))


def release(connection: Connection, model: str, epoch: int, *, state: str, now: datetime) -> None:
    """Tell that the owner of this epoch ended by itself; ignored when it was replaced."""
    mine = (owners.c.model == model) & (owners.c.epoch == epoch)
    connection.execute(update(owners).where(mine).values(released=True, state=state, at=now))


def last_heartbeat(connection: Connection, model: str) -> Heartbeat | None:
    """Return the last heartbeat, or None when the model never had an owner."""
    query = select(owners).where(owners.c.model == model, owners.c.epoch > 0)
    found = connection.execute(query).mappings().first()
    return None if found is None else _read(found)


def alive(connection: Connection, model: str, *, host: str, now: datetime) -> bool:
    """Tell whether a model has an owner that has not ended, as far as can be seen from this host."""
    found = connection.execute(select(owners).where(owners.c.model == model, owners.c.epoch > 0)).first()
    return found is not None and not found.released and not _silent(found, host, now)


def run_of(connection: Connection, model: str) -> int | None:
    """Return the run that owns a model."""
    run: int | None = connection.scalar(select(owners.c.run).where(owners.c.model == model))
    return run


def _refuse_alive(held: Row[Any], owner: Claimant, now: datetime) -> None:
    if held.released or held.run == owner.run or _silent(held, owner.host, now):
        return
    raise OwnerAlive(held.model, host=held.host, pid=held.pid, age=(now - held.at).total_seconds())


def _silent(held: Row[Any], host: str, now: datetime) -> bool:
    """Tell whether an owner's heartbeat is old, or its process is gone from this host."""
    old = (now - held.at).total_seconds() >= HEARTBEAT_FRESH_S
    return old or (held.host == host and gone(held.pid, held.pid_started))


def _found(connection: Connection, model: str) -> Row[Any]:
    return connection.execute(select(owners).where(owners.c.model == model)).one()


def _read(found: RowMapping) -> Heartbeat:
    return Heartbeat(**{name: value for name, value in found.items() if name not in ("model", "released")})
