"""From the bytes of an event to an example: features in schema order and a label, or the reason why not.

Invariants: decoding never raises, whatever the bytes; numbers are always float64; what cannot be decoded comes back as
a `Fault` with a reason code. The usual event takes one pass of msgspec; only where that fails it is looked at again.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import repeat
from typing import Any

import msgspec

from stream.decoded import Decoded
from stream.fields import FieldFault, LabelReader, read_feature
from stream.log import EVENT_BYTES_MAX, Format
from stream.rows import Rows, Shape
from stream.schema import FeatureField, Schema, present
from stream.times import TimeReader, Times
from stream.whole import UNREADABLE, Whole

__all__ = ["TOO_LARGE", "UNREADABLE", "Decoder", "csv_cells", "event_text", "json_object", "read_id"]

TOO_LARGE = "too_large"
"""The reason code of a record with more bytes than `gate.bytes_max`."""

EVENTS_AT_ONCE = 512
"""So many events are decoded at a time, unless the compiled reader takes them all: what msgspec makes of them stays in
the processor's cache."""

_One = tuple[Any, Any, Times | None, str | None]
"""One event: features, label, times, id."""


class Decoder:
    """Decodes events of one format by one schema. `labeled=False` neither asks for the label nor gives one.

    Where labels come later, an event's time must not be further than `ahead` of now; None: it may be any. `owners` are
    told who is to be asked about a field that is at fault. With `columns` examples are a `Table`, and a `Column` where
    labels are truths or numbers that nobody waits for: the same as the rows, event by event.
    """

    def __init__(
        self,
        schema: Schema,
        form: Format,
        *,
        bound: float,
        labeled: bool = True,
        ahead: timedelta | None = None,
        bytes_max: int = EVENT_BYTES_MAX,
        owners: Mapping[str, str] | None = None,
        columns: bool = False,
    ) -> None:
        self._schema = schema
        self._columns = form.columns if form.kind == "csv" else None
        self._bound = bound
        self._bytes_max = bytes_max
        self._owners = owners or {}
        self._ahead_us = None if ahead is None else ahead // timedelta(microseconds=1)
        later, text = schema.times is not None, form.kind == "csv"
        self._id = schema.times.id if labeled and schema.times else None
        self._label = LabelReader(schema.label, bound, text=text, later=later) if labeled and not self._id else None
        self._times = TimeReader(schema.times, text=text) if labeled and schema.times else None
        self._whole = Whole(schema, form, bound=bound, bytes_max=bytes_max, labeled=labeled)
        self._shape: Shape = Rows(schema.features, self._label)
        self._quick: Any = None
        self._smooth = True  # all of the last batch was read quickly
        if columns:
            from stream.columns import Columns  # noqa: PLC0415 - imports river: help must not wait for it
            from stream.quick_json import quick_json  # noqa: PLC0415 - as above

            self._shape = Columns(schema.features, self._label)
            if form.kind == "json" and not self._id:
                self._quick = quick_json(schema, self._label, bound=bound, bytes_max=bytes_max)

    def decode(self, events: Sequence[bytes], timestamps_ms: Sequence[int | None] | None = None) -> Decoded:
        """Decode a batch, in order. `timestamps_ms` are the records' own, for events without a time of theirs."""
        if self._times is not None and self._ahead_us is not None:
            self._times.latest = time.time_ns() // 1000 + self._ahead_us
        stamps: Sequence[int | None] = [None] * len(events)
        if self._times is not None and timestamps_ms:
            stamps = timestamps_ms
        if self._smooth and (whole := self._read_quickly(events)) is not None:
            return whole
        parts, self._smooth = [], self._quick is not None
        for start in range(0, max(1, len(events)), EVENTS_AT_ONCE):
            part, its = events[start : start + EVENTS_AT_ONCE], stamps[start : start + EVENTS_AT_ONCE]
            found = self._read_quickly(part)
            self._smooth = self._smooth and found is not None
            parts.append(found or self._decode_whole(part, its) or self._decode_each(part, its))
        return Decoded.join(parts, EVENTS_AT_ONCE)

    def _read_quickly(self, events: Sequence[bytes]) -> Decoded | None:
        """Decode many events at once by the compiled reader; None unless there is one, and all are simple."""
        read = None if self._quick is None else self._quick.read(events)
        if read is None:
            return None
        xs, ys = read
        return Decoded(xs, ys, None, [], [], [])

    def _decode_whole(self, events: Sequence[bytes], stamps: Sequence[int | None]) -> Decoded | None:
        """Decode many events at once; None unless all are as they should be."""
        found = self._whole.many(events)
        try:
            times, ids = ([], []) if found is None else self._beside(found, stamps)
        except FieldFault:
            return None
        return None if found is None else Decoded(*self._shape.whole(found), None, [], times, ids)

    def _beside(self, found: Sequence[Any], stamps: Sequence[int | None]) -> tuple[list[Times], list[str]]:
        """Return the times and the ids of whole events, where there are any. Raises `FieldFault`."""
        times, ids = [], []
        if self._times:
            moments, arrivals = map(self._whole.moment, found), map(self._whole.arrival, found)
            times = self._times.many(list(moments), list(arrivals), stamps)
        if self._id:
            ids = [read_id(self._id, event.id) for event in found]
        return times, ids

    def _decode_each(self, events: Sequence[bytes], stamps: Sequence[int | None]) -> Decoded:
        """Decode events of which some are at fault, or lack something: the others still at once."""
        found = self._whole.each(events)
        try:
            whole = self._ones(found, stamps)
        except FieldFault:
            found, whole = [None] * len(events), iter(())
        read: list[_One] = []
        places, faults = [], []
        for place, event in enumerate(found):
            try:
                read.append(self._decode_one(events[place], stamps[place]) if event is None else next(whole))
                places.append(place)
            except FieldFault as fault:
                faults.append((place, fault.fault))
        items, labels, times, ids = map(list, zip(*read, strict=True)) if read else ([], [], [], [])
        xs, ys = self._shape.gather(items, labels if self._label else [])
        return Decoded(
            xs, ys, places if faults else None, faults, times if self._times else [], ids if self._id else []
        )

    def _ones(self, found: Sequence[Any], stamps: Sequence[int | None]) -> Iterator[_One]:
        """Give out those events that are whole (not None). Raises `FieldFault` at once."""
        whole = [event for event in found if event is not None]
        its_stamps = [stamp for stamp, event in zip(stamps, found, strict=True) if event is not None]
        times, ids = self._beside(whole, its_stamps)
        labels = self._label.labels([event.label for event in whole]) if self._label else ()
        nothing = repeat(None)
        return zip(map(self._shape.one, whole), labels or nothing, times or nothing, ids or nothing, strict=False)

    def _decode_one(self, event: bytes, stamp: int | None) -> _One:
        """Decode one event, by the fast way if it is whole. Raises `FieldFault`."""
        text = event_text(event, self._bytes_max)
        value: Mapping[str, Any] | None = None
        if self._columns is not None:
            value = cells = csv_cells(text, self._columns)
            whole = self._whole.of_cells(cells)
        else:
            whole = self._whole.one(event)
        if whole is None:
            return self._read_fields(json_object(event) if value is None else value, stamp)
        y = self._label.label(whole.label) if self._label else None
        times = self._times.of(self._whole.moment(whole), self._whole.arrival(whole), stamp) if self._times else None
        return self._shape.one(whole), y, times, read_id(self._id, whole.id) if self._id else None

    def _read_fields(self, value: Mapping[str, Any], stamp: int | None) -> _One:
        """Read field by field: missing ones are left out, a faulty one raises `FieldFault`."""
        name = read_id(self._id, value.get(self._id)) if self._id else None
        times = self._times.read(value, stamp) if self._times else None
        y = self._label.label(value.get(self._schema.label.name)) if self._label else None
        if self._schema.unknown == "hold":
            self._refuse_unknown(value)
        x: dict[str, Any] = {}
        for field in self._schema.features:
            item = self._read_feature(field, value.get(field.name))
            if item is not None:
                x[field.name] = item
        return self._shape.of(x), y, times, name

    def _read_feature(self, field: FeatureField, item: Any) -> Any:
        """Read a feature, None if it is missing. Raises `FieldFault`, which says who owns it."""
        owner = self._owners.get(field.name)
        if not present(item):
            if field.required:
                raise FieldFault("field_missing", f'expected the required field "{field.name}", found none', owner)
            return None
        try:
            return read_feature(field, item, self._bound, text=self._columns is not None)
        except FieldFault as found:
            raise FieldFault(found.fault.reason, found.fault.detail, owner) from None

    def _refuse_unknown(self, value: Mapping[str, Any]) -> None:
        moment = self._schema.times.moment if self._schema.times else None
        known = {*self._schema.names, *self._schema.ignored, self._schema.label.name, moment}
        if unknown := [name for name in value if name not in known]:
            raise FieldFault("unknown_field", f"expected only the schema's fields, found {', '.join(unknown[:5])}")


