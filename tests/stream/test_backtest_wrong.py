"""Backtests where something is wrong: with a candidate, the log, the store, or what was asked."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.stream.test_backtest import BAYES, LINEAR, SHORT, TREE, Events, assert_equals, play, recorded, train, turns
from tests.world import World

ODD = """
from river import base, naive_bayes


class Raises(naive_bayes.GaussianNB):
    def __init__(self, at=0):
        super().__init__()
        self.at = at

    def learn_one(self, x, y):
        self.at -= 1
        if self.at == 0:
            raise ValueError("I am full")
        super().learn_one(x, y)


class Whole(naive_bayes.GaussianNB):
    def __init__(self):
        super().__init__()
        self.secret = lambda: 1


class Greedy(naive_bayes.GaussianNB):
    def predict_proba_one(self, x):
        x["a"] = 0.0
        return super().predict_proba_one(x)


def raises():
    return Raises(345)


def at_once():
    return Raises(5)


def whole():
    return Whole()


def greedy():
    return Greedy()
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.configure(log="file:topic", learner=TREE, more='ignore = ["at"]\n' + SHORT)
    return world


@pytest.fixture
def odd(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with strange recipes beside its configuration."""
    (world.folder / "odd.py").write_text(ODD, encoding="utf-8")
    monkeypatch.delitem(__import__("sys").modules, "odd", raising=False)
    return world


def test_a_candidate_that_raises_is_left_out_from_there(odd: World) -> None:
    events = Events(odd, count=600, garbage=[7])
    model = train(odd)
    found = play(odd, "odd:raises", "live", "odd:at_once", LINEAR)
    places = [place for place in recorded(model, 1, model.head()[0].version) if events.events[place]]
    for number, nth in ((0, 345), (2, 5)):
        partition, offset = places[nth - 1]
        error = found.outcomes[number].error
        assert error is not None
        assert f"partition {partition}, offset {offset}" in error
        assert "I am full" in error
    assert_equals(found, 1, events.bare(TREE, places))
    assert_equals(found, 3, events.bare(LINEAR, places))
    assert found.replays_live is True
    assert found.verdict is not None
    assert set(found.verdict["candidates"]) == {"live", found.candidates[3].name}
    assert found.outcomes[0].baselines == {}, "they came to an end with it"


def test_a_candidate_that_cannot_be_kept_fails_alone(odd: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.backtest.journey.CHECKPOINT_S", 0.0)
    Events(odd, count=600)
    train(odd)
    found = play(odd, "live", "odd:whole")
    assert found.replays_live is True
    assert "pickle" in (found.outcomes[1].error or "")


@pytest.mark.parametrize("greedy", ["odd:greedy", "compose.Renamer({'a': 'c'}) | naive_bayes.GaussianNB()"])
def test_a_candidate_that_changes_events_changes_its_own(odd: World, greedy: str) -> None:
    """River's Renamer does so, too."""
    events = Events(odd, count=600)
    model = train(odd)
    found = play(odd, greedy, "live", LINEAR)
    assert found.replays_live is True
    assert_equals(found, 2, events.bare(LINEAR, recorded(model, 1, model.head()[0].version)))


def test_a_model_without_versions_and_without_a_store(world: World) -> None:
    events = Events(world, count=900)
    told = world.json("backtest", "--learner", TREE, "--learner", LINEAR, "--workers", "1")
    places = turns({0: 0, 1: 0}, events.ends())
    for number, recipe in enumerate((TREE, LINEAR)):
        scores, bare = told["candidates"][number]["scores"], events.bare(recipe, places)
        assert (scores["Accuracy"]["cumulative"], scores["LogLoss"]["cumulative"]) == (
            bare.accuracy.get(),
            bare.loss.get(),
        )
    assert (told["replays_live"], told["why"]) == (None, "the range was never trained live")
    assert not world.open().exists()
    part = play(world, LINEAR, since="0:300,1:300", until="0:500,1:800")
    assert_equals(part, 0, events.bare(LINEAR, turns({0: 300, 1: 300}, {0: 500, 1: 800})))
    assert "expected" in world.run("backtest", "--from", "v:2", code=2).stderr
    assert "expected a stored version" in world.run("backtest", "--start", "2", code=2).stderr


def test_an_empty_log(world: World) -> None:
    (world.folder / "topic").mkdir()
    (world.folder / "topic/0.jsonl").touch()
    assert "no event" in world.run("backtest").stdout
    told = world.json("backtest")
    assert (told["events"], told["replays_live"]) == (0, None)
    world.configure(log="file:topic", more='[schema]\na = { type = "number" }\n')
    assert "no event" in world.run("backtest").stdout


def test_refusals(world: World) -> None:
    Events(world, count=600)
    train(world)
    for wrong, words in {
        ("--learner", "ensemble.BaggingClassifier(tree.HoeffdingTreeClassifier())"): "seed",
        ("--from", "v:77"): "77",
        ("--start", "77"): "77",
        ("--from", "tomorrow"): "tomorrow",
        ("--from", "0:1"): "[1]",
        ("--from", "300"): "0:100,1:90",
        ("--from", "0:300,1:9000"): "9000",
        ("--from", "0:400,1:400", "--to", "0:300,1:300"): "none",
        ("--start", "3", "--from", "0:10,1:10"): "version 3",
        ("--start", "3", "--learner", LINEAR): "--learner live",
    }.items():
        done = world.run("backtest", *wrong, code=2)
        assert words in done.stderr, (wrong, done)
        assert "Traceback" not in done.stderr


def test_a_changed_configuration_cannot_be_compared(world: World) -> None:
    Events(world, count=600)
    train(world)
    world.configure(log="file:topic", learner=LINEAR, more='ignore = ["at"]\n' + SHORT)
    told = world.json("backtest")
    assert told["replays_live"] is None
    assert "model.learner" in told["why"]
    assert "model.learner" in world.run("backtest", "--start", "2", code=2).stderr


def test_another_environment_cannot_be_told(world: World) -> None:
    Events(world, count=600)
    train(world)
    with sqlite3.connect(world.folder / "tidemark.db") as connection:
        (found,) = connection.execute("SELECT environment FROM versions WHERE version = 3").fetchone()
        other = json.dumps({**json.loads(found), "river": "0.1"})
        connection.execute("UPDATE versions SET environment = ? WHERE version = 3", (other,))
    connection.close()
    found = play(world)
    assert found.replays_live is None
    assert "river" in (found.why or "")


def lines(world: World, partition: int = 0) -> tuple[Path, list[bytes]]:
    path = world.folder / f"topic/{partition}.jsonl"
    return path, path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_log_that_changed(world: World, workers: str) -> None:
    """An event with another value gives other scores; one that cannot be read, or is gone, an error in words."""
    Events(world, count=600)
    train(world)
    asked = ("backtest", "--learner", "live", "--learner", BAYES, "--workers", workers)
    path, good = lines(world)
    event: dict[str, Any] = json.loads(good[100])
    path.write_bytes(b"".join([*good[:100], json.dumps({**event, "y": not event["y"]}).encode() + b"\n", *good[101:]]))
    told = world.json(*asked, code=1)
    assert told["replays_live"] is False
    assert told["why"] == "version 2: the predictions differ"
    path.write_bytes(b"".join([*good[:100], b"[]\n", *good[101:]]))
    done = world.run(*asked, code=1)
    assert "the log changed" in done.stderr
    path.write_bytes(b"".join(good[:100]))
    done = world.run(*asked, code=3)
    assert "hint: " in done.stderr
    path.unlink()
    done = world.run(*asked, code=3)
    assert "hint: " in done.stderr
    assert [run.outcome for run in world.open().runs()[-3:]] == ["failed"] * 3
