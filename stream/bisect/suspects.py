"""Where a score series got worse: the windows with which the worst stretches begin, for replay to look at closely.

A stretch of windows is compared with those right before it: how far its mean lies below theirs, by the noise of the
series (the median step between neighbours, which no shift and no drift moves). Source of the statistic, for a stretch
that may end again: Levin and Kline (1985), the epidemic alternative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise, zip_longest
from statistics import median

DIP, SHIFT = range(1, 3), range(3, 21)
"""So many windows are compared with those before: a dip that is soon over, and a shift; longer ones are as clear so."""

APART_MIN = 2
"""Replay looks at three windows at once: what begins with the next is in them."""

BEFORE = (3, 20)
"""A sudden fall is clear against the last few windows, a small one only against more."""

WINDOWS_MAX = 5_000
"""Only so many windows are looked at, the last: what lies further back has long been forgotten, or is asked for."""

MAD = 1.4826
"""The median absolute deviation of a normal distribution, times this, is its standard deviation."""


def suspects(values: Sequence[float], most: int) -> list[int]:
    """Return where values fall the most below those before: the number of the first low one; dips and shifts in turn.

    Greater is better; minus infinity is worse than all. No two are within `APART_MIN`, and none is the first value.

    >>> suspects([0.8, 0.82, 0.79, 0.81, 0.6, 0.58, 0.61], most=1)
    [4]
    """
    first = max(0, len(values) - WINDOWS_MAX)
    level = _finite(values[first:])
    steps = [abs(b - a) for a, b in pairwise(level)]
    noise = MAD * median(steps) / math.sqrt(2) if steps else 0.0
    sums = [0.0, *accumulate(level)]
    chosen: list[int] = []
    ranked = sorted((_ranked(sums, noise, lengths) for lengths in (DIP, SHIFT)), reverse=True)
    for each in (each for pair in zip_longest(*ranked) for each in pair if each is not None):
        start = first - each[1]
        if len(chosen) < most and all(abs(start - other) >= APART_MIN for other in chosen):
            chosen.append(start)
    return chosen


def _ranked(sums: Sequence[float], noise: float, lengths: range) -> list[tuple[float, int]]:
    """Return how far stretches of such lengths lie below what is before, and minus where they begin; worst first."""
    falls = ((_fall(sums, start, noise, lengths), -start) for start in range(1, len(sums) - 1))
    return sorted(falls, reverse=True)


def _fall(sums: Sequence[float], start: int, noise: float, lengths: range) -> float:
    """Return how far a stretch that begins here lies below what is before it, in standard errors: that of the worst."""
    worst = -math.inf
    for length in lengths:
        if start + length >= len(sums):
            break
        low = (sums[start + length] - sums[start]) / length
        for reach in BEFORE:
            before = min(reach, start)
            fall = (sums[start] - sums[start - before]) / before - low
            error = (noise or 1.0) * math.sqrt(1 / before + 1 / length)
            worst = max(worst, fall / error)
    return worst


def _finite(values: Sequence[float]) -> list[float]:
    """Put a number below all others in the place of minus infinity."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    floor = min(finite) - (max(finite) - min(finite)) - 1.0
    return [value if math.isfinite(value) else floor for value in values]
