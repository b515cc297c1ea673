"""What is asked of a model's past without its bytes: the outline of all versions, holds and losses of a lineage.

All methods are one reading transaction each, cheap where there are many versions: no version is read whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, func, select

from store import refs, scores, snapshots
from store.engine import transaction
from store.schema import held_events, segment_holds, segment_runs, versions
from store.types import Hold, Move, Run, ScorePoint, VersionKind


@dataclass(frozen=True, slots=True)
class Outline:
    """One version in a few words. Counts are cumulative; `has_bytes` is false after they expired.

    `quarantine` is the revision by which it was judged; `covers` the version that a rebuilt one stands for.
    """

    version: int
    parent: int | None
    kind: VersionKind
    learned: int
    reason: str
    created_at: datetime
    has_bytes: bool
    read: int
    held: int
    quarantine: int = 0
    covers: int | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """Events of a lineage that were held for one reason: how many, in which versions, and one of them in words.

    `first_ms` and `last_ms` are the records' own timestamps, where the log has them.
    """

    reason: str
    events: int
    first_version: int
    last_version: int
    first_ms: int | None
    last_ms: int | None
    example: str | None


class History:
    """The past of one model."""

    def __init__(self, engine: Engine, name: str, *, clock: Callable[[], datetime]) -> None:
        self.name = name
        self._engine = engine
        self._clock = clock

    def outline(self) -> list[Outline]:
        """Return all versions by number, abandoned ones too."""
        at = versions.c
        columns = (
            at.version,
            at.parent,
            at.kind,
            at.learned,
            at.reason,
            at.created_at,
            at.blob.is_not(None),
            at.read,
            at.held,
            func.coalesce(at.quarantine, 0),
            at.covers,
        )
        query = select(*columns).where(at.model == self.name).order_by(at.version)
        with self._reading() as connection:
            return [Outline(*entry) for entry in connection.execute(query)]

    def holds(self, version: int) -> list[Holds]:
        """Return what the lineage of a version held, by reason, the most first."""
        line = snapshots.ancestry(self.name, version).subquery()
        at, kept = segment_holds.c, held_events.c
        same = and_(*(kept[key] == at[key] for key in ("model", "topic", "partition", "offset", "reason")))
        events = func.count().label("events")
        query = (
            select(
                at.reason,
                events,
                func.min(at.version),
                func.max(at.version),
                func.min(kept.timestamp_ms),
                func.max(kept.timestamp_ms),
                func.min(kept.detail),
            )
            .select_from(segment_holds.outerjoin(held_events, same))
            .where(at.model == self.name, at.version.in_(select(line.c.version)))
            .group_by(at.reason)
            .order_by(events.desc(), at.reason)
        )
        with self._reading() as connection:
            return [Holds(*entry) for entry in connection.execute(query)]

    def passed_over(self, version: int) -> list[tuple[int, Run]]:
        """Return (version, run) of what the lineage of a version skipped or lost."""
        line = snapshots.ancestry(self.name, version).subquery()
        at = segment_runs.c
        of_line = select(segment_runs).where(at.model == self.name, at.version.in_(select(line.c.version)))
        query = of_line.where(at.kind.in_(("skip", "gap"))).order_by(at.version, at.ordinal)
        with self._reading() as connection:
            return [
                (entry.version, Run(entry.topic, entry.partition, entry.start, entry.stop, entry.events, entry.kind))
                for entry in connection.execute(query)
            ]

    def runs_read(self) -> list[tuple[int, Run]]:
        """Return (version, run) of all that any version read, in the order it was read."""
        at = segment_runs.c
        columns = (at.version, at.topic, at.partition, at.start, at.stop, at.events, at.kind, at.merged)
        query = select(*columns).where(at.model == self.name, at.kind.in_(("read", "late")))
        with self._reading() as connection:
            return [(entry[0], Run(*entry[1:])) for entry in connection.execute(query.order_by(at.version, at.ordinal))]

    def all_holds(self, *, reason: str | None = None) -> list[tuple[int, Hold]]:
        """Return (version, hold) of all that any version held, for one reason or for any."""
        at = segment_holds.c
        query = select(at.version, at.topic, at.partition, at.offset, at.reason).where(at.model == self.name)
        if reason is not None:
            query = query.where(at.reason == reason)
        with self._reading() as connection:
            return [
                (entry[0], Hold(*entry[1:])) for entry in connection.execute(query.order_by(at.version, at.ordinal))
            ]

    def moves_by_hand(self, *, last: int | None = None) -> list[Move]:
        """Return the moves that are no saves and no publishing, oldest first; at most the last so many."""
        with self._reading() as connection:
            return refs.by_hand(connection, self.name, last)

    def points_beside(self, version: int) -> list[tuple[int, ScorePoint]]:
        """Return (version, point) of all versions outside the lineage of a version, by version and events."""
        with self._reading() as connection:
            return scores.beside(connection, self.name, version)

    def _reading(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, write=False)

    def _writing(self) -> AbstractContextManager[Connection]:
        return transaction(self._engine, write=True)
