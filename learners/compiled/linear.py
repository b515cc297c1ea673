"""The engine of linear models: between river's dicts and the arrays of `linear_kernel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from river import optim, utils

from learners.compiled import codes, lanes, linear_kernel
from learners.compiled.ahead import Steps, fill, load_standard, quick_roots, store_standard
from learners.compiled.branches import named_steps
from learners.compiled.inputs import ALL, among, labels_of, weights_of
from learners.compiled.recognition import Found, Linear
from learners.compiled.union import Union
from learners.table import Column, Layout, Table

OPTIONS = 13
ROWS = 9
ROOM = 6

SUMS = {codes.ADAGRAD: ("g2",), codes.ADAM: ("m", "v"), codes.FTRL: ("z", "n")}
"""What an optimizer keeps for each feature: its attributes, in the order of the rows FIRST and SECOND."""


class LinearEngine:
    """A linear model, alone or behind other steps. Contract: `learners.compiled.Engine`."""

    classes = ()

    def __init__(self, found: Found, linear: Linear, layout: Layout) -> None:
        self._found, self._linear = found, linear
        self._steps: Steps | Union = Union(found, layout) if found.branches else Steps(found, layout)
        self._names = self._steps.names
        self._choose()
        self._state = np.zeros((ROWS, len(self._names)))
        self._room = np.zeros((ROOM, len(self._names)))
        self._sound = False

    def _choose(self) -> None:
        """Lay out what was recognised as the kernel takes it."""
        found, linear = self._found, self._linear
        link = codes.EXPONENTIAL if linear.loss == codes.POISSON else codes.IDENTITY
        link = codes.SIGMOID if linear.loss <= codes.FOCAL else link
        choices = [found.scaling, linear.optimizer, linear.loss, link, quick_roots()]
        self._choices = np.array(choices, dtype=np.int64)
        self._options = np.zeros(OPTIONS)
        for start, values in ((0, linear.options), (codes.LOSS_A, linear.losses), (codes.STEP_A, linear.optimizers)):
            self._options[start : start + len(values)] = values
        self._options[codes.HALF :] = 0.5, 2.0, -1.0
        self._alone = np.zeros(3)
        self._by_lanes = lanes.may_run(self._choices, self._options)

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        self._model = linear = self._found.last(model)
        self._rates = Rates(linear)
        try:
            fits = self._steps.load(self._given(model))
            self._names = self._steps.names
            self._state, self._room = np.zeros((ROWS, len(self._names))), np.zeros((ROOM, len(self._names)))
            if self._found.scaler is not None:
                load_standard(model.steps[self._found.scaler], self._names, self._state)
            self._fill(linear, self._state)
            self._load_alone(linear)
        except (TypeError, ValueError, OverflowError, AttributeError):
            fits = False
        self._sound = fits and self._is_sound()
        self._began = self._alone[codes.STEPS]

    def run(
        self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None, asks: np.ndarray = ALL
    ) -> np.ndarray | None:
        """Predict, then learn."""
        labels = labels_of(ys, binary=self._choices[codes.LOSS] <= codes.FOCAL)
        ws = weights_of(weights, len(ys))
        if labels is None or ws is None or len(labels) != len(xs) - np.count_nonzero(asks):
            return None
        if len(asks):
            labels, ws = among(labels, ~asks, 0.0), among(ws, ~asks, 0.0)
        learns = None if weights is None and not len(asks) else ws != 0.0
        answers = self._go(xs, asks, labels, ws, learns)
        return answers if answers is None or not len(asks) else answers[asks]

    def ask(self, xs: Table) -> np.ndarray | None:
        """Predict."""
        return self._go(xs, ALL, np.empty(0), np.zeros(len(xs)), np.zeros(len(xs), dtype=bool))

    def _go(
        self, xs: Table, asks: np.ndarray, labels: np.ndarray, ws: np.ndarray, learns: np.ndarray | None
    ) -> np.ndarray | None:
        if not self._sound or not len(xs):
            return np.empty(0) if self._sound else None
        before, most = (self._steps.kept(), self._names, self._state.copy(), self._alone.copy()), self._steps.events_max
        answers: list[np.ndarray] = []
        for start in range(0, len(xs), most):
            part = slice(start, start + most)
            its = None if learns is None else learns[part]
            whole = len(xs) <= most
            found = self._go_once(xs if whole else xs[part], asks[part], labels[part], ws[part], its)
            if found is None:
                self._undo(*before)
                return None
            answers.append(found)
        return answers[0] if len(answers) == 1 else np.concatenate(answers)

    def _go_once(
        self, xs: Table, asks: np.ndarray, labels: np.ndarray, ws: np.ndarray, learns: np.ndarray | None
    ) -> np.ndarray | None:
        """Do as `_go`, and undo nothing."""
        came = self._steps.bring(xs, asks, ws)
        if self._steps.names is not self._names:
            self._state = self._grown(self._names, self._state)
        steps = len(labels) if learns is None else int(np.count_nonzero(learns))
        rates = self._rates.at(int(self._alone[codes.STEPS]), steps)
        if came is None or rates is None:
            return None
        rest = rates, self._choices, self._options, self._state, self._alone
        answers = lanes.run(came, labels, *rest) if self._by_lanes and learns is None and not len(asks) else None
        if answers is None:
            answers = np.where(asks, 0.0, np.nan) if len(asks) else np.zeros(len(xs))
            if not linear_kernel.run(came, labels, ws, *rest, self._room, answers):
                return None
        if not self._is_sound():
            return None
        self._steps.see(asks, learns)
        return answers

    def _grown(self, names: Sequence[str], state: np.ndarray) -> np.ndarray:
        """Return a state of these features as one of all that have come by now: of others, what the model has."""
        self._names = self._steps.names
        places = {name: place for place, name in enumerate(self._names)}
        grown, self._room = np.zeros((ROWS, len(places))), np.zeros((ROOM, len(places)))
        self._fill(self._model, grown)
        grown[:, [places[name] for name in names]] = state
        return grown

    def _undo(self, kept: Any, names: Sequence[str], state: np.ndarray, alone: np.ndarray) -> None:
        self._steps.undo(kept)
        self._state, self._alone = state if names is self._names else self._grown(names, state), alone

    def _given(self, model: Any) -> Any:
        """Return what the steps take their state from."""
        return model if self._found.branches else named_steps(model)

    def store(self, model: Any) -> None:
        """Give the state back."""
        linear, steps = self._found.last(model), self._steps
        steps.store(self._given(model))
        if self._found.scaler is not None:
            assert isinstance(steps, Steps), "a union has its scalers itself"
            scaler = model.steps[self._found.scaler]
            store_standard(scaler, self._names, self._state, steps.asked.order, steps.learned.order)
        state = self._state.tolist()
        self._give(linear, state, [(column, self._names[column]) for column in steps.learned_columns])

    def _give(self, linear: Any, state: list[list[float]], learned: list[tuple[int, Any]]) -> None:
        """Give back what is kept of features that were learned."""
        for column, name in learned:
            linear._weights[name] = state[codes.WEIGHT][column]  # noqa: SLF001 - river has no other way
            if linear.l1 != 0:
                linear.cum_l1[name] = state[codes.CUMULATED][column]
        if self._alone[codes.STEPS] != self._began:
            self._store_sums(linear, state, learned)

    def _store_sums(self, linear: Any, state: list[list[float]], learned: list[tuple[int, Any]]) -> None:
        """Give back what an optimizer keeps, and what is not of a feature; at least one event was learned."""
        optimizer = linear.optimizer
        linear.intercept, cumulated, steps = self._alone.tolist()
        optimizer.n_iterations = int(steps)
        if linear.l1 != 0:
            linear.max_cum_l1 = cumulated
        for row, attribute in enumerate(SUMS.get(self._linear.optimizer, ()), codes.FIRST):
            if getattr(optimizer, attribute) is None:
                setattr(optimizer, attribute, utils.VectorDict())
            kept = getattr(optimizer, attribute)
            for column, name in learned:
                kept[name] = state[row][column]

    def _load_alone(self, linear: Any) -> None:
        self._alone[:] = linear.intercept, getattr(linear, "max_cum_l1", 0.0), linear.optimizer.n_iterations

    def _fill(self, linear: Any, state: np.ndarray) -> None:
        """Put what a model keeps of features into a state."""
        weights = linear.weights
        state[codes.WEIGHT] = fill(self._names, weights)
        state[codes.KNOWN] = [name in weights for name in self._names]
        if linear.l1 != 0:
            state[codes.CUMULATED] = fill(self._names, linear.cum_l1.to_dict())
        for row, attribute in enumerate(SUMS.get(self._linear.optimizer, ()), codes.FIRST):
            kept = getattr(linear.optimizer, attribute)
            if kept is not None:
                state[row] = fill(self._names, kept if isinstance(kept, dict) else kept.to_dict())

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
