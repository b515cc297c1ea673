"""What the gate remembers of what it judged: the ids of events, the counts of the breaker, and whether it tripped.

It travels in the bytes of a version (`Learner.beside`), so that a restart, a rollback and a replay have it as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import asdict
from typing import Any

import msgspec

from stream.breaker import Breaker, Held, Limits, Place, Trip, order_of
from stream.log import Batch
from stream.tables import GateTable

HOLD = "hold"
"""Under this name the details of a version say that a breaker tripped at its end."""

_STATE = "gate"


class SeenIds:
    """The last `most` ids of accepted events; the one that came first is forgotten first."""

    def __init__(self, most: int, ids: Iterable[str] = ()) -> None:
        self._most = most
        self._order = deque(ids, maxlen=most)
        self._known = set(self._order)
        self._added: list[str] = []
        self._gone: list[str] = []

    def meet(self, ids: Sequence[str]) -> list[int]:
        """Remember ids, in order; return the places of those that were known when they came.

        >>> seen = SeenIds(2)
        >>> seen.meet(["a", "a", "b", "c", "a"]), list(seen)
        ([1], ['c', 'a'])
        """
        if self._known.isdisjoint(ids) and len(set(ids)) == len(ids) <= self._most:
            self._remember(ids)
            return []
        known = []
        for place, name in enumerate(ids):
            if name in self._known:
                known.append(place)
            else:
                self._remember((name,))
        return known

    def _remember(self, ids: Sequence[str]) -> None:
        order = self._order
        gone = [order.popleft() for _ in range(len(order) + len(ids) - self._most)]
        order.extend(ids)
        self._known.difference_update(gone)
        self._known.update(ids)
        self._added += ids
        self._gone += gone

    def mark(self) -> None:
        """Note that it may have to be as it is now once more."""
        self._added, self._gone = [], []

    def undo(self) -> None:
        """Be again as at the mark."""
        was = [*self._gone, *self._order]
        self._order = deque(was[: len(was) - len(self._added)], maxlen=self._most)
        self._known = set(self._order)
        self.mark()

    def __iter__(self) -> Any:
        return iter(self._order)


class Memory:
    """What one gate remembers. `tripped` says why nothing may be read, until `resume`."""

    def __init__(self, duplicates: int | None = None, limits: Limits | None = None) -> None:
        self._duplicates = duplicates
        self.seen = None if duplicates is None else SeenIds(duplicates)
        self._breaker = None if limits is None else Breaker(limits)
        self.tripped: Trip | None = None

    @classmethod
    def of(cls, gate: GateTable, *, breaker: bool) -> Memory:
        """Return the memory that the settings ask for, empty, and without a breaker unless one is wanted."""
        limits = gate.breaker if breaker else False
        return cls(gate.duplicates, Limits.of(limits.share, limits.last, limits.consecutive) if limits else None)

    def mark(self) -> None:
        """Begin a batch."""
        if self.seen is not None:
            self.seen.mark()

    def count(self, topics: Sequence[str], batch: Batch, held: Held) -> Place | None:
        """Count what was held of a batch; where the breaker trips within it, forget the batch and return the place."""
        assert self.tripped is None, "nothing is read until it is resumed"
        found = None if self._breaker is None else self._breaker.count(topics, batch, held)
        if found is None:
            return None
        place, trip = found
        if place != order_of(batch)[-1]:
            if self.seen is not None:
                self.seen.undo()
            return place
        self.tripped = trip
        return None

    def resume(self) -> None:
        """Go on, and count anew."""
        if self._breaker is not None:
            self._breaker.reset()
        self.tripped = None

    def write(self, beside: MutableMapping[str, Any]) -> None:
        """Put it into what is kept beside a learner."""
        ids = None if self.seen is None else list(self.seen)
        counts = None if self._breaker is None else self._breaker.plain()
        beside[_STATE] = msgspec.msgpack.encode([ids, counts])  # bytes: pickled the same, whatever shares its texts
        beside.pop(HOLD, None)
        if self.tripped is not None:
            beside[HOLD] = msgspec.msgpack.encode(asdict(self.tripped))

    def recall(self, beside: Mapping[str, Any]) -> None:
        """Take over what was written; what today's settings do not ask for is left."""
        ids, counts = msgspec.msgpack.decode(beside[_STATE]) if _STATE in beside else (None, None)
        if self._duplicates is not None:
            self.seen = SeenIds(self._duplicates, ids or ())
        self.tripped = None
        if self._breaker is not None:
            self._breaker.recall(counts or ())
            self.tripped = msgspec.msgpack.decode(beside[HOLD], type=Trip) if HOLD in beside else None


def details_of(beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the details of a version say of what is kept beside its learner."""
    return {HOLD: msgspec.msgpack.decode(beside[HOLD])} if HOLD in beside else {}
