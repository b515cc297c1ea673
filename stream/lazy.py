"""Values that are asked of records when somebody looks at them: most batches go by without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, overload

from stream.packed import Packed


def without(column: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """Return what a column has elsewhere than at these places, which rise.

    >>> without(["a", "b", "c"], [1])
    ['a', 'c']
    """
    left: list[Any] = []
    for before, place in pairwise((-1, *places, len(column))):
        left += column[before + 1 : place]
    return left


class Lazy(Sequence[Any]):
    """What `ask` says of each of the records.

    >>> found = Lazy.joined([Lazy(["a", "bc"], len), Lazy(["def"], len)])
    >>> list(found), found[2], list(found[1:]), list(found.at([2, 0])), list(found.without([1]).without([0]))
    ([1, 2, 3], 3, [2, 3], [3, 1], [3])
    """

    __slots__ = ("_ask", "_out", "_records")

    def __init__(self, records: Sequence[Any], ask: Callable[[Any], Any], out: Sequence[int] = ()) -> None:
        self._records = records
        self._ask = ask
        self._out = out  # these places are left out once somebody looks

    @classmethod
    def joined(cls, parts: Sequence[Lazy]) -> Lazy:
        """Put together what is asked in one way; there is at least one part."""
        return cls(list(chain.from_iterable(part._left() for part in parts)), parts[0]._ask)  # noqa: SLF001 - our own

    def at(self, places: Sequence[int]) -> Lazy:
        """Return the values at these places."""
        records = self._left()
        return Lazy([records[place] for place in places], self._ask)

    def without(self, places: Sequence[int]) -> Lazy:
        """Leave out the values at these places, which rise."""
        return Lazy(self._left(), self._ask, places)

    def _left(self) -> Sequence[Any]:
        if self._out:
            self._records, self._out = without(self._records, self._out), ()
        return self._records

    def __len__(self) -> int:
        return len(self._records) - len(self._out)

    def __iter__(self) -> Iterator[Any]:
        return map(self._ask, self._left())

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Lazy: ...

    def __getitem__(self, place: int | slice) -> Any:
        found = self._left()[place]
        return Lazy(found, self._ask) if isinstance(place, slice) else self._ask(found)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (list(self),)


def together(columns: Sequence[Any]) -> Any:
    """Put the parts of a column together: of lists, of ranges without a gap, or all lazy or packed.

    >>> together([range(2), range(2, 5)]), together([range(2), [7]])
    (range(0, 5), [0, 1, 7])
    """
    for kind in (Lazy, Packed):
        if all(isinstance(column, kind) for column in columns):
            return kind.joined(columns)
    ranges = all(isinstance(column, range) for column in columns)
    if ranges and all(one.stop == following.start for one, following in pairwise(columns)):
        return range(columns[0].start, columns[-1].stop)
    return list(chain.from_iterable(columns))
