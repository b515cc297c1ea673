"""Appends events to a file or a directory of files, as `tidemark produce` does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from stream.errors import ConfigError, LogUnreachable, StreamError
from stream.topics import JSON_LINES, partition_files


class FileLogWriter:
    """Appends lines to a .jsonl file, or to the files of a directory, which are made where absent.

    A last line that was left without its line feed (a writer that died) is ended first, and so is an event of its own.
    """

    def __init__(self, path: Path, *, partitions: int = 1) -> None:
        self._path = path
        self._directory = path.is_dir() or not path.suffix
        self._files: dict[int, BinaryIO] = {}
        if not self._directory and path.suffix not in JSON_LINES:
            raise ConfigError(
                f"expected a .jsonl file or a directory to write to, found {path}", "name another [source] log"
            )
        if not self._directory and partitions != 1:
            raise ConfigError(
                f"expected 1 partition, found {partitions}: {path} is one file", "name a directory instead"
            )
        self.partitions = partitions
        try:
            (path if self._directory else path.parent).mkdir(parents=True, exist_ok=True)
            for partition in range(partitions):
                self._open(partition)
            if self._directory:
                self.partitions = max(dict(partition_files(path))) + 1
        except OSError as error:
            raise LogUnreachable(f"{path} cannot be written: {error}", "check that you may write there") from error

    def write(self, value: bytes, partition: int = 0) -> None:
        """See `Writer.write`. Raises `StreamError` for a value of several lines: it would be several events."""
        if b"\n" in value:
            raise StreamError("expected an event of one line, found a line feed in it", "write JSON without line feeds")
        try:
            (self._files.get(partition) or self._open(partition)).write(value + b"\n")
        except OSError as error:
            raise LogUnreachable(f"{self._path} cannot be written: {error}", "is the disk full?") from error

    def close(self) -> None:
        """See `Writer.close`."""
        try:
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
        except OSError as error:
            raise LogUnreachable(f"{self._path} cannot be written: {error}", "is the disk full?") from error
        self._files = {}

    def _open(self, partition: int) -> BinaryIO:
        assert self._directory or partition == 0
        path = self._path / f"{partition}.jsonl" if self._directory else self._path
        file = self._files[partition] = path.open("ab+")
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file
