"""The breaker: where too many events of one partition are held, reading stops, before a topic is drained into them.

It counts for each partition of each topic, so that a healthy one does not hide one that is not. It is asked whenever an
event is held, and trips right there: how events come in batches makes no difference.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.types import HeldEvent
from stream.held import QUARANTINED, RAISED, TAINTED, TOO_OLD
from stream.log import EVENT, LABEL, Batch, Merged, Span

UNCOUNTED = frozenset((QUARANTINED, TOO_OLD, RAISED, TAINTED))
"""Reasons that say nothing of the producer: a person holds them, they wait too long, the model fails on them."""

Held = Mapping[tuple[str, int], Mapping[int, HeldEvent]]
"""What was held of a batch, by (topic, partition) and offset."""

Place = tuple[int, int, int]
"""A record of a batch, as in `Merged.order`: LABEL or EVENT, number of the span, place in it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """It trips when `held_max` of the `last` events were held (once there were as many), or `consecutive` in a row."""

    held_max: int
    last: int
    consecutive: int

    @property
    def kept(self) -> int:
        """How many events back a held one is remembered."""
        return max(self.last, self.consecutive)

    @classmethod
    def of(cls, share: float, last: int, consecutive: int) -> Limits:
        """Return the limits for a share of the last events.

        >>> Limits.of(0.5, 1000, 200).held_max, Limits.of(0.3, 10, 200).held_max, Limits.of(0.01, 10, 5).held_max
        (500, 3, 1)
        """
        return cls(max(1, math.ceil(share * last - 1e-9)), last, consecutive)


@dataclass(frozen=True, slots=True)
class Trip:
    """Why reading stopped, and right after which event: so many of the last events of a partition were held.

    `most` of them for `reason`, the most frequent one.
    """

    topic: str
    partition: int
    offset: int
    held: int
    events: int
    reason: str
    most: int


class Lane:
    """What is counted of one partition: events seen, how many held ones came last, and those of the last `last`."""

    def __init__(self, seen: int = 0, row: int = 0, marks: Sequence[tuple[int, str]] = ()) -> None:
        self.seen = seen
        self.row = row
        self.marks = deque(marks)

    def copy(self) -> Lane:
        """Return another with the same counts."""
        return Lane(self.seen, self.row, self.marks)

    def take(self, span: Span, held: Mapping[int, HeldEvent], limits: Limits) -> int | None:
        """Count the events of a span up to where it trips; return that place, None if it does not."""
        passed = after = 0  # events of the span: that do not count; that were counted
        for place, offset in enumerate(span.offsets):
            if offset not in held:
                continue
            reason = held[offset].reason
            if reason in UNCOUNTED:
                passed += 1
                continue
            accepted = place - passed - after
            after += accepted + 1
            if self._trips(accepted, reason, limits):
                return place
        self.accept(len(span) - passed - after)
        return None

    def accept(self, events: int) -> None:
        """Count events that were accepted."""
        if events:
            self.seen += events
            self.row = 0

    def _trips(self, accepted: int, reason: str, limits: Limits) -> bool:
        """Count a held event that comes after so many accepted ones, and tell whether it is one too many."""
        self.accept(accepted)
        self.seen += 1
        self.row += 1
        self.marks.append((self.seen, reason))
        while self.marks[0][0] <= self.seen - limits.kept:
            self.marks.popleft()
        enough = self.seen >= limits.last and self.held(limits) >= limits.held_max
        return enough or self.row >= limits.consecutive

    def held(self, limits: Limits) -> int:
        """Return how many of the last `last` events were held."""
        if limits.kept == limits.last:
            return len(self.marks)
        return sum(at > self.seen - limits.last for at, _ in self.marks)

    def trip(self, topic: str, span: Span, place: int, limits: Limits) -> Trip:
        """Say why it tripped there."""
        in_row = self.row >= limits.consecutive
        held, events = (self.row, self.row) if in_row else (self.held(limits), limits.last)
        counted = list(self.marks)[-held:]
        reason, most = max(Counter(why for _, why in counted).items(), key=lambda each: (each[1], each[0]))
        return Trip(topic, span.partition, span.offsets[place], held, events, reason, most)

    def plain(self, kept: int) -> list[Any]:
        """Return it as plain values, the same however the events came."""
        marks = [[self.seen - at, reason] for at, reason in self.marks if at > self.seen - kept]
        return [min(self.seen, kept), self.row, marks]

    @classmethod
    def of(cls, value: Sequence[Any]) -> Lane:
        """Read back what `plain` gave."""
        seen, row, marks = value
        return cls(seen, row, [(seen - ago, reason) for ago, reason in marks])


