"""Losses of many events at once, from arrays: those of river's metrics, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from river.metrics import R2

from learners.bulk import fold, log_losses, minus_logs, powers, squares_of
from learners.probable import Probable
from learners.table import Column

LEAST, MOST = 1e-15, 1 - 1e-15
"""Where river clamps probabilities before it takes logarithms."""


def losses(name: str, ys: Sequence[Any], numbers: Sequence[Any]) -> np.ndarray | None:
    """Return the losses of a metric by its name; None where they must be computed one by one, or one is not finite.

    >>> losses("MAE", Column(np.array([1.0, 2.0])), Column(np.array([1.5, 0.0]))).tolist()
    [0.5, 2.0]
    """
    if not isinstance(ys, Column) or not isinstance(numbers, Column | Probable):
        return None
    if isinstance(numbers, Probable):
        if ys.array.dtype != bool or not numbers.binary or name not in _OF_PROBABILITIES:
            return None
        return _OF_PROBABILITIES[name](ys.array, numbers)
    if ys.array.dtype != float or numbers.array.dtype != float or name not in _OF_NUMBERS:
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        found = _OF_NUMBERS[name](ys.array, numbers.array)
    return found if np.isfinite(found).all() else None


def _log_loss(ys: np.ndarray, numbers: Probable) -> np.ndarray:
    out = np.empty(len(ys))
    log_losses(ys, numbers.of(True), LEAST, MOST, out)
    return out


def _cross_entropy(ys: np.ndarray, numbers: Probable) -> np.ndarray:
    told = np.where(ys, numbers.of(True), numbers.of(False))
    return _minus_logs(np.maximum(np.minimum(told, MOST), LEAST))


def _minus_logs(values: np.ndarray) -> np.ndarray:
    out = np.empty_like(values)
    minus_logs(values, out)
    return out


def _absolute(ys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(ys - numbers)
    return found


def _squared(ys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return _squares(ys - numbers)


def _squares(values: np.ndarray) -> np.ndarray:
    out = np.empty_like(values)
    try:
        powers(values, 2.0, out)
    except OverflowError:  # Python's; compiled, it is infinity
        out[:] = np.inf
    return out


def _percentage(ys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return _divided(np.abs(ys - numbers), np.abs(ys))


def _symmetric(ys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return _divided(2.0 * np.abs(ys - numbers), np.abs(ys) + np.abs(numbers))


def _divided(errors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.divide(errors, sizes, out=np.zeros(len(errors)), where=sizes != 0.0)
    return found


def update_running(judge: Any, ys: np.ndarray, numbers: np.ndarray) -> int:
    """Update river's R2 or RMSLE with events, float64; return how many it could take."""
    if not len(ys):
        return 0
    if isinstance(judge, R2):
        var, residual = judge._y_var, float(judge._residual_sum_of_squares)  # noqa: SLF001 - where river keeps them
        found = squares_of(var.mean.n, var.mean._mean, var._S, residual, ys, numbers)  # noqa: SLF001
        var.mean.n, var.mean._mean, var._S, judge._residual_sum_of_squares = found  # noqa: SLF001
        return len(ys)
    fine = (ys + 1.0 > 0.0) & (numbers + 1.0 > 0.0)  # of the others there is no logarithm
    differences = _minus_logs(ys[fine] + 1.0) - _minus_logs(numbers[fine] + 1.0)
    mean = judge._mean  # noqa: SLF001
    mean.n, mean._mean = fold(mean.n, mean._mean, _squares(differences))  # noqa: SLF001
    return len(differences)


_OF_PROBABILITIES: dict[str, Callable[[np.ndarray, Probable], np.ndarray]] = {
    "LogLoss": _log_loss,
    "CrossEntropy": _cross_entropy,
}
_OF_NUMBERS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "MAE": _absolute,
    "MAPE": _percentage,
    "MSE": _squared,
    "RMSE": _squared,
    "SMAPE": _symmetric,
}
