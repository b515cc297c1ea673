"""A static model beside the dynamic one: a copy of it that learned so many events, and learns no more.

1. The copy is made right after that event was learned, wherever batches end.
2. From then on it is asked what the model is asked. No part of it learns, not even when asked.
3. What was asked before has no answer of it, and is not scored for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from learners.outputs import Outputs
from learners.predictor import Predictor
from learners.progressive import Tally
from learners.recipe import Task
from learners.state import dump, load

NAME = "Static"


class Static:
    """The copy, once there is one; `tally` are its scores, from the event on that was learned after it was made.

    `absent` counts answers that it did not give, or that are not finite: where it raises, too.
    """

    def __init__(self, after: int, task: Task, *, probabilities: bool) -> None:
        self.after = after
        self.task: Task = task
        self.probabilities = probabilities
        self.model: Any = None
        self.tally: Tally | None = None
        self.absent = 0

    def copying(self, model: Any, learn: Callable[..., Any], learned: int) -> Callable[..., Any]:
        """Return what learns as `learn` does, and copies the model when it has learned enough."""
        if self.model is not None:
            return learn
        left = self.after - learned

        def learn_then_copy(*event: Any) -> None:
            nonlocal left
            learn(*event)
            left -= 1
            if left == 0:
                self.model = load(dump({"model": model}))["model"]

        return learn_then_copy

    def outputs(self, xs: Sequence[Mapping[str, Any]]) -> Outputs:
        """Return its answers. Call it where nothing learns at the question."""
        predictor = Predictor(self.model, self.task, probabilities=self.probabilities)
        raw = [asked(predictor, x) for x in xs]
        try:
            outputs = predictor.outputs(raw)
        except Exception:  # noqa: BLE001 - the model may be the user's own, and answer anything
            outputs = predictor.outputs([each if _is_answer(predictor, each) else predictor.nothing for each in raw])
        self.absent += outputs.absent + outputs.not_finite
        return outputs


def asked(predictor: Predictor, x: Mapping[str, Any]) -> Any:
    """Return the raw answer; none if it raises: that must not end the training of another model."""
    try:
        return predictor.ask(x)
    except Exception:  # noqa: BLE001 - the model may be the user's own, and raise anything
        return predictor.nothing


def _is_answer(predictor: Predictor, raw: Any) -> bool:
    try:
        predictor.outputs([raw])
    except Exception:  # noqa: BLE001 - as above
        return False
    return True
