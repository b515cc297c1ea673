"""The laws of every log, on files of each kind and real Kafka topics. What is expected was kept by hand (places.py)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from store.types import Cursor, Position, Run, Segment, TopicPosition
from stream.again import read_segment
from stream.errors import ConfigError, LogMismatch
from stream.feed import Feed
from stream.log import Log, record_hash
from tests.laws.places import FilePlace, FolderPlace, KafkaPlace, Place, Reader

KINDS = ("csv", "jsonl", "csv.gz", "jsonl.gz", "csv.zst", "ndjson.zst", "folder", "kafka-1", "kafka-2")


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.kafka if "kafka" in kind else ()) for kind in KINDS])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind = str(request.param)
    if kind.startswith("kafka"):
        return KafkaPlace(request.getfixturevalue("kafka"), int(kind[-1]))
    return FolderPlace(tmp_path) if kind == "folder" else FilePlace(tmp_path, f"topic.v1.{kind}")


@pytest.fixture
def read(place: Place, opened: Callable[[Log], Log]) -> Callable[..., Reader]:
    return lambda position=None: Reader(opened(place.open()), position)


def test_every_event_comes_once_in_order_whatever_the_poll_sizes(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(3000)
    reader, chance = read(), random.Random(1)
    seen = {partition: [] for partition in place.events}
    while any(len(seen[p]) < len(values) for p, values in place.events.items()):
        batch = reader.poll(chance.choice((1, 2, 3, 50, 500, 1000)))
        for span in batch.spans:
            seen[span.partition] += span.values
            assert list(span.offsets) == list(range(span.start, span.stop))  # these logs have no gaps
    assert seen == place.events
    assert not reader.poll(timeout_s=0.05).spans


@pytest.mark.parametrize("seed", range(3))
def test_seeks_back_and_forth_land_where_they_should(place: Place, read: Callable[..., Reader], seed: int) -> None:
    place.fill(1200, seed)
    reader, chance = read(), random.Random(seed)
    known = [reader.position]
    for _ in range(8):
        if chance.random() < 0.5:
            reader.position = chance.choice(known)
            reader.log.seek(reader.position)
        start = reader.offsets()
        reader.seen = {}
        for _ in range(chance.randrange(1, 6)):
            reader.poll(chance.randrange(1, 300), timeout_s=0.02)
        stop = reader.offsets()
        assert reader.seen == {p: place.events[p][start[p] : stop[p]] for p in start if stop[p] > start[p]}
        known.append(reader.position)
    rest = reader.offsets()
    reader.seen = {}
    assert reader.to_end() == {p: values[rest[p] :] for p, values in place.events.items()}


@pytest.mark.parametrize("seed", range(3))
def test_segments_read_again_are_what_they_were_whoever_moves_the_log_between_them(
    place: Place, opened: Callable[[Log], Log], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    place.fill(2500, seed)
    log, chance = opened(place.open()), random.Random(seed)
    seeks: list[TopicPosition] = []
    seek = log.seek
    monkeypatch.setattr(log, "seek", lambda position: (seeks.append(position), seek(position)))
    feed, everywhere = Feed(log), Position({log.topic: log.start("earliest")})
    at, disturbed = dict.fromkeys(place.events, 0), 0
    segments = 0
    while any(at[p] < len(values) for p, values in place.events.items()):
        runs, expected = [], []
        for _ in range(chance.randrange(1, 6)):
            partition = chance.choice(list(at))
            start = at[partition]
            stop = at[partition] = min(len(place.events[partition]), start + chance.randrange(1, 300))
            if stop > start:
                runs.append(Run(log.topic, partition, start, stop, stop - start))
                expected += place.events[partition][start:stop]
        most = (7, 500, 8192)[segments % 3]
        batches = read_segment(feed, Segment(tuple(runs)), everywhere, events_max=most)
        found = [value for batch in batches for span in batch.spans for value in span.values]
        assert found == expected
        segments += 1
        if chance.random() < 0.2:
            disturbed += 1
            log.seek(log.start(dict.fromkeys(at, 0)))
            log.poll(0.5, 7)
    if len(at) == 1:
        assert len(seeks) <= 1 + 2 * disturbed  # a segment goes on where the one before it ended
    assert segments > 5


def test_a_position_is_found_again_by_another_reader(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(900)
    first = read()
    for size in (1, 100, 333):
        first.poll(size)
    at = first.offsets()
    assert sum(at.values()) > 0
    for partition, cursor in first.position.cursors.items():
        if cursor.next_offset:
            assert cursor.last_hash == record_hash(place.events[partition][cursor.next_offset - 1])
    second = read(first.position)
    assert second.to_end() == {p: values[at[p] :] for p, values in place.events.items()}
    assert second.log.identity == first.log.identity
    assert second.log.topic == first.log.topic


def test_another_identity_is_refused(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(20)
    reader = read()
    with pytest.raises(LogMismatch, match="expected the"):
        reader.log.seek(replace(reader.position, identity="another"))


def test_another_last_record_is_refused(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(400)
    reader = read()
    reader.poll(100)
    partition, cursor = next((p, c) for p, c in reader.position.cursors.items() if c.last_offset is not None)
    wrong = dict(reader.position.cursors) | {partition: replace(cursor, last_hash=record_hash(b"another"))}
    with pytest.raises(LogMismatch, match=f"partition {partition}, offset {cursor.last_offset} is not the one"):
        reader.log.seek(replace(reader.position, cursors=wrong))
    reader.log.seek(reader.position)  # and the log is still of use


def test_a_position_beyond_the_end_is_refused(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(50)
    reader = read()
    beyond = {p: Cursor(len(values) + 1) for p, values in place.events.items()}
    with pytest.raises(LogMismatch):
        reader.log.seek(replace(reader.position, cursors=beyond))
    reader.log.seek(replace(reader.position, cursors={p: Cursor(len(v)) for p, v in place.events.items()}))
    assert not reader.log.poll(0.05).spans


def test_a_partition_that_is_gone_is_refused(place: Place, read: Callable[..., Reader]) -> None:
    reader = read()
    with pytest.raises(LogMismatch, match="partition 7 is gone"):
        reader.log.seek(replace(reader.position, cursors=dict(reader.position.cursors) | {7: Cursor(1)}))


def test_the_end_is_known_and_reached_by_position(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(700)
    reader = read()
    assert reader.log.end() == {p: len(values) for p, values in place.events.items()}
    assert reader.log.earliest() == dict.fromkeys(place.events, 0)
    assert reader.to_end() == place.events
    reader.poll(timeout_s=0.2)
    assert reader.log.lag() == 0


def test_an_empty_log_is_waited_on_no_longer_than_told(place: Place, read: Callable[..., Reader]) -> None:
    reader = read()
    assert reader.log.end() == dict.fromkeys(place.events, 0)
    for timeout_s in (0.0, 0.05, 0.3):
        began = time.monotonic()
        assert not reader.poll(timeout_s=timeout_s).spans
        assert time.monotonic() - began < timeout_s + 0.25
    assert reader.offsets() == dict.fromkeys(place.events, 0)


def test_advice_and_closing_never_fail(place: Place) -> None:
    place.fill(30)
    log = place.open()
    position = log.start("earliest")
    log.seek(position)
    for _ in range(3):
        log.commit(position)
        log.poll(0.05)
    log.commit(replace(position, cursors={99: Cursor(5)}))
    log.close()
    log.close()
    log.commit(position)


def test_starts(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(300)
    log = read().log
    end = {p: len(values) for p, values in place.events.items()}

    def offsets(position: TopicPosition) -> dict[int, int]:
        assert position.identity == log.identity
        return {p: cursor.next_offset for p, cursor in position.cursors.items()}

    assert offsets(log.start("earliest")) == dict.fromkeys(end, 0)
    assert offsets(log.start("latest")) == end
    assert offsets(log.start({0: 7})) == dict.fromkeys(end, 0) | {0: 7}
    if len(end) == 1:
        assert offsets(log.start(5)) == {0: 5}
    else:
        with pytest.raises(ConfigError, match="an offset for each partition"):
            log.start(5)
    for wrong in ({9: 0}, {0: end[0] + 1}, {0: -1}, "yesterday"):
        with pytest.raises(ConfigError, match="expected"):
            log.start(wrong)
    reader = read(log.start({0: 7}))
    assert reader.to_end()[0] == place.events[0][7:]


def test_growth_is_followed(place: Place, read: Callable[..., Reader]) -> None:
    if not place.grows:
        pytest.skip("a compressed file does not grow")
    reader = read()
    for seed in range(3):
        before = reader.offsets()
        place.fill(200, seed)
        assert not reader.log.finite
        assert reader.to_end() == {p: values[before[p] :] for p, values in place.events.items()}
        assert not reader.poll(timeout_s=0.02).spans
    latest = read(reader.log.start("latest"))
    place.fill(10, 9)
    assert sum(len(values) for values in latest.to_end().values()) == 10


def test_the_lag_counts_what_was_not_polled(place: Place, read: Callable[..., Reader]) -> None:
    place.fill(1000)
    reader = read()
    reader.poll(10)
    lag = reader.log.lag()
    if reader.log.finite:
        assert lag is None
        reader.log.end()
        lag = reader.log.lag()
    assert lag == 1000 - sum(reader.offsets().values())
