"""When labels are due: a queue by time."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from heapq import heappop, heappush
from itertools import chain
from math import inf

import numpy as np

from learners.columns import Integers, pack_integers, read_integers

Item = tuple[int, int]
"""A time in microseconds, and the number of an event."""

TAKEN_MAX = 65_536
"""So many items that were taken out may stand before the line, or as many as are in it."""


class Due:
    """Items in their order. What comes in order, as most labels do, stands in a line; what does not, in a heap.

    The line is two arrays, of 8 bytes an item each: times too large for that are in the heap.

    >>> due = Due()
    >>> for item in ((3, 0), (5, 1), (4, 2)):
    ...     due.push(item)
    >>> due.pop(4), due.pop(4), due.pop(4), len(due)
    ((3, 0), (4, 2), None, 1)
    """

    __slots__ = ("_first", "_heap", "_last", "_numbers", "_times")

    def __init__(self) -> None:
        self._times, self._numbers = array("q"), array("q")
        self._first = 0
        self._last: tuple[float, int] = (-inf, 0)
        self._heap: list[Item] = []

    def __len__(self) -> int:
        return len(self._times) - self._first + len(self._heap)

    def push(self, item: Item) -> None:
        """Put an item in."""
        if item > self._last:
            try:
                self._times.append(item[0])
            except OverflowError:
                heappush(self._heap, item)
            else:
                self._numbers.append(item[1])
                self._last = item
        else:
            heappush(self._heap, item)

    def pop(self, now: int) -> Item | None:
        """Take out the first item, if its time is at or before `now`; None if there is none."""
        times, heap, first = self._times, self._heap, self._first
        waiting = first < len(times)
        if heap and not (waiting and (times[first], self._numbers[first]) < heap[0]):
            return heappop(heap) if heap[0][0] <= now else None
        if not waiting or times[first] > now:
            return None
        item = times[first], self._numbers[first]
        self._first += 1
        if first > TAKEN_MAX and 2 * first > len(times):
            del times[: self._first], self._numbers[: self._first]
            self._first = 0
        return item

    def __iter__(self) -> Iterator[Item]:
        """Yield all items, in no order."""
        yield from zip(self._times[self._first :], self._numbers[self._first :], strict=True)
        yield from self._heap

    def keep(self, numbers: Collection[int]) -> None:
        """Take out the items of all other numbers."""
        kept = Due()
        for item in self:
            if item[1] in numbers:
                kept.push(item)
        for name in Due.__slots__:
            setattr(self, name, getattr(kept, name))

    def columns(self, numbers: Collection[int]) -> tuple[Integers, Integers]:
        """Return the times and the numbers, of these numbers only, in order."""
        try:
            late = np.fromiter(chain.from_iterable(self._heap), "<i8", 2 * len(self._heap)).reshape(-1, 2)
        except OverflowError:
            items = sorted(item for item in self if item[1] in numbers)
            return pack_integers([time for time, _ in items]), pack_integers([number for _, number in items])
        times = np.concatenate([np.array(self._times[self._first :], "<i8"), late[:, 0]])
        named = np.concatenate([np.array(self._numbers[self._first :], "<i8"), late[:, 1]])
        order = np.lexsort((named, times))
        order = order[np.isin(named[order], np.fromiter(numbers, "<i8", len(numbers)))]
        return times[order].tobytes(), named[order].tobytes()

    @classmethod
    def of(cls, columns: tuple[Integers, Integers]) -> Due:
        """Return the queue of what is in columns."""
        due = cls()
        for item in zip(*map(read_integers, columns), strict=True):
            due.push(item)
        return due
