"""What scores are made of: the last events in columns, counts of pairs, and a mean of many at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from learners.bulk import count_trues, fold, fold_thrice
from learners.table import Column


class Recent:
    """Columns of the last `size` events, kept in the pieces they came in, so that adding costs nothing an event.

    >>> recent = Recent(3)
    >>> recent.add([1, 2], ["a", "b"]); recent.add([3, 4], ["c", "d"])
    >>> recent.columns(2)
    [[2, 3, 4], ['b', 'c', 'd']]
    """

    def __init__(self, size: int, pieces: Iterable[tuple[Sequence[Any], ...]] = ()) -> None:
        self.size = size
        self.pieces = deque(pieces)
        self.held = sum(len(piece[0]) for piece in self.pieces)

    def add(self, *columns: Sequence[Any]) -> None:
        """Keep the columns (they must not change any more); let go of pieces that are all too old."""
        self.pieces.append(columns)
        self.held += len(columns[0])
        while self.held - (oldest := len(self.pieces[0][0])) >= self.size:
            self.pieces.popleft()
            self.held -= oldest

    def columns(self, count: int) -> list[Sequence[Any]]:
        """Return the `count` columns of the last events, oldest first: lists, or each a `Column` if it came so."""
        return [self._joined([piece[i] for piece in self.pieces]) for i in range(count)]

    def _joined(self, pieces: list[Sequence[Any]]) -> Sequence[Any]:
        arrays = [piece.array for piece in pieces if isinstance(piece, Column)]
        if not pieces or len(arrays) < len(pieces):
            return list(chain.from_iterable(pieces))[-self.size :]
        return Column((arrays[0] if len(arrays) == 1 else np.concatenate(arrays))[-self.size :])

    def for_later(self) -> Recent:
        """Return a copy that does not change any more: pieces never do (`learners.ways`)."""
        return Recent(self.size, self.pieces)

    def __getstate__(self) -> tuple[int, tuple[list[Any], ...]]:
        columns = self.columns(len(self.pieces[0]) if self.pieces else 0)
        return self.size, tuple([list(column) for column in columns])

    def __setstate__(self, state: tuple[int, tuple[list[Any], ...]]) -> None:
        self.size, columns = state
        self.pieces = deque([columns] if columns else [])
        self.held = len(columns[0]) if columns else 0


Counts = dict[tuple[Any, Any], int]
"""How often each pair (y, y_pred) came, in the order in which they first did."""

BOOL_PAIRS = ((False, False), (False, True), (True, False), (True, True))


def count_pairs(ys: Sequence[Any], labels: Sequence[Any]) -> Counts:
    """Count the pairs.

    >>> count_pairs(["a", "b", "a"], ["a", None, "a"])
    {('a', 'a'): 2, ('b', None): 1}
    """
    return dict(Counter(zip(ys, labels, strict=True)))


def count_bools(ys: Sequence[Any], labels: Sequence[Any]) -> Counts:
    """Count pairs of booleans, as bits of two long numbers: fast. All four pairs are there, in one order.

    >>> count_bools([True, False, True], [True, True, None])
    {(False, False): 0, (False, True): 1, (True, False): 0, (True, True): 1, (True, None): 1}
    """
    if isinstance(ys, Column) and isinstance(labels, Column):
        return pairs_of(len(ys), *count_trues(ys.array, labels.array))
    try:
        a, b = bytes(ys), bytes(labels)
    except (TypeError, ValueError):  # None, or a label that is no bool
        return _count_bools_and_others(ys, labels)
    ones_a, ones_b = a.count(b"\1"), b.count(b"\1")
    if a.count(b"\0") + ones_a != len(b) or b.count(b"\0") + ones_b != len(a):
        return _count_bools_and_others(ys, labels)
    both = (int.from_bytes(a, "little") & int.from_bytes(b, "little")).bit_count()
    return pairs_of(len(a), ones_a, ones_b, both)


def pairs_of(size: int, ones_a: int, ones_b: int, both: int) -> Counts:
    """Return the counts of pairs of booleans, given how often each is True, and both are.

    >>> pairs_of(5, 3, 2, 1)
    {(False, False): 1, (False, True): 1, (True, False): 2, (True, True): 1}
    """
    numbers = (size - ones_a - ones_b + both, ones_b - both, ones_a - both, both)
    return dict(zip(BOOL_PAIRS, numbers, strict=True))


def four_of(counts: Counts) -> tuple[int, ...]:
    """Return how often each pair of booleans came, in one order, given what `count_bools` counted."""
    return tuple(counts.values())[: len(BOOL_PAIRS)]


def _count_bools_and_others(ys: Sequence[Any], labels: Sequence[Any]) -> Counts:
    counts = dict.fromkeys(BOOL_PAIRS, 0)
    add_counts(counts, count_pairs(ys, labels))
    return counts


def add_counts(counts: Counts, more: Counts) -> None:
    """Add `more` to `counts`; as Counter.update, which costs more than the counting.

    >>> counts = {("a", "a"): 1}
    >>> add_counts(counts, {("a", "a"): 2, ("b", "a"): 1}); counts
    {('a', 'a'): 3, ('b', 'a'): 1}
    """
    for pair, count in more.items():
        counts[pair] = counts.get(pair, 0) + count


def add_to_mean(mean: Any, values: Iterable[float | None]) -> None:
    """Update river's Mean with each value but None, in order: the same operations in one loop, so the same bits.

    >>> from river import stats
    >>> mean = stats.Mean()
    >>> add_to_mean(mean, [1.0, None, 2.0])
    >>> mean.get()
    1.5
    """
    n, average = mean.n, mean._mean  # noqa: SLF001 - where river's Mean keeps it
    if isinstance(values, Column):
        mean.n, mean._mean = fold(n, average, values.array)  # noqa: SLF001
        return
    for value in values:
        if value is not None:
            n += 1.0
            average += (1.0 / n) * (value - average)
    mean.n, mean._mean = n, average  # noqa: SLF001


def add_to_means(means: Sequence[Any], values: Column) -> None:
    """Update three of river's Means with the same values, in one loop."""
    first, second, third = means
    found = fold_thrice(first.n, first._mean, second.n, second._mean, third.n, third._mean, values.array)  # noqa: SLF001
    (first.n, first._mean, second.n, second._mean, third.n, third._mean) = found  # noqa: SLF001
