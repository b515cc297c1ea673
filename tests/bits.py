"""All that a part of a river model keeps, so that equal is the same: types, orders of keys, and the bits of numbers."""

from __future__ import annotations

import random
import struct
from collections import deque
from typing import Any

from river import compose, utils


def bits(value: Any, above: tuple[int, ...] = ()) -> Any:
    """Return plain values that are equal only for parts that are the same. `above` are the objects that it is part of.

    Generators of random numbers that nobody seeded are left out: `learners.state` does so, too.
    """
    if type(value) is float:
        return struct.pack("<d", value)
    if isinstance(value, random.Random):
        return "random"
    if id(value) in above:
        return ("above", len(above) - above.index(id(value)))
    above = (*above, id(value))
    if isinstance(value, compose.Pipeline):
        value = dict(value.steps)
    return (type(value).__name__, _inside(value, above))


def _inside(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, dict | utils.VectorDict):
        factory = bits(getattr(value, "default_factory", None), above)
        return (factory, [(key, bits(each, above)) for key, each in value.items()])
    if isinstance(value, list | tuple | set | deque):
        return [bits(each, above) for each in value]
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__qualname__
    if type(value).__module__.startswith(("river", "functools", "collections")):
        return bits(vars(value) if hasattr(value, "__dict__") else value.__reduce_ex__(5)[1:], above)
    return repr(value)
