"""The engine of linear models: between river's dicts and the arrays of `linear_kernel`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from river import optim, utils

from learners.compiled import codes, linear_kernel, powers
from learners.compiled.inputs import labels_of, weights_of
from learners.compiled.library import Library
from learners.compiled.recognition import Found
from learners.compiled.sight import Sight
from learners.table import Column, Layout, Table

LIBRARY = Library("linear", "learners.compiled.linear_kernel", "learners.compiled.powers")

OPTIONS = 13
ROWS = 9
ROOM = 6

SUMS = {codes.ADAGRAD: ("g2",), codes.ADAM: ("m", "v"), codes.FTRL: ("z", "n")}
"""What an optimizer keeps for each feature: its attributes, in the order of the rows FIRST and SECOND."""


class LinearEngine:
    """A linear model, alone or behind a StandardScaler. Contract: `learners.compiled.Engine`."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found = found
        self._layout = layout
        self._names = layout.numbers
        width = len(self._names)
        link = codes.EXPONENTIAL if found.loss == codes.POISSON else codes.IDENTITY
        link = codes.SIGMOID if found.loss <= codes.FOCAL else link
        self._choices = np.array([found.scaling, found.optimizer, found.loss, link, quick_roots()], dtype=np.int64)
        self._options = np.zeros(OPTIONS)
        for start, values in ((0, found.options), (codes.LOSS_A, found.losses), (codes.STEP_A, found.optimizers)):
            self._options[start : start + len(values)] = values
        self._options[codes.HALF :] = 0.5, 2.0, -1.0
        self._state = np.zeros((ROWS, width))
        self._alone = np.zeros(3)
        self._room = np.zeros((ROOM, width))
        self._sound = False

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        scaler, linear = self._found.parts(model)
        self._rates = Rates(linear)
        self._state[:] = 0.0
        try:
            self._load_scaler(scaler)
            self._load_model(linear)
        except (TypeError, ValueError, OverflowError, AttributeError):
            self._alone[:] = np.nan
        self._sound = self._is_sound()
        self._asked, self._learned = Sight(len(self._names)), Sight(len(self._names))
        self._began = self._alone[codes.STEPS]

    def run(self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None) -> np.ndarray | None:
        """Predict, then learn."""
        labels = labels_of(ys, binary=self._choices[codes.LOSS] <= codes.FOCAL)
        ws = weights_of(weights, len(xs))
        if labels is None or ws is None or len(labels) != len(xs):
            return None
        learns = None if weights is None else ws != 0.0
        return self._go(xs, labels, ws, learns)

    def ask(self, xs: Table) -> np.ndarray | None:
        """Predict."""
        return self._go(xs, np.empty(0), np.empty(0), np.zeros(len(xs), dtype=bool))

    def _go(self, xs: Table, labels: np.ndarray, ws: np.ndarray, learns: np.ndarray | None) -> np.ndarray | None:
        if xs.layout != self._layout or not self._sound:
            return None
        numbers = np.ascontiguousarray(xs.numbers, dtype=np.float64)
        answers = np.empty(len(xs))
        before = self._state.copy(), self._alone.copy()
        rates = self._rates.at(int(self._alone[codes.STEPS]), len(labels))
        fine = rates is not None and linear_kernel.run(
            numbers, labels, ws, rates, self._choices, self._options, self._state, self._alone, self._room, answers
        )
        if not fine or not self._is_sound():
            self._state, self._alone = before
            return None
        self._asked.see(numbers)
        self._learned.see(numbers, learns)
        return answers

    def store(self, model: Any) -> None:
        """Give the state back."""
        scaler, linear = self._found.parts(model)
        state, names = self._state.tolist(), self._names
        asked = [names[column] for column in self._asked.order]
        learned = [(column, names[column]) for column in self._learned.order]
        if scaler is not None:
            fresh = scaler.vars if scaler.with_std else scaler.means
            for name in asked:
                fresh.setdefault(name, 0.0)
        for column, name in learned:
            if scaler is not None:
                scaler.counts[name] = int(state[codes.COUNT][column])
                scaler.means[name] = state[codes.MEAN][column]
                if scaler.with_std:
                    scaler.vars[name] = state[codes.VAR][column]
            linear._weights[name] = state[codes.WEIGHT][column]  # noqa: SLF001 - river has no other way
            if linear.l1 != 0:
                linear.cum_l1[name] = state[codes.CUMULATED][column]
        if self._alone[codes.STEPS] != self._began:
            self._store_sums(linear, state, learned)

    def _store_sums(self, linear: Any, state: list[list[float]], learned: list[tuple[int, str]]) -> None:
        """Give back what an optimizer keeps, and what is not of a feature; at least one event was learned."""
        optimizer = linear.optimizer
        linear.intercept, cumulated, steps = self._alone.tolist()
        optimizer.n_iterations = int(steps)
        if linear.l1 != 0:
            linear.max_cum_l1 = cumulated
        for row, attribute in enumerate(SUMS.get(self._found.optimizer, ()), codes.FIRST):
            if getattr(optimizer, attribute) is None:
                setattr(optimizer, attribute, utils.VectorDict())
            kept = getattr(optimizer, attribute)
            for column, name in learned:
                kept[name] = state[row][column]

    def _load_scaler(self, scaler: Any) -> None:
        if scaler is None:
            return
        self._fill(codes.COUNT, scaler.counts)
        self._fill(codes.MEAN, scaler.means)
        if scaler.with_std:
            self._fill(codes.VAR, scaler.vars)
            roots = [var**0.5 if var >= 0.0 else math.nan for var in self._state[codes.VAR].tolist()]
            self._state[codes.ROOT] = roots

    def _load_model(self, linear: Any) -> None:
        weights = linear.weights
        self._fill(codes.WEIGHT, weights)
        self._state[codes.KNOWN] = [name in weights for name in self._names]
        if linear.l1 != 0:
            self._fill(codes.CUMULATED, linear.cum_l1.to_dict())
        for row, attribute in enumerate(SUMS.get(self._found.optimizer, ()), codes.FIRST):
            kept = getattr(linear.optimizer, attribute)
            if kept is not None:
                self._fill(row, kept if isinstance(kept, dict) else kept.to_dict())
        self._alone[:] = linear.intercept, getattr(linear, "max_cum_l1", 0.0), linear.optimizer.n_iterations

    def _fill(self, row: int, kept: Mapping[str, float]) -> None:
        self._state[row] = [kept.get(name, 0.0) for name in self._names]

    def _is_sound(self) -> bool:
        return bool(np.isfinite(self._state).all() and np.isfinite(self._alone).all())


