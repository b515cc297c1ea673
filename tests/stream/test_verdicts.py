"""Intervals and verdicts through the whole house: configured, kept, shown in words, proved, the same after restarts."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import pytest

from tests.world import World

LINEAR = "preprocessing.StandardScaler() | linear_model.LinearRegression()"


def events(count: int, wild: int | None = None) -> list[dict[str, Any]]:
    source = random.Random(1)
    made = []
    for number in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        y = 3 + 2 * a - b + source.gauss(0, 0.2)
        made.append({"a": a, "b": b, "y": 1000.0 if number == wild else y})
    return made


def world_of(folder: Path, made: list[Any], bounds: str = "bounds = { MAE = 50, RMSE = 50 }") -> World:
    world = World(folder)
    world.write_events("events.jsonl", made)
    world.configure(
        log="file:events.jsonl",
        task="regression",
        learner=LINEAR,
        more=f"[validation]\nwindow = 100\n{bounds}\n[snapshots]\nevery_events = 700",
    )
    return world


def test_verdicts_are_told_proved_and_the_same_after_a_restart(tmp_path: Path) -> None:
    made = events(3000)
    calm, stopped = world_of(tmp_path / "calm", made), world_of(tmp_path / "stopped", made[:1234])
    for world in (calm, stopped):
        world.train()
    stopped.write_events("events.jsonl", made)
    stopped.train()
    shown = calm.json("show", "head")
    assert stopped.json("show", "head")["details"] == shown["details"]
    assert shown["details"]["against"]["Mean"]["better"] == "model"
    for metric in ("MAE", "RMSE"):
        interval, score = shown["details"]["intervals"][metric], shown["scores"][metric]
        assert (interval["low"], interval["high"]) == (score["low"], score["high"])
        assert score["low"] < score["cumulative"] < score["high"]
    text = calm.run("show", "head").stdout
    assert "Better than Mean: over the same 3,000 events, the difference in MAE is" in text
    assert "No interval" not in text
    points = list(csv.DictReader(calm.run("scores", "--csv").stdout.splitlines()))
    assert float(points[-1]["MAE_high"]) == shown["scores"]["MAE"]["high"]
    assert float(points[0]["MAE_low"]) < float(points[0]["MAE_cumulative"]) < float(points[0]["MAE_high"])
    assert all(each["equal"] for each in stopped.json("verify", "all"))


def test_a_loss_beyond_its_bound_is_told(tmp_path: Path) -> None:
    world = world_of(tmp_path, events(1500, wild=900))
    world.train()
    found = world.json("show", "head")["details"]
    assert found["intervals"]["RMSE"]["why"].startswith("the loss of learned event 901 is 9")
    assert "No interval for MAE: the loss of learned event 901 is" in world.run("show", "head").stdout
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_without_bounds_it_says_what_to_declare(tmp_path: Path) -> None:
    world = world_of(tmp_path, events(500), bounds="")
    world.train()
    text = world.run("show", "head").stdout
    assert "set MAE in [validation.bounds]" in text
    assert "Not tested against Mean" in text


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ("bounds = { MAPE = 50 }", "MAPE"),
        ("bounds = { MAE = 0 }", "validation.bounds.MAE"),
        ("bounds = { MAE = inf }", "validation.bounds.MAE"),
        ('metrics = ["R2"]\nbounds = { R2 = 1 }', "R2"),
    ],
)
def test_bounds_that_cannot_be_are_refused_before_anything_is_written(tmp_path: Path, bounds: str, said: str) -> None:
    world = world_of(tmp_path, events(50), bounds=bounds)
    done = world.run("train", "--until-end", code=2)
    assert said in done.stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_bounds_may_not_change(tmp_path: Path) -> None:
    world = world_of(tmp_path, events(500))
    world.train()
    world_of(tmp_path, events(600), bounds="bounds = { MAE = 60, RMSE = 50 }")
    assert "validation.bounds" in world.run("train", "--until-end", code=2).stderr
