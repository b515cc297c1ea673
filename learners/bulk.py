"""Loops over arrays that numpy has no exact form of: compiled where models are, and Python's bits anyway.

Each is a recurrence, whose order of sums decides the bits, or calls libm: numpy's own log and squares differ from it
in the last bit now and then. They are plain Python, and run so where they are not compiled. None reassociates its sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from learners.compiled.jit import kernel
from learners.compiled.library import Library, loaded

NAMES = {"d": "float64", "?": "boolean", "q": "int64", "l": "int64"}
"""Types of kernels' arrays, by numpy's letters."""

KINDS = {"f": "float64", "i": "int64", "F": "float64[::1]", "B": "boolean[::1]"}
"""Types of a kernel: numbers, and arrays."""

LIBRARY = Library("scores", "learners.bulk", "learners.sweep_kernel")


def compiled() -> bool:
    """Tell whether loops are compiled now. They begin to be once a model is, or once events are many."""
    return LIBRARY.loaded or (loaded() and LIBRARY.ready())


class Loop:
    """A loop over arrays: compiled for some types of them, plain Python on others and while it is being compiled."""

    def __init__(self, plain: Callable[..., Any], *signatures: str) -> None:
        self._plain = plain
        self.__doc__ = plain.__doc__
        made = [kernel(each)(plain) for each in signatures]
        self._kernels = {tuple(name for name, dimensions in each.takes if dimensions): each for each in made}

    def __call__(self, *args: Any) -> Any:
        """Run it."""
        found = None
        if compiled():
            arrays = [each for each in args if isinstance(each, np.ndarray)]
            found = self._kernels.get(tuple(NAMES.get(each.dtype.char, "") for each in arrays))
            found = found if all(each.flags.c_contiguous for each in arrays) else None
        return self.as_python(*args) if found is None else found(*args)

    def as_python(self, *args: Any) -> Any:
        """Run it as it stands, on Python's own numbers."""
        return self._plain(*[each.data if isinstance(each, np.ndarray) else each for each in args])


def loop(*takes: str, returns: str = "") -> Callable[[Callable[..., Any]], Loop]:
    """Mark a loop that is compiled for arguments of these kinds, each a letter of KINDS."""
    results = ", ".join(KINDS[each] for each in returns)
    result = f"Tuple(({results}))" if returns else "void"
    return lambda plain: Loop(plain, *(f"{result}({', '.join(KINDS[each] for each in kinds)})" for kinds in takes))


@loop("ffF", "ffB", returns="ff")
def fold(n: float, average: float, values: np.ndarray) -> tuple[float, float]:
    """Return the count and the mean after the values, as river's stats.Mean: one update a value."""
    for value in values:
        n += 1.0
        average += (1.0 / n) * (value - average)
    return n, average


@loop("ffffffF", "ffffffB", returns="ffffff")
def fold_thrice(n: float, a: float, m: float, b: float, k: float, c: float, values: np.ndarray) -> tuple[float, ...]:
    """Return three counts and means (n, a, m, b, k, c) after the same values, as `fold` does."""
    for value in values:
        n += 1.0
        m += 1.0
        k += 1.0
        a += (1.0 / n) * (value - a)
        b += (1.0 / m) * (value - b)
        c += (1.0 / k) * (value - c)
    return n, a, m, b, k, c


@loop("ffFF", returns="ff")
def means(n: float, average: float, values: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Write the mean before each value; return the count and the mean after all."""
    for place in range(len(values)):
        before[place] = average
        n += 1.0
        average += (1.0 / n) * (values[place] - average)
    return n, average


@loop("BFffF")
def log_losses(ys: np.ndarray, positive: np.ndarray, least: float, most: float, out: np.ndarray) -> None:
    """Write river's LogLoss of each event, by libm: labels, and probabilities of True, clamped."""
    last, loss = 0.0, 0.0
    for place in range(len(ys)):
        p = max(min(positive[place], most), least)
        told = p if ys[place] else 1 - p
        if told != last:  # who is sure of himself costs no logarithm
            last, loss = told, -math.log(told)
        out[place] = loss


@loop("FF")
def minus_logs(values: np.ndarray, out: np.ndarray) -> None:
    """Write -log of each value, by libm."""
    for place in range(len(values)):
        out[place] = -math.log(values[place])


@loop("FfF")
def powers(values: np.ndarray, exponent: float, out: np.ndarray) -> None:
    """Write each value to the power of the exponent, by libm, as Python does: x ** 2 is not always x * x."""
    for place in range(len(values)):
        out[place] = values[place] ** exponent


@loop("ffffFF", returns="ffff")
def squares_of(
    n: float, mean: float, spread: float, residual: float, ys: np.ndarray, numbers: np.ndarray
) -> tuple[float, float, float, float]:
    """Return the sums of river's R2 after the events: those of its stats.Var, and the squared errors."""
    for place in range(len(ys)):
        y = ys[place]
        n += 1.0
        old = mean
        mean += (1.0 / n) * (y - mean)
        spread += (y - old) * (y - mean)
        error = y - numbers[place]
        residual += error * error
    return n, mean, spread, residual


@loop("iffF", "iffB", returns="iff")
def bound(n: int, total: float, spread: float, values: np.ndarray) -> tuple[int, float, float]:
    """Return the count, sum and squared differences of a confidence sequence after the values; NaN is none."""
    for each in values:
        value = each * 1.0  # of a boolean, too
        if value == value:  # noqa: PLR0124 - NaN does not
            difference = value - (total / n if n else 0.0)
            total += value
            spread += difference * difference
            n += 1
    return n, total, spread


@loop("iffFF", "iffBB", returns="iff")
def bound_differences(
    n: int, total: float, spread: float, values: np.ndarray, others: np.ndarray
) -> tuple[int, float, float]:
    """Return the count, sum and squared differences of a confidence sequence after the differences; NaN is none."""
    for place in range(len(values)):
        value = values[place] * 1.0 - others[place] * 1.0
        if value == value:  # noqa: PLR0124 - NaN does not
            difference = value - (total / n if n else 0.0)
            total += value
            spread += difference * difference
            n += 1
    return n, total, spread


@loop("BB", returns="iii")
def count_trues(ys: np.ndarray, labels: np.ndarray) -> tuple[int, int, int]:
    """Return how often each of two columns of booleans is True, and how often both are."""
    first, second, both = 0, 0, 0
    for place in range(len(ys)):
        first += ys[place]
        second += labels[place]
        both += ys[place] & labels[place]
    return first, second, both
