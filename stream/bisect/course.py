"""The course: what led to a version, as one row of events, to be gone over again from any place.

A place counts events that were asked (read and not held) since the model was new: versions and points of the score
series have places, too. Nothing here changes the store, the log, or a reference.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from typing import Any

from learners import Learner, Task, Turn
from store import ModelStore
from store.errors import BytesExpired
from store.types import Version
from stream.again import read_segment
from stream.config import Config
from stream.errors import LogLost
from stream.feed import Feed, check_topics
from stream.gate import Verdicts, open_gate
from stream.log import Batch
from stream.replay import struck
from stream.schema import Schema
from stream.segment import reasons_of


@dataclass(slots=True)
class Event:
    """One event as it was learned, with where it stands: `next_offset` is the one after it.

    `before` are the labels that came before it from a log of their own, `after` those between it and the end of its
    version; `static` is what the model was switched to before it, `strike` the numbers of pending events that were
    struck out then. One that was `struck` itself later is not learned. `moment` is in microseconds, where it has one.
    """

    partition: int
    offset: int
    next_offset: int
    timestamp_ms: int | None
    raw: bytes
    x: dict[str, Any]
    y: Any = None
    moment: int | None = None
    due: int | None = None
    id: str | None = None
    before: tuple[Turn, ...] = ()
    after: tuple[Turn, ...] = ()
    static: bool | None = None
    strike: tuple[int, ...] = ()
    struck: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A state at a place, as bytes; `version` is the number in the lineage of the version after which it goes on.

    It was learned again from the place `origin` on, without what was struck out later.
    """

    place: int
    state: bytes
    version: int
    origin: int


class Course:
    """The versions that led to one, genesis first, and their places. One reader at a time."""

    def __init__(self, store: ModelStore, feed: Feed, config: Config, version: Version) -> None:
        self.task: Task = config.model.task
        self.reading = 0
        self._store = store
        self._feed = feed
        self._config = config
        self.topic = feed.topics[0]
        self.joined = feed.labels is not None
        self.versions = store.lineage(version.version)
        while self.versions[-1].kind == "closing":  # read nothing: judging closes
            self.versions.pop()
        self._struck = [frozenset(struck(each)) for each in self.versions]
        self.places = [each.accounts.read - each.accounts.held for each in self.versions]

    @property
    def stop(self) -> int:
        """The last place."""
        return self.places[-1]

    def stored(self, place: int) -> int:
        """Return the number in the lineage of the last version at or before a place that has its bytes."""
        for number in range(bisect_right(self.places, place) - 1, -1, -1):
            if self.versions[number].blob is not None:
                return number
        raise BytesExpired(self.versions[0].model, self.versions[0].version, None)

    def mark(self, number: int) -> Mark:
        """Return the state of a version, its bytes checked against its golden predictions."""
        version = self.versions[number]
        state = self._store.payload(version.version)
        Learner.restore(state, version.proof.golden)
        return Mark(self.places[number], state, number, self.places[number])

    def version_before(self, place: int) -> int:
        """Return the number in the lineage of the version in whose children a place lies, or that ends there."""
        number = bisect_left(self.places, place)
        return number if self.places[number] == place else number - 1

    def segment_of(self, place: int) -> Version:
        """Return the version that read the event at a place, or ended there."""
        return self.versions[min(self.version_before(place) + 1, len(self.versions) - 1)]

    def events(self, mark: Mark) -> Iterator[Event]:
        """Read the events from a mark on to the end, as they were learned.

        It ends what was read before: `reading` counts. Raises `LogLost` when the log no longer has them all.
        """
        self.reading += 1
        return self._events(mark.place, mark.version, mark.origin)

    def events_at(self, place: int, origin: int = 0) -> Iterator[Event]:
        """Read the events from a place on. Else as `events`."""
        self.reading += 1
        return self._events(place, self.version_before(place), origin)

    def _events(self, place: int, version: int, origin: int) -> Iterator[Event]:
        skipped, static = place - self.places[version], None
        waiting: tuple[Turn, ...] = ()
        strike: tuple[int, ...] = ()
        number = place
        for child in range(version + 1, len(self.versions)):
            kind = self.versions[child].kind
            static = kind == "freeze" if kind in ("freeze", "thaw") else static
            strike += tuple(each for each in self._struck[child] - self._struck[child - 1] if each < origin)
            rest: list[Turn] = []
            for event in islice(self._read(child, rest), skipped, None):
                event.before, event.static, event.strike = waiting + event.before, static, strike
                event.struck = number in self._struck[-1]
                waiting, static, strike = (), None, ()
                number += 1
                yield event
            waiting += tuple(rest)
            if self.places[child] > place:
                skipped = 0

    def _read(self, number: int, rest: list[Turn]) -> Iterator[Event]:
        """Read the events of one version's segment; `rest` takes its labels, if it has no event to put them at."""
        version, expected = self.versions[number], self.places[number] - self.places[number - 1]
        count, last = 0, None
        for batch, verdicts in self._judged_again(version):
            for event in _turns(batch, verdicts, rest) if batch.merged is not None else _events(batch, verdicts):
                if last is not None:
                    yield last
                count, last = count + 1, event
        if count != expected:
            raise LogLost(
                f"expected {expected} events of version {version.version}, found {count}: the log is not what it was",
                f"see `tidemark verify {version.version}`",
            )
        if last is not None:
            last.after = tuple(rest)
            rest.clear()
            yield last

    def _judged_again(self, version: Version) -> Iterator[tuple[Batch, Verdicts]]:
        """Read a version's segment again, with what was said of each batch: held is what was held then."""
        segment = self._store.segment(version.version)
        check_topics(self._feed.topics, version)
        gate = open_gate(self._feed, self._config, Schema.from_json(version.schema), live=False)
        recorded = reasons_of(segment)
        for batch in read_segment(self._feed, segment, version.position):
            yield batch, gate.replay(batch, recorded)


