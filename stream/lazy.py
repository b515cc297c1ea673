"""Values that are asked of records when somebody looks at them: most batches go by without."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, overload


class Lazy(Sequence[Any]):
    """What `ask` says of each of the records.

    >>> found = Lazy.joined([Lazy(["a", "bc"], len), Lazy(["def"], len)])
    >>> list(found), found[2], list(found[1:]), list(found.at([2, 0]))
    ([1, 2, 3], 3, [2, 3], [3, 1])
    """

    __slots__ = ("_ask", "_records")

    def __init__(self, records: Sequence[Any], ask: Callable[[Any], Any]) -> None:
        self._records = records
        self._ask = ask

    @classmethod
    def joined(cls, parts: Sequence[Lazy]) -> Lazy:
        """Put together what is asked in one way; there is at least one part."""
        return cls(list(chain.from_iterable(part._records for part in parts)), parts[0]._ask)  # noqa: SLF001 - our own

    def at(self, places: Sequence[int]) -> Lazy:
        """Return the values at these places."""
        records = self._records
        return Lazy([records[place] for place in places], self._ask)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Any]:
        return map(self._ask, self._records)

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> Lazy: ...

    def __getitem__(self, place: int | slice) -> Any:
        return Lazy(self._records[place], self._ask) if isinstance(place, slice) else self._ask(self._records[place])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (list(self),)
