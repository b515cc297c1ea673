"""A log of labeled events: seek to a position, poll batches in order, know the end, commit as advice, close.

Invariants of every log (tests/laws/test_logs.py runs on each implementation):

1. Offsets within a partition rise. They may have gaps; the next offset is what the log says, nobody adds one.
2. A batch is ordered by partition, then offset, and never holds two stretches of one partition.
3. What was polled once is not polled again, unless one seeks.
4. A position is known again: identity and the hash of the last record are checked by `seek`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from store.types import Cursor, TopicPosition
from stream.lazy import Lazy, together, without

EVENTS_PER_POLL_MAX = 500
"""Larger batches bring no speed and make a slow model deaf."""

EVENT_BYTES_MAX = 16 << 20
"""A longer event is held as too long, and of a longer line only the beginning is read: one line without an end must not
fill the memory."""

Ends = Mapping[str, Mapping[int, int]]
"""For each topic, the next offset of each partition at its end."""

POLL_S_MAX = 0.5
"""A signal is handled only when a poll returns."""


@dataclass(frozen=True, slots=True)
class Format:
    """How the bytes of an event are written: JSON objects, or lines of a CSV file with these columns."""

    kind: Literal["json", "csv"]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch [start, stop) of one partition: as columns, one entry an event. Without entries it holds no events.

    `timestamps_ms` (ms since 1970) and `keys` are the records' own, None where a record has none. Offsets without a gap
    are a range: thousands of numbers less to make.

    >>> Span(0, 5, 9, [5, 7], [b"a", b"b"], [None, None], [None, b"k"]).part([1]).keys
    [b'k']
    """

    partition: int
    start: int
    stop: int
    offsets: Sequence[int]
    values: Sequence[bytes]
    timestamps_ms: Sequence[int | None]
    keys: Sequence[bytes | None]

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, places: Sequence[int], *, start: int | None = None, stop: int | None = None) -> Span:
        """Return a span with the events at these places only, that reaches as far as this one, unless told."""
        start, stop = self.start if start is None else start, self.stop if stop is None else stop
        if isinstance(places, range) and places.step == 1:
            at = slice(places.start, places.stop)
            stamps, keys = self.timestamps_ms[at], self.keys[at]
            return Span(self.partition, start, stop, self.offsets[at], self.values[at], stamps, keys)
        offsets, values = self.offsets, self.values
        return Span(
            self.partition,
            start,
            stop,
            [offsets[place] for place in places],
            [values[place] for place in places],
            _at(self.timestamps_ms, places),
            _at(self.keys, places),
        )

    def without(self, places: Sequence[int]) -> Span:
        """Return a span without the events at these places, which rise.

        >>> span = Span(0, 5, 9, [5, 7, 8], [b"a", b"b", b"c"], [None, None, 3], [None, b"k", None])
        >>> span.without([1]).values, span.without([1]).timestamps_ms, span.without([]).offsets
        ([b'a', b'c'], [None, 3], [5, 7, 8])
        """
        columns = (_without(each, places) for each in (self.offsets, self.values, self.timestamps_ms, self.keys))
        return Span(self.partition, self.start, self.stop, *columns)

    def places(self, offsets: Iterable[int]) -> list[int]:
        """Return the places of the events that have one of these offsets; they rise.

        >>> Span(0, 5, 9, [5, 7, 8], [b"a", b"b", b"c"], [None] * 3, [None] * 3).places({8, 6, 5})
        [0, 2]
        """
        own, count = self.offsets, len(self.offsets)
        found = [(bisect_left(own, offset), offset) for offset in sorted(offsets)]
        return [place for place, offset in found if place < count and own[place] == offset]

    def cursor(self, before: Cursor) -> Cursor:
        """Return the partition's cursor after this span, given the one before it."""
        if not self.offsets:
            return Cursor(self.stop, before.last_offset, before.last_hash)
        return Cursor(self.stop, self.offsets[-1], record_hash(self.values[-1]))


Key = tuple[int, int, int, int]
"""Where a record stands among those of two logs: (moment in microseconds, LABEL or EVENT, partition, offset)."""

