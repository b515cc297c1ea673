"""Confidence sequences of paired differences: an interval for the running mean of differences, valid at every look.

Tighter than `learners.confidence` where a few thousand events are to decide; the condition is the same: every
difference lies in [-most, most], declared beforehand. Differences may depend on each other, their means may drift or
jump, and one may look, stop or choose by what one saw. Covered, at all moments at once: the average so far of the
differences' expectations, each given all differences before it. (So an interval of a later moment speaks of another
average: intervals of several moments are not to be intersected.)

Source: Howard, Ramdas, McAuliffe and Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences,
Annals of Statistics 49(2): the discrete mixture (section 3) of the empirical Bernstein process (Theorem 4).

Why it holds: let d be the differences, g(i) a guess at d(i) that knows only those before it: their mean, but never
further from 0 than GUESS times `most`. So d - g is at least -c with c = (1 + GUESS) most. Let V be the sum of
(d - g)^2, and S the sum of d less the sum of their expectations. With x = (d - g) / c >= -1, and u in [0, 1),
exp(u x - psi(u) x^2) <= 1 + u x where psi(u) = -log(1 - u) - u (Fan, Grama and Liu 2015). Take expectations, and
1 + u E x <= exp(u E x): then exp(u S / c - psi(u) V / c^2) is a supermartingale that begins at 1, and so is a mixture
of some of them with weights that add up to 1. It reaches 1 / alpha with probability alpha at most (Ville).
`boundary` is the sum S at which it does. The other side is the same of -d, each side with half of what there is.

The mixture is fixed beforehand: slopes u = 1 / (1 + 2^h) for h from -2 to 13.5, with weights 1 / (1 + ((h - 4.5) /
2.5)^2): heavy tails around the slope that is best for some thousand events of a yes or no, good from ten to 10^9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GUESS = 0.125
"""Guesses are at most so much of `most` away from 0: the mean of differences is small, and a small c is worth more."""

_H = np.arange(-4, 28) / 2
SLOPES = 1 / (1 + 2**_H)
PSI = -np.log1p(-SLOPES) - SLOPES
WEIGHTS = 1 / (1 + ((_H - 4.5) / 2.5) ** 2)
WEIGHTS /= WEIGHTS.sum()

NEWTON_STEPS = 8
"""The steps come from above, so that the interval is valid after any number; from 5 on nothing changes any more."""
BLOCK = 4096


def boundary(v: Sequence[float] | np.ndarray, *, alpha: float, scale: float) -> np.ndarray:
    """Return the sum at each intrinsic time v that is reached, ever, with probability alpha at most. `scale` is c.

    >>> boundary([6152.0], alpha=0.025, scale=1.125).round(2).tolist()
    [260.08]
    """
    units = np.asarray(v, dtype=float) / scale**2
    blocks = [_reached(units[start : start + BLOCK], alpha) for start in range(0, len(units), BLOCK)]
    return scale * np.concatenate([np.empty(0), *blocks])


def _reached(v: np.ndarray, alpha: float) -> np.ndarray:
    """Solve for the sum at which the mixture is 1 / alpha, by Newton's method from where a single line reaches it."""
    due = -np.log(alpha)
    logs = np.log(WEIGHTS) - PSI * v[:, None]
    sums: np.ndarray = ((due - logs) / SLOPES).min(axis=1)
    for _ in range(NEWTON_STEPS):
        exponents = logs + SLOPES * sums[:, None]
        most = exponents.max(axis=1)
        parts = np.exp(exponents - most[:, None])
        whole = parts.sum(axis=1)
        sums = sums - (most + np.log(whole) - due) * whole / (parts * SLOPES).sum(axis=1)
    return sums


@dataclass(slots=True)
class Differences:
    """The interval of differences in [-most, most], in bounded memory: their count, their sum, and V.

    Sums are made one value after the other, so that how values come in batches makes no difference to any bit.

    >>> differences = Differences(1.0)
    >>> _ = differences.add([1.0, 0.0, 0.0, -1.0] * 100)
    >>> differences.n, differences.mean, [round(end, 2) for end in differences.interval(alpha=0.05)]
    (400, 0.0, [-0.13, 0.13])
    """

    most: float
    n: int = 0
    total: float = 0.0
    spread: float = 0.0

    def add(self, values: Sequence[float] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take in values in order, each within `most`; return the sum and V after each of them."""
        size = len(values)
        totals, spreads = np.empty(size + 1), np.empty(size + 1)
        totals[0], totals[1:] = self.total, values
        np.add.accumulate(totals, out=totals)
        counts = np.arange(self.n, self.n + size, dtype=float)
        counts[:1] = np.maximum(counts[:1], 1.0)  # nothing summed yet: 0 / 1 is the first guess
        np.divide(totals[:-1], counts, out=counts)
        np.clip(counts, -GUESS * self.most, GUESS * self.most, out=counts)
        spreads[0] = self.spread
        np.square(np.subtract(values, counts, out=counts), out=spreads[1:])
        np.add.accumulate(spreads, out=spreads)
        self.n += size
        self.total, self.spread = float(totals[-1]), float(spreads[-1])
        return totals[1:], spreads[1:]

    @property
    def mean(self) -> float:
        """The mean of the differences so far; 0 where there are none."""
        return self.total / self.n if self.n else 0.0

    def interval(self, *, alpha: float) -> tuple[float, float]:
        """Return both ends; one of them is ever wrong, at any moment, with probability alpha at most."""
        if not self.n:
            return -self.most, self.most
        low, high = ends([self.n], [self.total], [self.spread], most=self.most, alpha=alpha)
        return float(low[0]), float(high[0])


def ends(
    counts: Sequence[float] | np.ndarray,
    totals: Sequence[float] | np.ndarray,
    spreads: Sequence[float] | np.ndarray,
    *,
    most: float,
    alpha: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lower and the upper ends at some moments, given what `Differences` had there; counts from 1 on."""
    numbers = np.asarray(counts, dtype=float)
    radius = boundary(spreads, alpha=alpha / 2, scale=(1 + GUESS) * most) / numbers
    means = np.asarray(totals, dtype=float) / numbers
    return np.maximum(-most, means - radius), np.minimum(most, means + radius)
