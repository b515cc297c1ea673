"""How the objects of a learner are pickled: the way of a class is found when the first object of it is met.

1. Sets iterate after a restore as they did before: else a model that was saved would go on other than one that was not.
2. Every distribution of river.proba holds a `random.Random` of 2.5 KB, for a method no learner calls. An unseeded one
   is replaced by one name; after a restore all such distributions share one generator. Seeded generators stay.
3. A Gaussian is four numbers: see `learners.flat`.
4. What is `Apart` is only noted while others wait, and written later: see `learners.state`.
"""

from __future__ import annotations

import copyreg
import random
import threading
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Protocol, runtime_checkable

from river import stats
from river.proba import Gaussian
from river.proba.base import Distribution
from river.tree.splitter import GaussianSplitter

from learners.flat import UNREAD, flat

Way = Callable[[Any], Any]
"""Returns what `__reduce_ex__` would return."""


@runtime_checkable
class Apart(Protocol):
    """What keeps many values that never change, and may be written after the objects around it."""

    def for_later(self) -> Any:
        """Return a copy that does not change any more, made at once: what can be pickled later, in another thread."""


TRIES_MAX = 20_000
"""Orders tried in one dump: 20 ms. Sets of 80 names took 4,000 at most; one that shrank may have no order that fits."""


TRIES_A_SET_MAX = 4_000
RESTART_TRIES = 40


class Now(threading.local):
    """What is being pickled in a thread: how many orders of sets may still be tried, and what was put apart."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin to pickle."""
        self.tries = TRIES_MAX
        self.apart: list[Any] = []


NOW = Now()


class Ways(dict[type, Way]):
    """A dispatch table for a pickler. A new class is looked at. `apart`: what can be, is put apart."""

    def __init__(self, *, apart: bool) -> None:
        self._apart = apart

    def __missing__(self, kind: type) -> Way:
        way = self[kind] = _put_apart if self._apart and hasattr(kind, "for_later") else _way_of(kind)
        return way


_NEW: Any = object().__reduce_ex__(2)[0]
"""Makes an object of a class, as a plain pickle does."""

_SETLESS = frozenset({stats.Mean, stats.Var, GaussianSplitter})
"""What there may be thousands of, and which has no sets."""


def _way_of(kind: Any) -> Way:
    if issubclass(kind, type):
        name: Way = attrgetter("__qualname__")  # a class is pickled by its name, whatever its metaclass
        return name
    if (known := copyreg.dispatch_table.get(kind)) is not None:
        return known
    return _way_of_plain(kind) if _is_reduced_plainly(kind) else _asked


def _way_of_plain(kind: type) -> Way:
    if kind is Gaussian:
        return _gaussian
    if issubclass(kind, Distribution):
        return _asked
    return _setless(kind) if kind in _SETLESS else _plain(kind)


class _Nothing:
    """An object with a dictionary, and nothing else."""


def _is_reduced_plainly(kind: type[Any]) -> bool:
    """Tell whether objects of a class are pickled as their class and a dictionary: it says nothing else about it."""
    return (
        (kind.__basicsize__, kind.__itemsize__) == (_Nothing.__basicsize__, 0)  # no list, and the like
        and all(
            getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__", "__getstate__")
        )
        and not any(hasattr(kind, name) for name in ("__getnewargs__", "__getnewargs_ex__"))
        and not any(vars(base).get("__slots__") for base in kind.__mro__)
    )


def _setless(kind: type) -> Way:
    arguments = (kind,)
    return lambda obj: (_NEW, arguments, obj.__dict__ or None)


def _plain(kind: type) -> Way:
    arguments = (kind,)

    def way(obj: Any) -> Any:
        attributes = obj.__dict__
        if set in map(type, attributes.values()) and (kept_sets := _kept_sets(attributes)):
            attributes = attributes | kept_sets
        return _NEW, arguments, attributes or None

    return way


def _asked(obj: Any) -> Any:
    """Ask an object how it is pickled, as a plain pickle does."""
    attributes = getattr(obj, "__dict__", None)  # first: it makes one where there was none, and that shows in the bytes
    reduced: Any = obj.__reduce_ex__(5)
    if type(attributes) is not dict or len(reduced) < 3 or type(reduced[2]) is not dict:  # noqa: PLR2004
        return reduced  # a name, or make, arguments and another state
    kept = _kept_sets(attributes)
    if isinstance(obj, Distribution) and obj.seed is None:
        kept["_rng"] = UNREAD
    return (*reduced[:2], {**reduced[2], **kept}, *reduced[3:]) if kept else reduced


def _gaussian(obj: Gaussian) -> Any:
    return flat(obj) or _asked(obj)


def _put_apart(obj: Apart) -> Any:
    NOW.apart.append(obj.for_later())
    return kept, (len(NOW.apart) - 1,)


def kept(place: int) -> Any:
    """Stand in the bytes for what was put apart; `learners.state` reads it."""
    raise AssertionError(f"read {place} by learners.state")


def _kept_sets(attributes: dict[str, Any]) -> dict[str, Any]:
    """Return those of the sets that a plain pickle would read back in another order."""
    found = {}
    for name, value in attributes.items():
        if type(value) is set and len(value) > 1:
            order, tries = insertion_order(value, NOW.tries)
            NOW.tries -= tries
            if order is not None:
                found[name] = _InOrder(order)
    return found


class _InOrder:
    """Stands for a set in the bytes; reads back as the set that comes of adding these in this order."""

    def __init__(self, order: list[Any]) -> None:
        self.order = order

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return set, (self.order,)


def same_set(value: set[Any]) -> set[Any]:
    """Return a set that iterates as this one does, where such an order of adding is found."""
    return set(insertion_order(value)[0] or list(value))


def insertion_order(value: set[Any], tries_max: int = TRIES_MAX) -> tuple[list[Any] | None, int]:
    """Return an order of adding that gives a set which iterates as this one does, and how many were tried.

    A plain pickle adds in the order of iteration, and so may give another one when hashes collide: 24 % of sets of 2 to
    9 feature names. River multiplies and breaks ties in that order (compose.Select, neighbors.KNNClassifier). The order
    is None where a plain pickle does, or where none is found. The search is a walk: swap two that came out wrong.

    >>> order, tries = insertion_order({3, 1, 2})
    >>> order, tries
    (None, 1)
    """
    wanted = list(value)
    rng = random.Random(0)  # noqa: S311 - a search, the same each time
    order, tries = list(wanted), 0
    while tries < min(tries_max, TRIES_A_SET_MAX):
        found = list(set(order))
        tries += 1
        if found == wanted:
            return (None if tries == 1 else order), tries
        place = rng.choice([i for i, element in enumerate(wanted) if found[i] != element])
        a, b = order.index(wanted[place]), order.index(found[place])
        order[a], order[b] = order[b], order[a]
        if tries % RESTART_TRIES == 0:
            order = rng.sample(wanted, len(wanted))
    return None, tries
