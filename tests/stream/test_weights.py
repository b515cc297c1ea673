"""Weights through the whole house: refused where they cannot be, the same after a kill, proved, and those of river."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, preprocessing

from tests.stream.test_details import events
from tests.world import World

WEIGHED = (
    '[schema]\na = { type = "number" }\nb = { type = "number" }\nw = { type = "number", min = 0, required = true }'
)
LABELS = '[labels]\nmoment = "known_at"'
DISCARDING = "compose.Discard('w') | preprocessing.StandardScaler() | linear_model.LogisticRegression()"

METRICS = ["Accuracy", "F1", "LogLoss"]


def world_of(
    folder: Path,
    made: list[Any],
    *,
    model: str = "",
    validation: str = "",
    more: str = WEIGHED,
    learner: str = DISCARDING,
) -> World:
    world = World(folder)
    world.write_events("events.jsonl", made)
    asked = f"[validation]\nmetrics = {METRICS if learner == DISCARDING else METRICS[:1]}\nwindow = 100\n{validation}"
    world.configure(
        log="file:events.jsonl",
        learner=learner,
        model=model,
        more=f'moment = "at"\nignore = ["known_at"]\n{more}\n{asked}\n[snapshots]\nevery_events = 300',
    )
    return world


def weighed(count: int, seed: int) -> list[dict[str, Any]]:
    return [{**event, "w": 0.25 * (number % 4) + 0.1} for number, event in enumerate(events(count, seed))]


def test_weights_of_a_field_are_those_of_river(tmp_path: Path) -> None:
    made = weighed(800, 1)
    world = world_of(tmp_path, made, model='weight = "w"', validation='weight = "w"')
    world.write_events("events.jsonl", [{**made[0], "w": bad} for bad in (-1, None, "much")] + made)
    world.train()
    shown = world.json("show", "head")
    assert shown["events"]["held"] == 3
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    judges = {"Accuracy": metrics.Accuracy(), "F1": metrics.F1(), "LogLoss": metrics.LogLoss()}
    for event in made:
        x = {"a": event["a"], "b": event["b"]}
        chances = model.predict_proba_one(x)
        for name, judge in judges.items():
            judge.update(event["y"], chances if name == "LogLoss" else max(chances, key=chances.get), event["w"])
        model.learn_one(x, event["y"], w=event["w"])
    for name, judge in judges.items():
        assert shown["scores"][name]["cumulative"] == judge.get()
    assert {each["equal"] for each in world.json("verify", "all")} == {True}


@pytest.mark.parametrize("table", ["model", "validation"])
def test_weights_by_age(tmp_path: Path, table: str) -> None:
    made = weighed(700, 2)
    world = world_of(tmp_path, made, **{table: 'recency = "10s"'}, more=f"{WEIGHED}\n{LABELS}")
    plain = world_of(tmp_path / "plain", made, more=f"{WEIGHED}\n{LABELS}")
    for each in (world, plain):
        each.train("--close")
        assert {found["equal"] for found in each.json("verify", "all")} == {True}
    shown, other = world.json("show", "head"), plain.json("show", "head")
    assert shown["events"] == other["events"]
    assert shown["scores"]["LogLoss"]["cumulative"] != other["scores"]["LogLoss"]["cumulative"]
    same = shown["baselines"]["Prior"]["Accuracy"] == other["baselines"]["Prior"]["Accuracy"]
    assert same == (table == "model")
    world_of(tmp_path, made, **{table: 'recency = "20s"'}, more=f"{WEIGHED}\n{LABELS}")
    assert f"{table}.recency" in world.run("train", "--until-end", code=2).stderr
    world_of(tmp_path, made, **{table: 'recency = "10s"\nweight = "w"'}, more=f"{WEIGHED}\n{LABELS}")
    assert f"{table}.weight" in world.run("train", "--until-end", code=2).stderr


REFUSED = {
    "age without labels": ({"model": 'recency = "7d"'}, "model.recency: expected [labels]"),
    "age of scores without labels": ({"validation": 'recency = "7d"'}, "validation.recency: expected [labels]"),
    "no time at all": ({"model": 'recency = "0s"', "more": f"{WEIGHED}\n{LABELS}"}, "model.recency"),
    "not declared": ({"model": 'weight = "z"'}, "model.weight: expected a field that [schema] declares"),
    "no schema": ({"validation": 'weight = "w"', "more": ""}, "validation.weight: expected a field"),
    "may be missing": ({"model": 'weight = "w"', "more": WEIGHED.replace(", required = true", "")}, "required = true"),
    "may be negative": ({"model": 'weight = "w"', "more": WEIGHED.replace("min = 0", "min = -1")}, "min = 0"),
    "without bound": ({"model": 'weight = "w"', "more": WEIGHED.replace("min = 0, ", "")}, "min = 0"),
    "no number": (
        {"model": 'weight = "w"', "more": WEIGHED.replace('{ type = "number", min = 0', '{ type = "category"')},
        'type = "number"',
    ),
    "a model without weights": (
        {"model": 'weight = "w"', "learner": "preprocessing.StandardScaler() | linear_model.ALMAClassifier()"},
        "ALMAClassifier does not",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_that_cannot_be_are_refused(tmp_path: Path, case: str) -> None:
    changed, told = REFUSED[case]
    world = world_of(tmp_path, weighed(50, 3), **changed)
    done = world.run("train", "--until-end", code=2)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_an_age_of_decades_weighs_nothing_and_ends_no_run(tmp_path: Path) -> None:
    made = [{**event, "known_at": event["at"] + 10**9} for event in weighed(200, 4)]
    both = 'recency = "1ms"'
    world = world_of(tmp_path, made, model=both, validation=both, more=f"{WEIGHED}\n{LABELS}")
    world.train("--close")
    shown = world.json("show", "head")
    assert shown["events"]["learned"] == 200
    assert shown["scores"]["LogLoss"]["cumulative"] is None
    assert {found["equal"] for found in world.json("verify", "all")} == {True}