def _events(batch: Batch, verdicts: Verdicts) -> Iterator[Event]:
    """Give out the accepted events of a batch that has their labels."""
    examples = zip_longest(verdicts.xs, verdicts.ys, verdicts.moments, verdicts.dues)
    for event, (x, y, moment, due) in zip(_found(batch, verdicts), examples, strict=True):
        event.x, event.y, event.moment, event.due = x, y, moment, due
        yield event


def _turns(batch: Batch, verdicts: Verdicts, told: list[Turn]) -> Iterator[Event]:
    """Give out the accepted events of a batch, each with the labels that came before it; `told` keeps the last ones."""
    found = _found(batch, verdicts)
    for turn in verdicts.turns or ():
        if turn.x is None:
            told.append(turn)
        else:
            event = next(found)
            event.x, event.moment, event.id, event.before = turn.x, turn.moment, turn.id, tuple(told)
            told.clear()
            yield event


def _found(batch: Batch, verdicts: Verdicts) -> Iterator[Event]:
    """Give out where the accepted events of a batch stand, in order, with nothing in them."""
    spans = {span.partition: span for span in batch.spans}
    indexes = {span.partition: {offset: i for i, offset in enumerate(span.offsets)} for span in batch.spans}
    for partition, offsets in verdicts.offsets:
        span = spans[partition]
        for offset in offsets:
            index = indexes[partition][offset]
            following = span.offsets[index + 1] if index + 1 < len(span) else span.stop
            yield Event(partition, offset, following, span.timestamps_ms[index], span.values[index], {})


def teach(learner: Learner, events: Sequence[Event], *, joined: bool) -> None:
    """Let a learner learn events as it did then. Raises `LearnFailed`."""
    changes = [index for index, event in enumerate(events) if event.static is not None or event.strike]
    for start, stop in pairwise(sorted({0, *changes, len(events)})):
        _change(learner, events[start])
        _teach(learner, [event for event in events[start:stop] if not event.struck], joined=joined)


def _change(learner: Learner, event: Event) -> None:
    """Do what was done to a model before an event."""
    if event.static is not None:
        learner.switch(static=event.static)
    learner.strike(event.strike)


def _teach(learner: Learner, events: Sequence[Event], *, joined: bool) -> None:
    if joined:
        learner.take_turns(list(turns(events)))
    else:
        learner.test_then_train(
            [event.x for event in events],
            [event.y for event in events],
            [event.moment or 0 for event in events],
            [event.due for event in events],
        )


def turns(events: Iterable[Event], *, asked: bool = True) -> Iterator[Turn]:
    """Give out events and the labels between them in order; labels alone, unless `asked`."""
    for event in events:
        yield from event.before
        if asked:
            yield Turn(event.moment or 0, event.id or "", event.x)
        yield from event.after
