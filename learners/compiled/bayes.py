"""The engine of Gaussian naive Bayes: between river's dicts and the arrays of `bayes_kernel`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from river import proba
from river.naive_bayes.base import special  # type: ignore[attr-defined] # what river itself calls

from learners.compiled import bayes_kernel
from learners.compiled.ahead import Steps
from learners.compiled.inputs import ALL, among
from learners.compiled.recognition import Found, named_steps
from learners.compiled.sight import Sight
from learners.table import Column, Layout, Table

COMPENSATED = int(sys.version_info >= (3, 12))
"""Whether Python's `sum` of floats keeps what is rounded off."""

TYPES = {bool, int, str}
"""Labels of these types are told apart by `==` alone, as river's dicts do."""


class BayesEngine:
    """A GaussianNB, alone or behind other steps. Contract: `learners.compiled.Engine`."""

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found = found
        self._names = found.names
        self._steps = Steps(found, layout)
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
        bayes = self._found.last(model)
        width = len(self._names)
        self._classes = {label: place for place, label in enumerate(bayes.class_counts)}
        self._state = np.zeros((3, len(self._classes), width))
        try:
            fits = self._steps.load(named_steps(model))
            self._counts = np.array(list(bayes.class_counts.values()), dtype=np.float64)
            for label, gaussians in bayes.gaussians.items():
                for name, gaussian in gaussians.items():
                    self._load(self._classes[label], name, gaussian)
        except (TypeError, ValueError, OverflowError, AttributeError, LookupError):
            fits = False
        self._sound = fits and bool((self._counts >= 1.0).all()) and self._is_sound()
        self._seen: list[Sight] = [Sight(width) for _ in self._classes]
        self._began: list[int] = []

    def _load(self, place: int, name: str, gaussian: Any) -> None:
        var = gaussian._var  # noqa: SLF001 - river has no other way
        if type(gaussian) is not proba.Gaussian or var.ddof != 0 or var.mean.n < 1.0:
            raise ValueError("a distribution that no GaussianNB makes")
        if name in self._names:
            self._state[:, place, self._names.index(name)] = var.mean.n, var.mean._mean, var._S  # noqa: SLF001

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
        before = self._steps.kept(), self._state, self._counts
        self._state, self._counts = self._grown(len(classes))
        joint = np.full((len(xs), len(classes)), np.nan)
        came = self._steps.bring(xs, asks, (ys >= 0) * 1.0)
        rest = self._counts, *self._state, joint
        known = -1 if came is None else bayes_kernel.run(came, asks, ys, len(self._classes), COMPENSATED, *rest)
        if came is None or known < 0 or not self._is_sound():
            self._steps.undo(before[0])
            _, self._state, self._counts = before
            return None
        self._classes = classes
        self._steps.see(asks, ys >= 0)
        self._see(came[-len(xs) :] if len(xs) else came, ys)
        return _probabilities(joint[asks] if len(asks) else joint)

    def _grown(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a copy of the state and the counts, with room for so many classes."""
        state = np.zeros((3, count, len(self._names)))
        state[:, : self._state.shape[1]] = self._state
        counts = np.zeros(count)
        counts[: len(self._counts)] = self._counts
        return state, counts

    def _see(self, numbers: np.ndarray, ys: np.ndarray) -> None:
        """Note which features each class has learned, and in which order classes learned any."""
        self._seen += [Sight(len(self._names)) for _ in range(len(self._classes) - len(self._seen))]
        there = None
        for place, seen in enumerate(self._seen):
            if not seen.whole:
                seen.see(numbers, ys == place)
        for event in [] if len(self._began) == len(self._classes) else range(len(ys)):
            there = there if there is not None else (~np.isnan(numbers)).any(axis=1).tolist()
            if there[event] and ys[event] >= 0 and ys[event] not in self._began:
                self._began.append(int(ys[event]))

    def store(self, model: Any) -> None:
        """Give the state back."""
        self._steps.store(named_steps(model))
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


def _probabilities(joint: np.ndarray) -> np.ndarray:
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
