"""Bytes of a learner, and back. Small, and the same for equal runs: generators that nothing reads are left out.

The bytes are pickles, one after the other: the format; what was put apart (`learners.ways`); the parts; pieces; an end.
What must be written in one moment are the parts. The rest is written whenever, and wherever, the bytes are asked for.

Whoever can write them can run code. The store checks a checksum, no signature yet: read them only from a store that
nobody else can write to.
"""

from __future__ import annotations

import gc
import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any, TypeVar

from learners import flat, ways
from learners.deferred import Deferred
from learners.errors import RAISED_BY_MODELS, StateError
from learners.lessons import Lessons

FORMAT = 4
"""Raise it whenever the parts of a learner change; older bytes are then refused, and rebuilt from the log."""

FORMAT_WHOLE = 3
"""Older bytes, which had nothing apart: they are read, too."""

FORMAT_KEY = "tidemark.learner"

UNREAD = flat.UNREAD
"""Older bytes name it here."""

Built = TypeVar("Built")


class _Pickler(pickle.Pickler):
    dispatch_table = ways.Ways(apart=False)


class _FirstPickler(pickle.Pickler):
    """Leaves what can be put apart to the other."""

    dispatch_table = ways.Ways(apart=True)


class _Sender(pickle.Pickler):
    """Writes what is to be written once more, to the same bytes: of lessons, those that they are read from."""

    dispatch_table = ways.Ways(apart=False)
    dispatch_table[Lessons] = lambda lessons: (Lessons, (lessons.entries,))


class _Unpickler(pickle.Unpickler):
    """Reads parts, with what was put apart."""

    def __init__(self, file: io.BytesIO, apart: Sequence[Any]) -> None:
        super().__init__(file)
        self._apart = apart

    def find_class(self, module: str, name: str) -> Any:
        """Return what is meant by a name."""
        if (module, name) == (ways.__name__, ways.kept.__name__):
            return self._apart.__getitem__
        return super().find_class(module, name)


@dataclass(frozen=True, slots=True)
class Captured:
    """A learner as it was in one moment: its parts are bytes already, what was put apart does not change any more."""

    parts: bytes
    apart: Sequence[Any]
    pieces: bytes

    def written(self) -> bytes:
        """Return all bytes, in any thread. Raises StateError."""
        apart = [each.built() if isinstance(each, Deferred) else each for each in self.apart]
        return b"".join((_pickled([{FORMAT_KEY: FORMAT}, apart]), self.parts, self.pieces))


def capture(parts: dict[str, Any], pieces: Iterable[Any] = ()) -> Captured:
    """Write down parts, and the pieces of what is too large to be in memory twice. Raises StateError, as `dump`."""
    ways.NOW.begin()
    with uncollected():
        written = _pickled([parts], _FirstPickler)
    apart = ways.NOW.apart
    ways.NOW.begin()
    return Captured(written, apart, _pickled(chain(((piece,) for piece in pieces), [()])))


def dump(parts: dict[str, Any], pieces: Iterable[Any] = ()) -> bytes:
    """Return the bytes of a learner's parts, and of pieces. Raises StateError for what has no bytes.

    >>> load(dump({"learned": 3, "seed": None}))
    {'learned': 3, 'seed': None}
    """
    return capture(parts, pieces).written()


def sent(value: Any) -> bytes:
    """Return a value, as something captured, as bytes for another process of this code: plain pickle reads them.

    Raises StateError for what has no bytes.
    """
    return _pickled([value], _Sender)


def _pickled(each: Iterable[Any], kind: type[pickle.Pickler] = _Pickler) -> bytes:
    """Return pickles (protocol 5), one after the other."""
    buffer = io.BytesIO()
    pickler = kind(buffer, protocol=5)
    try:
        for one in each:
            pickler.clear_memo()
            pickler.dump(one)
    except (pickle.PickleError, *RAISED_BY_MODELS) as error:
        hint = "a model must be made of what pickle can name: use functions and classes of a module, no lambdas"
        raise StateError(f"the model cannot be written: {error}", hint) from error
    return buffer.getvalue()


@contextmanager
def uncollected() -> Iterator[None]:
    """Make many objects, none of them garbage: the collector would look at all of them again and again, and cost most.

    Two threads may do so at once: the first to end turns the collector on again, and nobody leaves it off.
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
        if header[FORMAT_KEY] not in (FORMAT, FORMAT_WHOLE):
            raise StateError(f"expected a learner of format {FORMAT}, found {header[FORMAT_KEY]!r}", hint)
        with uncollected():
            apart = pickle.load(file) if header[FORMAT_KEY] == FORMAT else ()  # noqa: S301
            return _Unpickler(file, apart).load(), build(_pieces(file))
    except (pickle.PickleError, EOFError, *RAISED_BY_MODELS) as error:
        raise StateError(f"the bytes do not restore a learner: {type(error).__name__}: {error}", hint) from error


def _pieces(file: io.BytesIO) -> Iterator[Any]:
    while piece := pickle.load(file):  # noqa: S301
        yield piece[0]
