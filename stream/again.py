"""What a segment read, read again in recorded order."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from store.offsets import Offsets
from store.types import Cursor, Position, Run, Segment, TopicPosition
from stream.errors import LogLost
from stream.feed import Feed
from stream.log import EVENTS_PER_POLL_MAX, POLL_S_MAX, Batch, Log, Span, join, split
from stream.scan import pick
from stream.times import TIME_AHEAD

SILENCE_S_MAX = 30.0
"""How long a partition may bring nothing before events that should be in it are said to be gone."""


def read_segment(feed: Feed, segment: Segment, position: Position) -> Iterator[Batch]:
    """Read the runs of a segment again, in recorded order, over all partitions; `position` has the identities.

    Partitions are read side by side, and what comes early waits: at most the segment itself is held in memory. Raises
    `LogLost` when the log no longer has the events.
    """
    runs = [run for run in segment.runs if run.kind in ("read", "late")]
    ahead: dict[tuple[str, int], set[int]] = {}
    for hold in segment.holds:
        if hold.reason == TIME_AHEAD:
            ahead.setdefault((hold.topic, hold.partition), set()).add(hold.offset)
    late = _read_late(feed, [run for run in runs if run.kind == "late"], position)
    inplace = [run for run in runs if run.kind == "read"]
    again = {log.topic: _Again(log, [run for run in inplace if run.topic == log.topic], position) for log in feed.logs}
    for merged, together in groupby(runs, key=lambda run: run.merged):
        if merged is None:
            for kind, several in groupby(together, key=lambda run: run.kind):
                if kind == "late":
                    yield from (late[run] for run in several)
                else:
                    found = (span for run in several for span in again[run.topic].read(run))
                    alone = len(feed.logs) == 1  # two are ordered by their times
                    groups = _together(found) if alone else ([span] for span in found)
                    yield from (feed.again(spans, [], ahead) for spans in groups)
        else:
            spans: dict[str, list[Span]] = {topic: [] for topic in again}
            for run in together:
                spans[run.topic].append(join(list(again[run.topic].read(run))))
            yield feed.again(spans[feed.topics[0]], spans[feed.topics[1]], ahead)


def _together(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Put spans into batches about as they were learned: of rising partitions. Small ones would cost much."""
    batch: list[Span] = []
    for span in spans:
        if batch and (span.partition, span.start) == (batch[-1].partition, batch[-1].stop):
            batch[-1] = join([batch[-1], span])
        elif batch and span.partition <= batch[-1].partition:
            yield batch
            batch = [span]
        else:
            batch.append(span)
        if sum(map(len, batch)) >= EVENTS_PER_POLL_MAX:
            yield batch
            batch = []
    if batch:
        yield batch


def _read_late(feed: Feed, runs: Sequence[Run], position: Position) -> dict[Run, Batch]:
    """Return the batches of late runs, read at once: they lie behind what the segment reads."""
    if not runs:
        return {}
    log = feed.events
    offsets = Offsets.of((run.topic, run.partition, run.start, run.stop) for run in runs)
    spans = {span.partition: span for span in pick(log, position.topics[log.topic].identity, offsets)}
    found = {}
    for run in runs:
        span = spans[run.partition]
        first, last = bisect_left(span.offsets, run.start), bisect_left(span.offsets, run.stop)
        found[run] = Batch((span.part(range(first, last), start=run.start, stop=run.stop),), late=True)
    return found


class _Again:
    """Reads the runs of one topic again, in order."""

    def __init__(self, log: Log, runs: Sequence[Run], position: Position) -> None:
        self._log = log
        self._stops = {run.partition: run.stop for run in runs}
        self._waiting: dict[int, deque[Span]] = {run.partition: deque() for run in runs}
        if runs:
            starts = {run.partition: run.start for run in reversed(runs)}
            cursors = {partition: Cursor(start) for partition, start in {**log.end(), **starts}.items()}
            log.seek(TopicPosition(position.topics[log.topic].identity, cursors))

    def read(self, run: Run) -> Iterator[Span]:
        """Give out the events of a run as they come; what lies beyond a partition's last stop is not kept."""
        waiting = self._waiting[run.partition]
        at, news_at = run.start, time.monotonic()
        while True:
            while waiting and at < run.stop:
                now, later = split(waiting.popleft(), run.stop)
                if later is not None:
                    waiting.appendleft(later)
                at = now.stop
                yield now
            if at >= run.stop:
                return
            for span in self._log.poll(POLL_S_MAX).spans:
                if span.start < self._stops.get(span.partition, 0):
                    self._waiting[span.partition].append(span)
                    if span.partition == run.partition:
                        news_at = time.monotonic()
            if time.monotonic() - news_at > SILENCE_S_MAX:
                raise LogLost(f"expected offsets {at} to {run.stop} of partition {run.partition}, the log brings none")
