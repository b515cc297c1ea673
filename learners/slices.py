"""Scores by slice: how a model does for each value of a field, cumulative and in the window.

1. A field has at most `values_max` slices, for the values that came first; all later ones are "(other)". An event
   without the field is in "(missing)". A value that is named so itself is counted there too.
2. The window of a slice: its events among the last `window` events of the stream. The windows of all slices add up to
   the window of the whole.
3. How events come in batches makes no difference: a batch is grouped once, the events of a slice stay in order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from learners.confusion import OTHER
from learners.progressive import Score
from learners.spans import Recent
from learners.sums import Columns, Sum, Values
from learners.table import Column, Table

SLICES_MAX = 50
"""So many values of a field have a slice of their own, unless it is set otherwise."""

MISSING = "(missing)"
TEXT_CHARS_MAX = 100
"""A longer value is cut: a slice's name stands in every version."""

WHOLE_MAX = 1e15
"""Whole numbers below are written without a point."""


@dataclass(slots=True)
class Slice:
    """One value of a field: its events, and a sum for each measure."""

    events: int
    sums: list[Sum]


class Names:
    """Names the slices of one field's values: at most `values_max` of them, and those for the rest and for none."""

    def __init__(self, values_max: int) -> None:
        self.room = values_max
        self.known = {MISSING: MISSING, OTHER: OTHER}
        """Each name, and the one string that stands for it: equal states are equal bytes."""

    def of(self, value: Any) -> str:
        """Return the name of a value's slice.

        >>> names = Names(1)
        >>> names.of("AA"), names.of("UA"), names.of("AA"), names.of(None)
        ('AA', '(other)', 'AA', '(missing)')
        """
        text = MISSING if value is None else text_of(value)
        name = self.known.get(text)
        if name is not None or not self.room:
            return name or OTHER
        self.room -= 1
        self.known[text] = text
        return text


class FieldSlices:
    """The slices of one field."""

    def __init__(self, name: str, values_max: int, window: int) -> None:
        self.name = name
        self.names = Names(values_max)
        self.slices: dict[str, Slice] = {}
        self.recent = Recent(window)

    def add(self, xs: Sequence[Mapping[str, Any]], scores: Sequence[Score], columns: Sequence[Columns]) -> None:
        """Take in events, in order: features, and for each score the columns that it made of them."""
        values = _values(xs, self.name)
        known = {value: self._place(value, scores) for value in dict.fromkeys(values)}
        names = [known[value] for value in values]
        self.recent.add(names)
        for name, places in _grouped(names).items():
            entry = self.slices[name]
            entry.events += len(places)
            for score, column, total in zip(scores, columns, entry.sums, strict=True):
                total.add(score.measure.batch(*_chosen(column, places)))

    def _place(self, value: Any, scores: Sequence[Score]) -> str:
        """Return the name of a value's slice; make the slice if it is new and there is room."""
        name = self.names.of(value)
        if name not in self.slices:
            self.slices[name] = Slice(0, [score.measure.sum() for score in scores])
        return name

    def values(self, metrics: Sequence[str], scores: Sequence[Score]) -> dict[str, Any]:
        """Return {value: {"events", "window", "scores"}}, where "window" counts the events in the window."""
        groups = _grouped(self.recent.columns(1)[0])
        columns = [score.recent.columns(score.measure.width) for score in scores]
        found = {}
        for name, entry in self.slices.items():
            places = groups.get(name, [])
            total: Values = {}
            window: Values = {}
            for score, column, summed in zip(scores, columns, entry.sums, strict=True):
                total.update(summed.values())
                window.update(score.measure.of(*_chosen(column, places)))
            judged = {metric: {"cumulative": total[metric], "window": window[metric]} for metric in metrics}
            found[name] = {"events": entry.events, "window": len(places), "scores": judged}
        return found


def _values(xs: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """Return the value of a field for each event, None where it has none."""
    if not isinstance(xs, Table):
        return [x.get(name) for x in xs]
    if name in xs.layout.numbers:
        column = xs.numbers[:, xs.layout.numbers.index(name)].tolist()
        return [None if value != value else value for value in column]  # noqa: PLR0124 - NaN: missing
    return xs.others.get(name, [None] * len(xs))


def _grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Return where each name stands, names in the order in which they came first."""
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    return places


def _chosen(columns: Sequence[Sequence[Any]], places: Sequence[int]) -> list[Sequence[Any]]:
    return [
        column.take(places) if isinstance(column, Column) else [column[place] for place in places] for column in columns
    ]


def text_of(value: Any) -> str:
    """Write a value as the name of its slice; values that are equal have one name.

    >>> text_of("AA"), text_of(True), text_of(3.0), text_of(0.5), text_of("x" * 200)[-3:]
    ('AA', 'true', '3', '0.5', 'xx…')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _utc(value).isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_MAX:
        value = int(value)
    text = str(value)
    return text if len(text) <= TEXT_CHARS_MAX else f"{text[: TEXT_CHARS_MAX - 1]}…"


def _utc(moment: datetime) -> datetime:
    try:
        return moment if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:  # within a day of the first or last year
        return moment
