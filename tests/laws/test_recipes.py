"""The laws of learners/laws.py, run on every recipe of the catalogue."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from learners.catalogue import CATALOGUE
from learners.errors import LearnFailed
from learners.laws import LAWS
from learners.learner import Learner
from learners.recipe import Task, read_recipe

RECIPES = [(task, name, text) for task, recipes in CATALOGUE.items() for name, text in recipes.items()]
EVENTS = 200
MISSING = 0.1
NEVER_MISSING = {"logistic regression on a union": ("a", "b", "c")}
"""Features that a recipe cannot do without: river's compose.Select raises KeyError where one of its own is missing."""


def events(task: Task, name: str, seed: int = 7) -> tuple[list[dict[str, float]], list[Any]]:
    """A concept that drifts in the middle; `c` has few values; some features are missing, though none of the first."""
    rng, chance = random.Random(seed), random.Random(seed + 1)
    xs, ys = [], []
    for index in range(EVENTS):
        x = {"a": rng.gauss(0, 1), "b": rng.uniform(-3, 3), "c": float(rng.randrange(3))}
        number = (x["a"] if index < EVENTS // 2 else -x["a"]) + 0.5 * x["b"] + x["c"] + rng.gauss(0, 0.1)
        label = {"binary": number > 1, "multiclass": "low" if number < 0 else "mid" if number < 2 else "high"}
        missing = [key for key in x if index and chance.random() < MISSING and key not in NEVER_MISSING.get(name, ())]
        xs.append({key: value for key, value in x.items() if key not in missing})
        ys.append(label.get(task, number))
    return xs, ys


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(("task", "name", "text"), RECIPES, ids=[f"{task}-{name}" for task, name, _ in RECIPES])
def test_recipe(law: Callable[..., None], task: Task, name: str, text: str) -> None:
    law(read_recipe(text, task), *events(task, name))


def test_features_are_missing_where_the_recipe_can_take_it() -> None:
    for task, name, text in RECIPES:
        xs, _ = events(task, name)
        assert {key for x in xs for key in "abc" if key not in x} == {*"abc"} - set(NEVER_MISSING.get(name, ()))
        for key in NEVER_MISSING.get(name, ()):
            learner = Learner.new(read_recipe(text, task), features=["a", "b", "c"], metrics=["Accuracy"], window=50)
            x = {other: 0.0 for other in "abc" if other != key}
            with pytest.raises(LearnFailed, match=f"KeyError .*'{key}'"):
                learner.test_then_train([x], [True])
