"""Two logs as one stream: events and their labels, merged by event time.

Records are ordered by (moment, label first, partition, offset). A record behind one that came before it in its
partition, or whose time cannot be read, takes that one's moment. A record is given out when no partition can bring one
that belongs before it; a partition that brings nothing for `idle_s` is not waited for, unless it is known that more is
to come. What comes too late all the same is merged with what comes next: so the order in a batch is a function of the
batch alone, and replay finds it again.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from store.types import Position
from stream.feed import Feed
from stream.log import EVENT, EVENTS_PER_POLL_MAX, LABEL, Batch, Key, Log, Merged, Span, within

BUFFERED_MAX = 1_000_000
"""So many records of one log wait at most for a partition that is behind the others; then it is waited for no more."""

NAP_S = 0.03
"""How long one look at a log may wait for news."""

AHEAD = 1 << 62
"""Stands for the moment of a record that is too far ahead of now, and held: it moves nothing."""

NEVER = -(1 << 62)
"""The moment of what has none, and of partitions that have brought nothing: before all times."""

Moments = Sequence[int | None]
"""The moments of a span's records (microseconds); None where there is none."""

Timed = tuple[Span, Moments]


def merge(events: Sequence[Timed], labels: Sequence[Timed]) -> Batch:
    """Return the batch of these spans, its records in order.

    >>> at = lambda *moments: (Span(0, 0, 3, list(range(len(moments))), [], [], []), moments)
    >>> merge([at(1, 5)], [at(3, 5, 4)]).merged.order
    [(1, 0, 0), (0, 0, 0), (0, 0, 1), (0, 0, 2), (1, 0, 1)]
    """
    records: list[tuple[Key, int, int]] = []
    for kind, group in ((LABEL, labels), (EVENT, events)):
        for number, (span, moments) in enumerate(group):
            keys = _keys(kind, span, moments, NEVER)
            records += [(key, number, place) for place, key in enumerate(keys)]
    ahead = frozenset(
        (kind, number, place)
        for kind, group in ((LABEL, labels), (EVENT, events))
        for number, (_, moments) in enumerate(group)
        for place, moment in enumerate(moments)
        if moment == AHEAD
    )
    records.sort()
    order = [(key[1], number, place) for key, number, place in records]
    first, last = (records[0][0], records[-1][0]) if records else (None, None)
    return Batch(
        tuple(span for span, _ in events), tuple(span for span, _ in labels), Merged(order, first, last, ahead)
    )


def _keys(kind: int, span: Span, moments: Moments, at: int) -> list[Key]:
    """Return where each record of a span stands, none before `at` or before the one ahead of it."""
    keys = []
    for offset, moment in zip(span.offsets, moments, strict=True):
        if moment is not None and at < moment < AHEAD:
            at = moment
        keys.append((at, kind, span.partition, offset))
    return keys


class Lane:
    """One partition of one of the logs: what was polled and waits to be given out."""

    def __init__(self, kind: int, partition: int, start: int) -> None:
        self.kind = kind
        self.partition = partition
        self.start = self.stop = start
        self.last: Key = (NEVER, kind, partition, -1)
        self.keys: list[Key] = []
        self.moments: list[int | None] = []
        self.silent_since: float | None = None
        self.given_up = False
        self._columns: tuple[list[Any], ...] = ([], [], [], [])
        self._waiting = Span(partition, start, start, *self._columns)

    def add(self, span: Span, moments: Moments) -> None:
        """Take in what was polled."""
        self.stop = span.stop
        keys = _keys(self.kind, span, moments, self.last[0])
        self.keys += keys
        self.moments += moments
        self.last = keys[-1] if keys else self.last
        self.silent_since = None
        self.given_up = False
        columns: tuple[Sequence[Any], ...] = (span.offsets, span.values, span.timestamps_ms, span.keys)
        for column, more in zip(self._columns, columns, strict=True):
            column.extend(more)

    def take(self, count: int) -> Timed | None:
        """Give out the first `count` records; with the last of them also the stretch without records after it."""
        whole, waiting = count == len(self.keys), self._waiting
        stop = self.stop if whole else waiting.offsets[count] if count else self.start
        if stop == self.start:
            return None
        given = slice(None, count)
        span, moments = waiting.part(range(count), start=self.start, stop=stop), self.moments[given]
        del self.keys[given], self.moments[given]
        for column in self._columns:
            del column[given]
        self.start = stop
        return span, moments

    def holds_back(self, now: float, idle_s: float, end: int | None) -> bool:
        """Tell whether it may bring more that must be waited for."""
        if end is not None and self.stop >= end:
            return False
        if self.keys or end is not None:  # with an end, more is known to come
            return not self.given_up
        return not self.given_up and (self.silent_since is None or now - self.silent_since < idle_s)


