"""Sets of offsets: of each partition of each topic, the stretches [start, stop), sorted, apart from each other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Stretch = tuple[int, int]
Place = tuple[str, int]
"""A partition of a topic."""


@dataclass(frozen=True, slots=True)
class Offsets:
    """A set of offsets; make it by `of`. Equal sets are equal.

    >>> held = Offsets.of([("t", 0, 3, 5), ("t", 0, 5, 9), ("t", 1, 0, 2)])
    >>> list(held), len(held), held.has("t", 0, 8), held.has("t", 0, 9)
    ([('t', 0, 3, 9), ('t', 1, 0, 2)], 8, True, False)
    >>> list(held - Offsets.of([("t", 0, 4, 6)])), list(held & Offsets.of([("t", 0, 0, 4)]))
    ([('t', 0, 3, 4), ('t', 0, 6, 9), ('t', 1, 0, 2)], [('t', 0, 3, 4)])
    """

    places: Mapping[Place, tuple[Stretch, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, stretches: Iterable[tuple[str, int, int, int]]) -> Offsets:
        """Return the set of (topic, partition, start, stop), in any order, overlapping or empty."""
        found: dict[Place, list[Stretch]] = {}
        for topic, partition, start, stop in stretches:
            if start < stop:
                found.setdefault((topic, partition), []).append((start, stop))
        return cls({place: _joined(found[place]) for place in sorted(found)})

    @classmethod
    def points(cls, topic: str, partition: int, offsets: Iterable[int]) -> Offsets:
        """Return the set of single offsets of one partition."""
        return cls.of((topic, partition, offset, offset + 1) for offset in offsets)

    def __iter__(self) -> Iterator[tuple[str, int, int, int]]:
        for (topic, partition), stretches in self.places.items():
            for start, stop in stretches:
                yield topic, partition, start, stop

    def __len__(self) -> int:
        return sum(stop - start for _, _, start, stop in self)

    def __bool__(self) -> bool:
        return bool(self.places)

    def __or__(self, other: Offsets) -> Offsets:
        return Offsets.of([*self, *other])

    def __and__(self, other: Offsets) -> Offsets:
        return self._with(other, _common)

    def __sub__(self, other: Offsets) -> Offsets:
        return self._with(other, _less)

    def has(self, topic: str, partition: int, offset: int) -> bool:
        """Tell whether an offset is in the set."""
        stretches = self.places.get((topic, partition), ())
        index = bisect_right(stretches, (offset, float("inf"))) - 1
        return index >= 0 and offset < stretches[index][1]

    def within(self, topic: str, partition: int, start: int, stop: int) -> tuple[Stretch, ...]:
        """Return what of the set lies in [start, stop) of a partition."""
        return _common(self.places.get((topic, partition), ()), ((start, stop),))

    def first(self, count: int) -> Offsets:
        """Return the first so many offsets.

        >>> list(Offsets.of([("t", 0, 3, 5), ("t", 1, 0, 9)]).first(4))
        [('t', 0, 3, 5), ('t', 1, 0, 2)]
        """
        taken: list[tuple[str, int, int, int]] = []
        for topic, partition, start, stop in self:
            if count <= 0:
                break
            taken.append((topic, partition, start, min(stop, start + count)))
            count -= stop - start
        return Offsets.of(taken)

    def _with(self, other: Offsets, combine: object) -> Offsets:
        assert callable(combine)
        found = {place: combine(stretches, other.places.get(place, ())) for place, stretches in self.places.items()}
        return Offsets({place: stretches for place, stretches in found.items() if stretches})


def _joined(stretches: list[Stretch]) -> tuple[Stretch, ...]:
    stretches.sort()
    joined = [stretches[0]]
    for start, stop in stretches[1:]:
        first, last = joined[-1]
        if start <= last:
            joined[-1] = (first, max(last, stop))
        else:
            joined.append((start, stop))
    return tuple(joined)


def _common(one: tuple[Stretch, ...], other: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    found, i, j = [], 0, 0
    if len(other) == 1:  # a stretch of a run against many: begin where it does
        i = max(0, bisect_right(one, (other[0][0], float("inf"))) - 1)
    while i < len(one) and j < len(other):
        start, stop = max(one[i][0], other[j][0]), min(one[i][1], other[j][1])
        if start < stop:
            found.append((start, stop))
        if one[i][1] < other[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)


def _less(one: tuple[Stretch, ...], other: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    found, j = [], 0
    for first, stop in one:
        start = first
        while j < len(other) and other[j][1] <= start:
            j += 1
        at = j
        while at < len(other) and other[at][0] < stop:
            if start < other[at][0]:
                found.append((start, other[at][0]))
            start = max(start, other[at][1])
            at += 1
        if start < stop:
            found.append((start, stop))
    return tuple(found)
