"""Retention: which versions keep their bytes. Everything else of a version is kept for ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, update

from store import blobs, refs, snapshots
from store.schema import versions
from store.types import Version

_AT_ONCE = 500  # versions named in one statement: far below what either database takes


def expire(connection: Connection, model: str, *, keep_last: int, dry_run: bool, now: datetime) -> list[int]:
    """Delete the bytes of old versions and return their numbers. Contract: `ModelStore.expire`."""
    snapshots.lock_model(connection, model)
    pinned = {ref.version for ref in refs.every(connection, model)}
    old = expendable(snapshots.every(connection, model), pinned=pinned, keep_last=keep_last)
    if not dry_run:
        for start in range(0, len(old), _AT_ONCE):
            _forget(connection, model, old[start : start + _AT_ONCE], now)
    return old


def expendable(every: Sequence[Version], *, pinned: set[int], keep_last: int) -> list[int]:
    """Return whose bytes may go: not pinned, not genesis, not among the last, not the last of a day (UTC)."""
    assert keep_last >= 0, "the settings do not allow less"
    numbers = sorted(version.version for version in every)
    of_day = {version.created_at.date(): version.version for version in sorted(every, key=lambda each: each.version)}
    kept = pinned | set(of_day.values()) | set(numbers[max(0, len(numbers) - keep_last) :])
    return [
        version.version
        for version in every
        if version.version not in kept and version.kind != "genesis" and version.blob is not None
    ]


def _forget(connection: Connection, model: str, numbers: list[int], now: datetime) -> None:
    blobs.drop(connection, model, numbers)
    expired = update(versions).where(versions.c.model == model, versions.c.version.in_(numbers))
    connection.execute(expired.values(expired_at=now))
