"""The physical lines of one file, in order: growing (plain) or finite (.gz, .zst), from any line on.

Invariants: only a line feed ends a line, and a carriage return before it belongs to the line end. A line is given out
once it is whole; a last line without its line feed is whole where the file can not grow (compressed, or up to a
limit).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from stream.errors import LogUnreachable, StreamError
from stream.filebytes import COMPRESSED, Bytes, PackedBytes, PlainBytes, file_size

LINE_BYTES_MAX = 16 << 20
"""A longer line is taken for a file that is no log; one chunk more may pass."""

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a file was read: bytes, whole lines after the header; if part of a line follows; if to its end."""

    bytes: int
    lines: int
    half: bool
    ended: bool


class LineReader:
    """Gives out lines in order from any line on. Line 0 is the first after the `header`, where there is one.

    `until_end` fixes the end of a plain file where it is now; a last line without line feed is then whole.
    """

    def __init__(self, path: Path, *, header: bool = False, until_end: bool = False) -> None:
        self.path = path
        self.packed = path.suffix in COMPRESSED
        self.limit = file_size(path) if until_end and not self.packed else None
        self.next_line = 0
        self.header = b""
        self.has_header = header
        self._open()

    def _open(self) -> None:
        try:
            self._bytes: Bytes = PackedBytes(self.path) if self.packed else PlainBytes(self.path, self.limit)
            self._bytes_read = 0
            self._tail = b""
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

    def progress(self) -> Progress:
        """Return how far the file was read, taken or not."""
        lines = self.next_line + len(self._lines) - self._taken
        return Progress(self._bytes_read, lines, bool(self._tail), self._ended and self.packed)

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        self._bytes.close()

    def _take_header(self) -> None:
        try:
            self.header = b"".join(self.take(1))
        except StreamError:
            self.close()
            raise
        self.next_line = 0

    def _fill(self) -> bool:
        """Read on until a line is whole; False when none is now. All lines before were taken."""
        while chunk := self._bytes.read():
            self._bytes_read += len(chunk)
            whole, feed, tail = chunk.rpartition(b"\n")
            if feed:
                self._hold((self._tail + whole).split(b"\n"))
                self._tail = tail
                return True
            self._tail += tail
            if len(self._tail) > LINE_BYTES_MAX:
                raise LogUnreachable(
                    f"{self.path}: line {self.next_line} is longer than {LINE_BYTES_MAX} bytes",
                    "an event is one line: is this file a log?",
                )
        if self._tail and (self.packed or self.limit is not None):
            self._hold([self._tail])
            self._tail = b""
            return True
        self._ended = True
        return False

    def _hold(self, lines: list[bytes]) -> None:
        if self._first:
            self._first = False
            lines[0] = lines[0].removeprefix(BOM)
        self._lines = [line.removesuffix(b"\r") for line in lines]
        self._taken = 0


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
            lines = self.known(LINE_BYTES_MAX)
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
        return self._lines + int(self._half and self._reader.limit is not None)

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
