"""`[model] engine` may change between runs: a bare river loop learns the same, and each run says who ran."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from river import compose, linear_model, naive_bayes, optim, preprocessing

from learners import Learner
from tests.bits import bits
from tests.world import World

RUNS = [("auto", 4000), ("river", 700), ("auto", 4000)]
RECIPES: dict[str, tuple[str, Callable[[], Any]]] = {
    "binary": (
        (
            "compose.Discard('t') | preprocessing.StandardScaler()"
            " | linear_model.LogisticRegression(optimizer=optim.AdaGrad(0.1), l2=0.001)"
        ),
        lambda: (
            compose.Discard("t")
            | preprocessing.StandardScaler()
            | linear_model.LogisticRegression(optimizer=optim.AdaGrad(0.1), l2=0.001)
        ),
    ),
    "multiclass": (
        "compose.Select('b', 'a') | preprocessing.MinMaxScaler() | naive_bayes.GaussianNB()",
        lambda: compose.Select("b", "a") | preprocessing.MinMaxScaler() | naive_bayes.GaussianNB(),
    ),
}


def events(count: int, seed: int, task: str) -> list[tuple[dict[str, Any], bool]]:
    """Numbers of all sizes, whole ones without a point, some missing; and whether the gate lets an event through."""
    source, made = random.Random(seed), []
    for _ in range(count):
        x = {"a": source.gauss(0, 1), "b": source.randrange(-9, 9), "c": 10.0 ** source.randrange(-12, 12)}
        kept = {name: value for name, value in x.items() if name != "c" or source.random() < 0.8}
        y = x["a"] + source.gauss(0, 0.5) > x["b"] / 9
        event = {**kept, "t": source.choice("xyz"), "y": y if task == "binary" else "no" if y else source.choice("pq")}
        good = source.random() < 0.99
        made.append((event if good else {**event, "c": source.choice([1e16, 10**400, "x", True])}, good))
    return made


@pytest.mark.parametrize("task", list(RECIPES))
def test_a_model_goes_from_one_engine_to_the_other_and_back(tmp_path: Path, task: str) -> None:
    text, river = RECIPES[task]
    world, bare = World(tmp_path), river()
    learned, seen = 0, []
    for number, (engine, count) in enumerate(RUNS):
        came = events(count, number, task)
        seen += came
        world.write_events("events.jsonl", [json.dumps(each).encode() for each, _ in seen])
        world.configure(
            log="file:events.jsonl",
            learner=text,
            task=task,
            model=f'engine = "{engine}"',
            more="[schema]\na = { type = 'number' }\nb = { type = 'number' }\n"
            "c = { type = 'number', required = false }\nt = { type = 'category' }\n[snapshots]\nevery_events = 900",
        )
        world.train()
        shown = world.json("show", "head")
        assert shown["engine"] == ("compiled" if engine == "auto" else 'river: [model] engine = "river" asks for it')
        for each, good in came:
            if good:
                x = {name: float(each[name]) for name in "abc" if name in each} | {"t": each["t"]}
                bare.predict_proba_one(x)
                bare.learn_one(x, each["y"])
                learned += 1
        assert shown["events"]["learned"] == learned
        model = world.open()
        state = model.payload(model.head()[0].version)
        assert bits(Learner.restore(state).model) == bits(bare)
    assert learned < len(seen)
    assert all(each["equal"] for each in world.json("verify", "all"))