def read_id(field: str, value: Any) -> str:
    """Return what names an event: text, or an integer as its digits. Raises `FieldFault`.

    >>> read_id("id", 7), read_id("id", "7")
    ('7', '7')
    """
    if not present(value):
        raise FieldFault("id_missing", f'expected the event\'s id in "{field}", found none')
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise FieldFault("id_type", f"{field}: expected an id, text or an integer, found {value!r:.50}")
    return str(value)


def json_object(event: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises `FieldFault` with the reason why it is none."""
    try:
        value = msgspec.json.decode(event)
    except RecursionError:
        raise FieldFault("too_deep", "expected an object of fields, found one nested too deeply to read") from None
    except msgspec.ValidationError as error:
        raise FieldFault("not_finite", f"expected finite numbers, found one out of range: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FieldFault("not_json", f"expected a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise FieldFault("not_an_object", f"expected a JSON object, found {type(value).__name__}")
    return value


def csv_cells(text: str, columns: Sequence[str]) -> dict[str, str]:
    """Read one physical line of CSV, without the blanks around cells; empty ones are left out.

    Raises `FieldFault`.

    >>> csv_cells('1,"a,b",', ("x", "c", "z"))
    {'x': '1', 'c': 'a,b'}
    """
    cells = text.split(",")
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True, skipinitialspace=True), [])
        except csv.Error as error:
            raise FieldFault("csv_quote", f"expected one whole line of CSV, found {error}") from None
    if len(cells) != len(columns):
        raise FieldFault("csv_columns", f"expected {len(columns)} cells, found {len(cells)}")
    if " " in text:
        cells = [cell.strip() for cell in cells]
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}


def event_text(event: bytes, bytes_max: int = EVENT_BYTES_MAX) -> str:
    """Check that there is something, not too much, and that it is UTF-8. Raises `FieldFault`."""
    if len(event) > bytes_max:
        raise FieldFault(TOO_LARGE, f"expected at most {bytes_max:,} bytes, found {len(event):,} or more")
    if not event.strip():
        raise FieldFault("empty", "expected an event, found nothing")
    try:
        return event.decode()
    except UnicodeDecodeError as error:
        raise FieldFault("not_utf8", f"expected UTF-8: {error}") from None
