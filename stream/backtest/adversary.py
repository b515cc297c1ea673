"""Noise that is no chance: each event is moved, within bounds, to where a candidate's own prediction of it is worst."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import learners
from learners.errors import LearnFailed
from stream.gate import Verdicts

Predict = Callable[[Mapping[str, Any]], "learners.Prediction"]
"""What a model answers, learning nothing: `Learner.predict_one`."""


def worst(predict: Predict, x: Mapping[str, Any], y: Any, steps: Mapping[str, float]) -> dict[str, Any]:
    """Return x with each of these features moved up or down by its step, or neither, so that the prediction gets worse.

    One feature after the other, each given how those before it were moved: two questions a feature. Nothing is moved
    that makes it no worse, nor what is missing.

    >>> from learners import Prediction
    >>> worst(lambda x: Prediction(2 * x["a"] - x["b"]), {"a": 1.0, "b": 1.0}, 3.0, {"a": 0.5, "b": 0.1, "c": 1.0})
    {'a': 0.5, 'b': 1.1}
    """
    moved = dict(x)
    loss = loss_of(predict(moved), y)
    for name, step in steps.items():
        if name not in moved:
            continue
        here = moved[name]
        for there in (here + step, here - step):
            tried = {**moved, name: there}
            if (found := loss_of(predict(tried), y)) > loss:
                moved, loss = tried, found
    return moved


def loss_of(prediction: learners.Prediction, y: Any) -> float:
    """Return how bad a prediction is: by how much a number is off, what probability the label had, or whether it is it.

    What says nothing is not worse than anything.

    >>> from learners import Prediction
    >>> loss_of(Prediction(True, {True: 0.75, False: 0.25}), True), loss_of(Prediction(1.0), 4.0)
    (0.25, 3.0)
    """
    if prediction.probabilities:
        found = 1.0 - prediction.probabilities.get(y, 0.0)
    elif prediction.y_pred is None:
        return -math.inf
    elif isinstance(y, float):
        found = abs(prediction.y_pred - y)
    else:
        found = float(prediction.y_pred != y)
    return -math.inf if math.isnan(found) else found


def teach_worst(learner: learners.Learner, verdicts: Verdicts, steps: Mapping[str, float]) -> None:
    """Let a learner learn what was accepted, each event moved to where it is asked worst: in place of `Verdicts.teach`.

    Event by event, since the model is another at each. Only where labels come with their events. Raises `LearnFailed`.
    """
    for index, (x, y) in enumerate(zip(verdicts.xs, verdicts.ys, strict=True)):
        try:
            learner.test_then_train([worst(learner.predict_one, x, y, steps)], [y])
        except LearnFailed as failed:
            raise LearnFailed(index, failed.cause) from failed.cause
