"""The times of records, read apart from the rest of them: what two logs are merged by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from stream.decode import UNREADABLE, csv_cells, json_object
from stream.fields import FieldFault
from stream.log import Format, Span
from stream.schema import present
from stream.times import microseconds


def moments_of(field: str | None, form: Format) -> Callable[[Span], Sequence[int | None]]:
    """Return what reads the moments of a span's records (microseconds since 1970, UTC; None where there is none).

    They are in `field`, or without one the records' own timestamps. What cannot be read is the gate's to hold.

    >>> span = Span(0, 0, 2, [0, 1], [b'{"at": 2}', b"what"], [7, None], [None, None])
    >>> moments_of("at", Format("json"))(span), moments_of(None, Format("json"))(span)
    ([2000000, None], [7000, None])
    """
    if field is None:
        return lambda span: [None if stamp is None else stamp * 1000 for stamp in span.timestamps_ms]
    read = _of_cells(field, form.columns) if form.kind == "csv" else _of_object(field)

    def moments(span: Span) -> list[int | None]:
        return [_moment(field, read, value, text=form.kind == "csv") for value in span.values]

    return moments


def _moment(field: str, read: Callable[[bytes], Any], value: bytes, *, text: bool) -> int | None:
    try:
        found = read(value)
        return microseconds(field, found, text=text) if present(found) else None
    except (*UNREADABLE, FieldFault):
        return None


def _of_object(field: str) -> Callable[[bytes], Any]:
    """Return what reads one field of a JSON object; the others are passed over."""
    try:
        struct = msgspec.defstruct("At", [("moment", Any, None)], rename={"moment": field}, gc=False)
    except ValueError:  # msgspec takes no such name
        return lambda value: json_object(value).get(field)
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(struct).decode
    return lambda value: decode(value).moment


def _of_cells(field: str, columns: Sequence[str]) -> Callable[[bytes], Any]:
    return lambda value: csv_cells(value.decode(), columns).get(field)
