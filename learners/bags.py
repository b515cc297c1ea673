"""Bagged Hoeffding trees that are asked about an event, then taught it, each as `learners.trees` does it.

Source: river.ensemble, `BaggingClassifier`, `ADWINBaggingClassifier`, `LeveragingBaggingClassifier`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from river.drift import ADWIN
from river.utils.random import poisson

from learners.pairs import Pair
from learners.trees import Look, look, teach, way
from learners.votes import Votes, most, shares


class Bag(Pair[Sequence[Look]]):
    """A BaggingClassifier of HoeffdingTreeClassifiers."""

    def _ask(self, x: Any) -> tuple[Votes, Sequence[Look]]:
        looks = [look(tree, x) for tree in self._model.data]
        return shares([found[0] for found in looks]), looks

    def _learn(self, x: Any, y: Any, found: Sequence[Look] | None) -> None:
        for number, tree in enumerate(self._model.data):
            self._teach(tree, x, y, poisson(1, self._model._rng), found[number] if found else None)

    def _teach(self, tree: Any, x: Any, y: Any, times: int, found: Look | None) -> None:
        """Let a tree learn an event several times."""
        for _ in range(times):
            teach(tree, found or way(tree, x), x, y, 1.0)
            found = None


class AdwinBag(Bag):
    """An ADWINBaggingClassifier of HoeffdingTreeClassifiers."""

    def _learn(self, x: Any, y: Any, found: Sequence[Look] | None) -> None:
        bag, changed = self._model, False
        for number, tree in enumerate(bag.data):
            self._teach(tree, x, y, poisson(1, bag._rng), found[number] if found else None)
            changed = _worsens(bag._drift_detectors[number], int(most(look(tree, x)[0]) == y)) or changed
        if changed:
            _replace(bag, ADWIN())  # type: ignore[no-untyped-call]


class LeveragingBag(Bag):
    """A LeveragingBaggingClassifier of HoeffdingTreeClassifiers."""

    def _learn(self, x: Any, y: Any, found: Sequence[Look] | None) -> None:
        bag, changed = self._model, False
        for number, tree in enumerate(bag.data):
            times = bag._bagging_fct(x=x, y=y, model_idx=number)
            self._teach(tree, x, y, times, found[number] if found else None)
            y_pred = most(look(tree, x)[0])
            if y_pred is not None:
                changed = _worsens(bag._drift_detectors[number], int(y_pred != y)) or changed
        if changed:
            bag.n_detected_changes += 1
            _replace(bag, ADWIN(delta=bag.adwin_delta))  # type: ignore[no-untyped-call]


def _worsens(detector: Any, value: int) -> bool:
    """Let a detector take in a value; tell whether it finds a change upwards."""
    before = detector.estimation
    detector.update(value)
    return bool(detector.drift_detected and detector.estimation > before)


def _replace(bag: Any, detector: Any) -> None:
    """Put an untrained tree in the place of the one with the highest estimate."""
    worst = max(range(len(bag._drift_detectors)), key=lambda number: bag._drift_detectors[number].estimation)
    bag.data[worst] = bag.model.clone()
    bag._drift_detectors[worst] = detector
