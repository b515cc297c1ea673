"""Simple events of JSON into columns at once, by a compiled reader: half the time of msgspec and what follows it.

It reads exactly what `whole` reads, where it reads anything: events that are not simple make it say None.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from learners.compiled.library import Library, loaded
from learners.table import Column, Layout, Table
from stream import decimal_kernel, json_kernel
from stream.decimal_kernel import NOT, PART
from stream.fields import LabelReader, limits_of
from stream.json_kernel import MARK, NUMBER, POSITIVE, TEXT, TRUTH
from stream.packed import Packed
from stream.schema import FeatureField, LabelField, Schema

LIBRARY = Library("json", "stream.json_kernel", "stream.decimal_kernel")

MISSES_MAX = 20
"""After so many batches in a row that are not simple, none is expected to be."""

OTHERS_MAX = 64
"""So many fields beside those of the schema are skipped."""


class QuickJson:
    """Reads events of one schema: of numbers, with a label that is a number or a truth."""

    def __init__(self, schema: Schema, label: LabelReader, *, bound: float, bytes_max: int) -> None:
        names = [*schema.names, schema.label.name]
        self._layout = Layout(schema.names, schema.names)
        self._kind = label.kind
        self._bytes_max = bytes_max
        written = [name.encode() for name in names]
        begins = np.cumsum([0, *map(len, written)])[:-1].tolist()
        kinds = [NUMBER] * len(schema.names) + [_kind(schema.label)]
        positive = str(label.positive).encode() if label.kind is bool else b""
        self._names = np.frombuffer(b"".join([*written, positive]), dtype=np.uint8)
        self._fields = np.array(list(zip(begins, map(len, written), kinds, strict=True)), dtype=np.int64)
        fields = *schema.features, FeatureField(schema.label.name, "number")
        self._limits = np.array([limits_of(field, bound) for field in fields], dtype=np.float64)
        self._scales = decimal_kernel.tables()
        self._notes = np.full((3, len(names) + OTHERS_MAX), NOT, dtype=np.int64)
        self._notes[PART, POSITIVE] = sum(map(len, written))
        self._misses = 0

    def read(self, events: Sequence[bytes]) -> tuple[Table, Column] | None:
        """Return features and labels; None unless all are simple, or as long as the reader is being compiled."""
        if self._misses > MISSES_MAX or not (LIBRARY.loaded or (loaded() and LIBRARY.ready())):
            return None
        found = self._read(events)
        self._misses = self._misses + 1 if found is None else 0
        return found

    def _read(self, events: Sequence[bytes]) -> tuple[Table, Column] | None:
        count, width = len(events), len(self._layout.numbers)
        packed = events if isinstance(events, Packed) else Packed.of(events)
        if count and packed.lengths().max() > self._bytes_max:
            return None
        text, stops = packed.arrays()
        out = np.empty((count, width + 1))
        self._notes[MARK] = NOT
        read = json_kernel.read(
            text,
            stops,
            self._names,
            self._fields,
            self._limits,
            *self._scales,
            self._notes,
            out,
        )
        if read < count:
            return None
        return Table(self._layout, np.array(out[:, :width], order="C"), {}), Column(out[:, width].astype(self._kind))


def quick_json(schema: Schema, label: LabelReader | None, *, bound: float, bytes_max: int) -> QuickJson | None:
    """Return a reader for events of a schema, None where they are never simple."""
    plain = schema.unknown == "ignore" and schema.times is None and label is not None and label.kind is not None
    names = [*schema.names, schema.label.name]
    if not plain or label is None or any(field.type != "number" for field in schema.features):
        return None
    if not all(map(_is_simple, names)) or len(set(names)) < len(names) or _kind(schema.label) == NOT:
        return None
    return QuickJson(schema, label, bound=bound, bytes_max=bytes_max)


def _is_simple(name: str) -> bool:
    """Tell whether a name is written in JSON as it is."""
    return name.isascii() and name.isprintable() and '"' not in name and "\\" not in name


def _kind(label: LabelField) -> int:
    """Return how a label is read, NOT if it is not."""
    if label.type == "category":
        return TEXT if isinstance(label.positive, str) else NOT
    if label.positive is not None:
        return NOT
    return {"truth": TRUTH, "number": NUMBER}.get(label.type, NOT)
