"""The physical lines of one file, in order: growing (plain) or finite (.gz, .zst), from any line on.

Invariants: only a line feed ends a line, and a carriage return before it belongs to the line end. A line is given out
once it is whole; a last line without its line feed is whole where the file can not grow (compressed), or where the end
is fixed and it looks whole. Of a line that is too long only the beginning is an event, one byte longer than it may be.
"""

from __future__ import annotations

import csv
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from stream.errors import LogMismatch, LogUnreachable
from stream.filebytes import COMPRESSED, Bytes, PackedBytes, PlainBytes, file_size, last_line
from stream.log import EVENT_BYTES_MAX

BOM = b"\xef\xbb\xbf"

LINE_BYTES_KEPT = 8
"""Beyond a longest event: room for what belongs to its line alone (byte order mark, carriage return)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file was read: bytes, whole lines after the header; if part of a line follows; if to its end."""

    bytes: int
    lines: int
    half: bool
    ended: bool


class LineReader:
    """Gives out lines in order from any line on. Line 0 is the first after the `header`, where there is one.

    `until_end` fixes the end of a plain file where it is now. A last line without line feed is then taken if it looks
    whole, otherwise the end is before it: it is left for later.
    """

    def __init__(self, path: Path, *, header: bool = False, until_end: bool = False) -> None:
        self.path = path
        self.packed = path.suffix in COMPRESSED
        self.limit = file_size(path) if until_end and not self.packed else None
        self.next_line = 0
        self.header = b""
        self.has_header = header
        self._open()
        if self.limit is not None:
            self._leave_half_line(self.limit)

    def _open(self) -> None:
        try:
            self._bytes: Bytes = PackedBytes(self.path) if self.packed else PlainBytes(self.path, self.limit)
            self._bytes_read = 0
            self._tail = bytearray()
            self._awaited: bytes | None = None
            self._lines: list[bytes] = []
            self._taken = 0
            self._first = True
            self._ended = False
            self.next_line = 0
            if self.has_header:
                self.header = b"".join(self.take(1))
                self.next_line = 0
        except OSError as error:
            raise LogUnreachable(
                f"{self.path} cannot be read: {error}", "check that it is a file you may read"
            ) from error

    def take(self, lines_max: int) -> list[bytes]:
        """Return the next lines, at most `lines_max`; none when there are none now."""
        taken = self._lines[self._taken : self._taken + lines_max]
        self._taken += len(taken)
        if not taken and self._fill():
            return self.take(lines_max)
        self.next_line += len(taken)
        return taken

    def go(self, line: int) -> bool:
        """Make `line` the next line; False when the file has not so many. Reads all that is before it."""
        if line < self.next_line:
            self._bytes.close()
            self._open()
        while self.next_line < line:
            if self._taken == len(self._lines) and not self._fill():
                return False
            step = min(line - self.next_line, len(self._lines) - self._taken)
            self._taken += step
            self.next_line += step
        return True

    def retake(self, line: int) -> bytes | None:
        """Return line `line`, that was given out once, and go on after it; None when it is not there.

        If it was taken without its line feed (`until_end`) and has none yet, the line feed is awaited: `take` raises
        `LogMismatch` if anything else comes.
        """
        if not self.go(line):
            return None
        if taken := self.take(1):
            return taken[0]
        if self._tail:
            self._awaited = self._event(bytes(self._tail), first=self._first)
            self.next_line += 1
        return self._awaited

    def progress(self) -> Progress:
        """Return how far the file was read, taken or not."""
        lines = self.next_line + len(self._lines) - self._taken - int(self._awaited is not None)
        return Progress(self._bytes_read, lines, bool(self._tail), self._ended and self.packed)

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._bytes.close()

    def _leave_half_line(self, limit: int) -> None:
        start, line = last_line(self.path, limit, EVENT_BYTES_MAX + LINE_BYTES_KEPT)
        if not line or (self.has_header and start == 0):
            return
        event = self._event(line, first=start == 0)
        whole = _is_whole_json(event) if not self.has_header else _cells(event) == _cells(self.header)
        if len(event) > EVENT_BYTES_MAX or not whole:
            self.limit = start
            self._bytes.close()
            self._open()

    def _fill(self) -> bool:
        """Read on until a line is whole; False when none is now. All lines before were taken."""
        while chunk := self._bytes.read():
            self._bytes_read += len(chunk)
            whole = chunk.split(b"\n")
            tail = whole.pop()
            if whole:
                whole[0] = bytes(self._tail) + whole[0]
                self._tail.clear()
                self._hold(whole, plain=b"\r" not in chunk and len(chunk) <= EVENT_BYTES_MAX)
            self._tail += tail[: EVENT_BYTES_MAX + LINE_BYTES_KEPT - len(self._tail)]
            if whole:
                return True
        if self._tail and (self.packed or self.limit is not None):
            self._hold([bytes(self._tail)])
            self._tail.clear()
            return True
        self._ended = True
        return False

    def _hold(self, lines: list[bytes], *, plain: bool = False) -> None:
        """Have these to give out; `plain`: each of them but the first is its event as it is."""
        self._lines = lines if plain else [self._event(line) for line in lines]
        self._lines[0] = self._event(lines[0], first=self._first)
        self._taken, self._first = 0, False
        if self._awaited is not None:
            if self._lines[0] != self._awaited:
                raise LogMismatch(
                    f"{self.path}: line {self.next_line - 1} went on after it was read without its line feed",
                    "write whole lines; train a new model, or end the line where it ended",
                )
            self._awaited = None
            del self._lines[0]

    @staticmethod
    def _event(line: bytes, *, first: bool = False) -> bytes:
        event = line.removeprefix(BOM) if first else line
        return event.removesuffix(b"\r")[: EVENT_BYTES_MAX + 1]


