"""What an event counts for: more or less than one, by a field of its own, or by how old its label is."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.errors import RAISED_BY_MODELS, RecipeError
from learners.pending import Entry
from learners.recipe import Recipe, last_step
from learners.table import Table

TRIES = 20
"""So many zeros are learned to see whether a weight is taken: a bagged model learns some events not at all."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The value of a field, halved for each `half_life` from question to label (microseconds). Both multiply.

    The field's values must be numbers, finite and not negative, and never be missing.

    >>> Weights("w", half_life=10.0).of({"w": 3.0}, age=20.0)
    0.75
    >>> bool(Weights())
    False
    """

    field: str | None = None
    half_life: float | None = None

    def __bool__(self) -> bool:
        return self.field is not None or self.half_life is not None

    def of(self, x: Mapping[str, Any], age: float = 0.0) -> float:
        """Return the weight of one event, given the time from its question to its label."""
        weight = 1.0 if self.field is None else x[self.field]
        return weight if self.half_life is None else weight * 0.5 ** (age / self.half_life)

    def column(self, xs: Sequence[Mapping[str, Any]], ages: Sequence[float] = ()) -> list[float]:
        """Return the weight of each event; ages are not looked at without a half-life."""
        if self.half_life is None:
            if isinstance(xs, Table) and self.field in xs.layout.numbers:
                found: list[float] = xs.numbers[:, xs.layout.numbers.index(self.field)].tolist()
                return found
            return [self.of(x) for x in xs]
        return [self.of(x, age) for x, age in zip(xs, ages, strict=True)]


UNWEIGHTED = Weights()


def age_of(entry: Entry) -> float:
    """Return how long the label of a revealed event took, in microseconds; none is older than its question."""
    return max(0.0, entry.known_at - entry.asked_at)


def require_weights(recipe: Recipe, features: Sequence[str]) -> None:
    """Raise RecipeError if the recipe's model learns without weights. Nothing is told by its class alone: it is tried.

    >>> from learners.recipe import read_recipe
    >>> require_weights(read_recipe("linear_model.PAClassifier()", "binary"), ["a"])
    Traceback (most recent call last):
    learners.errors.RecipeError: [model] weights need a model that learns with them, PAClassifier does not
    """
    last = last_step(recipe.build())
    if _takes(last.learn_one, recipe, features):
        return
    raise RecipeError(
        f"[model] weights need a model that learns with them, {type(last).__name__} does not",
        hint="take weight and recency out of [model], or end the recipe with a model whose learn_one takes w, such as "
        "linear_model.LogisticRegression or tree.HoeffdingTreeClassifier",
    )


def _takes(learn_one: Callable[..., Any], recipe: Recipe, features: Sequence[str]) -> bool:
    parameters = inspect.signature(learn_one).parameters.values()
    if not any(each.name == "w" or each.kind is each.VAR_KEYWORD for each in parameters):
        return False
    model, label = recipe.build(), 0.0 if recipe.task == "regression" else True
    for _ in range(TRIES):
        try:
            model.learn_one(dict.fromkeys(features, 0.0), label, w=1.0)
        except TypeError as error:
            if "unexpected keyword argument 'w'" in str(error):
                return False
        except RAISED_BY_MODELS:  # it takes a weight, but dislikes zeros
            return True
    return True
