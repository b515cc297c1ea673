"""A batch that was decoded: examples, and what could not be made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from stream.fields import Fault
from stream.times import Times


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded batch: examples as rows (lists) or in columns (`Table`, `Column`). `faults` are (place, why).

    `times` are there where labels come later: when each is asked, and when its label is due (None: nobody knows); `ids`
    where they come from a log of their own, and there are no `ys` then.
    `places` tells where each example stood; None means that nothing was faulty: the examples are all events, in order.
    """

    xs: Sequence[dict[str, Any]]
    ys: Sequence[Any]
    places: list[int] | None
    faults: list[tuple[int, Fault]]
    times: list[Times]
    ids: list[str]

    def without(self, faults: Mapping[int, Fault]) -> Decoded:
        """Return it without these examples, which are faulty too.

        >>> Decoded([{}, {}, {}], [1, 2, 3], None, [], [], []).without({1: Fault("too_old", "")}).places
        [0, 2]
        """
        at = range(len(self.xs)) if self.places is None else self.places
        kept = [index for index in range(len(self.xs)) if index not in faults]
        more = [(at[index], fault) for index, fault in faults.items()]
        return Decoded(
            taken(self.xs, kept),
            taken(self.ys, kept) if len(self.ys) else [],
            [at[index] for index in kept],
            sorted([*self.faults, *more], key=itemgetter(0)),
            [self.times[index] for index in kept] if self.times else [],
            [self.ids[index] for index in kept] if self.ids else [],
        )

    @classmethod
    def join(cls, parts: Sequence[Decoded], events: int) -> Decoded:
        """Return parts of a batch, at least one, as one; all but the last are of so many `events`."""
        if len(parts) == 1:
            return parts[0]
        starts = range(0, len(parts) * events, events)
        faults = [
            (start + place, fault) for start, part in zip(starts, parts, strict=True) for place, fault in part.faults
        ]
        places = None
        if faults:
            places = [
                start + place
                for start, part in zip(starts, parts, strict=True)
                for place in (range(len(part.xs)) if part.places is None else part.places)
            ]
        return cls(
            joined([part.xs for part in parts]),
            joined([part.ys for part in parts]),
            places,
            faults,
            joined([part.times for part in parts]),
            joined([part.ids for part in parts]),
        )


def taken(values: Any, places: Sequence[int]) -> Any:
    """Return the values at these places, in the form that they have.

    >>> taken(["a", "b", "c"], [0, 2])
    ['a', 'c']
    """
    return [values[place] for place in places] if isinstance(values, list) else values.take(places)


def joined(parts: Sequence[Any]) -> Any:
    """Return values one part after the other, in the form that they have: lists, tables or columns; at least one.

    >>> joined([[1], [], [2, 3]])
    [1, 2, 3]
    """
    if len(parts) == 1:
        return parts[0]
    return list(chain.from_iterable(parts)) if isinstance(parts[0], list) else type(parts[0]).join(parts)
