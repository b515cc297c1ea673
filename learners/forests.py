"""An adaptive random forest that is asked about an event, then taught it: each of its trees is asked once, not twice.

River asks every tree when the forest is asked, asks it again for the forest's detectors when it learns, and once more
within its leaf. What was found the first time is remembered until the event is learned: see `learners.trees`.

Source: river.forest.ARFClassifier, `predict_proba_one` and `learn_one`; the tests compare every bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from river.utils.random import poisson

from learners.pairs import Pair
from learners.trees import Look, X, look, teach, way
from learners.votes import Votes, most, shares


class Forest(Pair[Sequence[Look]]):
    """An ARFClassifier."""

    def _ask(self, x: X) -> tuple[Votes, Sequence[Look] | None]:
        forest = self._model
        if not forest.data:
            return forest.predict_proba_one(x), None
        looks = [look(tree, x) for tree in forest.data]
        answers = [found[0] for found in looks]
        if not forest.disable_weighted_vote:
            answers = [_weighted(answer, metric.get()) for answer, metric in zip(answers, forest._metrics, strict=True)]
        return shares(answers), looks

    def _learn(self, x: X, y: Any, found: Sequence[Look] | None) -> None:
        forest = self._model
        if not forest.data:
            forest.learn_one(x, y)
            return
        for number, tree in enumerate(forest.data):
            seen = look(tree, x) if found is None else found[number]
            y_pred = most(seen[0])
            forest._metrics[number].update(y, y_pred)
            if times := poisson(forest.lambda_value, forest._rng):
                if not forest._warning_detection_disabled and (other := forest._background[number]) is not None:
                    teach(other, way(other, x), x, y, times)
                teach(tree, seen, x, y, times)
                _watch(forest, number, int(not y == y_pred))  # noqa: SIM201 - river's question


def _weighted(answer: Votes, worth: float) -> Votes:
    return {label: vote * worth for label, vote in answer.items()} if worth > 0.0 else answer


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
