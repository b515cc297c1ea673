"""When labels are due: a queue by time."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable
from heapq import heapify, heappop, heappush
from itertools import chain
from typing import Any

import numpy as np

Item = tuple[int, int]
"""A time in microseconds, and the number of an event."""


class Due:
    """Items in their order. What comes in order, as most labels do, stands in a line; what does not, in a heap.

    >>> due = Due([(3, 0), (5, 1)])
    >>> due.push((4, 2))
    >>> due.pop(4), due.pop(4), due.pop(4), len(due)
    ((3, 0), (4, 2), None, 1)
    """

    __slots__ = ("_heap", "_line")

    def __init__(self, items: Iterable[Item] = ()) -> None:
        """Take items that are in order."""
        self._line = deque(items)
        self._heap: list[Item] = []

    def __len__(self) -> int:
        return len(self._line) + len(self._heap)

    def push(self, item: Item) -> None:
        """Put an item in."""
        if not self._line or item > self._line[-1]:
            self._line.append(item)
        else:
            heappush(self._heap, item)

    def pop(self, now: int) -> Item | None:
        """Take out the first item, if its time is at or before `now`; None if there is none."""
        line, heap = self._line, self._heap
        if heap and not (line and line[0] < heap[0]):
            return heappop(heap) if heap[0][0] <= now else None
        return line.popleft() if line and line[0][0] <= now else None

    def items(self) -> list[Item]:
        """Return all items in order."""
        return sorted(chain(self._line, self._heap))

    def keep(self, numbers: Container[int]) -> None:
        """Take out the items of all other numbers."""
        self._line = deque(item for item in self._line if item[1] in numbers)
        self._heap = [item for item in self._heap if item[1] in numbers]
        heapify(self._heap)

    def state(self, numbers: Iterable[int]) -> bytes | list[Item]:
        """Return the items of these numbers, in order; in columns, unless a time is too large for 8 bytes."""
        kept = list(numbers)
        try:
            items = np.fromiter(chain.from_iterable(chain(self._line, self._heap)), "<i8", 2 * len(self)).reshape(-1, 2)
        except OverflowError:
            return [item for item in self.items() if item[1] in set(kept)]
        items = items[np.isin(items[:, 1], np.array(kept, "<i8"))]
        return items[np.lexsort((items[:, 1], items[:, 0]))].T.tobytes()

    @classmethod
    def of(cls, state: Any) -> Due:
        """Return the queue of a state."""
        if isinstance(state, bytes):
            state = zip(*np.frombuffer(state, "<i8").reshape(2, -1).tolist(), strict=True)
        return cls(state)
