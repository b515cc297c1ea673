"""The steps of a pipeline before its model: those that a model's kernel does not do itself go ahead of it.

A selection is one of columns, made once for a batch. Scalers go through a whole batch, one after the other.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
from river import preprocessing

from learners.compiled import codes, powers, scaling_kernel
from learners.compiled.branches import Branch, chosen
from learners.compiled.recognition import Found
from learners.compiled.sight import Sight
from learners.table import Layout, Table


class Scaler(Protocol):
    """A scaler of river on arrays. `state` has a row for each thing that it keeps, a column for each feature."""

    state: np.ndarray

    def load(self, scaler: Any) -> None:
        """Take the state over; may raise whatever a number that is none raises."""

    def go(self, asked: np.ndarray, taught: np.ndarray, asks: np.ndarray, ws: np.ndarray) -> bool:
        """Scale events in their place, as `scaling_kernel.standard`."""

    def sound(self) -> bool:
        """Tell whether all numbers are what the arrays can go on with."""

    def store(self, scaler: Any, asked: Sequence[int], learned: Sequence[int]) -> None:
        """Give the state back, for the columns that were asked and learned, in the order in which they came first."""


class Standard:
    """A StandardScaler."""

    def __init__(self, names: Sequence[str], scaling: int) -> None:
        self.state = np.zeros((4, len(names)))
        self._names = names
        self._scaling = scaling
        self._room = np.zeros((3, len(names)))

    def load(self, scaler: Any) -> None:
        """Take the state over."""
        load_standard(scaler, self._names, self.state)

    def go(self, asked: np.ndarray, taught: np.ndarray, asks: np.ndarray, ws: np.ndarray) -> bool:
        """Scale."""
        rest = self._scaling, quick_roots(), 0.5, self.state, self._room
        return bool(scaling_kernel.standard(asked, taught, asks, ws, *rest))

    def sound(self) -> bool:
        """All numbers must be finite."""
        return bool(np.isfinite(self.state).all())

    def store(self, scaler: Any, asked: Sequence[int], learned: Sequence[int]) -> None:
        """Give the state back."""
        store_standard(scaler, self._names, self.state, asked, learned)


class MinMax:
    """A MinMaxScaler. What it does not know yet has the least inf and the greatest -inf, as in river."""

    def __init__(self, names: Sequence[str]) -> None:
        self.state = np.zeros((2, len(names)))
        self._names = names
        self._room = np.zeros((2, len(names)))

    def load(self, scaler: Any) -> None:
        """Take the state over."""
        for row, kept, none in ((codes.LOW, scaler.min, math.inf), (codes.HIGH, scaler.max, -math.inf)):
            self.state[row] = [kept[name].get() if name in kept else none for name in self._names]

    def go(self, asked: np.ndarray, taught: np.ndarray, asks: np.ndarray, ws: np.ndarray) -> bool:
        """Scale."""
        return bool(scaling_kernel.min_max(asked, taught, asks, ws, self.state, self._room))

    def sound(self) -> bool:
        """Numbers must be finite where there are any."""
        known = self.state[codes.LOW] != math.inf
        return bool(np.isfinite(self.state[:, known]).all() and (self.state[codes.HIGH, ~known] == -math.inf).all())

    def store(self, scaler: Any, asked: Sequence[int], learned: Sequence[int]) -> None:
        """Give the state back."""
        state, names = self.state.tolist(), self._names
        for column in asked:
            scaler.min[names[column]], scaler.max[names[column]]
        for column in learned:
            scaler.min[names[column]].min = state[codes.LOW][column]
            scaler.max[names[column]].max = state[codes.HIGH][column]


class Steps:
    """What comes to a model: the numbers of its features, in the order of their keys, scaled by what goes ahead."""

    events_max = sys.maxsize

    def __init__(self, found: Found | Branch, layout: Layout) -> None:
        self.names = found.names
        self._found = found
        self._layout = layout
        places = [layout.numbers.index(name) for name in found.names]
        self._places = None if places == list(range(len(layout.numbers))) else np.array(places, dtype=np.intp)
        self._scalers: list[Scaler] = []

    def load(self, steps: Mapping[str, Any]) -> bool:
        """Take the state over from river's steps; return whether it can be gone on with. May raise as `Scaler.load`."""
        found, width = self._found, len(self._found.names)
        self._scalers = []
        self.asked, self.learned = Sight(width), Sight(width)
        for name in found.ahead:
            step = steps[name]
            standard = type(step) is preprocessing.StandardScaler
            scaling = codes.STANDARD if standard and step.with_std else codes.CENTERED
            scaler = Standard(found.names, scaling) if standard else MinMax(found.names)
            scaler.load(step)
            self._scalers.append(scaler)
        same = found.selected is None or chosen(steps[found.selected], self._layout) == found.names
        return same and all(scaler.sound() for scaler in self._scalers)

    def bring(self, xs: Table, asks: np.ndarray, ws: np.ndarray) -> np.ndarray | None:
        """Return events as they come to the model: all when they are asked, then, where they differ, when taught.

        None if anything is odd. What is not in `asks` (none: all) is not asked, what weighs nothing is not taught.
        """
        numbers = self._numbers(xs)
        if numbers is None:
            return None
        self._last = numbers
        return self._go(numbers, asks, ws)

    def _numbers(self, xs: Table) -> np.ndarray | None:
        """Return the numbers of the model's features, None if a table has others, or lacks one that is selected."""
        if xs.layout != self._layout:
            return None
        if self._places is None:
            numbers = np.ascontiguousarray(xs.numbers, dtype=np.float64)
        else:
            numbers = np.ascontiguousarray(xs.numbers[:, self._places], dtype=np.float64)
        return None if self._found.whole and np.isnan(numbers).any() else numbers

    def _go(self, numbers: np.ndarray, asks: np.ndarray, ws: np.ndarray) -> np.ndarray | None:
        if not self._scalers:
            return numbers
        both = np.concatenate([numbers, numbers])
        asked, taught = both[: len(numbers)], both[len(numbers) :]
        for scaler in self._scalers:
            if not (scaler.go(asked, taught, asks, ws) and scaler.sound()):
                return None
        return both

    def kept(self) -> Any:
        """Return a copy of the state, for `undo`."""
        return [scaler.state.copy() for scaler in self._scalers], self.asked.kept(), self.learned.kept()

    def undo(self, kept: Any) -> None:
        """Go back to a state."""
        for scaler, state in zip(self._scalers, kept[0], strict=True):
            scaler.state = state
        self.asked.undo(kept[1])
        self.learned.undo(kept[2])

    @property
    def learned_columns(self) -> list[int]:
        """The columns that were learned since `load`, in the order in which they came first."""
        return self.learned.order

    def see(self, asks: np.ndarray, learns: np.ndarray | None) -> None:
        """Note which features came in what was brought last: of what is asked (none: all), and learned (None: all).

        What is learned is transformed then, too, as if it were asked.
        """
        numbers = self._last
        self.asked.see(numbers, None if learns is None or not len(asks) else asks | learns)
        self.learned.see(numbers, learns)

    def store(self, steps: Mapping[str, Any]) -> None:
        """Give the state back."""
        for name, scaler in zip(self._found.ahead, self._scalers, strict=True):
            scaler.store(steps[name], self.asked.order, self.learned.order)


