"""Quarantine: which events are not to be learned, said by a person or a monitor; each change with who, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from store import refs, snapshots
from store.entries import Change, Entry, Release, Status
from store.errors import Refused
from store.history import History
from store.offsets import Offsets
from store.schema import models, quarantine, quarantine_changes, quarantine_ranges
from store.types import Ref


class Quarantines(History):
    """The quarantine of one model."""

    def quarantine(self) -> tuple[int, list[Entry]]:
        """Return the revision (0: nothing was ever quarantined) and all entries, released ones too."""
        with self._reading() as connection:
            return _revision(connection, self.name), _entries(connection, self.name)

    def look(self) -> tuple[Ref, int]:
        """Return head's reference and the quarantine's revision: cheap enough for several times a second."""
        with self._reading() as connection:
            return refs.look(connection, self.name)

    def quarantine_add(
        self,
        topic: str,
        selector: Mapping[str, Any],
        offsets: Offsets,
        resolved: Mapping[int, int],
        *,
        status: Status = "suspect",
        who: str,
        why: str,
    ) -> Entry:
        """Make an entry, as a whole or not at all; trainers obey it from their next batch."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            last = select(func.max(quarantine.c.entry)).where(quarantine.c.model == self.name)
            number = int(connection.scalar(last) or 0) + 1
            key = {"model": self.name, "entry": number}
            resolved_now = {str(partition): stop for partition, stop in resolved.items()}
            connection.execute(insert(quarantine).values(**key, topic=topic, selector=selector, resolved=resolved_now))
            _put_ranges(connection, key, offsets)
            self._change(connection, number, status, None, who, why)
            return _entry(connection, self.name, number)

    def quarantine_extend(self, entry: int, offsets: Offsets, resolved: Mapping[int, int]) -> Entry:
        """Note what an entry means in a part of the log that was read since. It means the same: no change is logged."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            known = _entry(connection, self.name, entry)
            _put_ranges(connection, {"model": self.name, "entry": entry}, (known.offsets | offsets) - known.offsets)
            further = {
                str(partition): max(stop, known.resolved.get(partition, 0)) for partition, stop in resolved.items()
            }
            kept = {str(partition): stop for partition, stop in known.resolved.items()} | further
            mine = (quarantine.c.model == self.name) & (quarantine.c.entry == entry)
            connection.execute(update(quarantine).where(mine).values(resolved=kept))
            return _entry(connection, self.name, entry)

    def quarantine_change(
        self, entry: int, status: Status, *, release: Release | None = None, who: str, why: str
    ) -> Entry:
        """Confirm or release an entry, or make it suspect again. Raises Refused for one that there is not."""
        with self._writing() as connection:
            snapshots.lock_model(connection, self.name)
            _entry(connection, self.name, entry)
            self._change(connection, entry, status, release, who, why)
            return _entry(connection, self.name, entry)

    def _change(
        self, connection: Connection, entry: int, status: Status, release: Release | None, who: str, why: str
    ) -> None:
        revision = _revision(connection, self.name) + 1
        connection.execute(update(models).where(models.c.name == self.name).values(quarantine=revision))
        made = {"model": self.name, "revision": revision, "entry": entry, "status": status, "release": release}
        connection.execute(insert(quarantine_changes).values(**made, who=who, why=why, at=self._clock()))


def revision_of(connection: Connection, model: str) -> int:
    """Return the revision of a model's quarantine; the caller holds the model's lock, or only looks."""
    return _revision(connection, model)


def _revision(connection: Connection, model: str) -> int:
    return int(connection.scalar(select(models.c.quarantine).where(models.c.name == model)) or 0)


def _put_ranges(connection: Connection, key: Mapping[str, Any], offsets: Offsets) -> None:
    found = [
        {**key, "topic": topic, "partition": partition, "start": start, "stop": stop}
        for topic, partition, start, stop in offsets
    ]
    if found:
        connection.execute(insert(quarantine_ranges), found)


def _entry(connection: Connection, model: str, number: int) -> Entry:
    for entry in _entries(connection, model, number):
        return entry
    raise Refused(
        f"expected an entry of the quarantine, found none with the number {number}",
        hint="`tidemark quarantine list` shows them",
    )


def _entries(connection: Connection, model: str, only: int | None = None) -> list[Entry]:
    """Return the entries. They are read before what belongs to them: what is made amid it is left out as a whole."""
    ranges: dict[int, list[tuple[str, int, int, int]]] = {}
    changes: dict[int, list[Change]] = {}
    made, where, changed = quarantine.c, quarantine_ranges.c, quarantine_changes.c
    wanted = [] if only is None else [only]
    entries = select(quarantine).where(made.model == model).order_by(made.entry)
    found_entries = connection.execute(entries.where(made.entry.in_(wanted)) if wanted else entries).all()
    columns = (changed.revision, changed.entry, changed.status, changed.release, changed.who, changed.why, changed.at)
    for found in connection.execute(select(*columns).where(changed.model == model).order_by(changed.revision)):
        changes.setdefault(found.entry, []).append(Change(*found))
    query = select(where.entry, where.topic, where.partition, where.start, where.stop).where(where.model == model)
    for number, *stretch in connection.execute(query.where(where.entry.in_(wanted)) if wanted else query):
        ranges.setdefault(number, []).append(tuple(stretch))
    return [
        Entry(
            entry=found.entry,
            topic=found.topic,
            selector=found.selector,
            offsets=Offsets.of(ranges.get(found.entry, [])),
            resolved={int(partition): stop for partition, stop in found.resolved.items()},
            changes=tuple(changes[found.entry]),
        )
        for found in found_entries
    ]
