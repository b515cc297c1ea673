"""The engine of Gaussian naive Bayes: between river's dicts and the arrays of `bayes_kernel`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from river import proba
from river.naive_bayes.base import special  # type: ignore[attr-defined] # what river itself calls

from learners.compiled import bayes_kernel
from learners.compiled.ahead import Steps
from learners.compiled.branches import named_steps
from learners.compiled.inputs import ALL, among
from learners.compiled.recognition import Found
from learners.compiled.sight import Sight
from learners.compiled.union import Union
from learners.table import Column, Layout, Table

COMPENSATED = int(sys.version_info >= (3, 12))
"""Whether Python's `sum` of floats keeps what is rounded off."""

TYPES = {bool, int, str}
"""Labels of these types are told apart by `==` alone, as river's dicts do."""


class BayesEngine:
    """A GaussianNB, alone or behind other steps. Contract: `learners.compiled.Engine`."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found = found
        self._steps: Steps | Union = Union(found, layout) if found.branches else Steps(found, layout)
        self._names = self._steps.names
        self._classes: dict[Any, int] = {}
        self._sound = False
        self._state = np.zeros((3, 0, 0))
        self._counts = np.zeros(0)

    @property
    def classes(self) -> Sequence[Any]:
        """Classes in the order in which they came first: the columns of answers."""
        return list(self._classes)

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        self._bayes = bayes = self._found.last(model)
        self._classes = {label: place for place, label in enumerate(bayes.class_counts)}
        try:
            fits = self._steps.load(self._given(model)) and is_known(bayes)
            self._names = self._steps.names
            self._counts = np.array(list(bayes.class_counts.values()), dtype=np.float64)
            self._state = np.zeros((3, len(self._classes), len(self._names)))
            self._fill(self._state, self._names)
        except (TypeError, ValueError, OverflowError, AttributeError, LookupError):
            fits = False
        self._sound = fits and bool((self._counts >= 1.0).all()) and self._is_sound()
        self._seen: list[Sight] = []
        self._began: list[int] = []

    def _given(self, model: Any) -> Any:
        """Return what the steps take their state from."""
        return model if self._found.branches else named_steps(model)

    def _fill(self, state: np.ndarray, names: Iterable[str]) -> None:
        """Put what the model keeps of some features into a state."""
        places = {name: place for place, name in enumerate(self._names)}
        for label, gaussians in self._bayes.gaussians.items():
            for name in names:
                if name in gaussians:
                    var = gaussians[name]._var  # noqa: SLF001 - river has no other way
                    state[:, self._classes[label], places[name]] = var.mean.n, var.mean._mean, var._S  # noqa: SLF001

    def run(
        self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None, asks: np.ndarray = ALL
    ) -> np.ndarray | None:
        """Predict, then learn."""
        labels = list(ys)
        fits = len(labels) == len(xs) - np.count_nonzero(asks) and set(map(type, labels)) <= TYPES
        if weights is not None or not fits:
            return None
        classes = dict(self._classes)
        numbers = np.array([classes.setdefault(label, len(classes)) for label in labels], dtype=np.int64)
        return self._go(xs, asks, among(numbers, ~asks, -1) if len(asks) else numbers, classes)

    def ask(self, xs: Table) -> np.ndarray | None:
        """Predict."""
        return self._go(xs, ALL, np.full(len(xs), -1), self._classes)

    def _go(self, xs: Table, asks: np.ndarray, ys: np.ndarray, classes: dict[Any, int]) -> np.ndarray | None:
        if not self._sound:
            return None
        before = self._names, self._state, self._counts, self._began
        kept, seen = self._steps.kept(), [(each, each.kept()) for each in self._seen]
        self._grow(len(classes))
        joint, known, most = np.full((len(xs), len(classes)), np.nan), len(self._classes), self._steps.events_max
        for start in range(0, len(xs), most):
            part = slice(start, start + most)
            known = self._go_once(xs if len(xs) <= most else xs[part], asks[part], ys[part], known, joint[part])
            if known < 0:
                self._steps.undo(kept)
                self._names, self._state, self._counts, self._began = before
                self._seen = [each for each, _ in seen]
                for each, its in seen:
                    each.undo(its)
                return None
        self._classes = classes
        return probabilities(joint[asks] if len(asks) else joint)

    def _go_once(self, xs: Table, asks: np.ndarray, ys: np.ndarray, known: int, joint: np.ndarray) -> int:
        """Put the logarithms of joint likelihoods into `joint`; return how many classes are known then, -1 if odd."""
        came = self._steps.bring(xs, asks, (ys >= 0) * 1.0)
        if came is None:
            return -1
        if self._steps.names is not self._names:
            self._grow(len(self._counts))
        known = bayes_kernel.run(came, asks, ys, known, COMPENSATED, self._counts, *self._state, joint)
        if known >= 0 and self._is_sound():
            self._steps.see(asks, ys >= 0)
            self._see(came[-len(xs) :], ys)
            return int(known)
        return -1

    def _grow(self, count: int) -> None:
        """Make a copy of state and counts, with room for so many classes, and all features that have come by now."""
        names, self._names = self._names, self._steps.names
        state = np.zeros((3, count, len(self._names)))
        if names is self._names:
            state[:, : self._state.shape[1]] = self._state
        else:
            self._fill(state, set(self._names) - set(names))
            places = {name: place for place, name in enumerate(self._names)}
            moved = np.array([places[name] for name in names], dtype=np.intp)
            state[:, : self._state.shape[1], moved] = self._state
            for each in self._seen:
                each.move(moved, len(self._names))
        counts = np.zeros(count)
        counts[: len(self._counts)] = self._counts
        self._state, self._counts = state, counts

    def _see(self, numbers: np.ndarray, ys: np.ndarray) -> None:
        """Note which features each class has learned, and in which order classes learned any."""
        self._seen += [Sight(len(self._names)) for _ in range(len(self._counts) - len(self._seen))]
        there = None
        for place, seen in enumerate(self._seen):
            if not seen.whole:
                seen.see(numbers, ys == place)
        for event in [] if len(self._began) == len(self._counts) else range(len(ys)):
            there = there if there is not None else (~np.isnan(numbers)).any(axis=1).tolist()
            if there[event] and ys[event] >= 0 and ys[event] not in self._began:
                self._began = [*self._began, int(ys[event])]

    def store(self, model: Any) -> None:
        """Give the state back."""
        self._steps.store(self._given(model))
        bayes = self._found.last(model)
        ns, means, squares = self._state.tolist()
        counts, classes = self._counts.tolist(), self.classes
        for place, label in enumerate(classes):
            bayes.class_counts[label] = int(counts[place])
        for place in self._began:
            gaussians = bayes.gaussians[classes[place]]
            for column in self._seen[place].order:
                var = gaussians[self._names[column]]._var  # noqa: SLF001
                var.mean.n, var.mean._mean = ns[place][column], means[place][column]  # noqa: SLF001
                var._S = squares[place][column]  # noqa: SLF001

    def _is_sound(self) -> bool:
        return bool(np.isfinite(self._state).all())


def is_known(bayes: Any) -> bool:
    """Tell whether all distributions are such as a GaussianNB makes."""
    every = [each for gaussians in bayes.gaussians.values() for each in gaussians.values()]
    return all(type(each) is proba.Gaussian and each._var.ddof == 0 and each._var.mean.n >= 1.0 for each in every)  # noqa: SLF001


def probabilities(joint: np.ndarray) -> np.ndarray:
    """Return what river makes of joint likelihoods, of shape (events, classes); NaN for a class that was not known.

    scipy adds the exponentials up, for river one event after the other: its numbers are the same for many at once.
    """
    answers = np.full(joint.shape, np.nan)
    known = (~np.isnan(joint)).sum(axis=1)
    for count in set(known.tolist()) - {0}:
        which = known == count
        part = np.ascontiguousarray(joint[which, :count])
        out = np.empty_like(part)
        bayes_kernel.probabilities(part, special.logsumexp(part, axis=1), out)
        answers[which, :count] = out
    return answers
