"""A recipe's model in training, with its scores and baselines: all that a snapshot holds.

1. No event is learned before it is predicted, and no label is visible to the prediction it judges.
2. How events come in batches makes no difference to predictions, scores, points, digest or state.
3. What is restored goes on as if nothing had happened; a prediction changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import length_hint
from typing import Any

from learners.baselines import Baseline, baselines
from learners.errors import LearnFailed, MetricError
from learners.golden import INPUTS_MAX, check_golden, write_golden
from learners.metrics import read_metrics
from learners.outputs import Digest
from learners.predictor import Prediction, Predictor
from learners.progressive import Scores, Tally
from learners.recipe import Recipe
from learners.state import dump, load


@dataclass(frozen=True, slots=True)
class Point:
    """The scores after `learned` events: one point of the series."""

    learned: int
    scores: Scores
    baselines: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a version keeps: the learner's bytes, and what its segment predicted and scored.

    `digest` is the sha256 of the segment's predictions, `golden` a text that `Learner.restore` checks.
    """

    state: bytes
    learned: int
    digest: str
    golden: str
    scores: Scores
    baselines: Mapping[str, Scores]
    points: tuple[Point, ...]


@dataclass(slots=True)
class _Parts:
    """All that is saved. `learned` counts events of the whole lineage, `absent` and `not_finite` unusable answers."""

    recipe: Recipe
    features: tuple[str, ...]
    metrics: tuple[str, ...]
    window: int
    model: Any
    probabilities: bool
    tally: Tally
    baselines: dict[str, tuple[Baseline, Tally]]
    learned: int = 0
    last_point: int = 0
    absent: int = 0
    not_finite: int = 0
    inputs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=INPUTS_MAX))


