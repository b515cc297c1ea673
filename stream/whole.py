"""Whole events: the usual ones, with every feature there and as it should be, read many at once by one type of msgspec.

What is read whole is exactly what would be read field by field; whatever does not fit is looked at again elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from stream.fields import LabelReader, strict_type
from stream.log import Format
from stream.schema import Schema
from stream.times import WHOLE_TIME

_REFUSED_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
"""What msgspec takes in no field's name: events with such a field are read field by field."""

UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)


class _Unreadable(msgspec.Struct, forbid_unknown_fields=True):
    """Stands in where no type can be made."""


class Whole:
    """Reads whole events of one format: as objects with features `f0`, `f1`, … in schema order.

    And `label`, `moment`, `arrival`, `id` where they are asked for. Not `fits`: no event is whole.
    """

    def __init__(self, schema: Schema, form: Format, *, bound: float, bytes_max: int, labeled: bool) -> None:
        fields = _fields(schema, bound, labeled=labeled)
        self._bytes_max = bytes_max
        self._csv = form.kind == "csv"
        self._struct = _struct(fields)
        self.fits = schema.unknown == "ignore" and self._struct is not _Unreadable
        self._decode = msgspec.json.Decoder(self._struct).decode
        self._width = len(form.columns)
        self._line = _line(fields, form.columns) if self._csv and self.fits else None
        self.moment = _moment_getter(schema)
        self.arrival: Callable[[Any], Any] = lambda _: None
        if schema.times and schema.times.arrival:
            self.arrival = attrgetter("arrival")

    def many(self, events: Sequence[bytes]) -> list[Any] | None:
        """Return what is in the events; None unless all are whole."""
        try:
            if not self.fits or (text := self._text(events)) is None:
                return None
            if not self._csv:
                return list(map(self._decode, events))
            cells = None if self._line is None else self._cells(text, len(events))
            if cells is None or set(map(len, cells)) != {self._width}:
                return None
            return msgspec.convert(cells, list[self._line], strict=False)  # type: ignore[name-defined]
        except UNREADABLE:
            return None

    def one(self, event: bytes) -> Any:
        """Return what is in an event of JSON, None if it is not whole."""
        try:
            return self._decode(event) if self.fits else None
        except UNREADABLE:
            return None

    def of_cells(self, cells: Mapping[str, str]) -> Any:
        """Return what is in the cells of a line, None if it is not whole."""
        try:
            return msgspec.convert(cells, self._struct, strict=False) if self.fits else None
        except UNREADABLE:
            return None

    def each(self, events: Sequence[bytes]) -> list[Any]:
        """Return what is in each event, None for those that are not whole, or that only a closer look finds whole."""
        try:
            text = self._text(events) if self.fits else None
        except UnicodeDecodeError:
            text = None
        if text is None:
            return [found[0] if (found := self.many((event,))) else None for event in events]
        if not self._csv:
            return [self.one(event) for event in events]
        cells = None if self._line is None else self._cells(text, len(events))
        return [None] * len(events) if cells is None else list(map(self._of_row, cells))

    def _of_row(self, cells: list[str]) -> Any:
        try:
            return msgspec.convert(cells, self._line, strict=False) if len(cells) == self._width else None
        except UNREADABLE:
            return None

    def _text(self, events: Sequence[bytes]) -> str | bytes | None:
        """Return all events as one text, None where one is too large. msgspec looks at no text that it skips.

        Raises `UnicodeDecodeError`.
        """
        text = b"\n".join(events)
        if len(text) > self._bytes_max and max(map(len, events)) > self._bytes_max:
            return None
        return text if not self._csv and text.isascii() else text.decode()

    def _cells(self, text: Any, count: int) -> list[list[str]] | None:
        """Return the cells of lines without quotes, None where they are not so simple."""
        lines = text.split("\n")
        if len(lines) != count or '"' in text:
            return None
        cells = [line.split(",") for line in lines]
        if " " in text:
            return [
                [cell.strip() for cell in row] if " " in line else row for row, line in zip(cells, lines, strict=True)
            ]
        return cells


def _fields(schema: Schema, bound: float, *, labeled: bool) -> list[tuple[str, str, Any, bool]]:
    """Return each field as (name within the type, name in the event, type, whether it may be absent)."""
    fields = [(f"f{i}", field.name, strict_type(field, bound), False) for i, field in enumerate(schema.features)]
    times = schema.times if labeled else None
    if labeled and not (times and times.id):
        kind = LabelReader.raw_type(schema.label, bound)
        fields.append(("label", schema.label.name, kind | None if times else kind, bool(times)))
    if times:
        kinds = {"arrival": WHOLE_TIME, "moment": WHOLE_TIME, "id": str | int}
        for name, kind in kinds.items():
            field_name = getattr(times, name)
            if field_name is not None and field_name not in schema.names:
                fields.append((name, field_name, kind | None, True))
    return fields


def _struct(fields: Sequence[tuple[str, str, Any, bool]]) -> Any:
    """Return the type; fields are renamed, since a field's name may be no Python identifier."""
    rename = {name: field_name for name, field_name, _, _ in fields}
    if any(map(_REFUSED_IN_NAMES.search, rename.values())):
        return _Unreadable
    typed = [(name, kind, None) if optional else (name, kind) for name, _, kind, optional in fields]
    return msgspec.defstruct("Event", typed, rename=rename, gc=False)


def _line(fields: Sequence[tuple[str, str, Any, bool]], columns: Sequence[str]) -> Any:
    """Return the type of a line of CSV as its cells; None where an empty cell would not be told apart.

    A line of blanks alone is no event, but could be a cell: with one column, lines are read one by one.
    """
    inside = {field_name: (name, kind) for name, field_name, kind, _ in fields}
    alone = len(columns) == 1
    if alone or len(set(columns)) < len(columns) or not inside.keys() <= set(columns):
        return None
    typed = [inside.get(column, (f"other{n}", Any)) for n, column in enumerate(columns)]
    made = msgspec.defstruct("Line", typed, array_like=True, gc=False)
    for name, kind in typed:
        if kind is not Any and name != "id" and _takes_nothing(kind):  # an empty id is told apart when it is read
            return None
    return made


def _takes_nothing(kind: Any) -> bool:
    try:
        msgspec.convert("", kind, strict=False)
    except UNREADABLE:
        return False
    return True


def _moment_getter(schema: Schema) -> Callable[[Any], Any]:
    """Return what gives an event's time out of a whole event: a feature, a field of its own, or nothing."""
    if schema.times is None or schema.times.moment is None:
        return lambda _: None
    name = schema.times.moment
    return attrgetter(f"f{schema.names.index(name)}" if name in schema.names else "moment")
