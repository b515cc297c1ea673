"""Retention: which versions keep their bytes. Everything else of a version is kept for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select, update

from store import blobs, rebuilds, refs, snapshots, trials
from store.schema import versions

_AT_ONCE = 500  # versions named in one statement: far below what either database takes


class Kept(NamedTuple):
    """What retention looks at of a version."""

    version: int
    kind: str
    created_at: datetime
    blob: str | None
    parent: int | None = None
    beside: bool | None = None


def expire(connection: Connection, model: str, *, keep_last: int, dry_run: bool, now: datetime) -> list[int]:
    """Delete the bytes of old versions and return their numbers. Contract: `ModelStore.expire`."""
    snapshots.lock_model(connection, model)
    pinned = {ref.version for ref in refs.every(connection, model)} | rebuilds.going_on_from(connection, model)
    old = expendable(_every(connection, model), pinned=pinned, keep_last=keep_last)
    if not dry_run:
        for start in range(0, len(old), _AT_ONCE):
            _forget(connection, model, old[start : start + _AT_ONCE], now)
        trials.forget_states(connection, model)
    return old


def expendable(every: Sequence[Kept], *, pinned: set[int], keep_last: int) -> list[int]:
    """Return whose bytes may go: not pinned, not genesis, not among the last, not the last of a day (UTC).

    What a person had saved beside head takes none of these places, and stays where its branch ends: nothing was
    trained on from it, so its bytes are in no other version.
    """
    assert keep_last >= 0, "the settings do not allow less"
    trained = sorted(version for version in every if not version.beside)
    numbers = [version.version for version in trained]
    of_day = {version.created_at.date(): version.version for version in trained}
    parents = {version.parent for version in every}
    pinned = pinned | {version.version for version in every if version.beside and version.version not in parents}
    pinned = pinned | {  # training goes on from the parent of a closing version
        version.parent
        for version in every
        if version.version in pinned and version.kind == "closing" and version.parent is not None
    }
    kept = pinned | set(of_day.values()) | set(numbers[max(0, len(numbers) - keep_last) :])
    return [
        version.version
        for version in sorted(every)
        if version.version not in kept and version.kind != "genesis" and version.blob is not None
    ]


def _every(connection: Connection, model: str) -> list[Kept]:
    query = select(*(versions.c[name] for name in Kept._fields)).where(versions.c.model == model)
    return [Kept(*found) for found in connection.execute(query)]


def _forget(connection: Connection, model: str, numbers: list[int], now: datetime) -> None:
    blobs.drop(connection, model, numbers)
    expired = update(versions).where(versions.c.model == model, versions.c.version.in_(numbers))
    connection.execute(expired.values(expired_at=now))