def fill(names: Sequence[str], kept: Mapping[str, float]) -> list[float]:
    """Return what is kept of each feature; 0.0 where it has not come."""
    return [kept.get(name, 0.0) for name in names]


def load_standard(scaler: Any, names: Sequence[str], state: np.ndarray) -> None:
    """Put what a StandardScaler keeps into the first rows of a state."""
    state[codes.COUNT] = fill(names, scaler.counts)
    state[codes.MEAN] = fill(names, scaler.means)
    if scaler.with_std:
        state[codes.VAR] = fill(names, scaler.vars)
        state[codes.ROOT] = [var**0.5 if var >= 0.0 else math.nan for var in state[codes.VAR].tolist()]


def store_standard(
    scaler: Any, names: Sequence[str], state: np.ndarray, asked: Sequence[int], learned: Sequence[int]
) -> None:
    """Give a StandardScaler what is in the first rows of a state."""
    fresh = scaler.vars if scaler.with_std else scaler.means
    for column in asked:
        fresh.setdefault(names[column], 0.0)
    counts, means, variances = state[: codes.VAR + 1].tolist()
    for column in learned:
        name = names[column]
        scaler.counts[name] = int(counts[column])
        scaler.means[name] = means[column]
        if scaler.with_std:
            scaler.vars[name] = variances[column]


@cache
def quick_roots() -> int:
    """Return 1 if quick roots are right here, 0 if not: another libm's pow may round in another way."""
    draw = np.random.default_rng(1)
    values = np.concatenate([draw.uniform(1.0, 4.0, 20_000), 10.0 ** draw.uniform(-100.0, 100.0, 20_000)])
    return int(powers.powers_differ(values, *np.empty((3, len(values))), 0.5, 2.0) == 0)
