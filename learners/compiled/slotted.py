"""Engines behind hashed features: linear models and Gaussian naive Bayes on the slots of events (`slots_kernel`).

What is kept of a column is read from the model when the column comes first; so to load costs nothing, however many
columns the model has. What was learned since the last `store` is given back, and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from learners.compiled import codes, slots_kernel
from learners.compiled.bayes import COMPENSATED, BayesEngine, is_known, probabilities
from learners.compiled.linear import ROOM, ROWS, SUMS, LinearEngine, Rates
from learners.compiled.recognition import Found, Linear
from learners.compiled.slots import Slots
from learners.table import Layout, Table

COLUMNS_MIN = 256


class Order:
    """What was learned since it was given back, in that order: numbers after their count, in `noted`."""

    def __init__(self) -> None:
        self.noted = np.zeros(1, dtype=np.int64)

    def reach(self, most: int) -> None:
        """Have room for so many."""
        if len(self.noted) <= most:
            self.noted = np.concatenate([self.noted, np.zeros(2 * most, dtype=np.int64)])

    def take(self) -> np.ndarray:
        """Return what was learned, and begin anew."""
        found = self.noted[1 : self.noted[0] + 1].copy()
        self.noted[0] = 0
        return found


def longer(kept: np.ndarray, count: int) -> np.ndarray:
    """Return an array with room for so many columns."""
    if len(kept) >= count:
        return kept
    more = max(COLUMNS_MIN, 2 * count) - len(kept)
    return np.concatenate([kept, np.zeros((more, *kept.shape[1:]))])


class SlottedLinear(LinearEngine):
    """A linear model behind hashed features. Contract: `learners.compiled.Engine`."""

    def __init__(self, found: Found, linear: Linear, layout: Layout) -> None:
        self._found, self._linear, self._slots = found, linear, Slots(found, layout)
        self._choose()
        self._sound = False

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        self._model = linear = self._found.last(model)
        self._rates = Rates(linear)
        self._order, self._reached = Order(), 0
        self._kept = longer(np.zeros((0, ROWS)), 1)
        try:
            self._sound = self._slots.load(model)
            self._load_alone(linear)
        except (TypeError, ValueError, OverflowError, AttributeError):
            self._sound = False
        self._sound = self._sound and bool(np.isfinite(self._alone).all())
        self._began = self._alone[codes.STEPS]

    def _reach(self) -> None:
        """Take over what the model keeps of columns that came by now. Raises what a number that is none raises."""
        keys, linear = self._slots.columns.names[self._reached :], self._model
        self._kept = longer(self._kept, len(self._slots.columns))
        self._order.reach(len(self._kept))
        rows = [(codes.WEIGHT, linear._weights)]  # noqa: SLF001 - river has no other way
        rows += [(codes.CUMULATED, linear.cum_l1)] if linear.l1 != 0 else []
        sums = [getattr(linear.optimizer, each) for each in SUMS.get(self._linear.optimizer, ())]
        rows += [(row, each) for row, each in enumerate(sums, codes.FIRST) if each is not None]
        for place, key in enumerate(keys, self._reached):
            self._kept[place, codes.KNOWN] = key in linear._weights  # noqa: SLF001 - as above
            for row, each in rows:
                self._kept[place, row] = each.get(key, 0.0)
        self._reached += len(keys)

    def _go(
        self, xs: Table, asks: np.ndarray, labels: np.ndarray, ws: np.ndarray, learns: np.ndarray | None
    ) -> np.ndarray | None:
        if not self._sound or not len(xs):
            return np.empty(0) if self._sound else None
        kept, alone, noted = self._slots.kept(), self._alone.copy(), self._order.noted[0]
        came = self._slots.bring(xs, asks, ws)
        rates = self._rates.at(
            int(alone[codes.STEPS]), len(labels) if learns is None else int(np.count_nonzero(learns))
        )
        if came is None or rates is None:
            self._slots.undo(kept)
            return None
        self._reach()
        (numbers, places), touched = came, self._slots.touched(came[1])
        before = self._kept[touched]
        answers, width = np.where(asks, 0.0, np.nan) if len(asks) else np.zeros(len(xs)), numbers.shape[1]
        state = self._kept, np.zeros((ROWS, width)), self._alone, np.zeros((ROOM, width)), self._order.noted
        fine = slots_kernel.linear(numbers, places, labels, ws, rates, self._choices, self._options, *state, answers)
        if fine and np.isfinite(self._kept[touched]).all() and np.isfinite(self._alone).all():
            self._slots.see(asks, learns)
            return answers
        self._slots.undo(kept)
        self._kept[touched], self._alone, self._order.noted[0] = before, alone, noted
        return None

    def store(self, model: Any) -> None:
        """Give the state back."""
        self._slots.store(model)
        columns, keys = self._order.take(), self._slots.columns.names
        self._kept[columns, codes.COUNT] = 0.0
        learned = [(place, keys[column]) for place, column in enumerate(columns.tolist())]
        self._give(self._found.last(model), self._kept[columns].T.tolist(), learned)


class SlottedBayes(BayesEngine):
    """A GaussianNB behind hashed features. Contract: `learners.compiled.Engine`."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found, self._slots = found, Slots(found, layout)
        self._classes = {}
        self._sound = False

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        self._bayes = bayes = self._found.last(model)
        self._classes = {label: place for place, label in enumerate(bayes.class_counts)}
        self._order, self._reached = Order(), 0
        self._kept = longer(np.zeros((0, len(self._classes), 4)), 1)
        try:
            self._counts = np.array(list(bayes.class_counts.values()), dtype=np.float64)
            self._sound = self._slots.load(model) and is_known(bayes) and set(bayes.gaussians) <= set(self._classes)
        except (TypeError, ValueError, OverflowError, AttributeError, LookupError):
            self._sound = False
        self._sound = self._sound and bool((self._counts >= 1.0).all())

    def _reach(self, count: int) -> None:
        """Have room for so many classes, and take over what the model keeps of columns that came by now."""
        more = count - self._kept.shape[1]
        if more:
            self._kept = np.concatenate([self._kept, np.zeros((len(self._kept), more, 4))], axis=1)
            self._counts = np.concatenate([self._counts, np.zeros(more)])
        keys = self._slots.columns.names[self._reached :]
        self._kept = longer(self._kept, len(self._slots.columns))
        self._order.reach(len(self._kept) * count)
        for label, gaussians in self._bayes.gaussians.items():
            for place, key in enumerate(keys, self._reached):
                if key in gaussians:
                    var = gaussians[key]._var  # noqa: SLF001 - river has no other way
                    self._kept[place, self._classes[label], :3] = var.mean.n, var.mean._mean, var._S  # noqa: SLF001
        self._reached += len(keys)

    def _go(self, xs: Table, asks: np.ndarray, ys: np.ndarray, classes: dict[Any, int]) -> np.ndarray | None:
        if not self._sound:
            return None
        kept, counts, noted = self._slots.kept(), self._counts.copy(), self._order.noted[0]
        came = self._slots.bring(xs, asks, (ys >= 0) * 1.0)
        if came is None:
            self._slots.undo(kept)
            return None
        self._reach(len(classes))
        (numbers, places), touched = came, self._slots.touched(came[1])
        before, joint = self._kept[touched], np.full((len(xs), len(classes)), np.nan)
        state = self._counts, self._kept, *np.empty((3, len(classes), numbers.shape[1])), self._order.noted
        known = slots_kernel.bayes(numbers, places, asks, ys, len(self._classes), COMPENSATED, *state, joint)
        if known >= 0 and np.isfinite(self._kept[touched]).all():
            self._slots.see(asks, ys >= 0)
            self._classes = classes
            return probabilities(joint[asks] if len(asks) else joint)
        self._slots.undo(kept)
        self._kept[touched], self._order.noted[0] = before, noted
        self._kept, self._counts = np.ascontiguousarray(self._kept[:, : len(counts)]), counts
        return None

    def store(self, model: Any) -> None:
        """Give the state back."""
        self._slots.store(model)
        bayes, classes, keys = self._found.last(model), self.classes, self._slots.columns.names
        for label, count in zip(classes, self._counts.tolist(), strict=True):
            bayes.class_counts[label] = int(count)
        columns, of = np.divmod(self._order.take(), slots_kernel.CLASSES_MAX)
        self._kept[columns, of, 3] = 0.0
        for column, c, numbers in zip(columns.tolist(), of.tolist(), self._kept[columns, of].tolist(), strict=True):
            var = bayes.gaussians[classes[c]][keys[column]]._var  # noqa: SLF001 - river has no other way
            var.mean.n, var.mean._mean, var._S = numbers[:3]  # noqa: SLF001


def engine(found: Found, layout: Layout) -> SlottedLinear | SlottedBayes:
    """Return the engine for what was recognised."""
    return SlottedBayes(found, layout) if found.linear is None else SlottedLinear(found, found.linear, layout)
