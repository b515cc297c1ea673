"""Rebuilds: head again without what is quarantined, as a branch of versions that is swapped in when it is whole.

Each version of the branch *covers* the version whose segment it read again; so a rebuild that was killed goes on after
the last one that was saved. One rebuild of a model at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from store import held, refs, scores, snapshots
from store.envelope import pack
from store.errors import RebuildOutdated, Refused
from store.processes import gone
from store.quarantine import Quarantines, revision_of
from store.refs import Cause
from store.schema import rebuilds, segment_runs
from store.types import NewVersion, Ref, Version

State = Literal["running", "done", "abandoned"]


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild: from which version, by which revision of the quarantine; its last version and what that covers."""

    rebuild: int
    base: int
    revision: int
    state: State
    tip: int
    covers: int
    who: str
    why: str
    host: str
    pid: int
    pid_started: float
    started_at: datetime
    ended_at: datetime | None


class Rebuilds(Quarantines):
    """The rebuilds of one model."""

    def rebuilds(self) -> list[Rebuild]:
        """Return all rebuilds, oldest first."""
        with self._reading() as connection:
            return _every(connection, self.name)

    def rebuild_begin(
        self,
        base: int,
        revision: int,
        *,
        who: str,
        why: str,
        host: str,
        pid: int,
        pid_started: float,
        take_over: bool = False,
    ) -> Rebuild:
        """Begin a rebuild, or go on with one of the same base and revision that ended without a word.

        One of another base or revision is abandoned. Raises Refused while another process is at it, unless `take_over`.
        """
        process = {"host": host, "pid": pid, "pid_started": pid_started}
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            for found in _every(connection, self.name):
                if found.state != "running":
                    continue
                if not take_over and not _over(found, host):
                    raise Refused(
                        f"expected no other rebuild of {self.name!r}, found one by process {found.pid} on {found.host}",
                        hint="wait for it, or end it, and take it up where it was with --take-over",
                    )
                if (found.base, found.revision) == (base, revision):
                    return _set(connection, self.name, found.rebuild, process)
                _set(connection, self.name, found.rebuild, {"state": "abandoned", "ended_at": self._clock()})
            number = len(_every(connection, self.name)) + 1
            begun = {"base": base, "revision": revision, "state": "running", "tip": base, "covers": base}
            made = {"model": self.name, "rebuild": number, **begun, **process, "who": who, "why": why}
            connection.execute(insert(rebuilds).values(**made, started_at=self._clock()))
            return _one(connection, self.name, number)

    def rebuild_save(self, rebuild: Rebuild, new: NewVersion) -> tuple[Version, Rebuild]:
        """Write a version of the branch, the child of its tip. Head stays where it is. Raises RebuildOutdated."""
        assert new.covers is not None, "a rebuilt version covers the one whose segment it read"
        assert new.parent == rebuild.tip, "a branch grows at its tip"
        blob = pack(new.state)
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            _check(connection, self.name, rebuild)
            version = snapshots.insert_new(connection, self.name, new, blob, now=self._clock())
            held.put(connection, self.name, new.held)
            scores.add(connection, self.name, version.version, new.points)
            at = {"tip": version.version, "covers": new.covers}
            return version, _set(connection, self.name, rebuild.rebuild, at)

    def rebuild_back(self, rebuild: Rebuild, tip: int, covers: int) -> Rebuild:
        """Go back to an earlier version of the branch: head was moved to before what came after it."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            _check(connection, self.name, rebuild)
            return _set(connection, self.name, rebuild.rebuild, {"tip": tip, "covers": covers})

    def rebuild_swap(self, rebuild: Rebuild, *, who: str, why: str) -> Ref:
        """Move head to the tip of the branch, in one transaction. What head has read beyond it is read again.

        Raises RebuildOutdated if head no longer descends from what the tip covers, if it has skipped or lost events
        since, or if the quarantine is no longer what the rebuild used.
        """
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            _check(connection, self.name, rebuild)
            head = refs.head(connection, self.name)
            line = snapshots.ancestry(self.name, head.version).subquery()
            covered = connection.scalar(select(line.c.version).where(line.c.version == rebuild.covers))
            if covered is None:
                raise RebuildOutdated(f"head (version {head.version}) does not descend from version {rebuild.covers}")
            at = segment_runs.c
            passed = select(at.version).where(at.model == self.name, at.version.in_(select(line.c.version)))
            passed = passed.where(at.version > rebuild.covers, at.kind.in_(("skip", "gap"))).limit(1)
            if (found := connection.scalar(passed)) is not None:
                raise RebuildOutdated(
                    f"version {found} has passed over events, which would be read again: rebuild anew"
                )
            cause = Cause("rebuild", who, why, self._clock())
            moved = refs.point(connection, self.name, refs.HEAD, rebuild.tip, cause, epoch=head.epoch)
            _set(connection, self.name, rebuild.rebuild, {"state": "done", "ended_at": cause.at})
            return moved

    def rebuild_end(self, rebuild: Rebuild, state: State) -> None:
        """Say that a rebuild is done without a swap, or abandoned."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            _set(connection, self.name, rebuild.rebuild, {"state": state, "ended_at": self._clock()})


def going_on_from(connection: Connection, model: str) -> set[int]:
    """Return the versions that rebuilds under way go on from: they need the bytes."""
    return {each.tip for each in _every(connection, model) if each.state == "running"}


def _over(rebuild: Rebuild, host: str) -> bool:
    """Tell whether its process has ended; of another host that cannot be seen, and it is taken to be at work."""
    return rebuild.host == host and gone(rebuild.pid, rebuild.pid_started)


def _check(connection: Connection, model: str, rebuild: Rebuild) -> None:
    now = _one(connection, model, rebuild.rebuild)
    if now != rebuild:
        raise RebuildOutdated(f"another process went on with rebuild {rebuild.rebuild}, which is {now.state}")
    revision = revision_of(connection, model)
    if revision != rebuild.revision:
        raise RebuildOutdated(f"the quarantine was changed: expected revision {rebuild.revision}, found {revision}")


def _set(connection: Connection, model: str, number: int, values: Mapping[str, Any]) -> Rebuild:
    mine = (rebuilds.c.model == model) & (rebuilds.c.rebuild == number)
    connection.execute(update(rebuilds).where(mine).values(**values))
    return _one(connection, model, number)


def _one(connection: Connection, model: str, number: int) -> Rebuild:
    return next(each for each in _every(connection, model) if each.rebuild == number)


def _every(connection: Connection, model: str) -> list[Rebuild]:
    query = select(*(rebuilds.c[name] for name in Rebuild.__slots__)).where(rebuilds.c.model == model)
    return [Rebuild(*found) for found in connection.execute(query.order_by(rebuilds.c.rebuild))]
