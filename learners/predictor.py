"""How a model is asked: for labels, for probabilities, or for both. Decided once, so that the loop does not branch.

A classifier whose `predict_one` is river's own (the most probable class) is asked for probabilities only; its labels
are derived from them: the same labels as `predict_one` gives, for one call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from river import base, compose

from learners.errors import RAISED_BY_MODELS, LearnFailed, MetricError
from learners.metrics import Metric
from learners.outputs import Digest, Outputs, Probabilities, most_probable
from learners.recipe import Recipe, Task


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model answers to one x: a label or number, None if it knows none yet, and probabilities if it has them."""

    y_pred: Any
    probabilities: Probabilities | None = None


class Predictor:
    """Asks one model. `ask(x)` is the raw answer, `outputs` puts raw answers into columns, `digest` hashes those.

    `nothing` is the raw answer that says nothing. It knows no method of its own: each version asks a copy of the model,
    and a cycle would keep that copy in memory until the collector goes through it, object by object.
    """

    ask: Callable[[Mapping[str, Any]], Any]
    outputs: Callable[[Sequence[Any]], Outputs]
    predict: Callable[[Mapping[str, Any]], Prediction]
    digest: Callable[[Digest, Outputs], None]
    nothing: Any = None

    def __init__(self, model: Any, task: Task, *, probabilities: bool) -> None:
        self._model = model
        if task == "regression":
            self.ask, self.outputs, self.predict = model.predict_one, Outputs.of_numbers, partial(_number, model)
            self.digest = _digest_numbers
        elif _labels_are_derived(model):
            self.ask, self.outputs, self.predict = (
                model.predict_proba_one,
                Outputs.of_probabilities,
                partial(_derived, model),
            )
            self.digest, self.nothing = Digest.add_probabilities, {}
        elif probabilities:
            self.ask, self.outputs, self.predict = partial(_ask_both, model), _both, partial(_label, model)
            self.digest, self.nothing = _digest_both, (None, {})
        else:
            self.ask, self.outputs, self.predict = model.predict_one, Outputs.of_labels, partial(_label, model)
            self.digest = _digest_labels

    def has_probabilities(self, features: Sequence[str]) -> bool:
        """Tell whether the model gives probabilities. Asks it, with zeros: give it a model that is thrown away."""
        try:
            self._model.predict_proba_one(dict.fromkeys(features, 0.0))
        except NotImplementedError:
            return False
        except RAISED_BY_MODELS:  # it has them, but dislikes zeros
            return True
        return True

    def predict_many(self, features: Sequence[str], xs: Sequence[Mapping[str, Any]]) -> list[Prediction]:
        """Return the prediction for each x, by these features alone, in this order. Raises LearnFailed."""
        predictions: list[Prediction] = []
        for index, x in enumerate(xs):
            try:
                predictions.append(self.predict({name: x[name] for name in features if name in x}))
            except Exception as error:  # the model may be the user's own, and raise anything
                raise LearnFailed(index, error) from error
        return predictions


def needs_probabilities(recipe: Recipe, metrics: Sequence[Metric], features: Sequence[str]) -> bool:
    """Tell whether a metric takes probabilities. Raises MetricError if the recipe's model gives none."""
    names = [metric.name for metric in metrics if metric.takes_probabilities]
    if names and not Predictor(recipe.build(), recipe.task, probabilities=True).has_probabilities(features):
        raise MetricError(
            f"{names[0]} needs probabilities, and this recipe's model gives none",
            hint="take the metric out, or use a classifier with predict_proba_one",
        )
    return bool(names)


def _labels_are_derived(model: Any) -> bool:
    while type(model) is compose.Pipeline:
        model = model[-1]
    cls = type(model)
    own = cls.predict_proba_one is not base.Classifier.predict_proba_one
    return own and cls.predict_one is base.Classifier.predict_one


def _ask_both(model: Any, x: Mapping[str, Any]) -> tuple[Any, Probabilities]:
    return model.predict_one(x), model.predict_proba_one(x)


def _number(model: Any, x: Mapping[str, Any]) -> Prediction:
    return Prediction(model.predict_one(x))


def _derived(model: Any, x: Mapping[str, Any]) -> Prediction:
    probabilities = model.predict_proba_one(x)
    return Prediction(most_probable(probabilities), probabilities)


def _label(model: Any, x: Mapping[str, Any]) -> Prediction:
    y_pred = model.predict_one(x)
    try:
        return Prediction(y_pred, model.predict_proba_one(x))
    except NotImplementedError:
        return Prediction(y_pred)


def _both(raw: Sequence[tuple[Any, Probabilities]]) -> Outputs:
    return Outputs.of_probabilities([p for _, p in raw], [label for label, _ in raw])


def _digest_numbers(digest: Digest, outputs: Outputs) -> None:
    digest.add_numbers(outputs.raw)


def _digest_labels(digest: Digest, outputs: Outputs) -> None:
    digest.add_labels(outputs.labels)


def _digest_both(digest: Digest, outputs: Outputs) -> None:
    digest.add_labels(outputs.labels)
    digest.add_probabilities(outputs)
