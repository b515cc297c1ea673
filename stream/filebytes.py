"""The bytes of one file from its beginning on: growing (plain) or finite (.gz, .zst, unpacked).

Invariant: a file that shrank, was replaced, is damaged or ends too early is an error, never silently shorter.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import Protocol

import zstandard

from stream.errors import LogMismatch, LogUnreachable

CHUNK_BYTES = 1 << 20
PACKED_BYTES = 1 << 12
"""Compressed bytes taken at once: few, since a hostile frame unpacks to some ten thousand times as much."""

COMPRESSED = (".gz", ".zst")


class Bytes(Protocol):
    """The bytes of one file from its beginning on."""

    def read(self) -> bytes:
        """Return the next bytes, some thousands; b"" when there are none now. Does not block for growth."""
        ...

    def close(self) -> None:
        """Let go of the file. May be called twice."""
        ...


class PlainBytes:
    """A file that grows at its end, read up to `limit` bytes, or as far as it goes."""

    def __init__(self, path: Path, limit: int | None) -> None:
        self._path = path
        self._limit = limit
        self._at = 0
        self._file = _open(path)
        opened = os.fstat(self._file.fileno())
        self._inode = (opened.st_dev, opened.st_ino)

    def read(self) -> bytes:
        """Raise `LogMismatch` when the file is not what it was, besides what `Bytes` says."""
        room = CHUNK_BYTES if self._limit is None else min(CHUNK_BYTES, self._limit - self._at)
        try:
            chunk = self._file.read(room) if room else b""
            if not chunk:
                self._check()
        except OSError as error:
            raise _unreadable(self._path, error) from error
        self._at += len(chunk)
        return chunk

    def skip_to(self, at: int) -> None:
        """Go on reading at byte `at`."""
        self._at = self._file.seek(at)

    def _check(self) -> None:
        try:
            now = self._path.stat()
        except FileNotFoundError:
            raise LogMismatch(
                f"{self._path} is gone", "put the file back, or start again from a log that stays"
            ) from None
        if (now.st_dev, now.st_ino) != self._inode or now.st_size < self._at:
            raise LogMismatch(
                f"{self._path} was replaced or cut short: expected at least {self._at} bytes, found {now.st_size}",
                "a log only grows: write new events to its end, never over it",
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class PackedBytes:
    """A .gz or .zst file, unpacked; of several members or frames as well. It does not grow."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open(path)
        self._chunks = _gzip(self._file) if path.suffix == ".gz" else _zstandard(self._file)
        self._damage: LogUnreachable | None = None

    def read(self) -> bytes:
        """Raise `LogUnreachable` where the file is damaged or ends too early, each time, besides what `Bytes` says."""
        if self._damage:
            raise self._damage
        try:
            return next(self._chunks, b"")
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as error:
            self._damage = LogUnreachable(
                f"{self._path} is damaged or cut short: {error}",
                "get the file again; what is before the damage was read",
            )
            raise self._damage from error
        except OSError as error:
            raise _unreadable(self._path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _gzip(packed: FileIO) -> Iterator[bytes]:
    file = gzip.GzipFile(fileobj=packed)
    while chunk := file.read1(CHUNK_BYTES):
        yield chunk


def _zstandard(file: FileIO) -> Iterator[bytes]:
    """Unpack frame by frame: zstandard's own stream reader passes over a last frame that is cut short."""
    frame = None
    while packed := file.read(PACKED_BYTES):
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            if chunk := frame.decompress(packed):
                yield chunk
            packed = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError("the last frame is not whole")


def _open(path: Path) -> FileIO:
    try:
        return FileIO(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def file_size(path: Path) -> int:
    """Return the size in bytes as it is now. Raises `LogUnreachable`."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def last_line(path: Path, size: int, bytes_max: int) -> tuple[int, bytes]:
    """Return where the last line begins that has no line feed before byte `size`, and of it at most `bytes_max` bytes.

    Raises `LogUnreachable`.
    """
    with _open(path) as file:
        try:
            start = size
            while start:
                begin = max(0, start - CHUNK_BYTES)
                file.seek(begin)
                feed = file.read(start - begin).rfind(b"\n")
                start = begin if feed < 0 else begin + feed + 1
                if feed >= 0:
                    break
            file.seek(start)
            return start, file.read(min(size - start, bytes_max))
        except OSError as error:
            raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> LogUnreachable:
    return LogUnreachable(f"{path} cannot be read: {error}", "check that it is a file you may read")
