"""Reading a course: each stretch as the gate says it may be learned, changed by what-ifs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
        """Give out what is accepted of a stretch, in order. Raises `NotEqual` if the log is not what it was."""
        if stretch.recorded:
            judged = self._as_recorded(stretch)
        else:
            if stretch.beside is not None:
                self.recall(stretch.beside)
            batches = self._poll(stretch) if stretch.ends is not None else self._read(stretch)
            judged = (self._today.judge(batch, self._held({}, batch)) for batch in batches)
        return judged if self.applied is None else map(self.applied.change, judged)

    def recall(self, beside: Mapping[str, Any]) -> None:
        """Let the gate remember what was written."""
        self._today.memory.recall(beside)

    def remember(self, beside: dict[str, Any]) -> None:
        """Write what the gate remembers into what is kept beside a learner."""
        self._today.memory.write(beside)

    def _read(self, stretch: Stretch) -> Iterator[Batch]:
        batches = read_segment(self._feed, stretch.segment, stretch.position, events_max=self._events_max)
        return batches if self.applied is None else map(self.applied.skip, batches)

    def _held(self, reasons: Recorded, batch: Batch) -> Recorded:
        """Return what of a batch is to be held: what was, and what is held back."""
        if self.applied is None:
            return reasons
        topic, held = self._feed.topics[0], dict(reasons)
        for span in batch.spans:
            back = {offset: fault.reason for offset, fault in self.applied.held(topic, span).items()}
            held[topic, span.partition] = {**held.get((topic, span.partition), {}), **back}
        return held

    def _as_recorded(self, stretch: Stretch) -> Iterator[Verdicts]:
        reasons, held, read = reasons_of(stretch.segment), 0, 0
        for batch in self._read(stretch):
            verdicts = self._again.replay(batch, self._held(reasons, batch))
            held += len(verdicts.held)
            read += len(batch)
            yield verdicts
        if self.applied is not None:
            return
        if stretch.version is not None and read < stretch.segment.events:
            raise LogLost(
                f"expected {stretch.segment.events} events of version {stretch.version.version}, found {read}",
                "the log has deleted some: begin after them, --from v:N or an offset",
            )
        expected = sum(stretch.segment.has_read(hold) for hold in stretch.segment.holds)
        if held != expected:
            raise NotEqual(f"the log changed: expected {expected} held events, found {held}")

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