class MergedFeed(Feed):
    """A log of events and a log of labels, read as one. `moments` read those of labels and of events.

    A record more than `ahead_s` ahead of now has no moment of its own, and is held. Contract: `Feed`.
    """

    def __init__(
        self, events: Log, labels: Log, moments: Sequence[Callable[[Span], Moments]], *, idle_s: float, ahead_s: float
    ) -> None:
        super().__init__(events)
        self.labels = labels
        self._logs = {LABEL: labels, EVENT: events}
        self._moments = moments
        self._idle_s = idle_s
        self._ahead_s = ahead_s
        self._lanes: dict[tuple[int, int], Lane] = {}

    @property
    def logs(self) -> tuple[Log, ...]:
        """See `Feed.logs`."""
        return self._logs[EVENT], self._logs[LABEL]

    def seek(self, position: Position) -> None:
        """See `Feed.seek`."""
        super().seek(position)
        self._lanes = {}
        for kind, log in self._logs.items():
            cursors = position.topics[log.topic].cursors
            for partition in log.earliest():
                start = cursors[partition].next_offset if partition in cursors else 0
                self._lanes[kind, partition] = Lane(kind, partition, start)

    def poll(self, timeout_s: float, events_max: int = EVENTS_PER_POLL_MAX) -> Batch:
        """See `Feed.poll`. Records of both logs count."""
        deadline = time.monotonic() + timeout_s
        wait_s = 0.0
        while True:
            for kind in self._logs:
                self._fetch(kind, wait_s)
            batch = self._release(events_max)
            left = deadline - time.monotonic()
            if batch.spans or batch.labels or left <= 0:
                return batch
            wait_s = min(NAP_S, left / len(self._logs))

    def again(
        self, spans: Sequence[Span], labels: Sequence[Span], ahead: Mapping[tuple[str, int], Container[int]]
    ) -> Batch:
        """See `Feed.again`."""

        def timed(kind: int, span: Span) -> Timed:
            held = ahead.get((self._logs[kind].topic, span.partition), ())
            moments = zip(span.offsets, self._moments[kind](span), strict=True)
            return span, [AHEAD if offset in held else moment for offset, moment in moments]

        return merge([timed(EVENT, span) for span in spans], [timed(LABEL, span) for span in labels])

    def lag(self) -> int | None:
        """See `Feed.lag`."""
        lags = [log.lag() for log in self.logs]
        known = [lag for lag in lags if lag is not None]
        return sum(known) + sum(len(lane.keys) for lane in self._lanes.values()) if len(known) == len(lags) else None

    def _end(self, lane: Lane) -> int | None:
        return None if self.ends is None else self.ends[self._logs[lane.kind].topic].get(lane.partition, 0)

    def _fetch(self, kind: int, wait_s: float) -> None:
        """Poll a log if one of its partitions has nothing waiting, and note which bring nothing."""
        log = self._logs[kind]
        ends = None if self.ends is None else self.ends[log.topic]
        lanes = [lane for lane in self._lanes.values() if lane.kind == kind]
        dry = [lane for lane in lanes if not lane.keys and not _over(lane.stop, self._end(lane))]
        if not dry and (lanes or ends is not None):
            return
        full = sum(len(lane.keys) for lane in lanes) >= BUFFERED_MAX
        latest = int((time.time() + self._ahead_s) * 1e6)
        for span in () if full else within(log.poll(wait_s), ends).spans:
            lane = self._lanes.setdefault((kind, span.partition), Lane(kind, span.partition, span.start))
            moments = self._moments[kind](span)
            lane.add(span, [AHEAD if moment is not None and moment > latest else moment for moment in moments])
        now = time.monotonic()
        for lane in dry:
            lane.given_up = full
            if not lane.keys and lane.silent_since is None and not full:
                lane.silent_since = now

    def _release(self, records_max: int) -> Batch:
        """Give out the first records that nothing can come before any more."""
        now = time.monotonic()
        lanes = [self._lanes[key] for key in sorted(self._lanes)]
        bounds = [lane.last for lane in lanes if lane.holds_back(now, self._idle_s, self._end(lane))]
        bound = min(bounds, default=None)
        ready = {
            id(lane): lane.keys[:records_max] if bound is None else lane.keys[: bisect_right(lane.keys, bound)]
            for lane in lanes
        }
        if sum(map(len, ready.values())) > records_max:
            last = sorted(key for keys in ready.values() for key in keys[:records_max])[records_max - 1]
            ready = {number: keys[: bisect_right(keys, last)] for number, keys in ready.items()}
        given: dict[int, list[Timed]] = {LABEL: [], EVENT: []}
        for lane in lanes:
            timed = lane.take(len(ready[id(lane)]))
            if timed is not None:
                given[lane.kind].append(timed)
        return merge(given[EVENT], given[LABEL])


def _over(stop: int, end: int | None) -> bool:
    return end is not None and stop >= end
