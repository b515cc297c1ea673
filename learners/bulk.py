"""Loops over arrays that numpy has no exact form of: compiled by numba where it is installed, and Python's bits anyway.

Each is a recurrence, whose order of sums decides the bits, or calls libm: numpy's own log and squares differ from it
in the last bit now and then. They are written in plain Python and run so without numba. None reassociates its sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


class Loop:
    """A loop over arrays, compiled at its first call; its code is kept on disk."""

    in_use = False
    """Whether any has been called: scores are made of arrays here, and numba is imported already."""

    def __init__(self, plain: Callable[..., Any]) -> None:
        self._plain = plain
        self.__doc__ = plain.__doc__
        self._run: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """Run it."""
        return self._first(*args) if self._run is None else self._run(*args)

    def _first(self, *args: Any) -> Any:
        Loop.in_use = True
        try:
            from numba import njit  # noqa: PLC0415 - a quarter of a second, for those who have arrays
        except ImportError:
            self._run = self.as_python
            return self._run(*args)
        try:
            found = (run := njit(cache=True)(self._plain))(*args)
        except Exception:  # noqa: BLE001 - whatever is wrong with the cache: without one, the loop is the same
            found = (run := njit(self._plain))(*args)
        self._run = run
        return found

    def as_python(self, *args: Any) -> Any:
        """Run it without numba, on Python's own numbers."""
        return self._plain(*[each.data if isinstance(each, np.ndarray) else each for each in args])


@Loop
def fold(n: float, average: float, values: np.ndarray) -> tuple[float, float]:
    """Return the count and the mean after the values, as river's stats.Mean: one update a value."""
    for value in values:
        n += 1.0
        average += (1.0 / n) * (value - average)
    return n, average


@Loop
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


@Loop
def means(n: float, average: float, values: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Write the mean before each value; return the count and the mean after all."""
    for place in range(len(values)):
        before[place] = average
        n += 1.0
        average += (1.0 / n) * (values[place] - average)
    return n, average


@Loop
def log_losses(ys: np.ndarray, positive: np.ndarray, least: float, most: float, out: np.ndarray) -> None:
    """Write river's LogLoss of each event, by libm: labels, and probabilities of True, clamped."""
    last, loss = 0.0, 0.0
    for place in range(len(ys)):
        p = max(min(positive[place], most), least)
        told = p if ys[place] else 1 - p
        if told != last:  # who is sure of himself costs no logarithm
            last, loss = told, -math.log(told)
        out[place] = loss


@Loop
def minus_logs(values: np.ndarray, out: np.ndarray) -> None:
    """Write -log of each value, by libm."""
    for place in range(len(values)):
        out[place] = -math.log(values[place])


@Loop
def powers(values: np.ndarray, exponent: float, out: np.ndarray) -> None:
    """Write each value to the power of the exponent, by libm, as Python does: x ** 2 is not always x * x."""
    for place in range(len(values)):
        out[place] = values[place] ** exponent


@Loop
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


@Loop
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


@Loop
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


@Loop
def count_trues(ys: np.ndarray, labels: np.ndarray) -> tuple[int, int, int]:
    """Return how often each of two columns of booleans is True, and how often both are."""
    first, second, both = 0, 0, 0
    for place in range(len(ys)):
        first += ys[place]
        second += labels[place]
        both += ys[place] & labels[place]
    return first, second, both
