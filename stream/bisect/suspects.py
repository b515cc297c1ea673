"""Where a score series got worse: the windows with which the worst stretches begin, for replay to look at closely.

A stretch of windows is compared with those right before it: how far its mean lies below theirs, by the noise of the
series (the median step between neighbours, which no shift and no drift moves). Source of the statistic, for a stretch
that may end again: Levin and Kline (1985), the epidemic alternative.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median

STRETCH_MAX = 20
"""So many windows are compared at most with as many before them: a longer shift is as clear by its first windows."""

BEFORE = (3, STRETCH_MAX)
"""A sudden fall is clear against the last few windows, a small one only against more."""

WINDOWS_MAX = 5_000
"""Only so many windows are looked at, the last: what lies further back has long been forgotten, or is asked for."""

MAD = 1.4826
"""The median absolute deviation of a normal distribution, times this, is its standard deviation."""


def suspects(values: Sequence[float], most: int) -> list[int]:
    """Return where values fall the most below those before: the number of the first low one, the worst first.

    Greater is better; minus infinity is worse than all. No two are neighbours, and none is the first value.

    >>> suspects([0.8, 0.82, 0.79, 0.81, 0.6, 0.58, 0.61], most=1)
    [4]
    """
    first = max(0, len(values) - WINDOWS_MAX)
    level = _finite(values[first:])
    steps = [abs(b - a) for a, b in pairwise(level)]
    noise = MAD * median(steps) / math.sqrt(2) if steps else 0.0
    sums = [0.0, *accumulate(level)]
    found = [(_fall(sums, start, noise), start + first) for start in range(1, len(level))]
    chosen: list[int] = []
    for fall, start in sorted(found, key=lambda each: (-each[0], each[1])):
        if fall > 0 and len(chosen) < most and all(abs(start - other) > 1 for other in chosen):
            chosen.append(start)
    return chosen


def _fall(sums: Sequence[float], start: int, noise: float) -> float:
    """Return how far a stretch that begins here lies below what is before it, in standard errors: that of the worst."""
    worst = -math.inf
    for length in range(1, min(STRETCH_MAX, len(sums) - 1 - start) + 1):
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
