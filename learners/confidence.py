"""Confidence sequences: an interval for a running mean of bounded values, valid at every moment one looks at it.

Source: Howard, Ramdas, McAuliffe and Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences,
Annals of Statistics 49(2): Theorem 4 (empirical Bernstein) with the stitched boundary of Theorem 1.

Condition: every value lies in [low, high], declared beforehand. Nothing else: values may depend on each other, their
means may drift or jump, and one may look, stop or choose by what one saw.
Covered: the average of the values' expectations, each given all values before it. With probability 0.95 the interval
holds it at all moments at once. So it speaks of the losses of the predictions that were made, each by the model of its
time; it does not say how the model of today will do.

Why it holds: let c = high - low, g(i) any guess at value i that knows only the values before it, V the sum of
(value - g)^2, and S the sum of (value - expectation). Then exp(l S - (-log(1 - c l) - c l) / c^2 V) is a
supermartingale for l in [0, 1/c) (Fan, Grama and Liu 2015), so that a line S = r / l + psi(l) / l V is crossed with
probability exp(-r) at most (Ville); psi(l) = l^2 / (2 (1 - c l)) bounds the term above. For the epoch where V is in
[m eta^k, m eta^(k+1)) take the line with r = log(h(k) / alpha) that is lowest in the epoch's middle; as the sum of
1 / h(k) is 1, no line is crossed with probability 1 - alpha, and `boundary` lies on or above each in its epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from learners.bulk import bound, bound_differences, compiled

LEVEL = 0.95
"""Probability with which an interval holds at all moments; half of the rest for each side."""

ETA = 2.0
POWER = 1.4
ZETA = 3.1055472779775806
"""Epochs grow by ETA; epoch k has the share 1 / h(k), with h(k) = ZETA (k + 1)^POWER, and ZETA = zeta(POWER)."""

K1 = (ETA**0.25 + ETA**-0.25) / math.sqrt(2)
K2 = (math.sqrt(ETA) + 1) / 2


def boundary(v: float, *, alpha: float, scale: float, start: float) -> float:
    """Return the stitched boundary at intrinsic time v: crossed at any time with probability alpha at most.

    `scale` is c, `start` is m: the intrinsic time where the first epoch begins; before it the boundary is flat.

    >>> round(boundary(100, alpha=0.05, scale=3, start=10), 5)
    64.48755
    """
    v = max(v, start)
    ell = POWER * math.log(math.log(v / start, ETA) + 1) + math.log(ZETA / alpha)
    linear = K2 * scale * ell
    return math.sqrt(K1**2 * v * ell + linear**2) + linear


def parts_of_boundary(scale: float) -> np.ndarray:
    """Return what `boundary` is made of at half of what LEVEL leaves, for `sweep_kernel.ends`: also its exponent, 2."""
    share = math.log(ZETA / ((1 - LEVEL) / 2))
    return np.array([scale, K1**2, K2 * scale, POWER, math.log(ETA), share, 2.0])


@dataclass(slots=True)
class ConfidenceSequence:
    """The interval for values in [low, high], in bounded memory. The guess is the mean of what came before, 0 at first.

    State: count, sum, and the sum of squared differences from the guesses. Sums are made one value after the other, so
    that how values come in batches makes no difference to any bit.

    >>> sequence = ConfidenceSequence(0.0, 1.0)
    >>> sequence.add([1.0] * 60 + [0.0] * 40)
    >>> sequence.n, sequence.mean, [round(end, 2) for end in sequence.interval()]
    (100, 0.6, [0.3, 0.9])
    """

    low: float
    high: float
    n: int = 0
    total: float = 0.0
    spread: float = 0.0

    def add(self, values: Sequence[float] | np.ndarray) -> None:
        """Take in values in order, each in [low, high]; NaN is none."""
        if compiled() and isinstance(values, np.ndarray):
            self.n, self.total, self.spread = bound(self.n, self.total, self.spread, values)
            return
        values = np.asarray(values, float)
        values = values[~np.isnan(values)]
        size = len(values)
        if not size:
            return
        column = np.empty(size + 1)
        column[0], column[1:] = self.total, values
        totals = np.add.accumulate(column)
        counts = np.arange(self.n, self.n + size, dtype=float)
        counts[0] = counts[0] or 1.0  # nothing summed yet: 0 / 1 is the first guess
        column[1:] -= totals[:-1] / counts
        column *= column
        column[0] = self.spread
        self.n += size
        self.total = float(totals[-1])
        self.spread = float(np.add.accumulate(column)[-1])

    def add_differences(self, values: np.ndarray, others: np.ndarray) -> None:
        """Take in differences in order: of two floats, or of two booleans."""
        if compiled():
            self.n, self.total, self.spread = bound_differences(self.n, self.total, self.spread, values, others)
        else:
            self.add(np.asarray(values, float) - np.asarray(others, float))

    @property
    def mean(self) -> float:
        """The mean of the values so far; 0 where there are none."""
        return self.total / self.n if self.n else 0.0

    def interval(self) -> tuple[float, float]:
        """Return both ends, within [low, high]; all of that while there is no value."""
        if not self.n:
            return self.low, self.high
        c = self.high - self.low
        radius = boundary(self.spread, alpha=(1 - LEVEL) / 2, scale=c, start=c * c) / self.n
        return max(self.low, self.mean - radius), min(self.high, self.mean + radius)
