"""Examples in columns: what msgspec read of many events as arrays, a table of features and a column of labels.

The second form of a batch; `rows` has the first. Measured on events with eight numbers: values that are packed as bytes
cost 0.2 us an event, one `np.fromiter` a column twice as much.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import msgspec
import numpy as np

from learners.table import Column, Layout, Table
from stream.fields import LabelReader
from stream.schema import FeatureField


def layout_of(features: Sequence[FeatureField]) -> Layout:
    """Return which features are columns of numbers."""
    names = [field.name for field in features]
    return Layout(tuple(names), tuple(field.name for field in features if field.type == "number"))


class Columns:
    """A `Table` of features, and a `Column` of labels where they are all truths or all numbers, else a list."""

    def __init__(self, features: Sequence[FeatureField], label: LabelReader | None) -> None:
        names = [field.name for field in features]
        numbers = [i for i, field in enumerate(features) if field.type == "number"]
        self._layout = layout_of(features)
        self._label = label
        self._kind = None if label is None else label.kind
        self._features = _packer(numbers, None)
        self._both = _packer(numbers, label)
        self._others = {
            field.name: eval(f"lambda events: [event.f{i} for event in events]")  # noqa: S307 - made of integers
            for i, field in enumerate(features)
            if i not in set(numbers)
        }
        fields = [(f"f{i}", Any, math.nan if field.type == "number" else None) for i, field in enumerate(features)]
        self._one = msgspec.defstruct("One", fields, gc=False)
        self._at = {name: f"f{i}" for i, name in enumerate(names)}

    def whole(self, events: Sequence[Any]) -> tuple[Table, Sequence[Any]]:
        """See `Shape.whole`."""
        width = len(self._layout.numbers)
        if self._kind is None:
            labels = self._label.labels([event.label for event in events]) if self._label else []
            return self._table(events, self._features(events)), labels
        packed = self._both(events)
        return self._table(events, packed[:, :width]), Column(packed[:, width].astype(self._kind))

    def one(self, event: Any) -> Any:
        """See `Shape.one`."""
        return event

    def of(self, x: dict[str, Any]) -> Any:
        """See `Shape.of`."""
        return self._one(**{self._at[name]: value for name, value in x.items()})

    def gather(self, items: list[Any], labels: list[Any]) -> tuple[Table, Sequence[Any]]:
        """See `Shape.gather`."""
        table = self._table(items, self._features(items))
        return table, labels if self._kind is None else Column(np.array(labels, dtype=self._kind))

    def _table(self, events: Sequence[Any], numbers: np.ndarray) -> Table:
        others = {name: values(events) for name, values in self._others.items()}
        return Table(self._layout, np.array(numbers, order="C"), others)


def _packer(numbers: Sequence[int], label: LabelReader | None) -> Callable[[Sequence[Any]], np.ndarray]:
    """Return what makes an array of events: a row of numbers for each, and after them the label if one is wanted."""
    written = [f"event.f{i}" for i in numbers]
    scope: dict[str, Any] = {}
    if label is not None and label.kind is not None:
        written.append("event.label" if label.kind is float else "event.label == positive")
        scope["positive"] = label.positive
    width = len(written)
    scope["pack"] = Struct(f"{width}d").pack
    each = eval(f"lambda events: [pack({', '.join(written)}) for event in events]", scope)  # noqa: S307 - no names
    return lambda events: np.frombuffer(b"".join(each(events))).reshape(len(events), width)
