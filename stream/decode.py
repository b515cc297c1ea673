"""From the bytes of an event to an example: features in schema order and a label, or the reason why not.

Invariants: decoding never raises, whatever the bytes; numbers are always float64; what cannot be decoded comes back as
a `Fault` with a reason code. The usual event takes one pass of msgspec; only where that fails it is looked at again.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from operator import attrgetter
from typing import Any

import msgspec

from stream.decoded import Decoded
from stream.fields import FieldFault, LabelReader, read_feature, strict_type
from stream.log import EVENT_BYTES_MAX, Format
from stream.schema import FeatureField, Schema, present
from stream.times import WHOLE_TIME, TimeReader, Times

_REFUSED_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
"""What msgspec takes in no field's name: events with such a field are read field by field."""

TOO_LARGE = "too_large"
"""The reason code of a record with more bytes than `gate.bytes_max`."""

UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)


_One = tuple[dict[str, Any], Any, Times | None, str | None]
"""One event: features, label, times, id."""


class _Unreadable(msgspec.Struct, forbid_unknown_fields=True):
    """Stands in where no type can be made."""


class Decoder:
    """Decodes events of one format by one schema. `labeled=False` neither asks for the label nor gives one.

    Where labels come later, an event's time must not be further than `ahead` of now; None: it may be any. `owners` are
    told who is to be asked about a field that is at fault.
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
        self._moment = _moment_getter(schema)
        self._arrival = attrgetter("arrival") if schema.times and schema.times.arrival else lambda _: None
        self._struct, self._example = _whole_event(schema, bound, labeled=labeled)
        self._whole = msgspec.json.Decoder(self._struct).decode
        self._simple = schema.unknown == "ignore" and self._struct is not _Unreadable

    def decode(self, events: Sequence[bytes], timestamps_ms: Sequence[int | None] | None = None) -> Decoded:
        """Decode a batch, in order. `timestamps_ms` are the records' own, for events without a time of theirs."""
        stamps = timestamps_ms or [None] * len(events)
        if self._times is not None and self._ahead_us is not None:
            self._times.latest = time.time_ns() // 1000 + self._ahead_us
        if self._columns is None and self._simple:
            try:
                self._check_text(events)
                structs = list(map(self._whole, events))
                return self._whole_batch(structs, stamps)
            except (*UNREADABLE, FieldFault):
                pass  # some event is not whole: look at each
        return self._decode_each(events, stamps)

    def _whole_batch(self, structs: Sequence[Any], stamps: Sequence[int | None]) -> Decoded:
        ys, times, ids = [], [], []
        if self._times:
            times = self._times.many(list(map(self._moment, structs)), list(map(self._arrival, structs)), stamps)
        if self._id:
            ids = [read_id(self._id, struct.id) for struct in structs]
        if self._label:
            ys = self._label.labels([struct.label for struct in structs])
        return Decoded(list(map(self._example, structs)), ys, None, [], times, ids)

    def _check_text(self, events: Sequence[bytes]) -> None:
        """Check many events at once: raises where one is too large or not UTF-8. msgspec looks at no text it skips."""
        text = b"\n".join(events)
        if len(text) > self._bytes_max and max(map(len, events)) > self._bytes_max:
            raise FieldFault(TOO_LARGE, "one is")
        text.decode()

    def _decode_each(self, events: Sequence[bytes], stamps: Sequence[int | None]) -> Decoded:
        decoded = Decoded([], [], [], [], [], [])
        places = []
        for place, (event, stamp) in enumerate(zip(events, stamps, strict=True)):
            try:
                x, y, times, name = self._decode_one(event, stamp)
            except FieldFault as found:
                decoded.faults.append((place, found.fault))
                continue
            decoded.xs.append(x)
            places.append(place)
            if self._label:
                decoded.ys.append(y)
            if times is not None:
                decoded.times.append(times)
            if name is not None:
                decoded.ids.append(name)
        return replace(decoded, places=places if decoded.faults else None)

    def _decode_one(self, event: bytes, stamp: int | None) -> _One:
        """Decode one event, by the fast way if it is whole. Raises `FieldFault`."""
        text = event_text(event, self._bytes_max)
        value: Mapping[str, Any] | None = None
        if self._columns is not None:
            value = cells = csv_cells(text, self._columns)
            struct = self._whole_cells(cells)
        else:
            struct = self._whole_object(event)
        if struct is not None and self._simple:
            times = self._times.of(self._moment(struct), self._arrival(struct), stamp) if self._times else None
            name = read_id(self._id, struct.id) if self._id else None
            return self._example(struct), self._label.label(struct.label) if self._label else None, times, name
        return self._read_fields(json_object(event) if value is None else value, stamp)

    def _whole_object(self, event: bytes) -> Any:
        try:
            return self._whole(event)
        except UNREADABLE:
            return None

    def _whole_cells(self, cells: Mapping[str, str]) -> Any:
        try:
            return msgspec.convert(cells, self._struct, strict=False)
        except UNREADABLE:
            return None

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
        return x, y, times, name

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


def _whole_event(schema: Schema, bound: float, *, labeled: bool) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """Return a type that msgspec reads whole events by (every feature there), and what makes features of one.

    Fields are renamed, since a field's name may be no Python identifier; the dict is written out as source because that
    is twice as fast as zipping names with values.
    """
    fields: list[Any] = [(f"f{i}", strict_type(field, bound)) for i, field in enumerate(schema.features)]
    rename = {f"f{i}": field.name for i, field in enumerate(schema.features)}
    times = schema.times if labeled else None
    if labeled and not (times and times.id):
        kind = LabelReader.raw_type(schema.label, bound)
        fields.append(("label", kind | None, None) if schema.times else ("label", kind))
        rename["label"] = schema.label.name
    if times:
        kinds = {"arrival": WHOLE_TIME, "moment": WHOLE_TIME, "id": str | int}
        for name, kind in kinds.items():
            field_name = getattr(times, name)
            if field_name is not None and field_name not in schema.names:
                fields.append((name, kind | None, None))
                rename[name] = field_name
    if any(map(_REFUSED_IN_NAMES.search, rename.values())):
        return _Unreadable, lambda _: {}
    struct = msgspec.defstruct("Event", fields, rename=rename, gc=False)
    written = ", ".join(f"{field.name!r}: event.f{i}" for i, field in enumerate(schema.features))
    return struct, eval(f"lambda event: {{{written}}}")  # noqa: S307 - names are quoted by repr


def _moment_getter(schema: Schema) -> Callable[[Any], Any]:
    """Return what gives an event's time out of a whole event: a feature, a field of its own, or nothing."""
    if schema.times is None or schema.times.moment is None:
        return lambda _: None
    name = schema.times.moment
    return attrgetter(f"f{schema.names.index(name)}" if name in schema.names else "moment")
