"""The loop of a Gaussian naive Bayes: river's operations in river's order, on arrays. Compiled at import.

What a GaussianNB learns depends on nothing that it answers. So the loop gives the logarithms of joint likelihoods for
all events of a batch; probabilities are made of them afterwards.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled.jit import inner, kernel

LEAST = 10e-10
"""river.naive_bayes.gaussian._PDF_EPS: what a density has at least."""


@inner
def density(x: float, n: float, mean: float, squares: float) -> float:
    """Return the density of a river.proba.Gaussian without degrees of freedom."""
    variance = squares / n if n > 0.0 else 0.0
    if not variance > 0.0:
        return 0.0
    sigma = math.sqrt(variance)
    z = (x - mean) / sigma
    return math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / sigma


@inner
def likelihood(xs: Any, event: int, ns: Any, means: Any, squares: Any, of: int, compensated: int) -> float:
    """Return the sum of the logarithms of densities for one class, as Python's `sum` adds.

    From Python 3.12 on it keeps what is rounded off (Neumaier 1974).
    """
    total, rest = 0.0, 0.0
    for j in range(ns.shape[1]):
        x = xs[event, j]
        if math.isnan(x):
            continue
        term = math.log(LEAST + density(x, ns[of, j], means[of, j], squares[of, j]))
        added = total + term
        rest += (total - added) + term if abs(total) >= abs(term) else (term - added) + total
        total = added
    return total + rest if compensated == 1 and rest != 0.0 and math.isfinite(rest) else total


@inner
def learn(xs: Any, event: int, ns: Any, means: Any, squares: Any, of: int) -> None:
    """Let the densities of one class learn an event: river.stats.Var.update, with a weight of 1."""
    for j in range(ns.shape[1]):
        x = xs[event, j]
        if math.isnan(x):
            continue
        n, mean = ns[of, j] + 1.0, means[of, j]
        moved = mean + (1.0 / n) * (x - mean)
        ns[of, j] = n
        means[of, j] = moved
        squares[of, j] += (x - mean) * (x - moved)


@kernel(
    "int64(float64[:, ::1], boolean[::1], int64[::1], int64, int64, float64[::1],"
    " float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[:, ::1])"
)
def run(
    xs: Any, asks: Any, ys: Any, known: int, compensated: int, counts: Any, ns: Any, means: Any, squares: Any, out: Any
) -> int:
    """Ask, then teach, event by event; return how many classes are known then, -1 if anything is not finite.

    `xs` are those of `linear_kernel.run`; `asks` tells which are asked, none: all. `ys` are numbers of classes, in the
    order in which they came first, -1 of what is not taught; none: ask only. `out`, of shape (events, classes), gets
    the logarithms of the joint likelihoods with those classes that were known when an event was asked; others are left
    as they are.
    """
    total = 0.0
    for c in range(known):
        total += counts[c]
    for event in range(len(out)):
        if len(asks) == 0 or asks[event]:
            for c in range(known):
                joint = math.log(counts[c] / total) + likelihood(xs, event, ns, means, squares, c, compensated)
                out[event, c] = joint
                if not math.isfinite(joint):
                    return -1
        if len(ys) == 0 or ys[event] < 0:
            continue
        known = max(known, ys[event] + 1)
        counts[ys[event]] += 1.0
        total += 1.0
        learn(xs, event + len(xs) - len(out), ns, means, squares, ys[event])
    return known


@kernel("void(float64[:, ::1], float64[::1], float64[:, ::1])")
def probabilities(joint: Any, whole: Any, out: Any) -> None:
    """Put exp(joint - whole) into `out`, of shape (events, classes); `whole` has a number an event."""
    for event in range(len(joint)):
        for c in range(joint.shape[1]):
            out[event, c] = math.exp(joint[event, c] - whole[event])
