"""Backtests over several ranges at once: each is as it would be by itself, whoever carries it out."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.world import World

LEARNERS = ("live", "naive_bayes.GaussianNB()")
RANGES = (("v:1", "v:3"), ("v:3", "700"), ("600", None))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world, source = World(tmp_path), random.Random(3)
    with (tmp_path / "events.jsonl").open("w") as log:
        for _ in range(1000):
            a, b = source.gauss(0, 1), source.gauss(0, 1)
            log.write(json.dumps({"a": a, "b": b, "y": a + b > source.gauss(0, 0.5)}) + "\n")
    world.configure(log="file:events.jsonl", more="[snapshots]\nevery_events = 250")
    world.train()
    return world


def told(found: Any) -> Any:
    """What a candidate came to, but for how long it took."""
    return [{key: value for key, value in each.items() if key not in ("seconds", "range")} for each in found]


@pytest.mark.parametrize("workers", ["1", "2", "5"])
def test_each_range_is_as_by_itself(world: World, workers: str) -> None:
    learners = [part for learner in LEARNERS for part in ("--learner", learner)]
    named = [part for since, until in RANGES for part in ("--range", f"{since}..{until or ''}")]
    together = world.json("backtest", *named, *learners, "--workers", workers)
    alone = []
    for since, until in RANGES:
        place = ["--from", since, *(["--to", until] if until else [])]
        alone.append(world.json("backtest", *place, *learners, "--workers", "1"))
    assert [told(each["candidates"]) for each in together["ranges"]] == [told(each["candidates"]) for each in alone]
    for part, by_itself in zip(together["ranges"], alone, strict=True):
        assert (part["range"], part["verdict"]) == (by_itself["range"], by_itself["verdict"])
    assert [each["range"] for each in together["candidates"]] == [0, 0, 1, 1, 2, 2]
    assert together["events"] == sum(each["events"] for each in alone) == 500 + 200 + 400
    assert (together["replays_live"], alone[0]["replays_live"]) == (True, True)
    shown = world.json("runs", "show", str(together["run"]))
    assert len(shown["trials"]) == len(LEARNERS) * len(RANGES)


def test_what_is_not_for_several(world: World) -> None:
    two = ("backtest", "--range", "..500", "--range", "500..")
    assert "expected one range with --csv" in world.run(*two, "--csv", code=2).stderr
    assert "expected --range alone" in world.run(*two, "--start", "2", code=2).stderr
    assert "expected --range A..B, found '500'" in world.run("backtest", "--range", "500", code=2).stderr
    assert world.run(*two).stdout.count("to the leader") == 2
