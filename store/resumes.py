"""Resumes: a person lets the trainer go on from a version at which a breaker had stopped it. Once is for ever."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from store import snapshots
from store.dialects import insert
from store.history import History
from store.schema import held_events, resumes
from store.types import HeldEvent


@dataclass(frozen=True, slots=True)
class Resume:
    """Who let training go on from a version, why and when."""

    version: int
    who: str
    why: str
    at: datetime


class Resumes(History):
    """The resumes of one model, and what a person is told of a hold."""

    def resume(self, version: int, *, who: str, why: str) -> Resume:
        """Let training go on from a version; where somebody did so before, that stays. Raises NoSuchVersion."""
        values = {"model": self.name, "version": version, "who": who, "why": why, "at": self._clock()}
        with self._writing() as connection:
            snapshots.numbered(connection, self.name, version)
            connection.execute(insert(connection, resumes).values(values).on_conflict_do_nothing())
        found = self.resumed(version)
        assert found is not None, "it was just written, and is never deleted"
        return found

    def resumed(self, version: int) -> Resume | None:
        """Return who let training go on from a version, or None."""
        query = select(resumes).where(resumes.c.model == self.name, resumes.c.version == version)
        with self._reading() as connection:
            found = connection.execute(query).first()
        return None if found is None else Resume(found.version, found.who, found.why, found.at)

    def resumes(self) -> list[Resume]:
        """Return all of them, by version."""
        query = select(resumes).where(resumes.c.model == self.name).order_by(resumes.c.version)
        with self._reading() as connection:
            return [Resume(entry.version, entry.who, entry.why, entry.at) for entry in connection.execute(query)]

    def held_last(self, topic: str, partition: int, reason: str, *, offset_max: int) -> HeldEvent | None:
        """Return the last event of a partition, up to an offset, that was held for this reason."""
        at = held_events.c
        of_reason = select(held_events).where(at.model == self.name, at.topic == topic, at.reason == reason)
        query = of_reason.where(at.partition == partition, at.offset <= offset_max).order_by(at.offset.desc()).limit(1)
        with self._reading() as connection:
            found = connection.execute(query).mappings().first()
        return None if found is None else HeldEvent(**{key: value for key, value in found.items() if key != "model"})