class Rates:
    """The learning rates of the coming steps, as river's schedulers give them."""

    def __init__(self, linear: Any) -> None:
        self._intercept = linear.intercept_lr
        self._weights = getattr(linear.optimizer, "lr", optim.schedulers.Constant(0.0))
        both = self._intercept, self._weights
        self._constant = all(type(each) is optim.schedulers.Constant for each in both)
        self._ready = np.empty((0, 3))

    def at(self, begin: int, count: int) -> np.ndarray | None:
        """Return rates of intercept, weights, and weights after the step, for each step; None where one cannot be."""
        if self._constant:
            if len(self._ready) < count:
                rate = self._weights.get(0)
                self._ready = np.tile(np.array([self._intercept.get(0), rate, rate], dtype=np.float64), (count, 1))
            return self._ready[:count]
        steps = range(begin, begin + count)
        try:
            rows = [(self._intercept.get(n), self._weights.get(n), self._weights.get(n + 1)) for n in steps]
            return np.array(rows, dtype=np.float64).reshape(count, 3)
        except (ArithmeticError, TypeError, ValueError):
            return None


@cache
def quick_roots() -> int:
    """Return 1 if quick roots are right here, 0 if not: another libm's pow may round in another way."""
    draw = np.random.default_rng(1)
    values = np.concatenate([draw.uniform(1.0, 4.0, 20_000), 10.0 ** draw.uniform(-100.0, 100.0, 20_000)])
    return int(powers.powers_differ(values, *np.empty((3, len(values))), 0.5, 2.0) == 0)
