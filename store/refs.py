"""References: where they point, how often they moved, who owns head; and the log of every move.

Each change is a compare-and-swap on the move counter and the epoch, inside a transaction that holds the model's lock.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from store import snapshots
from store.errors import Fenced, HeadMoved, NoSuchModel, Refused
from store.schema import models, moves, refs
from store.types import Move, MoveKind, Ref, Version

HEAD = "head"
CHAMPION = "champion"
TRAINING = ("genesis", "save", "publish")
NOT_UNDONE = (*TRAINING, "reopen")  # moves that training makes by itself
_LOOK = (
    select(refs, models.c.quarantine)
    .join(models, models.c.name == refs.c.model)
    .where(refs.c.model == bindparam("of"), refs.c.name == HEAD)
)  # made once: trainers ask it in their loop
_NAME = re.compile(r"(?!v?\d+\Z)[A-Za-z][A-Za-z0-9_.-]{0,99}\Z")  # nothing that reads as a version


def find(connection: Connection, model: str, name: str) -> Ref | None:
    """Return a reference, or None."""
    entry = connection.execute(select(refs).where(refs.c.model == model, refs.c.name == name)).first()
    return None if entry is None else Ref(entry.name, entry.version, entry.moves, entry.epoch)


def every(connection: Connection, model: str) -> list[Ref]:
    """Return all references by name."""
    query = select(refs).where(refs.c.model == model).order_by(refs.c.name)
    return [Ref(entry.name, entry.version, entry.moves, entry.epoch) for entry in connection.execute(query)]


def head(connection: Connection, model: str) -> Ref:
    """Return head; raises NoSuchModel when the model has none."""
    found = find(connection, model, HEAD)
    if found is None:
        raise NoSuchModel(model)
    return found


def look(connection: Connection, model: str) -> tuple[Ref, int]:
    """Return head, and the revision of the quarantine; raises NoSuchModel when the model has none."""
    entry = connection.execute(_LOOK, {"of": model}).first()
    if entry is None:
        raise NoSuchModel(model)
    return Ref(entry.name, entry.version, entry.moves, entry.epoch), entry.quarantine or 0


def check(found: Ref | None, expected: Ref) -> None:
    """Raise Fenced or HeadMoved unless the reference is as expected."""
    if found is not None and found.epoch != expected.epoch:
        raise Fenced(expected=expected.epoch, found=found.epoch)
    if found is None or found.moves != expected.moves:
        raise HeadMoved(expected.name, expected=expected.moves, found=found.moves if found else 0)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a reference moves: what the log of moves keeps of it."""

    kind: MoveKind
    who: str
    why: str
    at: datetime


def point(connection: Connection, model: str, name: str, to: int, cause: Cause, *, epoch: int) -> Ref:
    """Move a reference, or make it, and log the move; the caller holds the model's lock and has checked the rest."""
    old = find(connection, model, name)
    moved = Ref(name, to, moves=old.moves + 1 if old else 1, epoch=epoch)
    values = {"version": moved.version, "moves": moved.moves, "epoch": moved.epoch}
    if old is None:
        connection.execute(insert(refs).values(model=model, name=name, **values))
    else:
        swap = update(refs).where(refs.c.model == model, refs.c.name == name)
        swapped = connection.execute(swap.where(refs.c.moves == old.moves, refs.c.epoch == old.epoch).values(values))
        assert swapped.rowcount == 1, "the model is locked"
    connection.execute(
        insert(moves).values(
            model=model,
            ref=name,
            move=moved.moves,
            old=old.version if old else None,
            new=to,
            epoch=epoch,
            **asdict(cause),
        )
    )
    return moved


def move(connection: Connection, model: str, name: str, to: int, cause: Cause, *, expected: Ref | None = None) -> Ref:
    """Move a reference to a version that has its bytes; head only to where it has been. Contract: `ModelStore.move`."""
    if not _NAME.match(name):
        raise Refused(
            f"{name!r} cannot name a reference", hint="letters, digits, '-', '_' and '.', and not like a version number"
        )
    snapshots.lock_model(connection, model)
    old = find(connection, model, name)
    if expected is not None:
        check(old, expected)
    version = snapshots.numbered(connection, model, to)
    if name == HEAD:
        _check_head_was_at(connection, version, old)
    snapshots.require_bytes(connection, version)
    epoch = old.epoch if old else 0
    return point(connection, model, name, to, cause, epoch=epoch)


def undo(connection: Connection, model: str, name: str, cause: Cause) -> Ref:
    """Take back the last move that a person made of a reference. Contract: `ModelStore.undo`."""
    snapshots.lock_model(connection, model)
    made = select(moves).where(moves.c.model == model, moves.c.ref == name, moves.c.kind.not_in(NOT_UNDONE))
    last = connection.execute(made.order_by(moves.c.move.desc()).limit(1)).first()
    if last is None or last.old is None:
        raise Refused(
            f"expected a move of {name!r} that can be taken back, found "
            + ("only the one that made it" if last else "none"),
            hint="`tidemark log` shows the moves",
        )
    return move(connection, model, name, last.old, cause)


def logged(connection: Connection, model: str, name: str | None) -> list[Move]:
    """Return the moves of one reference, or of all, in the order they were made."""
    query = select(moves).where(moves.c.model == model)
    query = query.order_by(moves.c.at, moves.c.ref, moves.c.move) if name is None else query.where(moves.c.ref == name)
    return [_read(entry) for entry in connection.execute(query.order_by(moves.c.move))]


def by_hand(connection: Connection, model: str, last: int | None) -> list[Move]:
    """Return the moves that somebody made, not training by itself, in the order they were made; only the last ones."""
    query = select(moves).where(moves.c.model == model, moves.c.kind.not_in(TRAINING))
    query = query.order_by(moves.c.at.desc(), moves.c.ref.desc(), moves.c.move.desc()).limit(last)
    return [_read(entry) for entry in connection.execute(query)][::-1]


def move_to(connection: Connection, model: str, name: str, version: int) -> Ref:
    """Return a reference as it was right after its first move to a version."""
    query = select(moves).where(moves.c.model == model, moves.c.ref == name, moves.c.new == version)
    made = connection.execute(query.order_by(moves.c.move).limit(1)).one()
    return Ref(name, made.new, made.move, made.epoch)


def _check_head_was_at(connection: Connection, version: Version, head: Ref | None) -> None:
    """Raise Refused unless head was at the version, or descends from it, as from the versions of a rebuild."""
    was = select(moves.c.move).where(moves.c.model == version.model, moves.c.ref == HEAD)
    line = snapshots.ancestry(version.model, head.version if head else version.version).subquery()
    below = select(line.c.version).where(line.c.version == version.version)
    if connection.scalar(was.where(moves.c.new == version.version).limit(1)) is None and not connection.scalar(below):
        raise Refused(
            f"expected a version that head has been at, found version {version.version}, which it never was",
            hint="`tidemark log` shows the moves of head; --skip takes any version",
        )


def _read(entry: Row[Any]) -> Move:
    return Move(entry.ref, entry.move, entry.kind, entry.old, entry.new, entry.who, entry.why, entry.at, entry.epoch)
