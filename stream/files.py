"""Files as a log: a CSV or JSON-lines file, plain or compressed, or a directory with one append-only file a partition.

One physical line is one event, blank and malformed lines included; the header of a CSV file is none; a quoted line
feed makes two malformed events. Offset = line index. Plain files are followed as they grow; a last line without its
line feed waits for it, unless the end is fixed (`until_end`) and it looks whole. Compressed files are finite. Lines
have no time of their own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from store.types import Cursor, TopicPosition
from stream.errors import ConfigError, LogMismatch, StreamError
from stream.filebytes import COMPRESSED
from stream.lines import LineCounter, LineReader
from stream.log import EVENTS_PER_POLL_MAX, Batch, Format, Span, record_hash
from stream.starts import start_offsets
from stream.topics import columns, is_directory, line_format, partition_files

NAP_S = 0.03
"""How soon new lines are seen: looking costs microseconds."""

NEW_PARTITIONS_S = 5.0
"""How often a directory is listed for new partitions; promised are 30 s."""

LAG_BYTES_MAX = 32 << 20
"""How much one call of `lag` may read in order to count, some milliseconds."""


class FileLog:
    """A file or directory as a log; its topic is its name up to the first dot, unless `topic` names it.

    With `until_end` the log ends where it ended when it was opened: nothing that comes later is read. Raises
    `ConfigError` for a path that is no log, `LogUnreachable` for one that cannot be read.
    """

    def __init__(self, path: Path, *, until_end: bool = False, topic: str | None = None) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow a link and so rename the topic)
        self._directory = is_directory(self._path)
        self.topic = topic or self._path.name.split(".")[0] or self._path.name
        self.identity = self.topic
        self.finite = self._path.suffix in COMPRESSED
        self._until_end = until_end
        self._readers: dict[int, LineReader] = {}
        self._counters: dict[int, LineCounter] = {}
        self._failure: StreamError | None = None
        self._turn = 0
        self.format = Format("json") if self._directory else line_format(self._path)
        try:
            self._find_partitions()
            if self.format.kind == "csv":
                self.format = Format("csv", columns(self._path, self._readers[0].header))
        except StreamError:
            self.close()
            raise

    def start(self, where: str | int | Mapping[int, int]) -> TopicPosition:
        """See `Log.start`. Lines have no time: an ISO time is a `ConfigError`."""
        offsets = start_offsets(where, self.earliest, self.end, self._no_time)
        return TopicPosition(self.identity, {partition: Cursor(offset) for partition, offset in offsets.items()})

    def seek(self, position: TopicPosition) -> None:
        """See `Log.seek`. Reads every line before the position, to count them."""
        if position.identity != self.identity:
            raise LogMismatch(
                f"expected the log {position.identity!r}, found {self.identity!r}",
                "point [source] log at the log that the model was trained from",
            )
        self._failure = None
        self._find_partitions()
        for partition in position.cursors.keys() - self._readers.keys():
            raise LogMismatch(f"partition {partition} is gone from {self._path}", "put its file back")
        for partition, reader in self._readers.items():
            _go(reader, partition, position.cursors.get(partition, Cursor(0)))

    def poll(self, timeout_s: float, events_max: int = EVENTS_PER_POLL_MAX) -> Batch:
        """See `Log.poll`. Several partitions share a batch evenly, as far as they have lines."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._look_around()
            batch = self._take(events_max)
            if self._failure and not batch.spans:
                raise self._failure
            left = deadline - time.monotonic()
            if batch.spans or left <= 0:
                return batch
            time.sleep(min(NAP_S, left))

    def where(self) -> dict[int, int]:
        """See `Log.where`."""
        return {partition: reader.next_line for partition, reader in sorted(self._readers.items())}

    def end(self) -> dict[int, int]:
        """See `Log.end`. Reads what was not counted yet."""
        self._find_partitions()
        return {partition: counter.count() for partition, counter in sorted(self._counters.items())}

    def earliest(self) -> dict[int, int]:
        """See `Log.earliest`: a file keeps everything."""
        self._find_partitions()
        return dict.fromkeys(sorted(self._readers), 0)

    def lag(self) -> int | None:
        """See `Log.lag`. None while a large file is still being counted, and for a compressed one until its end."""
        lag = 0
        for partition, counter in self._counters.items():
            try:
                lines = counter.known(LAG_BYTES_MAX)
            except StreamError:
                return None
            if lines is None:
                return None
            lag += lines - self._readers[partition].next_line
        return lag

    def commit(self, position: TopicPosition) -> None:
        """See `Log.commit`: nobody watches the lag of a file from outside."""

    def close(self) -> None:
        """See `Log.close`."""
        for reader in self._readers.values():
            reader.close()
        for counter in self._counters.values():
            counter.close()

    def _take(self, events_max: int) -> Batch:
        """Take lines from each partition in turn: first an even share, then what room is left."""
        order = sorted(self._readers)
        turn = self._turn % len(order) if order else 0
        order = order[turn:] + order[:turn]
        self._turn += 1
        starts = {partition: self._readers[partition].next_line for partition in order}
        taken: dict[int, list[bytes]] = {partition: [] for partition in order}
        room = events_max
        even = [max(1, events_max // len(order))] * len(order) if order else []
        for partition, share in zip(order * 2, even + [events_max] * len(order), strict=True):
            lines = self._lines(partition, min(share, room))
            taken[partition] += lines
            room -= len(lines)
        return Batch(
            tuple(
                _span(partition, starts[partition], taken[partition]) for partition in sorted(order) if taken[partition]
            )
        )

    def _lines(self, partition: int, lines_max: int) -> list[bytes]:
        if not lines_max or self._failure:
            return []
        try:
            return self._readers[partition].take(lines_max)
        except StreamError as failure:
            self._failure = failure  # what was read before it is given out first
            return []

    def _look_around(self) -> None:
        if self._directory and not self._until_end and time.monotonic() > self._look_again:
            self._find_partitions()

    def _find_partitions(self) -> None:
        """Open the files that are new. With `until_end` only the first time: the end is fixed."""
        self._look_again = time.monotonic() + NEW_PARTITIONS_S
        if self._until_end and self._readers:
            return
        found = dict(partition_files(self._path)) if self._directory else {0: self._path}
        for partition, path in sorted(found.items()):
            if partition not in self._readers:
                reader = LineReader(path, header=self.format.kind == "csv", until_end=self._until_end)
                self._readers[partition] = reader
                self._counters[partition] = LineCounter(reader)

    def _no_time(self, moment_ms: int) -> dict[int, int]:
        raise ConfigError(
            f"the lines of {self._path} have no time, so nothing starts at {moment_ms} ms",
            'start at "earliest", "latest" or offsets',
        )


def _go(reader: LineReader, partition: int, cursor: Cursor) -> None:
    """Go to the cursor's next line, past the last record, which must be the one that was read."""
    last = cursor.last_offset
    if last is not None and last < cursor.next_offset:
        found = reader.retake(last)
        if found is None or record_hash(found) != cursor.last_hash:
            raise LogMismatch(
                f"{reader.path}: the event at partition {partition}, offset {last} is not the one that was read there",
                "the file was edited, cut short or replaced; train a new model, or put the file back",
            )
    if not reader.go(cursor.next_offset):
        raise LogMismatch(
            f"{reader.path}: expected at least {cursor.next_offset} lines, found {reader.next_line}",
            "the file was cut short; put the whole file back",
        )


def _span(partition: int, start: int, lines: list[bytes]) -> Span:
    stop = start + len(lines)
    return Span(partition, start, stop, range(start, stop), lines, [None] * len(lines), [None] * len(lines))
