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
    """A loop that is compiled at its first call; its code is kept on disk. Arrays must be of float64, in C order."""

    in_use = False
    """Whether any has been called: scores are made of arrays here, and numba is imported already."""

    def __init__(self, plain: Callable[..., Any]) -> None:
        self.plain = plain
        self.__doc__ = plain.__doc__
        self._run: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """Run it."""
        if self._run is None:
            self._run = _compiled(self.plain)
            Loop.in_use = True
        return self._run(*args)


def _compiled(plain: Callable[..., Any]) -> Callable[..., Any]:
    try:
        from numba import njit  # noqa: PLC0415 - a quarter of a second, for those who have arrays
    except ImportError:
        return plain
    made: Callable[..., Any] = njit(cache=True)(plain)
    return made


@Loop
def fold(n: float, average: float, values: np.ndarray) -> tuple[float, float]:
    """Return the count and the mean after the values, as river's stats.Mean: one update a value."""
    for value in values:
        n += 1.0
        average += (1.0 / n) * (value - average)
    return n, average


@Loop
def fold_twice(
    n: float, average: float, m: float, other: float, values: np.ndarray
) -> tuple[float, float, float, float]:
    """Return two counts and means after the same values, as `fold` does."""
    for value in values:
        n += 1.0
        m += 1.0
        average += (1.0 / n) * (value - average)
        other += (1.0 / m) * (value - other)
    return n, average, m, other


@Loop
def means(n: float, average: float, values: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """Write the mean before each value; return the count and the mean after all."""
    for place in range(len(values)):
        before[place] = average
        n += 1.0
        average += (1.0 / n) * (values[place] - average)
    return n, average


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
    """Return the count, sum and squared differences of a confidence sequence after the values."""
    for value in values:
        guess = total / n if n else 0.0
        total += value
        spread += (value - guess) * (value - guess)
        n += 1
    return n, total, spread
