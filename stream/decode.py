"""From the bytes of an event to an example: features in schema order and a label, or the reason why not.

Invariants: decoding never raises, whatever the bytes; numbers are always float64; what cannot be decoded comes back as
a `Fault` with a reason code. The usual event takes one pass of msgspec; only where that fails it is looked at again.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from stream.fields import Fault, FieldFault, LabelReader, read_feature, strict_type
from stream.log import Format
from stream.schema import Schema, present

_REFUSED_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
"""What msgspec takes in no field's name: events with such a field are read field by field."""

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded batch, as columns of examples. `faults` are (place in the batch, why).

    `places` tells where each example stood; None means that nothing was faulty: the examples are all events, in order.
    """

    xs: list[dict[str, Any]]
    ys: list[Any]
    places: list[int] | None
    faults: list[tuple[int, Fault]]


class _Unreadable(msgspec.Struct, forbid_unknown_fields=True):
    """Stands in where no type can be made."""


class Decoder:
    """Decodes events of one format by one schema. `labeled=False` neither asks for the label nor gives one."""

    def __init__(self, schema: Schema, form: Format, *, bound: float, labeled: bool = True) -> None:
        self._schema = schema
        self._columns = form.columns if form.kind == "csv" else None
        self._bound = bound
        self._label = LabelReader(schema.label, bound, text=form.kind == "csv") if labeled else None
        self._struct, self._example = _whole_event(schema, bound, labeled=labeled)
        self._whole = msgspec.json.Decoder(self._struct).decode
        self._simple = schema.unknown == "ignore" and self._struct is not _Unreadable

    def decode(self, events: Sequence[bytes]) -> Decoded:
        """Decode a batch, in order."""
        if self._columns is None and self._simple:
            try:
                b"\n".join(events).decode()  # msgspec looks at no text that it skips
                structs = list(map(self._whole, events))
                ys = self._label.labels([struct.label for struct in structs]) if self._label else []
                return Decoded(list(map(self._example, structs)), ys, None, [])
            except (*UNREADABLE, FieldFault):
                pass  # some event is not whole: look at each
        return self._decode_each(events)

    def _decode_each(self, events: Sequence[bytes]) -> Decoded:
        xs: list[dict[str, Any]] = []
        ys: list[Any] = []
        places: list[int] = []
        faults: list[tuple[int, Fault]] = []
        for place, event in enumerate(events):
            try:
                x, y = self._decode_one(event)
            except FieldFault as found:
                faults.append((place, found.fault))
                continue
            xs.append(x)
            places.append(place)
            if self._label:
                ys.append(y)
        return Decoded(xs, ys, places if faults else None, faults)

    def _decode_one(self, event: bytes) -> tuple[dict[str, Any], Any]:
        """Decode one event, by the fast way if it is whole. Raises `FieldFault`."""
        text = _text(event)
        if self._columns is not None:
            value: Mapping[str, Any] = csv_cells(text, self._columns)
            struct = self._whole_cells(value)
        else:
            struct = self._whole_object(event)
            value = {} if struct is not None else json_object(event)
        if struct is not None and self._simple:
            return self._example(struct), self._label.label(struct.label) if self._label else None
        return self._read_fields(value or json_object(event))

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

    def _read_fields(self, value: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
        """Read field by field: missing ones are left out, a faulty one raises `FieldFault`."""
        y = self._label.label(value.get(self._schema.label.name)) if self._label else None
        if self._schema.unknown == "hold":
            self._refuse_unknown(value)
        x: dict[str, Any] = {}
        for field in self._schema.features:
            item = value.get(field.name)
            if present(item):
                x[field.name] = read_feature(field, item, self._bound, text=self._columns is not None)
            elif field.required:
                raise FieldFault("field_missing", f'expected the required field "{field.name}", found none')
        return x, y

    def _refuse_unknown(self, value: Mapping[str, Any]) -> None:
        known = {*self._schema.names, *self._schema.ignored, self._schema.label.name}
        if unknown := [name for name in value if name not in known]:
            raise FieldFault("unknown_field", f"expected only the schema's fields, found {', '.join(unknown[:5])}")


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
    """Read one physical line of CSV; empty cells are left out. Raises `FieldFault`.

    >>> csv_cells('1,"a,b",', ("x", "c", "z"))
    {'x': '1', 'c': 'a,b'}
    """
    cells = text.split(",")
    if '"' in text:
        try:
            cells = next(csv.reader([text], strict=True), [])
        except csv.Error as error:
            raise FieldFault("csv_quote", f"expected one whole line of CSV, found {error}") from None
    if len(cells) != len(columns):
        raise FieldFault("csv_columns", f"expected {len(columns)} cells, found {len(cells)}")
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}


def _text(event: bytes) -> str:
    """Check that there is something, and that it is UTF-8. Raises `FieldFault`."""
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
    if any(_REFUSED_IN_NAMES.search(name) for name in (*schema.names, schema.label.name)):
        return _Unreadable, lambda _: {}
    if labeled:
        fields.append(("label", LabelReader.raw_type(schema.label, bound)))
        rename["label"] = schema.label.name
    struct = msgspec.defstruct("Event", fields, rename=rename, gc=False)
    written = ", ".join(f"{field.name!r}: event.f{i}" for i, field in enumerate(schema.features))
    return struct, eval(f"lambda event: {{{written}}}")  # noqa: S307 - names are quoted by repr