LABEL, EVENT = 0, 1
"""A tie reveals first: at one moment, labels come before events."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How the records of a batch from two logs are ordered: (LABEL or EVENT, number of the span, place in it).

    `first` and `last` are the keys of the first record and the last; None where there is none. `ahead` are the records
    (as in `order`) whose time is too far ahead of now.
    """

    order: list[tuple[int, int, int]]
    first: Key | None
    last: Key | None
    ahead: frozenset[tuple[int, int, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought: spans in the order of their partitions.

    Where labels have a log of their own, `labels` are its spans, and `merged` is the order of all records together.
    `late`: its events lie behind what is read; they were held then, and are to be learned now.
    """

    spans: tuple[Span, ...]
    labels: tuple[Span, ...] = ()
    merged: Merged | None = None
    late: bool = False

    def __len__(self) -> int:
        return sum(len(span) for span in self.spans) + sum(len(span) for span in self.labels)


class Log(Protocol):
    """One topic. Not thread-safe; one reader each.

    `topic` names it, `identity` tells it from another of the same name, `format` says how events are written, `finite`
    whether it can never grow (compressed files).
    """

    topic: str
    identity: str
    format: Format
    finite: bool

    def start(self, where: str | int | Mapping[int, int]) -> TopicPosition:
        """Return the position for a model without versions: "earliest", "latest", an ISO time, or {partition: offset}.

        A bare offset is for a log with one partition. A partition that the mapping does not name starts at its earliest
        offset. Blocks on the log. Raises `ConfigError` for a place that the log does not have, `LogUnreachable`.
        """
        ...

    def seek(self, position: TopicPosition) -> None:
        """Go to a position: the next poll begins there. Partitions it does not name are read from 0.

        May be called again at any time. Raises `LogMismatch` if the identity or the hash of the last record differs
        (the log is another one than the position was made from), `LogLost` if events at the position are gone,
        `LogUnreachable` if nothing answers.
        """
        ...

    def poll(self, timeout_s: float, events_max: int = EVENTS_PER_POLL_MAX) -> Batch:
        """Return the next events, at most `events_max` in all.

        Waits at most `timeout_s` (<= POLL_S_MAX) for the first; returns an empty batch when nothing came. Raises
        `LogLost` if the next events are gone (retention), `LogMismatch` if the log was replaced under us,
        `LogUnreachable` only for failures that do not mend themselves. What was read before a failure is returned
        first.
        """
        ...

    def where(self) -> dict[int, int]:
        """Return where the next poll begins in each partition; nothing before the first `seek`."""
        ...

    def end(self) -> dict[int, int]:
        """Return each partition's next offset at the end of the log as it is now. Asks the log: may block some seconds.

        Raises `LogUnreachable`.
        """
        ...

    def earliest(self) -> dict[int, int]:
        """Return each partition's first offset that the log still has."""
        ...

    def lag(self) -> int | None:
        """Return how many events lie between where the next poll begins and the end, as last known; None if unknown.

        Never blocks (counts offsets, so gaps count too).
        """
        ...

    def commit(self, position: TopicPosition) -> None:
        """Tell the log how far we are, as advice for lag tools. Never blocks, never raises; the store is the truth."""
        ...

    def close(self) -> None:
        """Let go, within a deadline. May be called twice."""
        ...


class Writer(Protocol):
    """Appends events to one topic of `partitions` partitions. Not thread-safe."""

    partitions: int

    def write(self, value: bytes, partition: int = 0) -> None:
        """Append an event. Returns before it is durable, blocks when much is under way. Raises `LogUnreachable`."""
        ...

    def close(self) -> None:
        """Return when every event is durable; raise `LogUnreachable` if one is not. May be called twice."""
        ...


def within(batch: Batch, ends: Mapping[int, int] | None) -> Batch:
    """Leave out what lies at or beyond the ends, and partitions that have none; None leaves all in.

    >>> span = Span(0, 5, 8, [5, 7], [b"a", b"b"], [None, None], [None, None])
    >>> within(Batch((span,)), {0: 7}).spans[0].offsets, within(Batch((span,)), {1: 9}).spans
    ([5], ())
    """
    if ends is None or all(span.stop <= ends.get(span.partition, -1) for span in batch.spans):
        return batch
    spans = [span for span in batch.spans if span.start < ends.get(span.partition, 0)]
    return Batch(tuple(split(span, ends[span.partition])[0] for span in spans))


def split(span: Span, stop: int) -> tuple[Span, Span | None]:
    """Cut a span at an offset.

    >>> now, later = split(Span(0, 5, 8, [5, 7], [b"a", b"b"], [None, None], [None, None]), 7)
    >>> now.offsets, now.stop, later.offsets, later.start
    ([5], 7, [7], 7)
    """
    if span.stop <= stop:
        return span, None
    count = bisect_left(span.offsets, stop)
    return span.part(range(count), stop=stop), span.part(range(count, len(span)), start=stop)


def join(spans: Sequence[Span]) -> Span:
    """Put together spans that follow each other in one partition; there is at least one.

    >>> join([Span(0, 5, 8, [5], [b"a"], [None], [None]), Span(0, 8, 9, [8], [b"b"], [None], [None])]).offsets
    [5, 8]
    """
    if len(spans) == 1:
        return spans[0]
    return Span(
        spans[0].partition,
        spans[0].start,
        spans[-1].stop,
        together([span.offsets for span in spans]),
        together([span.values for span in spans]),
        together([span.timestamps_ms for span in spans]),
        together([span.keys for span in spans]),
    )


def _at(column: Sequence[Any], places: Sequence[int]) -> Sequence[Any]:
    return column.at(places) if isinstance(column, Lazy) else [column[place] for place in places]


def _without(column: Sequence[Any], places: Sequence[int]) -> Any:
    return column.without(places) if isinstance(column, Lazy) else without(column, places)


def record_hash(value: bytes) -> str:
    """Return 128 bits of the SHA-256 of a record's bytes, in hexadecimal.

    >>> record_hash(b"{}")
    '44136fa355b3678a1146ad16f7e8649e'
    """
    return hashlib.sha256(value).hexdigest()[:32]
