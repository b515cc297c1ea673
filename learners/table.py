"""Events in columns: the second form of a batch, for learners that are compiled. Whoever takes rows can take it too.

Invariant: a `Table` is a sequence of the very dicts that its rows are, a `Column` one of the very Python values.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, overload

import numpy as np


class Column(Sequence[Any]):
    """Labels (or other values) of events as a numpy array: bool or float64. Read as a sequence it has Python's values.

    >>> Column(np.array([True, False]))[0], list(Column(np.array([1.5, 2.0]))[1:])
    (True, [2.0])
    """

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array.tolist())

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Column: ...

    def __getitem__(self, place: int | slice) -> Any:
        return Column(self.array[place]) if isinstance(place, slice) else self.array[place].item()

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (self.array.tolist(),)

    def take(self, places: Sequence[int]) -> Column:
        """Return the values at these places."""
        return Column(self.array[np.asarray(places, dtype=np.intp)])

    @staticmethod
    def of(values: Sequence[Any]) -> Sequence[Any]:
        """Return values as a column, if they are all truths, or all float; else as they came.

        >>> type(Column.of([True, False])).__name__, Column.of([1.5, 2])
        ('Column', [1.5, 2])
        """
        if isinstance(values, Column):
            return values
        return Column(np.array(values)) if set(map(type, values)) in ({bool}, {float}) else values

    @classmethod
    def join(cls, columns: Sequence[Column]) -> Column:
        """Return the values of columns of one type, one column after the other; there is at least one."""
        return columns[0] if len(columns) == 1 else cls(np.concatenate([column.array for column in columns]))


@dataclass(frozen=True, slots=True)
class Layout:
    """The features of a table in the order of the schema; `numbers` are those with a numeric column, in that order."""

    features: tuple[str, ...]
    numbers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Names are interned, as those in rows are: a pickled state has each once."""
        object.__setattr__(self, "features", tuple(map(sys.intern, self.features)))
        object.__setattr__(self, "numbers", tuple(map(sys.intern, self.numbers)))

    @property
    def others(self) -> tuple[str, ...]:
        """The features that are no numbers: text, truths, times."""
        return tuple(name for name in self.features if name not in self.numbers)


class Table(Sequence[dict[str, Any]]):
    """Features of events: `numbers` is float64 of shape (events, numeric columns), NaN where an event has none.

    `others` has a list for each other feature, None where an event has none. Read as a sequence it has a dict an event,
    without what is missing, in the order of the features. It must not be changed.

    >>> table = Table(Layout(("a", "c", "b"), ("a", "b")), np.array([[1.0, 2.0], [3.0, np.nan]]), {"c": ["x", None]})
    >>> list(table)
    [{'a': 1.0, 'c': 'x', 'b': 2.0}, {'a': 3.0}]
    >>> table[1:].numbers.tolist(), table[-1]
    ([[3.0, nan]], {'a': 3.0})
    """

    __slots__ = ("layout", "numbers", "others")

    def __init__(self, layout: Layout, numbers: np.ndarray, others: Mapping[str, list[Any]]) -> None:
        self.layout = layout
        self.numbers = numbers
        self.others = others

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows())

    @overload
    def __getitem__(self, place: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, place: slice) -> Table: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return Table(self.layout, self.numbers[place], {name: each[place] for name, each in self.others.items()})
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        return self[place : place + 1].rows()[0]

    def __eq__(self, other: object) -> bool:
        return self.rows() == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (self.rows(),)

    def rows(self) -> list[dict[str, Any]]:
        """Return a dict an event."""
        features, columns = self.layout.features, self.columns()
        if not features:
            return [{} for _ in range(len(self))]
        whole = dicts(features, columns)
        if np.isnan(self.numbers).any() or any(None in each for each in self.others.values()):
            return [{name: value for name, value in row.items() if not _missing(value)} for row in whole]
        return whole

    def columns(self) -> list[list[Any]]:
        """Return the values of each feature as Python has them, in the order of the features; NaN or None: missing."""
        numbers = dict(zip(self.layout.numbers, self.numbers.T.tolist(), strict=True))
        return [numbers[name] if name in numbers else self.others[name] for name in self.layout.features]

    def take(self, places: Sequence[int]) -> Table:
        """Return the events at these places."""
        at = np.asarray(places, dtype=np.intp)
        others = {name: [each[place] for place in places] for name, each in self.others.items()}
        return Table(self.layout, self.numbers[at], others)

    @classmethod
    def of(cls, layout: Layout, rows: Sequence[Mapping[str, Any]]) -> Table:
        """Return events given as dicts in columns. Numbers must be float, int or bool: rows of float64 come back."""
        if isinstance(rows, Table) and rows.layout == layout:
            return rows
        numbers = np.empty((len(rows), len(layout.numbers)))
        for place, name in enumerate(layout.numbers):
            numbers[:, place] = [row.get(name, np.nan) for row in rows]
        return cls(layout, numbers, {name: [row.get(name) for row in rows] for name in layout.others})

    @classmethod
    def exactly(cls, layout: Layout, rows: Sequence[Mapping[str, Any]]) -> Table | None:
        """Return events given as dicts in columns; None where a number is no float: another dict would come back.

        >>> Table.exactly(Layout(("a",), ("a",)), [{"a": 1.0}, {}]).numbers.tolist()
        [[1.0], [nan]]
        >>> Table.exactly(Layout(("a",), ("a",)), [{"a": 1}])
        """
        names = layout.numbers
        try:
            values = list(chain.from_iterable(map(itemgetter(*names, names[0]), rows))) if names else []
            width = len(names) + 1
        except KeyError:
            values, width = [row.get(name, math.nan) for row in rows for name in names], len(names)
        if not set(map(type, values)) <= {float}:
            return None
        numbers = np.array(values, dtype=np.float64).reshape(len(rows), width if names else 0)[:, : len(names)]
        return cls(layout, numbers, {name: [row.get(name) for row in rows] for name in layout.others})

    @classmethod
    def join(cls, tables: Sequence[Table]) -> Table:
        """Return the events of tables of one layout, one table after the other; there is at least one."""
        if len(tables) == 1:
            return tables[0]
        others = {name: [value for table in tables for value in table.others[name]] for name in tables[0].others}
        return cls(tables[0].layout, np.concatenate([table.numbers for table in tables]), others)


def dicts(names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Return a dict an event, given the values of each feature, of which there is one at least.

    >>> dicts(("a", "b"), [[1, 2], [3, 4]])
    [{'a': 1, 'b': 3}, {'a': 2, 'b': 4}]
    """
    return list(map(_dict_of(names), *columns))


@lru_cache(maxsize=64)
def _dict_of(names: tuple[str, ...]) -> Callable[..., dict[str, Any]]:
    """Return what makes a dict of values. It is written out as source: half the time of zipping names with values."""
    values = [f"v{i}" for i in range(len(names))]
    written = ", ".join(f"n{i}: {value}" for i, value in enumerate(values))
    scope = {f"n{i}": name for i, name in enumerate(names)}
    made: Callable[..., dict[str, Any]] = eval(f"lambda {', '.join(values)}: {{{written}}}", scope)  # noqa: S307
    return made


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
