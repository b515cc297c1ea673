"""Two logs as one stream, against a plain sort: whichever log runs ahead, the order is the same."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store.types import Position
from stream.files import FileLog
from stream.log import EVENT, LABEL, Batch
from stream.merge import MergedFeed
from stream.moments import moments_of

Record = tuple[int, int, int, int]
"""(moment in seconds, LABEL or EVENT, partition, offset)."""


class Topics:
    """A topic of events and one of labels, as folders of files that grow."""

    def __init__(self, folder: Path, partitions: dict[int, int]) -> None:
        self.folder = folder
        self.written: dict[tuple[int, int], int] = {}
        for kind, count in partitions.items():
            for partition in range(count):
                self.path(kind, partition).parent.mkdir(exist_ok=True)
                self.path(kind, partition).touch()
                self.written[kind, partition] = 0

    def path(self, kind: int, partition: int) -> Path:
        return self.folder / {EVENT: "events", LABEL: "labels"}[kind] / f"{partition}.jsonl"

    def append(self, kind: int, partition: int, moments: list[Any]) -> list[Record]:
        with self.path(kind, partition).open("a") as out:
            out.writelines(json.dumps({"at": moment}) + "\n" for moment in moments)
        first = self.written[kind, partition]
        self.written[kind, partition] += len(moments)
        return [(moment, kind, partition, first + i) for i, moment in enumerate(moments)]

    def open(self, *, until_end: bool = False, idle_s: float = 60.0) -> MergedFeed:
        logs = [FileLog(self.folder / name, until_end=until_end) for name in ("events", "labels")]
        feed = MergedFeed(
            *logs, [moments_of("at", log.format) for log in reversed(logs)], idle_s=idle_s, ahead_s=86_400.0
        )
        feed.seek(Position({log.topic: log.start("earliest") for log in logs}))
        return feed


@pytest.fixture
def topics(tmp_path: Path) -> Topics:
    return Topics(tmp_path, {EVENT: 2, LABEL: 2})


def records(batch: Batch) -> Iterator[Record]:
    assert batch.merged is not None
    for kind, number, place in batch.merged.order:
        span = (batch.labels if kind == LABEL else batch.spans)[number]
        moment = json.loads(span.values[place])["at"]
        yield moment, kind, span.partition, span.offsets[place]


def drained(feed: MergedFeed, count: int) -> list[Record]:
    found: list[Record] = []
    while len(found) < count:
        batch = feed.poll(0.1, 7)
        assert len(batch) <= 7
        found += records(batch)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_the_order_is_that_of_a_sort_whichever_log_runs_ahead(topics: Topics, seed: int) -> None:
    source = random.Random(seed)
    feed = topics.open()
    clocks = dict.fromkeys(topics.written, 0)
    expected: list[Record] = []
    found: list[Record] = []
    for _ in range(60):
        lane = source.choice(list(clocks))
        moments = []
        for _ in range(source.randrange(6)):
            clocks[lane] += source.choice((0, 0, 1, 3))
            moments.append(clocks[lane])
        expected += topics.append(*lane, moments)
        for _ in range(source.randrange(3)):
            found += records(feed.poll(0.0, source.randrange(1, 9)))
    feed.close()
    assert found == sorted(expected)[: len(found)]
    whole = topics.open(until_end=True)
    whole.ends = whole.end()
    assert drained(whole, len(expected)) == sorted(expected)
    assert not whole.poll(0.0)
    whole.close()


def test_a_log_that_is_behind_is_waited_for_and_one_that_is_silent_is_not(topics: Topics) -> None:
    feed = topics.open(idle_s=0.5)
    topics.append(EVENT, 0, [1, 2])
    assert not feed.poll(0.1)
    began = time.monotonic()
    found = drained(feed, 2)
    assert time.monotonic() - began > 0.2, "the others were given up at once"
    assert found == [(1, EVENT, 0, 0), (2, EVENT, 0, 1)]
    late = topics.append(LABEL, 0, [1])
    assert drained(feed, 1) == late, "what is too late is given out all the same"
    feed.close()


def test_what_is_known_of_a_log_lets_the_other_go_on(topics: Topics) -> None:
    feed = topics.open()
    for lane, later in (((EVENT, 0), 9), ((EVENT, 1), 7), ((LABEL, 0), 8), ((LABEL, 1), 8)):
        topics.append(*lane, [5, later])
    assert drained(feed, 5) == [(5, 0, 0, 0), (5, 0, 1, 0), (5, 1, 0, 0), (5, 1, 1, 0), (7, 1, 1, 1)]
    assert not feed.poll(0.1), "8 must wait: the second partition of events may still bring less"
    topics.append(EVENT, 1, [10])
    assert drained(feed, 1) == [(8, 0, 0, 1)]
    assert not feed.poll(0.1), "so must the other label of 8: there may be one more in the first partition"
    topics.append(LABEL, 0, [10])
    assert drained(feed, 1) == [(8, 0, 1, 1)]
    topics.append(LABEL, 1, [10])
    assert drained(feed, 1) == [(9, 1, 0, 1)]
    feed.close()


def test_a_time_that_cannot_be_read_takes_the_one_before_it(topics: Topics) -> None:
    for lane in topics.written:
        topics.append(*lane, [1, 4])
    topics.path(EVENT, 0).write_text('{"at": 2}\nwhat\n{"at": "noon"}\n{"at": 3}\n')
    feed = topics.open(until_end=True)
    feed.ends = feed.end()
    places = []
    while len(places) < 10:
        batch = feed.poll(0.1)
        assert batch.merged is not None
        for kind, number, place in batch.merged.order:
            span = (batch.labels if kind == LABEL else batch.spans)[number]
            places.append((kind, span.partition, span.offsets[place]))
    assert places[3:7] == [(EVENT, 0, 0), (EVENT, 0, 1), (EVENT, 0, 2), (EVENT, 0, 3)]
    feed.close()


def test_a_record_behind_its_own_partition_comes_right_after_the_one_before_it(topics: Topics) -> None:
    topics.append(EVENT, 0, [5, 3, 6])
    topics.append(EVENT, 1, [4, 6])
    topics.append(LABEL, 0, [5, 1, 6])
    feed = topics.open(until_end=True)
    feed.ends = feed.end()
    expected = [(4, 1, 1, 0), (5, 0, 0, 0), (1, 0, 0, 1), (5, 1, 0, 0), (3, 1, 0, 1), (6, 0, 0, 2), (6, 1, 0, 2)]
    assert drained(feed, 8) == [*expected, (6, 1, 1, 1)]
    feed.close()