def _is_whole_json(event: bytes) -> bool:
    try:
        msgspec.json.decode(event)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _cells(event: bytes) -> int:
    """Return how many cells a line of CSV has; 0 when it is none, for example where a quote is open.

    >>> _cells(b'1,"a,b",'), _cells(b'1,"a,b')
    (3, 0)
    """
    try:
        text = event.decode()
        return (
            len(next(csv.reader([text], strict=True, skipinitialspace=True), ()))
            if '"' in text
            else text.count(",") + 1
        )
    except (UnicodeDecodeError, csv.Error):
        return 0


class LineCounter:
    """Counts the whole lines of a reader's file by a handle of its own; goes on counting where it stopped."""

    def __init__(self, reader: LineReader) -> None:
        self._reader = reader
        self._bytes: PlainBytes | None = None
        self._at = 0
        self._lines = 0
        self._half = False
        self._total: int | None = None

    def count(self) -> int:
        """Return how many lines the file has now. Reads what was not counted before, to its end."""
        if self._reader.packed:
            self._total = self._count_packed() if self._total is None else self._total
            return self._total
        lines = None
        while lines is None:
            lines = self.known(EVENT_BYTES_MAX)
        return lines

    def known(self, bytes_max: int) -> int | None:
        """Return the same if reading `bytes_max` more bytes suffices to know it; never reads a compressed file."""
        read = self._reader.progress()
        if self._reader.packed:
            self._total = read.lines if read.ended else self._total
            return self._total
        self._bytes = self._bytes or PlainBytes(self._reader.path, self._reader.limit)
        if read.bytes > self._at:
            self._at, self._lines, self._half = read.bytes, read.lines, read.half
            self._bytes.skip_to(self._at)
        stop = self._at + bytes_max
        while chunk := self._bytes.read():
            self._at += len(chunk)
            self._lines += chunk.count(b"\n")
            self._half = not chunk.endswith(b"\n")
            if self._at >= stop:
                return None
        lines = self._lines + int(self._half and self._reader.limit is not None)
        return max(lines, self._reader.next_line)  # the reader may have gone past a line that awaits its line feed

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        if self._bytes is not None:
            self._bytes.close()

    def _count_packed(self) -> int:
        lines, last = 0, b"\n"
        with closing(PackedBytes(self._reader.path)) as unpacked:
            while chunk := unpacked.read():
                lines += chunk.count(b"\n")
                last = chunk[-1:]
        return lines + int(last != b"\n") - int(self._reader.has_header)
