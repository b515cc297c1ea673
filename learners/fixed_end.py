"""Tests of paired differences at a fixed end: one look, at an end that was fixed before the first event was seen.

They are sharper than a confidence sequence there, and wrong anywhere else: whoever looks again and again and stops when
p is small finds a difference between equals sooner or later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

EVENTS_MIN = 30
"""Diebold and Mariano's statistic is normal for many events only."""


def mcnemar(only_a: int, only_b: int) -> float:
    """Return McNemar's exact two-sided p: events that only one of two had right, as tosses of a fair coin.

    Source: McNemar (1947), Psychometrika 12(2), in its exact binomial form. Condition: given that just one is right,
    which one it is does not depend on the events before. Relative error below 1e-8 up to a million of such events.

    >>> round(mcnemar(2, 8), 6), mcnemar(0, 0)
    (0.109375, 1.0)
    """
    n, k = only_a + only_b, min(only_a, only_b)
    if 2 * k == n:
        return 1.0
    down = np.arange(k, 0, -1)  # P(i - 1) is P(i) i / (n - i + 1)
    parts = 1.0 + float(np.cumprod(down / (n - down + 1)).sum())
    first = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
    return min(1.0, 2 * parts * math.exp(first))


def diebold_mariano(differences: np.ndarray) -> float | None:
    """Return Diebold and Mariano's two-sided p of a mean of 0, with the variance of Newey and West (1987).

    Source: Diebold and Mariano (1995), Journal of Business and Economic Statistics 13(3). Asymptotic, without a bound
    of the losses. Condition: the differences are stationary with short memory (a drift breaks it). Autocovariances up
    to the lag n^(1/3), with Bartlett's weights. None for fewer than EVENTS_MIN differences.

    >>> diebold_mariano(np.array([1.0, -1.0] * 30)), diebold_mariano(np.ones(5))
    (1.0, None)
    """
    n = len(differences)
    if n < EVENTS_MIN:
        return None
    units = differences / (float(np.abs(differences).max()) or 1.0)  # squares of what explodes stay finite
    mean = float(units.mean())
    variance = newey_west(units - mean, round(math.cbrt(n)))
    if not variance:
        return 1.0 if not mean else 0.0
    return math.erfc(abs(mean) / math.sqrt(2 * variance / n))


def newey_west(values: np.ndarray, lag: int) -> float:
    """Return the long-run variance of values with mean 0: autocovariance h with the weight 1 - h / (lag + 1), twice.

    That is the mean square of the sums of all lag + 1 neighbours (zeros beyond both ends): O(n), and never negative.

    >>> newey_west(np.array([1.0, -1.0, 1.0, -1.0]), 1)  # 1 + 2 (1/2) (-3/4)
    0.25
    """
    width = lag + 1
    sums = np.zeros(len(values) + 2 * width - 1)
    np.cumsum(values, out=sums[width : width + len(values)])
    sums[width + len(values) :] = sums[width + len(values) - 1]
    windows = sums[width:] - sums[:-width]
    windows *= windows  # no dot product: its bits follow the threads of the library
    return float(windows.sum()) / (len(values) * width)


def holm(ps: Sequence[float], among: int | None = None) -> list[float]:
    """Return each p corrected so that any false finding among all of them is as rare as p says, whatever they share.

    Source: Holm (1979), Scandinavian Journal of Statistics 6(2). `among`: how many could have been tested, where only
    some were, chosen by what was seen; the others count as 1.

    >>> holm([0.01, 0.04, 0.03]), holm([0.01], among=10)
    ([0.03, 0.06, 0.06], [0.1])
    """
    count = len(ps) if among is None else among
    found, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, (count - rank) * ps[place]))
        found[place] = largest
    return found
