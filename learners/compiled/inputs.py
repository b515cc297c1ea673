"""What comes with events, as arrays: labels and weights. None for what is left to river."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from learners.table import Column

ALL = np.empty(0, dtype=bool)
"""Which events are asked: all."""

WHOLE_MAX = 2**53
"""Integers below are exact as floats."""


def labels_of(ys: Sequence[Any] | Column, *, binary: bool) -> np.ndarray | None:
    """Return labels as float64: 1 or -1 for True and False, or the numbers themselves.

    >>> labels_of([True, False], binary=True), labels_of(["a"], binary=True), labels_of([1, 2.5], binary=False)
    (array([ 1., -1.]), None, array([1. , 2.5]))
    """
    array = _array(ys, {bool} if binary else {int, float})
    if array is None or array.dtype != (np.bool_ if binary else np.float64):
        return None
    if binary:
        return array * 2.0 - 1.0
    return array if np.isfinite(array).all() else None


def weights_of(weights: Sequence[float] | Column | None, count: int) -> np.ndarray | None:
    """Return the weights of events, 1 for each where there are none."""
    if weights is None:
        return np.ones(count)
    array = _array(weights, {int, float})
    if array is None or array.dtype != np.float64 or len(array) != count or not np.isfinite(array).all():
        return None
    return array


def among(values: np.ndarray, which: np.ndarray, rest: float) -> np.ndarray:
    """Return values at the places that are true in `which`, and `rest` at the others.

    >>> among(np.array([7, 8]), np.array([True, False, True]), -1)
    array([ 7, -1,  8])
    """
    found = np.full(len(which), rest, dtype=values.dtype)
    found[which] = values
    return found


def _array(values: Sequence[Any] | Column, types: set[type]) -> np.ndarray | None:
    if isinstance(values, Column):
        return np.ascontiguousarray(values.array)
    found = set(map(type, values))
    if not found <= types:
        return None
    if int in found and max(map(abs, values)) >= WHOLE_MAX:
        return None
    return np.array(values, dtype=np.bool_ if types == {bool} else np.float64)
