"""Models that are ruined by an event: who did it is found and held, and the model is as if it had never come.

The oracle is a bare river loop over the events without the culprits.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, optim, preprocessing, tree

from learners import Learner
from tests.world import World

SCALED = "preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01))"
BARE = "linear_model.LinearRegression(optimizer=optim.SGD(0.01), clip_gradient=1e300)"
HUGE = "[gate]\nbound = 1e300\n[validation]\nmetrics = ['MAE']\n[snapshots]\nevery_events = {every}\n"


def stream(count: int, seed: int = 1) -> list[dict[str, Any]]:
    source = random.Random(seed)
    made = []
    for number in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        made.append({"a": a, "b": b, "y": 2 * a + b + source.gauss(0, 0.1), "number": float(number % 50)})
    return made


def poisoned(events: list[dict[str, Any]], places: Iterable[int], value: float = 1e200) -> list[dict[str, Any]]:
    """Return the events with a poisoned one put in at each place (of the result)."""
    events = list(events)
    for place in sorted(places):
        events.insert(place, {"a": value, "b": 1.0, "y": 1.0, "number": 1.0})
    return events


def loop(model: Any, events: Iterable[dict[str, Any]], names: Collection[str] = ("a", "b", "number")) -> Any:
    """Return the model, and the mean absolute error, after a bare loop of river."""
    errors = []
    for event in events:
        x = {name: event[name] for name in names}
        errors.append(abs(model.predict_one(x) - event["y"]))
        model.learn_one(x, event["y"])
    return model, sum(errors) / len(errors)


def same(world: World, model: Any, error: float) -> None:
    """Assert that head's model answers as the bare one does, bit for bit."""
    store = world.open()
    head, _ = store.head()
    learner = Learner.restore(store.payload(head.version), head.proof.golden)
    for event in stream(50, seed=9):
        x = {name: event[name] for name in ("a", "b", "number")}
        assert learner.predict_one(x).y_pred == model.predict_one(x)
    assert head.proof.scores["MAE"]["cumulative"] == pytest.approx(error, rel=1e-12)


def models() -> dict[str, tuple[str, Any]]:
    return {
        "scaled": (SCALED, preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01))),
        "bare": (BARE, linear_model.LinearRegression(optimizer=optim.SGD(0.01), clip_gradient=1e300)),
        "tree": ("tree.HoeffdingTreeRegressor()", tree.HoeffdingTreeRegressor()),
    }


def made_of(recipe: str, folder: Path, events: list[Any], more: str = HUGE.format(every=300)) -> World:
    world = World(folder)
    world.write_events("events.jsonl", events)
    world.configure(log="file:events.jsonl", task="regression", learner=recipe, more=more)
    return world


def check(world: World, places: list[int], good: int) -> None:
    """Assert that exactly these events are held, as suspects, and that all versions can be verified."""
    head = world.json("show", "head")
    assert head["events"] == {
        "read": good + len(places),
        "learned": good,
        "held": len(places),
        "pending": 0,
        "expired": 0,
    }
    held = world.open().held()
    assert [each.offset for each in held] == places
    assert {(each.kind, each.reason) for each in held} <= {
        ("suspect", "learner_tainted"),
        ("suspect", "learner_raised"),
    }
    assert all(each["equal"] for each in world.json("verify", "all"))


@pytest.mark.parametrize("name", models())
def test_what_ruins_a_model_is_held_and_leaves_no_trace(tmp_path: Path, name: str) -> None:
    """In the middle, as the last before a version, several in a row, as the last of all."""
    recipe, model = models()[name]
    places = [168, 299, 500, 501, 502, 503, 606]
    good = stream(600)
    world = made_of(recipe, tmp_path, poisoned(good, places, 1e155 if name == "tree" else 1e200))
    world.train()
    check(world, places, 600)
    same(world, *loop(model, good))


def test_the_first_event_of_all_may_be_the_culprit(tmp_path: Path) -> None:
    recipe, model = models()["scaled"]
    good = stream(400)
    world = made_of(recipe, tmp_path, poisoned(good, [0, 1]), HUGE.format(every=50_000))
    world.train()
    check(world, [0, 1], 400)
    same(world, *loop(model, good))
