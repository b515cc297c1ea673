"""Bytes of a learner, and back. Small, and the same for equal runs: generators that nothing reads are left out.

Every distribution of river.proba holds a `random.Random` of 2.5 KB, for a method no learner calls. An unseeded one is
replaced by one name; after a restore all such distributions share one generator. Seeded generators stay.

Sets iterate after a restore as they did before: else a model that was saved would go on other than one that was not.

The bytes are a pickle: whoever can write them can run code. The store checks a checksum, no signature yet: read them
only from a store that nobody else can write to.
"""

from __future__ import annotations

import gc
import io
import pickle
import random
from abc import ABCMeta
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import Any, TypeVar

from river import stats
from river.proba.base import Distribution

from learners.errors import RAISED_BY_MODELS, StateError

FORMAT = 3
"""Raise it whenever the parts of a learner change; older bytes are then refused, and rebuilt from the log."""

FORMAT_KEY = "tidemark.learner"

Built = TypeVar("Built")


class Unread(random.Random):
    """The one generator that stands for all that nothing reads."""

    def __reduce__(self) -> str:
        return "UNREAD"


UNREAD = Unread(0)


TRIES_MAX = 20_000
"""Orders tried in one dump: 20 ms. Sets of 80 names took 4,000 at most; one that shrank may have no order that fits."""


TRIES_A_SET_MAX = 4_000
RESTART_TRIES = 40

_PLAIN = frozenset({stats.Mean, stats.Var, type, ABCMeta})
"""What trees have thousands of, and which has no sets."""


_NEW: Any = object().__reduce_ex__(2)[0]
"""Makes an object of a class, as a plain pickle does."""


@cache
def _is_reduced_plainly(kind: type[Any]) -> bool:
    """Tell whether objects of a class are pickled as their class and a dictionary: it says nothing else about it."""
    return (
        all(getattr(kind, name) is getattr(object, name) for name in ("__reduce_ex__", "__reduce__", "__getstate__"))
        and not any(hasattr(kind, name) for name in ("__getnewargs__", "__getnewargs_ex__"))
        and not any(vars(base).get("__slots__") for base in kind.__mro__)
    )


class _Pickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO) -> None:
        super().__init__(buffer, protocol=5)
        self.tries = TRIES_MAX

    def reducer_override(self, obj: Any) -> Any:
        """Return how an object is pickled: asked of all but numbers, texts and the like, so most are let go at once."""
        kind: Any = type(obj)
        if kind in _PLAIN or type(attributes := getattr(obj, "__dict__", None)) is not dict:
            return NotImplemented
        unread = isinstance(obj, Distribution) and obj.seed is None
        if set not in map(type, attributes.values()):
            if not unread:
                return NotImplemented
            if _is_reduced_plainly(kind):
                return _NEW, (kind,), {**attributes, "_rng": UNREAD}
        kept = {name: self._kept(value) for name, value in attributes.items() if type(value) is set and len(value) > 1}
        if unread:
            kept["_rng"] = UNREAD
        if not any(value is not attributes[name] for name, value in kept.items()):
            return NotImplemented
        reduced: Any = obj.__reduce_ex__(5)
        if len(reduced) < 3 or type(reduced[2]) is not dict:  # noqa: PLR2004 - make, arguments, state
            return NotImplemented
        return (*reduced[:2], {**reduced[2], **kept}, *reduced[3:])

    def _kept(self, value: set[Any]) -> Any:
        order, tries = insertion_order(value, self.tries)
        self.tries -= tries
        return value if order is None else _InOrder(order)


class _InOrder:
    """Stands for a set in the bytes; reads back as the set that comes of adding these in this order."""

    def __init__(self, order: list[Any]) -> None:
        self.order = order

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return set, (self.order,)


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


def dump(parts: dict[str, Any], pieces: Iterable[Any] = ()) -> bytes:
    """Return the bytes of a learner's parts, and of the pieces of what is too large to be in memory twice.

    They are pickles (protocol 5), one after the other. Raises StateError for what has no bytes.

    >>> load(dump({"learned": 3, "seed": None}))
    {'learned': 3, 'seed': None}
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    try:
        for each in chain([{FORMAT_KEY: FORMAT}, parts], ((piece,) for piece in pieces), [()]):
            pickler.clear_memo()
            pickler.dump(each)
    except (pickle.PickleError, *RAISED_BY_MODELS) as error:
        hint = "a model must be made of what pickle can name: use functions and classes of a module, no lambdas"
        raise StateError(f"the model cannot be written: {error}", hint) from error
    return buffer.getvalue()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make many objects, none of them garbage: the collector would look at all of them again and again, and cost most.

    Not thread-safe, nor is a learner.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def load(state: bytes) -> dict[str, Any]:
    """Return the parts that were dumped. Raises StateError if the bytes are none, or of another format."""
    return load_all(state, lambda _: None)[0]


def load_all(state: bytes, build: Callable[[Iterator[Any]], Built]) -> tuple[dict[str, Any], Built]:
    """Return the parts that were dumped, and what `build` makes of the pieces. Raises StateError, as `load`.

    >>> load_all(dump({"learned": 3}, [1, 2]), list)
    ({'learned': 3}, [1, 2])
    """
    hint = "restore with the versions of Python, river and numpy that saved it, or rebuild the version from the log"
    file = io.BytesIO(state)
    try:
        header = pickle.load(file)  # noqa: S301 - a checksum, no signature yet: see above
        if not isinstance(header, dict) or FORMAT_KEY not in header:
            raise StateError("the bytes hold no learner", hint)
        if header[FORMAT_KEY] != FORMAT:
            raise StateError(f"expected a learner of format {FORMAT}, found {header[FORMAT_KEY]!r}", hint)
        with _uncollected():
            return pickle.load(file), build(_pieces(file))  # noqa: S301
    except (pickle.PickleError, EOFError, *RAISED_BY_MODELS) as error:
        raise StateError(f"the bytes do not restore a learner: {type(error).__name__}: {error}", hint) from error


def _pieces(file: io.BytesIO) -> Iterator[Any]:
    while piece := pickle.load(file):  # noqa: S301
        yield piece[0]
