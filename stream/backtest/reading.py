"""Reading a course: each stretch as the gate says it may be learned, changed by what-ifs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from store.entries import Entry
from stream.again import read_segment
from stream.backtest.applied import Applied
from stream.backtest.hear import Hear
from stream.backtest.spread import Spread
from stream.backtest.stretch import Course, Stretch, schema_of
from stream.backtest.whatif import WhatIf
from stream.config import Config
from stream.errors import LogLost, NotEqual
from stream.feed import Feed
from stream.gate import Recorded, Verdicts, open_gate
from stream.log import POLL_S_MAX, Batch
from stream.quarantine import Quarantine
from stream.schedule import events_max
from stream.segment import reasons_of


class Reading:
    """One reading of a course from a feed: what was read live by a gate that holds what was held, the rest by today's.

    Both remember the same ids. Not shared.
    """

    def __init__(
        self,
        course: Course,
        feed: Feed,
        config: Config,
        entries: tuple[int, Sequence[Entry]],
        whatif: WhatIf,
        *,
        columns: bool = False,
        most: int | None = None,
    ) -> None:
        """`columns`: events come in columns; `most`: so many in a batch, else as many as in this form live."""
        schema = schema_of(course)
        self._course = course
        self._events_max = most or events_max(columns=columns)
        self._feed = feed
        self._again = open_gate(feed, config, schema, live=False, columns=columns)
        self._today = open_gate(feed, config, schema, live=True, columns=columns)
        self._again.memory = self._today.memory
        revision, every = entries
        self._today.quarantine = Quarantine(revision, every, feed, config)
        self.applied: Applied | None = whatif.on(feed, config, every) if whatif else None

    def whole(self) -> Iterator[Verdicts]:
        """Give out all of it, in the order that is asked for."""
        read = (verdicts for stretch in self._course.stretches for verdicts in self.stretch(stretch))
        return read if self.applied is None else self.applied.reorder(read)

    def stretch(self, stretch: Stretch) -> Iterator[Verdicts]:
        """Give out what is accepted of a stretch, in order. Raises as `judged`."""
        return self.judged(stretch, self.batches(stretch))

    def batches(self, stretch: Stretch) -> Iterator[Batch]:
        """Give out the records of a stretch, in order."""
        if stretch.ends is not None and not stretch.recorded:
            return self._poll(stretch)
        batches = read_segment(self._feed, stretch.segment, stretch.position, events_max=self._events_max)
        return batches if self.applied is None else map(self.applied.skip, batches)

    def judge(self, stretch: Stretch) -> Callable[[Batch], Verdicts]:
        """Return what judges the batches of a stretch."""
        if stretch.recorded:
            reasons = reasons_of(stretch.segment)
            return lambda batch: self._again.replay(batch, self._held(reasons, batch))
        if stretch.beside is not None:
            self.recall(stretch.beside)
        return lambda batch: self._today.judge(batch, self._held({}, batch))

    def judged(self, stretch: Stretch, batches: Iterable[Batch | Verdicts]) -> Iterator[Verdicts]:
        """Judge the batches of a stretch, all but those that are; raise `NotEqual` if the log is not what it was."""
        judge, read, held = self.judge(stretch), 0, 0
        for batch in batches:
            verdicts = batch if isinstance(batch, Verdicts) else judge(batch)
            read += len(verdicts.batch)
            held += len(verdicts.held)
            yield verdicts if self.applied is None else self.applied.change(verdicts)
        if stretch.recorded and self.applied is None:
            _check(stretch, read, held)

    def recall(self, beside: Mapping[str, Any]) -> None:
        """Let the gate remember what was written."""
        self._today.memory.recall(beside)

    def remember(self, beside: dict[str, Any]) -> None:
        """Write what the gate remembers into what is kept beside a learner."""
        self._today.memory.write(beside)

    def _held(self, reasons: Recorded, batch: Batch) -> Recorded:
        """Return what of a batch is to be held: what was, and what is held back."""
        if self.applied is None:
            return reasons
        topic, held = self._feed.topics[0], dict(reasons)
        for span in batch.spans:
            back = {offset: fault.reason for offset, fault in self.applied.held(topic, span).items()}
            held[topic, span.partition] = {**held.get((topic, span.partition), {}), **back}
        return held

    def _poll(self, stretch: Stretch) -> Iterator[Batch]:
        """Merge records of both logs by their times, up to the ends."""
        feed, ends = self._feed, stretch.ends
        assert ends is not None
        feed.ends = ends
        feed.seek(stretch.position)
        reached = {topic: dict(each) for topic, each in stretch.position.next_offsets().items()}
        while any(reached[topic].get(p, 0) < end for topic, each in ends.items() for p, end in each.items()):
            batch = feed.poll(POLL_S_MAX, self._events_max)
            for topic, spans in zip(feed.topics, (batch.spans, batch.labels), strict=True):
                reached[topic].update((span.partition, span.stop) for span in spans)
            if batch:
                yield batch if self.applied is None else self.applied.skip(batch)
        feed.ends = None


def _check(stretch: Stretch, read: int, held: int) -> None:
    """Raise unless so many events were read and held when the stretch was read live."""
    if stretch.version is not None and read < stretch.segment.events:
        raise LogLost(
            f"expected {stretch.segment.events} events of version {stretch.version.version}, found {read}",
            "the log has deleted some: begin after them, --from v:N or an offset",
        )
    expected = sum(stretch.segment.has_read(hold) for hold in stretch.segment.holds)
    if held != expected:
        raise NotEqual(f"the log changed: expected {expected} held events, found {held}")


def spread(
    course: Course, feed: Feed, config: Config, entries: tuple[int, Sequence[Entry]], whatif: WhatIf, hear: Hear
) -> dict[str, float]:
    """Read the course once, and return the standard deviation of each feature that a what-if needs it of."""
    found = Spread(whatif.needs_sd)
    only = WhatIf(skips=whatif.skips, without=whatif.without, bare=whatif.bare)
    for verdicts in Reading(course, feed, config, entries, only).whole():
        found.take(verdicts.xs)
        hear.advance(0)
    return found.sds()
