"""The laws of learners/laws.py, run on every recipe of the catalogue."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from learners.catalogue import CATALOGUE
from learners.laws import LAWS
from learners.recipe import Task, read_recipe

RECIPES = [(task, name, text) for task, recipes in CATALOGUE.items() for name, text in recipes.items()]
EVENTS = 200


def events(task: Task, seed: int = 7) -> tuple[list[dict[str, float]], list[Any]]:
    """A concept that drifts in the middle; some features are missing, `c` has few values."""
    rng = random.Random(seed)
    xs, ys = [], []
    for index in range(EVENTS):
        x = {"a": rng.gauss(0, 1), "b": rng.uniform(-3, 3), "c": float(rng.randrange(3))}
        number = (x["a"] if index < EVENTS // 2 else -x["a"]) + 0.5 * x["b"] + x["c"] + rng.gauss(0, 0.1)
        label = {"binary": number > 1, "multiclass": "low" if number < 0 else "mid" if number < 2 else "high"}
        xs.append(x)
        ys.append(label.get(task, number))
    return xs, ys


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize(
    ("task", "text"), [(task, text) for task, _, text in RECIPES], ids=[f"{t}-{n}" for t, n, _ in RECIPES]
)
def test_recipe(law: Callable[..., None], task: Task, text: str) -> None:
    law(read_recipe(text, task), *events(task))
