"""`[model] engine` may change between runs: a bare river loop learns the same, and each run says who ran."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from river import compose, linear_model, naive_bayes, optim, preprocessing, tree

from learners import Learner
from tests.bits import bits
from tests.world import World

LATER = 'moment = "at"\nignore = ["at"]\n[labels]\nmoment = "known_at"\n'
RUNS = [("auto", 4000), ("river", 700), ("auto", 4000)]
RECIPES: dict[str, tuple[str, str, Callable[[], Any]]] = {
    "numbers": (
        "binary",
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
    "categories": (
        "binary",
        (
            "(compose.Discard('t') | preprocessing.StandardScaler())"
            " + (compose.Select('t') | preprocessing.OneHotEncoder())"
            " | linear_model.LogisticRegression(optimizer=optim.FTRLProximal())"
        ),
        lambda: (
            (compose.Discard("t") | preprocessing.StandardScaler())
            + (compose.Select("t") | preprocessing.OneHotEncoder())
            | linear_model.LogisticRegression(optimizer=optim.FTRLProximal())
        ),
    ),
    "classes": (
        "multiclass",
        "compose.Select('b', 'a') | preprocessing.MinMaxScaler() | naive_bayes.GaussianNB()",
        lambda: compose.Select("b", "a") | preprocessing.MinMaxScaler() | naive_bayes.GaussianNB(),
    ),
    "tree": (
        "multiclass",
        "compose.Discard('t') | tree.HoeffdingTreeClassifier(grace_period=50, tau=0.3)",
        lambda: compose.Discard("t") | tree.HoeffdingTreeClassifier(grace_period=50, tau=0.3),
    ),
}


def events(count: int, seed: int, task: str) -> list[tuple[dict[str, Any], bool]]:
    """Numbers of all sizes, whole ones without a point, some missing; and whether the gate lets an event through."""
    source, made = random.Random(seed), []
    for _ in range(count):
        x = {"a": source.gauss(0, 1), "b": source.randrange(-9, 9), "c": 10.0 ** source.randrange(-12, 12)}
        kept = {name: value for name, value in x.items() if name != "c" or source.random() < 0.8}
        y = x["a"] + source.gauss(0, 0.5) > x["b"] / 9
        event = {
            **kept,
            "t": source.choice("xyz") * source.randrange(1, 9),
            "y": y if task == "binary" else "no" if y else source.choice("pq"),
        }
        good = source.random() < 0.99
        made.append((event if good else {**event, "c": source.choice([1e16, 10**400, "x", True])}, good))
    return made


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("name", list(RECIPES))
def test_a_model_goes_from_one_engine_to_the_other_and_back(tmp_path: Path, name: str, *, later: bool) -> None:
    task, text, river = RECIPES[name]
    world, bare = World(tmp_path), river()
    learned, seen, waiting = 0, list[Any](), list[Any]()
    delays = random.Random(7)
    for number, (engine, count) in enumerate(RUNS):
        came = events(count, number, task)
        for second, (each, _) in enumerate(came if later else (), len(seen)):
            each |= {"at": second, "known_at": second + delays.choice([0, 1, 50, 400])}
        seen += came
        world.write_events("events.jsonl", [json.dumps(each).encode() for each, _ in seen])
        world.configure(
            log="file:events.jsonl",
            learner=text,
            task=task,
            model=f'engine = "{engine}"',
            more=(LATER if later else "") + "[schema]\na = { type = 'number' }\nb = { type = 'number' }\n"
            "c = { type = 'number', required = false }\nt = { type = 'category' }\n[snapshots]\nevery_events = 900",
        )
        world.train()
        shown = world.json("show", "head")
        assert shown["engine"] == ("compiled" if engine == "auto" else 'river: [model] engine = "river" asks for it')
        for each, good in came:
            if good:
                x = {name: float(each[name]) for name in "abc" if name in each} | {"t": each["t"]}
                due = sorted((at, asked) for at, asked, *_ in waiting if at <= each["at"]) if later else []
                for at, asked in due:
                    item = next(item for item in waiting if item[:2] == (at, asked))
                    waiting.remove(item)
                    bare.learn_one(*item[2:])
                bare.predict_proba_one(x)
                if later:
                    waiting.append((each["known_at"], each["at"], x, each["y"]))
                else:
                    bare.learn_one(x, each["y"])
                learned += len(due) if later else 1
        assert shown["events"]["learned"] == learned
        model = world.open()
        state = model.payload(model.head()[0].version)
        assert bits(Learner.restore(state).model) == bits(bare)
    assert learned < len(seen)
    assert all(each["equal"] for each in world.json("verify", "all"))
