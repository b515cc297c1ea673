"""Bytes of a learner, and back. Small, and the same for equal runs: generators that nothing reads are left out.

Every distribution of river.proba holds a `random.Random` of 2.5 KB for `sample`, which no learner calls. An unseeded one is
replaced by one name; after a restore all such distributions share one generator. Seeded generators stay.

The bytes are a pickle: whoever can write them can run code. Read them only from a store that authenticates them.
"""

from __future__ import annotations

import io
import pickle
import random
from typing import Any

from river.proba.base import Distribution

from learners.errors import RAISED_BY_MODELS, StateError

FORMAT = 1
"""Raise it whenever the parts of a learner change; older bytes are then refused, and rebuilt from the log."""

FORMAT_KEY = "tidemark.learner"


class Unread(random.Random):
    """The one generator that stands for all that nothing reads."""

    def __reduce__(self) -> str:  # type: ignore[override]
        return "UNREAD"


UNREAD = Unread(0)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Distribution) or obj.seed is not None:
            return NotImplemented
        make, arguments, state, *more = obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        return (make, arguments, {**state, "_rng": UNREAD}, *more)


def dump(parts: dict[str, Any]) -> bytes:
    """Return the bytes of a learner's parts (pickle protocol 5).

    >>> load(dump({"learned": 3}))["learned"]
    3
    """
    buffer = io.BytesIO()
    _Pickler(buffer, protocol=5).dump({FORMAT_KEY: FORMAT, **parts})
    return buffer.getvalue()


def load(state: bytes) -> dict[str, Any]:
    """Return the parts that were dumped. Raises StateError if the bytes are none, or of another format."""
    hint = "restore with the versions of Python, river and numpy that saved it, or rebuild the version from the log"
    try:
        parts = pickle.loads(state)  # noqa: S301 - the store authenticates its bytes
    except (pickle.PickleError, EOFError, *RAISED_BY_MODELS) as error:
        raise StateError(f"the bytes do not restore a learner: {type(error).__name__}: {error}", hint) from error
    if not isinstance(parts, dict) or FORMAT_KEY not in parts:
        raise StateError("the bytes hold no learner", hint)
    if parts[FORMAT_KEY] != FORMAT:
        raise StateError(f"expected a learner of format {FORMAT}, found {parts[FORMAT_KEY]!r}", hint)
    return parts
