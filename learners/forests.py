"""An adaptive random forest that is asked about an event, then taught it: each of its trees is asked once, not twice.

River asks every tree when the forest is asked, asks it again for the forest's detectors when it learns, and once more
within its leaf. What was found the first time is remembered until the event is learned: see `learners.trees`.

Source: river.forest.ARFClassifier, `predict_proba_one` and `learn_one`; the tests compare every bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from river.utils.random import poisson

from learners.trees import Look, Votes, X, look, most, teach, way


class Forest:
    """Asks and teaches one ARFClassifier, which nobody else changes in the meantime."""

    def __init__(self, forest: Any) -> None:
        self._forest = forest
        self._x: X | None = None
        self._looks: Sequence[Look] = ()

    def ask(self, x: X) -> Votes:
        """Do as `predict_proba_one`."""
        forest, self._x = self._forest, None
        if not forest.data:
            first: Votes = forest.predict_proba_one(x)
            return first
        looks = [look(tree, x) for tree in forest.data]
        self._x, self._looks = x, looks
        weighted = not forest.disable_weighted_vote
        votes: Votes = {}
        for (answer, *_), metric in zip(looks, forest._metrics, strict=True):
            worth = metric.get() if weighted else 0.0
            proba = {label: each * worth for label, each in answer.items()} if worth > 0.0 else answer
            if votes:
                for label, each in proba.items():
                    votes[label] = each + votes.get(label, 0)
            else:
                votes.update(proba)
        total = sum(votes.values())
        return {label: each / total for label, each in votes.items()} if total > 0 else Counter(votes)  # type: ignore[return-value]

    def learn(self, x: X, y: Any) -> None:
        """Do as `learn_one`."""
        forest = self._forest
        if not forest.data:
            forest.learn_one(x, y)
            return
        looks = self._looks if x is self._x else ()
        self._x = None
        for number, tree in enumerate(forest.data):
            found = looks[number] if looks else look(tree, x)
            y_pred = most(found[0])
            forest._metrics[number].update(y, y_pred)
            if times := poisson(forest.lambda_value, forest._rng):
                if not forest._warning_detection_disabled and (other := forest._background[number]) is not None:
                    teach(other, way(other, x), x, y, times)
                teach(tree, found, x, y, times)
                _watch(forest, number, int(not y == y_pred))  # noqa: SIM201 - river's question


def _watch(forest: Any, number: int, wrong: int) -> None:
    """Let the detectors of a tree know whether it was wrong: another may grow beside it, or take its place."""
    beside = None
    if not forest._warning_detection_disabled:
        detector = forest._warning_detectors[number]
        detector.update(wrong)
        if detector.drift_detected:
            forest._background[number] = forest._new_base_model()
            forest._warning_detectors[number] = forest.warning_detector.clone()
            forest._warning_tracker[number] += 1
        beside = forest._background[number]
    if forest._drift_detection_disabled:
        return
    detector = forest._drift_detectors[number]
    detector.update(wrong)
    if detector.drift_detected:
        if beside is not None:
            forest._background[number] = None
            forest._warning_detectors[number] = forest.warning_detector.clone()
        forest.data[number] = forest._new_base_model() if beside is None else beside
        forest._drift_detectors[number] = forest.drift_detector.clone()
        forest._metrics[number] = forest.metric.clone()
        forest._drift_tracker[number] += 1
