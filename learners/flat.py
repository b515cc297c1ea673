"""Gaussians as plain numbers: trees have hundreds, each of three objects with a generator that nothing reads.

Only one that is as river makes it, and whose parts nobody else knows, is written so: else what is one object would be
two after a restore. Whatever the numbers are, they are kept as they are.
"""

from __future__ import annotations

import random
from sys import getrefcount
from typing import Any

from river.proba import Gaussian
from river.stats import Mean, Var


class Unread(random.Random):
    """The one generator that stands for all that nothing reads."""

    def __reduce__(self) -> str:
        return "UNREAD"


UNREAD = Unread(0)

_ATTRIBUTES = 3 + 3 + 2
"""Of a Gaussian, its Var and that one's Mean: as many as `gaussian` sets."""

_REFERENCES = 2 * 3
"""To a Var and a Mean that nobody else knows, while they are looked at: the owner's, ours and the question's."""


def flat(obj: Gaussian) -> Any:
    """Return how an unseeded Gaussian is pickled as four numbers; None if it is not as river makes it."""
    attributes = obj.__dict__
    try:
        var = attributes["_var"]
        spread = var.__dict__
        mean = spread["mean"]
        centre = mean.__dict__
        if (
            type(var) is Var
            and type(mean) is Mean
            and attributes["seed"] is None
            and len(attributes) + len(spread) + len(centre) == _ATTRIBUTES
            and getrefcount(var) + getrefcount(mean) == _REFERENCES
        ):
            return gaussian, (spread["ddof"], spread["_S"], centre["n"], centre["_mean"])
    except (KeyError, AttributeError):
        pass
    return None


def gaussian(ddof: int, s: float, n: float, mean: float) -> Gaussian:
    """Make an unseeded Gaussian of its numbers, whatever they are."""
    centre, spread, made = object.__new__(Mean), object.__new__(Var), object.__new__(Gaussian)
    centre.n, centre._mean = n, mean  # where river keeps them
    spread.ddof, spread.mean, spread._S = ddof, centre, s
    made.seed, made._rng, made._var = None, UNREAD, spread
    return made
