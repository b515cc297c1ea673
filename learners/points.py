"""The score series between two versions, kept compactly: a version every minute has thousands of points.

A point has the same few dozen names as the one before it. So the names are kept once, and of each point its numbers:
a seventh of the memory. A point is made anew for whoever looks at it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

Scores = dict[str, dict[str, float | None]]

Names = tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
"""Those of the model (none) and of its metrics, each with its spans; then the same of each baseline."""

Shape = tuple[Names, tuple[int, ...]]
"""Of a point: its names, and the places of the values that are None."""

FLOAT, MISSING = {float}, {float, type(None)}


@dataclass(frozen=True, slots=True)
class Point:
    """The scores after `learned` events: one point of the series.

    `clock_us` is the event time then, in microseconds, where labels come later; None elsewhere.
    """

    learned: int
    scores: Scores
    baselines: Mapping[str, Scores]
    clock_us: int | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one shape, as numbers: a line of `table` for each of `learned`, with its values that are not None."""

    learned: list[int]
    shape: Shape
    table: np.ndarray


@dataclass(frozen=True, slots=True)
class _Form:
    """How points of one shape are made of `count` numbers: `order` has the place of each value, `count` for None."""

    names: Names
    count: int
    order: tuple[int, ...]

    @classmethod
    def of(cls, shape: Shape) -> _Form:
        names, missing = shape
        every = sum(len(spans) for _, metrics in names for _, spans in metrics)
        count, places = every - len(missing), iter(range(every))
        gone = set(missing)
        return cls(names, count, tuple([count if place in gone else next(places) for place in range(every)]))


class Points(Sequence[Point]):
    """Points in the order in which they came: whole values, equal to a list of them.

    >>> points = Points()
    >>> points.append(Point(10, {"MAE": {"cumulative": 0.5, "window": None}}, {"Mean": {"MAE": {"cumulative": 2.0}}}))
    >>> points[0].scores, list(points)[0].baselines, len(points)
    ({'MAE': {'cumulative': 0.5, 'window': None}}, {'Mean': {'MAE': {'cumulative': 2.0}}}, 1)
    """

    __slots__ = ("_forms", "_heads", "_values")

    def __init__(self, points: Iterable[Point] = ()) -> None:
        self._forms: dict[Shape, _Form] = {}
        self._heads: list[tuple[int, int | None, _Form, int] | Point] = []
        self._values = array("d")
        for point in points:
            self.append(point)

    def append(self, point: Point) -> None:
        """Add a point; one with values of another type than float is kept as it is."""
        names = []
        values: list[Any] = []
        for name, scores in (("", point.scores), *point.baselines.items()):
            names.append((name, tuple([(metric, tuple(spans)) for metric, spans in scores.items()])))
            for spans in scores.values():
                values += spans.values()
        kinds = set(map(type, values))
        missing: tuple[int, ...] = ()
        if not kinds <= FLOAT:
            if not kinds <= MISSING:
                self._heads.append(point)
                return
            missing = tuple([place for place, value in enumerate(values) if value is None])
            values = [value for value in values if value is not None]
        form = self._form((tuple(names), missing))
        self._heads.append((point.learned, point.clock_us, form, len(self._values)))
        self._values.extend(values)

    def extend(self, series: Series) -> int | None:
        """Add the points of a series; return after how many events the last of them is, None if there is none.

        >>> points, shape = Points(), ((("", (("MAE", ("cumulative", "window")),)),), (1,))
        >>> points.extend(Series([10, 20], shape, np.array([[0.5], [0.25]]))), points[1].scores
        (20, {'MAE': {'cumulative': 0.25, 'window': None}})
        """
        form, start = self._form(series.shape), len(self._values)
        self._heads += [(after, None, form, start + place * form.count) for place, after in enumerate(series.learned)]
        self._values.frombytes(np.ascontiguousarray(series.table, dtype=np.float64).tobytes())
        return series.learned[-1] if series.learned else None

    def __len__(self) -> int:
        return len(self._heads)

    def __iter__(self) -> Iterator[Point]:
        return map(self._made, self._heads)

    @overload
    def __getitem__(self, place: int) -> Point: ...

    @overload
    def __getitem__(self, place: slice) -> list[Point]: ...

    def __getitem__(self, place: int | slice) -> Any:
        found = self._heads[place]
        return list(map(self._made, found)) if isinstance(found, list) else self._made(found)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _form(self, shape: Shape) -> _Form:
        found = self._forms.get(shape)
        if found is None:
            found = self._forms[shape] = _Form.of(shape)
        return found

    def _made(self, head: tuple[int, int | None, _Form, int] | Point) -> Point:
        if isinstance(head, Point):
            return head
        learned, clock_us, form, start = head
        values = [*self._values[start : start + form.count], None]
        rest = iter([values[place] for place in form.order])
        (_, scores), *baselines = [
            (name, {metric: dict(zip(spans, rest, strict=False)) for metric, spans in metrics})
            for name, metrics in form.names
        ]
        return Point(learned, scores, dict(baselines), clock_us)
