"""What a segment read, read again in recorded order."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from store.offsets import Offsets
from store.types import Cursor, Position, Run, Segment, TopicPosition
from stream.errors import LogLost
from stream.feed import Feed, Kept
from stream.log import EVENTS_PER_POLL_MAX, POLL_S_MAX, Batch, Log, Span, join, split
from stream.scan import pick
from stream.times import TIME_AHEAD

KEPT_MAX = 20_000
"""So many events that lie beyond a segment are kept for the next one: two polls of the largest batches there are."""

SILENCE_S_MAX = 30.0
"""How long a partition may bring nothing before events that should be in it are said to be gone."""


def read_segment(
    feed: Feed, segment: Segment, position: Position, *, events_max: int = EVENTS_PER_POLL_MAX
) -> Iterator[Batch]:
    """Read the runs of a segment again, in recorded order, over all partitions; `position` has the identities.

    In batches of about `events_max` events.

    Partitions are read side by side, and what comes early waits: at most the segment itself is held in memory, and
    `KEPT_MAX` events that lie beyond it, so that the next segment goes on where this one ends. Raises `LogLost` when
    the log no longer has the events.
    """
    runs = [run for run in segment.runs if run.kind in ("read", "late")]
    ahead: dict[tuple[str, int], set[int]] = {}
    for hold in segment.holds:
        if hold.reason == TIME_AHEAD:
            ahead.setdefault((hold.topic, hold.partition), set()).add(hold.offset)
    late = _read_late(feed, [run for run in runs if run.kind == "late"], position)
    inplace = [run for run in runs if run.kind == "read"]
    again = {
        log.topic: _Again(
            log,
            [run for run in inplace if run.topic == log.topic],
            position.topics[log.topic].identity,
            feed.kept.pop(log.topic, None),
            events_max,
        )
        for log in feed.logs
    }
    for merged, together in groupby(runs, key=lambda run: run.merged):
        if merged is None:
            for kind, several in groupby(together, key=lambda run: run.kind):
                if kind == "late":
                    yield from (late[run] for run in several)
                else:
                    found = (span for run in several for span in again[run.topic].read(run))
                    alone = len(feed.logs) == 1  # two are ordered by their times
                    groups = _together(found, events_max) if alone else ([span] for span in found)
                    yield from (feed.again(spans, [], ahead) for spans in groups)
        else:
            spans: dict[str, list[Span]] = {topic: [] for topic in again}
            for run in together:
                spans[run.topic].append(join(list(again[run.topic].read(run))))
            yield feed.again(spans[feed.topics[0]], spans[feed.topics[1]], ahead)
    feed.kept = {topic: kept for topic, each in again.items() if (kept := each.kept()) is not None}


def _together(spans: Iterable[Span], events_max: int) -> Iterator[list[Span]]:
    """Put spans into batches about as they were learned: of rising partitions. Small ones would cost much."""
    batch: list[list[Span]] = []  # of each partition, what follows each other: put together once
    count = 0
    for span in spans:
        if batch and (span.partition, span.start) == (batch[-1][-1].partition, batch[-1][-1].stop):
            batch[-1].append(span)
        elif batch and span.partition <= batch[-1][-1].partition:
            yield list(map(join, batch))
            batch, count = [[span]], 0
        else:
            batch.append([span])
        count += len(span)
        if count >= events_max:
            yield list(map(join, batch))
            batch, count = [], 0
    if batch:
        yield list(map(join, batch))


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
    """Reads the runs of one topic again, in order; `kept` is what is left from the segment before."""

    def __init__(self, log: Log, runs: Sequence[Run], identity: str, kept: Kept | None, events_max: int) -> None:
        self._log = log
        self._events_max = events_max
        self._identity = identity
        self._beyond = 0
        self._stops = {run.partition: run.stop for run in runs}
        starts = {run.partition: run.start for run in reversed(runs)}
        if kept is not None and kept.identity == identity and kept.at == log.where() and _begins(kept, starts):
            self._waiting = kept.waiting
            return
        self._waiting = {}
        if runs:
            cursors = {partition: Cursor(start) for partition, start in {**log.end(), **starts}.items()}
            log.seek(TopicPosition(identity, cursors))

    def kept(self) -> Kept | None:
        """Return what lies beyond what was read, for the next segment; None if that is much."""
        waiting = sum(len(span) for spans in self._waiting.values() for span in spans)
        much = max(waiting, self._beyond) > KEPT_MAX
        return None if much else Kept(self._identity, self._log.where(), self._waiting)

    def read(self, run: Run) -> Iterator[Span]:
        """Give out the events of a run as they come."""
        waiting = self._waiting.setdefault(run.partition, deque())
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
            for span in self._log.poll(POLL_S_MAX, self._events_max).spans:
                self._keep(span)
                if span.partition == run.partition:
                    news_at = time.monotonic()
            if time.monotonic() - news_at > SILENCE_S_MAX:
                raise LogLost(f"expected offsets {at} to {run.stop} of partition {run.partition}, the log brings none")

    def _keep(self, span: Span) -> None:
        beyond = span.start >= self._stops.get(span.partition, 0)
        self._beyond += beyond * len(span)
        if not beyond or self._beyond <= KEPT_MAX:
            self._waiting.setdefault(span.partition, deque()).append(span)


def _begins(kept: Kept, starts: Mapping[int, int]) -> bool:
    """Tell whether what is kept goes on where each partition is to begin."""
    return all(kept.begins(partition) == start for partition, start in starts.items())
