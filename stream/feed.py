"""What a trainer reads: the log of events, and where labels have a log of their own, both as one stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from store.types import Position, Version
from stream.errors import ConfigError
from stream.log import EVENTS_PER_POLL_MAX, Batch, Ends, Log, Span, within


@dataclass(frozen=True, slots=True)
class Kept:
    """What was polled of a log beyond what was asked for: `waiting` by partition, each up to where `at` says.

    It is of use as long as nobody else moved the log of this `identity` from `at`.
    """

    identity: str
    at: dict[int, int]
    waiting: dict[int, deque[Span]]

    def begins(self, partition: int) -> int:
        """Return the offset at which what follows begins."""
        waiting = self.waiting.get(partition)
        return waiting[0].start if waiting else self.at.get(partition, -1)


class Feed:
    """One log of events. `ends` is where it is to be read to; None is never. Not thread-safe; one reader each."""

    def __init__(self, events: Log) -> None:
        self.events = events
        self.labels: Log | None = None
        self.ends: Ends | None = None
        self.kept: dict[str, Kept] = {}

    @property
    def logs(self) -> tuple[Log, ...]:
        """The logs that it reads, that of events first."""
        return (self.events,)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of the logs, that of events first."""
        return tuple(log.topic for log in self.logs)

    @property
    def finite(self) -> bool:
        """Whether it can never grow."""
        return all(log.finite for log in self.logs)

    def seek(self, position: Position) -> None:
        """Go to a position: the next poll begins there. Raises as `Log.seek`."""
        for log in self.logs:
            log.seek(position.topics[log.topic])

    def poll(self, timeout_s: float, events_max: int = EVENTS_PER_POLL_MAX) -> Batch:
        """Return the next events, at most `events_max` in all, none beyond the ends. Contract: `Log.poll`."""
        return within(self.events.poll(timeout_s, events_max), None if self.ends is None else self.ends[self.topics[0]])

    def again(
        self, spans: Sequence[Span], labels: Sequence[Span], ahead: Mapping[tuple[str, int], Container[int]]
    ) -> Batch:
        """Return the batch of spans that were read together, in the order in which they were learned.

        `ahead` are the offsets, by topic and partition, that were held since their time was too far ahead.
        """
        del ahead
        assert not labels, "one log has no labels apart"
        return Batch(tuple(spans))

    def end(self) -> Ends:
        """Return where each log ends now. Contract: `Log.end`."""
        return {log.topic: log.end() for log in self.logs}

    def earliest(self) -> Ends:
        """Return the first offsets that each log still has."""
        return {log.topic: log.earliest() for log in self.logs}

    def lag(self) -> int | None:
        """Return how many records lie between here and the end. Contract: `Log.lag`."""
        return self.events.lag()

    def commit(self, position: Position) -> None:
        """Tell each log how far we are, as advice."""
        for log in self.logs:
            log.commit(position.topics[log.topic])

    def close(self) -> None:
        """Let go of the logs. May be called twice."""
        for log in self.logs:
            log.close()


def check_topics(topics: Iterable[str], version: Version) -> None:
    """Raise `ConfigError` for logs that a version was not made from."""
    for topic in topics:
        if topic not in version.position.topics:
            raise ConfigError(
                f"expected the topics that version {version.version} was made from, "
                f"{', '.join(version.position.topics)}; found {topic}",
                "point [source] log (and [labels] log) to it, or give the model another name",
            )
