"""What a path is as a topic: a file of lines, or a directory with one file `<partition>.jsonl` a partition."""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from stream.errors import ConfigError, LogUnreachable
from stream.filebytes import COMPRESSED
from stream.log import Format

JSON_LINES = (".jsonl", ".json", ".ndjson")
PARTITION_FILE = re.compile(r"(0|[1-9][0-9]{0,8})\.jsonl")


def is_directory(path: Path) -> bool:
    """Return whether it is a directory; raise `ConfigError` for what is neither file nor directory, or absent."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ConfigError(
            f"expected a log, found nothing at {path}", "check [source] log, or write it by tidemark produce"
        ) from None
    except OSError as error:
        raise LogUnreachable(f"{path} cannot be read: {error}", "check that you may read it") from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise ConfigError(
            f"expected a file or a directory, found neither at {path}", "pipes are not logs: write to a file"
        )
    return stat.S_ISDIR(mode)


def line_format(path: Path) -> Format:
    """Return how its lines are written, by its name; a CSV file's columns are in its header, not here.

    >>> line_format(Path("elec2.csv.gz"))
    Format(kind='csv', columns=())
    """
    suffix = path.with_suffix("").suffix if path.suffix in COMPRESSED else path.suffix
    if suffix == ".csv":
        return Format("csv")
    if suffix in JSON_LINES:
        return Format("json")
    raise ConfigError(
        f"expected a name that ends in .csv or {', '.join(JSON_LINES)} (and .gz or .zst), found {path.name}",
        "name the file by what is in it",
    )


def columns(path: Path, header: bytes) -> tuple[str, ...]:
    """Return the columns that a CSV header names; blanks around unquoted names are no part of them.

    >>> columns(Path("a.csv"), b'day, "price, AUD"')
    ('day', 'price, AUD')
    """
    try:
        text = header.decode()
        names = tuple(next(csv.reader([text], strict=True, skipinitialspace=True), ()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path}: the header is not CSV in UTF-8: {error}", "its first line names the columns"
        ) from error
    if '"' not in text:
        names = tuple(name.strip() for name in names)
    if not names or len(set(names)) != len(names):
        raise ConfigError(
            f"{path}: expected a header that names each column once, found {header!r}", "write the header first"
        )
    return names


def partition_files(directory: Path) -> Iterator[tuple[int, Path]]:
    """Yield (partition, file), unordered. A directory of other files is a mistake, an empty one is not."""
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208  (names are all that is needed)
    except OSError as error:
        raise LogUnreachable(f"{directory} cannot be read: {error}", "check that you may read it") from error
    matches = [match for name in names if (match := PARTITION_FILE.fullmatch(name))]
    if names and not matches:
        raise ConfigError(f"expected files such as 0.jsonl in {directory}, found {names[0]}", "a directory is a topic")
    for match in matches:
        yield int(match[1]), directory / match[0]
