"""A batch that was decoded: examples as columns, and what could not be made one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from stream.fields import Fault
from stream.times import Times


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded batch, as columns of examples. `faults` are (place in the batch, why).

    `times` are there where labels come later: when each is asked, and when its label is due (None: nobody knows); `ids`
    where they come from a log of their own, and there are no `ys` then.
    `places` tells where each example stood; None means that nothing was faulty: the examples are all events, in order.
    """

    xs: list[dict[str, Any]]
    ys: list[Any]
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
            [self.xs[index] for index in kept],
            [self.ys[index] for index in kept] if self.ys else [],
            [at[index] for index in kept],
            sorted([*self.faults, *more], key=itemgetter(0)),
            [self.times[index] for index in kept] if self.times else [],
            [self.ids[index] for index in kept] if self.ids else [],
        )
