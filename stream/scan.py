"""Reading a log once, from some next offsets to some ends, apart from any trainer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from store.offsets import Offsets
from store.types import Cursor, TopicPosition
from stream.errors import LogLost
from stream.log import POLL_S_MAX, Log, Span, join, within

SILENCE_S_MAX = 30.0
"""How long a log may bring nothing before events that should be in it are said to be gone."""


def pick(log: Log, identity: str, offsets: Offsets) -> list[Span]:
    """Return just these events of a log's topic, a span a partition, in one pass. Raises as `scan`."""
    ranges = {partition: several for (topic, partition), several in offsets.places.items() if topic == log.topic}
    starts = {partition: several[0][0] for partition, several in ranges.items()}
    picked: dict[int, list[Span]] = {partition: [] for partition in ranges}
    for span in scan(log, identity, starts, {partition: several[-1][1] for partition, several in ranges.items()}):
        places = [i for i, offset in enumerate(span.offsets) if offsets.has(log.topic, span.partition, offset)]
        picked[span.partition].append(span.part(places))
    spans = [join(several) for _, several in sorted(picked.items()) if several]
    found, expected = sum(map(len, spans)), sum(stop - start for several in ranges.values() for start, stop in several)
    if found != expected:
        raise LogLost(f"expected {expected:,} events of {log.topic}, found {found:,}: the log no longer has the others")
    return spans


def scan(log: Log, identity: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Span]:
    """Give out the spans between `starts` and `ends` as they come; partitions without a start are left out.

    Raises `LogMismatch` if the log is another one than `identity` says, `LogLost` if it no longer has the events.
    """
    left = {partition: ends[partition] for partition, start in starts.items() if start < ends.get(partition, 0)}
    if not left:
        return
    everywhere = log.end()
    cursors = {
        partition: Cursor(starts[partition] if partition in left else end) for partition, end in everywhere.items()
    }
    log.seek(TopicPosition(identity, cursors))
    news_at = time.monotonic()
    while left:
        for span in within(log.poll(POLL_S_MAX), left).spans:
            news_at = time.monotonic()
            yield span
            if span.stop >= left[span.partition]:
                del left[span.partition]
        if time.monotonic() - news_at > SILENCE_S_MAX:
            partition, end = next(iter(left.items()))
            raise LogLost(f"expected events up to offset {end} of partition {partition} of {log.topic}, found no more")