class Learner:
    """Learns events in order, each after its prediction. Not thread-safe; make it by `new` or `restore`."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        self._predictor = Predictor(parts.model, parts.recipe.task, probabilities=parts.probabilities)
        self._digest = Digest()
        self._points: list[Point] = []

    @classmethod
    def new(cls, recipe: Recipe, *, features: Sequence[str], metrics: Sequence[str], window: int) -> Learner:
        """Return an untrained learner. Raises MetricError for a metric that does not fit the task or the model.

        `features` is the order in which the model sees them, `window` the events of windowed scores and between points.
        """
        assert window > 0
        asked = read_metrics(metrics, recipe.task)
        judged_on_probabilities = [metric.name for metric in asked if metric.takes_probabilities]
        probabilities = bool(judged_on_probabilities)
        if probabilities and not Predictor(recipe.build(), recipe.task, probabilities=True).has_probabilities(features):
            raise MetricError(
                f"{judged_on_probabilities[0]} needs probabilities, and this recipe's model gives none",
                hint="take the metric out, or use a classifier with predict_proba_one",
            )
        binary = recipe.task == "binary"
        beside = baselines(recipe.task, probabilities=probabilities)
        return cls(
            _Parts(
                recipe=replace(recipe, search_path=None),
                features=tuple(features),
                metrics=tuple(metric.name for metric in asked),
                window=window,
                model=recipe.build(),
                probabilities=probabilities,
                tally=Tally(asked, window, binary=binary),
                baselines={name: (baseline, Tally(asked, window, binary=binary)) for name, baseline in beside.items()},
            )
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe that the model was built from."""
        return self._parts.recipe

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order in which the model sees them."""
        return self._parts.features

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order in which they were asked for."""
        return self._parts.metrics

    @property
    def window(self) -> int:
        """Events of the windowed scores, and from one score point to the next."""
        return self._parts.window

    @property
    def learned(self) -> int:
        """Events learned since the model was new."""
        return self._parts.learned

    @property
    def absent(self) -> int:
        """Predictions of None, or without any probability, since the model was new."""
        return self._parts.absent

    @property
    def not_finite(self) -> int:
        """Predictions of NaN or infinity since the model was new; metrics that take numbers leave them out."""
        return self._parts.not_finite

    def test_then_train(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any]) -> None:
        """Predict, score and learn each event, in order. A score point is recorded at every multiple of `window`.

        Every x has its features in the order of `features`. Labels: bool (binary), any hashable (multiclass), float.
        Raises LearnFailed if the model raises: the learner is then tainted and must be restored.
        """
        assert len(xs) == len(ys)
        start = 0
        while start < len(xs):
            stop = min(len(xs), start + self.window - self.learned % self.window)
            self._learn(xs[start:stop], ys[start:stop], start)
            if self.learned % self.window == 0:
                self.point()
            start = stop

    def _learn(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any], first: int) -> None:
        parts = self._parts
        parts.inputs.extend([dict(x) for x in xs[-INPUTS_MAX:]])
        outputs = self._predictor.outputs(self._predict_then_learn(xs, ys, first))
        self._predictor.digest(self._digest, outputs)
        parts.tally.add(ys, outputs)
        for baseline, tally in parts.baselines.values():
            tally.add(ys, baseline.predict_then_learn(ys))
        parts.absent += outputs.absent
        parts.not_finite += outputs.not_finite
        parts.learned += len(ys)

    def _predict_then_learn(self, xs: Sequence[dict[str, Any]], ys: Sequence[Any], first: int) -> list[Any]:
        """Return the raw answers. Nothing else happens for one event: what can be done for many is done after."""
        ask, learn = self._predictor.ask, self._parts.model.learn_one
        raw: list[Any] = []
        keep = raw.append
        feed = iter(xs)
        try:
            for x, y in zip(feed, ys, strict=False):
                keep(ask(x))
                learn(x, y)
        except Exception as error:  # the model may be the user's own, and raise anything
            raise LearnFailed(first + len(xs) - length_hint(feed) - 1, error) from error
        return raw

    def predict_one(self, x: Mapping[str, Any]) -> Prediction:
        """Return the prediction for x; learn nothing. Unknown keys are dropped. Raises LearnFailed."""
        return self.predict_many([x])[0]

    def predict_many(self, xs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """Return the prediction for each x; learn nothing. Unknown keys are dropped. Raises LearnFailed."""
        predictions: list[Prediction] = []
        for index, x in enumerate(xs):
            ordered = {name: x[name] for name in self._parts.features if name in x}
            try:
                predictions.append(self._predictor.predict(ordered))
            except Exception as error:  # the model may be the user's own, and raise anything
                raise LearnFailed(index, error) from error
        return predictions

    def scores(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}} now; None where undefined."""
        return self._parts.tally.values()

    def baseline_scores(self) -> dict[str, Scores]:
        """Return {baseline: scores}: NoChange, and Prior (Mean for a regression)."""
        return {name: tally.values() for name, (_, tally) in self._parts.baselines.items()}

    def point(self) -> None:
        """Record a score point, unless there is one for this count of events."""
        if self._parts.last_point != self.learned:
            self._parts.last_point = self.learned
            self._points.append(Point(self.learned, self.scores(), self.baseline_scores()))

    def seal(self) -> Sealed:
        """End the segment and return what its version keeps. Since-last scores, digest and points begin anew.

        The bytes are those of the renewed learner. Golden predictions are made by a reloaded copy. Raises StateError.
        """
        scores, beside = self.scores(), self.baseline_scores()
        digest, points = self._digest.hexdigest(), tuple(self._points)
        self._digest, self._points = Digest(), []
        for tally in (self._parts.tally, *(tally for _, tally in self._parts.baselines.values())):
            tally.renew()
        state = dump({"parts": self._parts})
        golden = write_golden(self._parts.inputs, Learner.restore(state).predict_one)
        return Sealed(state, self.learned, digest, golden, scores, beside, points)

    @classmethod
    def restore(cls, state: bytes, golden: str | None = None) -> Learner:
        """Return the learner that was sealed; with `golden`, only if a copy of it answers as the sealed one did.

        Raises StateError. A model from a factory restores only where its module can be imported: read the recipe first.
        """
        if golden is not None:
            check_golden(golden, cls(load(state)["parts"]).predict_one)
        return cls(load(state)["parts"])