class Breaker:
    """Counts what is held of each partition. Once it tripped nothing more is counted, until `reset`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lanes: dict[tuple[str, int], Lane] = {}

    def count(self, topics: Sequence[str], batch: Batch, held: Held) -> tuple[Place, Trip] | None:
        """Count a batch, if it may be read as a whole; else count nothing, and return where it must end, and why."""
        if not held:
            for topic, spans in zip(topics, (batch.spans, batch.labels), strict=False):
                for span in spans:
                    if span.offsets:
                        self._lanes.setdefault((topic, span.partition), Lane()).accept(len(span))
            return None
        counted: dict[tuple[str, int], Lane] = {}
        trips: dict[Place, Trip] = {}
        for kind, spans in ((EVENT, batch.spans), (LABEL, batch.labels)):
            for number, span in enumerate(spans):
                if not span.offsets:
                    continue
                key = (topics[0 if kind == EVENT else 1], span.partition)
                lane = counted[key] = self._lanes[key].copy() if key in self._lanes else Lane()
                place = lane.take(span, held.get(key, {}), self._limits)
                if place is not None:
                    trips[kind, number, place] = lane.trip(key[0], span, place, self._limits)
        first = min(trips, key=order_of(batch).index, default=None) if trips else None
        if first is None or first == order_of(batch)[-1]:
            self._lanes.update(counted)
        return None if first is None else (first, trips[first])

    def reset(self) -> None:
        """Forget all counts."""
        self._lanes.clear()

    def plain(self) -> list[Any]:
        """Return the counts as plain values."""
        return [[*key, *lane.plain(self._limits.kept)] for key, lane in sorted(self._lanes.items())]

    def recall(self, value: Sequence[Any]) -> None:
        """Read back what `plain` gave."""
        self._lanes = {(topic, partition): Lane.of(lane) for topic, partition, *lane in value}


def cut(batch: Batch, last: Place) -> Batch:
    """Return a batch up to a record of it, and that one with it."""
    kept = order_of(batch)[: order_of(batch).index(last) + 1]
    counts = Counter((kind, number) for kind, number, _ in kept)
    parts: dict[int, list[Span]] = {EVENT: [], LABEL: []}
    numbers: dict[tuple[int, int], int] = {}
    for kind, spans in ((EVENT, batch.spans), (LABEL, batch.labels)):
        for number, span in enumerate(spans):
            count = counts[kind, number]
            if count:
                numbers[kind, number] = len(parts[kind])
                parts[kind].append(span if count == len(span) else span.part(range(count), stop=span.offsets[count]))
    if batch.merged is None:
        return Batch(tuple(parts[EVENT]))
    order = [(kind, numbers[kind, number], place) for kind, number, place in kept]
    ahead = frozenset(
        (kind, numbers[kind, number], place)
        for kind, number, place in batch.merged.ahead
        if place < counts[kind, number]
    )
    merged = Merged(order, batch.merged.first, batch.merged.last, ahead)
    return Batch(tuple(parts[EVENT]), tuple(parts[LABEL]), merged)


def order_of(batch: Batch) -> list[Place]:
    """Return the records of a batch in the order in which they are learned."""
    if batch.merged is not None:
        return batch.merged.order
    return [(EVENT, number, place) for number, span in enumerate(batch.spans) for place in range(len(span))]
