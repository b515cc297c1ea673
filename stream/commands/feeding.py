"""The command `produce`: puts the events of a file into the configured log."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from stream.commands.opened import console, print_json
from stream.config import Config, read_config
from stream.decode import csv_cells
from stream.errors import ConfigError
from stream.fields import FieldFault, LabelReader, read_feature
from stream.files import FileLog
from stream.log import POLL_S_MAX
from stream.schema import EVENTS_TO_INFER, FeatureField, infer, infer_label
from stream.sources import open_writer


def produce(
    path: Path,
    file: Path,
    *,
    labels: bool,
    partitions: int,
    key: str | None,
    rate: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Send every line of a file, in order, to the log of events or that of labels.

    Lines of a CSV file become JSON objects of typed values.

    A cell that does not fit its field's type goes as the text it is, a line that cannot be split as the bytes it is:
    the gate will hold it, and nothing is lost on the way.
    """
    config = read_config(path)
    url = _label_log(config) if labels else config.source.log
    events = _events(config, file, limit, labels=labels)
    writer = open_writer(url, base=config.base, settings=config.source.kafka, partitions=partitions)
    sent = [0] * writer.partitions
    began = time.monotonic()
    with closing(writer):
        for count, event in enumerate(events):
            partition = _partition(event, key, count, writer.partitions)
            writer.write(event, partition)
            sent[partition] += 1
            if rate is not None and (ahead := count / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead)
    if as_json:
        print_json({"log": url, "events": sum(sent), "partitions": dict(enumerate(sent))})
        return
    what, each = "labels" if labels else "events", ", ".join(f"{n:,}" for n in sent)
    console().print(f"sent {sum(sent):,} {what} to {url} ({each} a partition)")


def _label_log(config: Config) -> str:
    if config.labels is None or config.labels.log is None:
        raise ConfigError("expected a log of labels, found none in the configuration", "set [labels] log")
    return config.labels.log


def _events(config: Config, file: Path, limit: int | None, *, labels: bool) -> Iterator[bytes]:
    """Give out the events of a file as they are to be sent."""
    log = FileLog(file, until_end=True)
    try:
        lines = _lines(log, limit)
        if log.format.kind == "json":
            yield from lines
            return
        first = list(islice(lines, EVENTS_TO_INFER))
        typed = _CsvTyping(config, log.format.columns, first, labels=labels)
        yield from map(typed.event, first)
        yield from map(typed.event, lines)
    finally:
        log.close()


def _lines(log: FileLog, limit: int | None) -> Iterator[bytes]:
    ends = log.end()
    if len(ends) != 1:
        raise ConfigError("expected a file, found a directory of partitions", "name one of its files")
    log.seek(log.start("earliest"))
    (end,) = ends.values()
    left = end if limit is None else min(limit, end)
    while left > 0:
        for span in log.poll(POLL_S_MAX).spans:
            yield from span.values[:left]
            left -= len(span)


def _partition(event: bytes, key: str | None, count: int, partitions: int) -> int:
    """Choose a partition: in turn, or by the value of a field (a stable hash of its JSON text)."""
    if key is None or partitions == 1:
        return count % partitions
    try:
        value = msgspec.json.decode(event).get(key)
    except (msgspec.DecodeError, AttributeError, RecursionError):
        value = None
    return zlib.crc32(msgspec.json.encode(value)) % partitions


class _CsvTyping:
    """Turns lines of CSV into JSON objects, typed by the declared or inferred schema; of `labels` only the label is."""

    def __init__(self, config: Config, columns: Sequence[str], first: Sequence[bytes], *, labels: bool) -> None:
        self._columns = columns
        objects = [cells for line in first if (cells := self._cells(line)) is not None]
        self._target = config.label_fields[1] if labels else config.model.target
        self._bound = config.gate.bound
        self._fields: dict[str, FeatureField] = {}
        if labels:
            named = [{config.model.target: cells[self._target]} for cells in objects if self._target in cells]
            label = infer_label(config, named, text=True)
        else:
            apart = infer_label(config, [], text=True) if config.labels and config.labels.log else None
            schema = infer(config, objects, text=True, columns=columns, labels=apart)
            label, self._fields = schema.label, {field.name: field for field in schema.features}
        self._label = LabelReader(label, self._bound, text=True)

    def _cells(self, line: bytes) -> dict[str, str] | None:
        try:
            return csv_cells(line.decode(), self._columns)
        except (FieldFault, UnicodeDecodeError):
            return None

    def event(self, line: bytes) -> bytes:
        """Return the event of a line."""
        cells = self._cells(line)
        if cells is None:
            return line
        return msgspec.json.encode({name: self._typed(name, cell) for name, cell in cells.items()})

    def _typed(self, name: str, cell: str) -> Any:
        try:
            if name == self._target:
                return self._label.value(cell)
            if name in self._fields and self._fields[name].type != "time":
                return read_feature(self._fields[name], cell, self._bound, text=True)
        except FieldFault:
            pass  # the gate will tell
        return cell
