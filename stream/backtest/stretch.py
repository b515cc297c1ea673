"""What a course is made of: stretches, each read in one order. Plain values, for a process that only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from store.types import Position, Segment, Version
from stream.log import Ends
from stream.schema import Schema


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a course; `position` has the identities of the topics.

    `recorded`: held is what was held then, else today's gate judges. `version` read it live, the whole of it, and all
    before it is whole too: the live learner has its scores after it. Where records are merged by their times as they
    are read, there are `ends`, and `position` is where it begins. `model` is a version whose model takes over here.
    `beside`: what today's gate remembers where it begins; None: what it has seen so far.
    """

    segment: Segment
    position: Position
    recorded: bool = False
    version: Version | None = None
    ends: Ends | None = None
    model: int | None = None
    beside: Mapping[str, Any] | None = None

    @property
    def events(self) -> int:
        """How many offsets it reads; 0 where that is not known."""
        return sum(run.stop - run.start for run in self.segment.runs)


@dataclass(frozen=True, slots=True)
class Course:
    """What a backtest reads. `start`: the version from which the live learner goes on, None: it begins untrained."""

    stretches: tuple[Stretch, ...]
    begins: Ends
    ends: Ends
    schema: Mapping[str, Any]
    start: Version | None = None

    @property
    def events(self) -> int:
        """About how many events it has."""
        return sum(stretch.events for stretch in self.stretches)

    @property
    def live(self) -> list[Version]:
        """The versions whose scores the live learner is to have."""
        return [stretch.version for stretch in self.stretches if stretch.version is not None]


def schema_of(course: Course) -> Schema:
    """Return the schema by which its events are read."""
    return Schema.from_json(course.schema)
