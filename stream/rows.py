"""Examples as rows: a dict an event, for any model. The first form of a batch; `columns` has the second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from stream.fields import LabelReader
from stream.schema import FeatureField


class Shape(Protocol):
    """What examples are made to, of what msgspec read: objects with features `f0`, `f1`, … and a `label`."""

    def whole(self, events: Sequence[Any]) -> tuple[Sequence[dict[str, Any]], Sequence[Any]]:
        """Return the features and the labels of whole events; no labels where none are asked for."""
        ...

    def one(self, event: Any) -> Any:
        """Return the features of a whole event, for `gather`."""
        ...

    def of(self, x: dict[str, Any]) -> Any:
        """Return features that were read one by one, without missing ones, for `gather`."""
        ...

    def gather(self, items: list[Any], labels: list[Any]) -> tuple[Sequence[dict[str, Any]], Sequence[Any]]:
        """Return many examples: what `one` and `of` have made, and labels as they are learned."""
        ...


class Rows:
    """A list of dicts, with features in schema order, and a list of labels.

    The dict is written out as source because that is twice as fast as zipping names with values.
    """

    def __init__(self, features: Sequence[FeatureField], label: LabelReader | None) -> None:
        written = ", ".join(f"{field.name!r}: event.f{i}" for i, field in enumerate(features))
        self._row = eval(f"lambda event: {{{written}}}")  # noqa: S307 - names are quoted by repr
        self._label = label

    def whole(self, events: Sequence[Any]) -> tuple[list[dict[str, Any]], list[Any]]:
        """See `Shape.whole`."""
        labels = self._label.labels([event.label for event in events]) if self._label else []
        return list(map(self._row, events)), labels

    def one(self, event: Any) -> dict[str, Any]:
        """See `Shape.one`."""
        return self._row(event)  # type: ignore[no-any-return]

    def of(self, x: dict[str, Any]) -> dict[str, Any]:
        """See `Shape.of`."""
        return x

    def gather(self, items: list[Any], labels: list[Any]) -> tuple[list[dict[str, Any]], list[Any]]:
        """See `Shape.gather`."""
        return items, labels
