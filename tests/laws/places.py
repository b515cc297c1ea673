"""Places where a log of given events can be made, one a kind of log: the law suite runs on each."""

from __future__ import annotations

import gzip
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import zstandard

from store.types import Cursor, TopicPosition
from stream.files import FileLog
from stream.kafka import KafkaLog
from stream.log import Batch, Log
from tests.kafka.broker import Broker

Events = dict[int, list[bytes]]
HEADER = b'day,"price, AUD",class\r\n'
ODD = [b"", b"not json", b"\xff\xfe", b"a\x0bb\x0cc\x1cd\xc2\x85e\xe2\x80\xa8f", b"x\ry", b'"open', b'quote"', b"\x00"]


class Place(ABC):
    """One log on its medium: `events` is what it holds, kept by the test's own hand."""

    partitions = 1
    grows = True

    def __init__(self) -> None:
        self.events: Events = {partition: [] for partition in range(self.partitions)}

    def add(self, events: Mapping[int, Sequence[bytes]]) -> None:
        """Append events to the partitions."""
        for partition, values in events.items():
            self.events.setdefault(partition, []).extend(values)
        self._write(events)

    def fill(self, count: int, seed: int = 0) -> None:
        """Append `count` events, odd ones among them, shared among the partitions by chance."""
        chance = random.Random(seed)
        events: Events = {partition: [] for partition in self.events}
        for number in range(count):
            odd = chance.random() < 0.1
            value = chance.choice(ODD) if odd else b'{"i": %d, "pad": "%s"}' % (number, b"x" * chance.randrange(90))
            events[chance.randrange(self.partitions)].append(value)
        self.add(events)

    @abstractmethod
    def _write(self, events: Mapping[int, Sequence[bytes]]) -> None: ...

    @abstractmethod
    def open(self) -> Log:
        """Open the log anew; nothing was read of it."""


class FilePlace(Place):
    """A single file; compressed ones are written whole, in several members or frames."""

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__()
        self.path = folder / name
        self.grows = self.path.suffix not in (".gz", ".zst")
        self.path.write_bytes(self._pack(HEADER if ".csv" in name else b""))

    def _pack(self, data: bytes) -> bytes:
        if self.path.suffix == ".gz":
            return gzip.compress(data, 1)
        return zstandard.compress(data) if self.path.suffix == ".zst" else data

    def _write(self, events: Mapping[int, Sequence[bytes]]) -> None:
        with self.path.open("ab") as file:
            half = len(events[0]) // 2
            for values in (events[0][:half], events[0][half:]):
                file.write(self._pack(b"".join(value + b"\n" for value in values)))

    def open(self) -> FileLog:
        return FileLog(self.path)


class FolderPlace(Place):
    """A directory with a file a partition."""

    partitions = 2

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.path = folder / "topic.v1"
        self.path.mkdir()
        self._write(self.events)

    def _write(self, events: Mapping[int, Sequence[bytes]]) -> None:
        for partition, values in events.items():
            with (self.path / f"{partition}.jsonl").open("ab") as file:
                file.write(b"".join(value + b"\n" for value in values))

    def open(self) -> FileLog:
        return FileLog(self.path)


class KafkaPlace(Place):
    """A topic of a real broker."""

    def __init__(self, broker: Broker, partitions: int) -> None:
        self.partitions = partitions
        super().__init__()
        self.broker = broker
        self.topic = broker.topic(partitions)

    def _write(self, events: Mapping[int, Sequence[bytes]]) -> None:
        producer = self.broker.producer()
        for partition, values in events.items():
            for value in values:
                producer.produce(self.topic, value, partition=partition)
        assert producer.flush(30) == 0

    def open(self) -> KafkaLog:
        return KafkaLog(self.broker.bootstrap, self.topic, settings={}, group=f"g-{self.topic}")


class Reader:
    """Reads a log and checks the laws of batches on the way; `position` follows by the spans alone."""

    def __init__(self, log: Log, position: TopicPosition | None = None) -> None:
        self.log = log
        self.position = position or log.start("earliest")
        self.seen: Events = {}
        log.seek(self.position)

    def poll(self, events_max: int = 500, timeout_s: float = 0.5) -> Batch:
        batch = self.log.poll(timeout_s, events_max)
        partitions = [span.partition for span in batch.spans]
        assert partitions == sorted(set(partitions))
        assert len(batch) <= events_max
        cursors = dict(self.position.cursors)
        for span in batch.spans:
            before = cursors.get(span.partition, Cursor(0))
            assert span.start == before.next_offset
            assert span.start < span.stop
            assert len(span.offsets) == len(span.values) == len(span.timestamps_ms)
            assert list(span.offsets) == sorted(set(span.offsets))
            assert all(span.start <= offset < span.stop for offset in span.offsets)
            self.seen.setdefault(span.partition, []).extend(span.values)
            cursors[span.partition] = span.cursor(before)
        self.position = replace(self.position, cursors=cursors)
        where = self.log.where()  # also of partitions that are new, and brought nothing yet
        assert where == dict.fromkeys(where, 0) | self.offsets()
        return batch

    def offsets(self) -> dict[int, int]:
        return {partition: cursor.next_offset for partition, cursor in sorted(self.position.cursors.items())}

    def to_end(self, events_max: int = 500) -> Events:
        """Read to the end that the log has now, known by position; return what was seen since the last call."""
        end, idle = self.log.end(), 0
        while any(self.offsets().get(partition, 0) < stop for partition, stop in end.items()):
            idle = 0 if self.poll(events_max).spans else idle + 1
            assert idle < 40, f"stuck at {self.offsets()}, the end is {end}"
        seen, self.seen = self.seen, {}
        return {partition: seen.get(partition, []) for partition in end}
