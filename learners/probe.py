"""A probe: fixed events on which states of a model are compared: a frozen copy of each predicts them, learns nothing.

What a state is worth is the metric's value, by river's own classes; `goodness` orders values: greater is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean, stdev
from typing import Any

from learners.errors import LearnFailed
from learners.joined import Turn
from learners.learner import Learner
from learners.metrics import Metric, read_metrics
from learners.predictor import Predictor, needs_probabilities
from learners.progressive import Tally
from learners.recipe import Recipe, Task
from learners.static import asked

BLOCKS = 10
"""Into so many stretches a probe is cut: by how far two states differ on each, one knows what is chance."""

ERRORS_MIN = 4.0
"""So many standard errors must lie between two states for one to be noticeably worse."""

UNUSABLE_MAX = 0.05
"""A state that cannot answer this share of the probe more than the first one is worth nothing."""

FINE: dict[Task, str] = {"binary": "LogLoss", "multiclass": "CrossEntropy"}

LOSS_MIN = 1e-12
"""Smaller losses are all the same."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a state is worth: the metric's value (None: undefined), its goodness, that on each block of a probe.

    `finely` is the goodness by a metric that moves with every event: the loss of the probabilities, for classes. It
    falls long before labels change. Where a model gives none it is the goodness.
    """

    value: float | None
    goodness: float
    blocks: tuple[float, ...] = ()
    finely: float = -math.inf

    def noticeably_worse(self, before: Judgement) -> bool:
        """Tell whether it is worse than another state on the same probe, by more than chance.

        The blocks are compared in pairs: a hard one is hard for both.

        >>> good = Judgement(0.9, 0.9, (0.9, 0.8, 0.9, 1.0))
        >>> Judgement(0.5, 0.5, (0.5, 0.4, 0.6, 0.5)).noticeably_worse(good), good.noticeably_worse(good)
        (True, False)
        """
        if not self.goodness < before.goodness:
            return False
        pairs = zip(before.blocks, self.blocks, strict=False)
        falls = [was - now for was, now in pairs if math.isfinite(was) and math.isfinite(now)]
        if self.goodness == -math.inf or len(falls) < 2:  # noqa: PLR2004 - no spread of one
            return self.goodness == -math.inf
        return fmean(falls) > ERRORS_MIN * stdev(falls) / math.sqrt(len(falls))


LOST = Judgement(None, -math.inf)
"""The state of a model that raised."""


def goodness_of(metric: Metric, value: float | None) -> float:
    """Return a number that is greater for a better value.

    Losses are compared by their ratio: an error of a million is not all that matters once there is one. None, which is
    undefined, is worse than all.

    >>> accuracy, mae = read_metrics(["Accuracy"], "binary")[0], read_metrics(["MAE"], "regression")[0]
    >>> goodness_of(accuracy, 0.8), goodness_of(mae, 1.0), goodness_of(mae, None)
    (0.8, -0.0, -inf)
    """
    if value is None:
        return -math.inf
    if metric.make().bigger_is_better:
        return value if value >= -1 else -1 - math.log(-value)  # R2 has no lower bound
    return -math.log(max(value, LOSS_MIN))


def metric_of(name: str, task: Task) -> Metric:
    """Return a metric by its name. Raises `MetricError` for one that does not fit."""
    (metric,) = read_metrics([name], task)
    return metric


def check_metric(recipe: Recipe, name: str, features: Sequence[str]) -> None:
    """Raise `MetricError` for a metric that fits neither the task nor what the recipe's model can answer."""
    needs_probabilities(recipe, [metric_of(name, recipe.task)], features)


@dataclass(slots=True)
class Probe:
    """Events with their labels, and the metric by which states are judged.

    `first` is what the first state was worth, that others are held against.
    """

    metric: Metric
    task: Task
    xs: Sequence[dict[str, Any]]
    ys: Sequence[Any]
    first: Judgement | None = field(default=None, init=False)
    _unusable: int = field(default=0, init=False)

    def judge(self, state: bytes, told: Sequence[Turn] = ()) -> Judgement:
        """Judge the state in these bytes: all its pending labels are revealed first, and those that are `told`.

        So an event counts from when it was asked on, whenever its label came.
        """
        learner = Learner.restore(state)
        try:
            if told:
                learner.take_turns(told)
            learner.close()
        except LearnFailed:
            return LOST
        predictor = Predictor(learner.model, self.task, probabilities=self.metric.takes_probabilities)
        raw = [asked(predictor, x) for x in self.xs]
        whole, fine, unusable = self._values(predictor, raw, self.ys)
        if self.first is None:
            self._unusable = unusable
        elif unusable > self._unusable + UNUSABLE_MAX * len(raw):
            return LOST
        size = max(1, len(raw) // BLOCKS)
        cuts = [slice(start, start + size) for start in range(0, size * BLOCKS, size)]
        blocks = tuple(goodness_of(self.metric, self._values(predictor, raw[cut], self.ys[cut])[0]) for cut in cuts)
        judgement = Judgement(whole, goodness_of(self.metric, whole), blocks, fine)
        self.first = self.first or judgement
        return judgement

    def _values(self, predictor: Predictor, raw: Sequence[Any], ys: Sequence[Any]) -> tuple[float | None, float, int]:
        """Return the metric's value over some answers, their finer goodness, and how many of them are unusable."""
        if not raw:
            return None, -math.inf, 0
        try:
            outputs = predictor.outputs(raw)
        except Exception:  # noqa: BLE001 - the model may be the user's own, and answer anything
            return None, -math.inf, len(raw)
        fine = (
            self.metric if self.task == "regression" or not outputs.numbers else metric_of(FINE[self.task], self.task)
        )
        tally = Tally([self.metric, fine], len(raw), binary=self.task == "binary")
        tally.add(ys, outputs)
        values = {name: spans["window"] for name, spans in tally.values().items()}
        return (
            values[self.metric.name],
            goodness_of(fine, values[fine.name]),
            outputs.absent + outputs.not_finite,
        )
