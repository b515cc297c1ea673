"""Candidates that did not begin alike are compared on the same events; rivals are scored over the range alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from stream.errors import ConfigError
from tests.bare_loop import RECIPES
from tests.stream.test_backtest import BAYES, LINEAR, delayed, made, play, train
from tests.world import World

LATER = '[labels]\nmoment = "known"\n'
SHORT = '[validation]\nmetrics = ["Accuracy"]\nwindow = 100\n[snapshots]\nevery_events = 300\n'
COUNT, START = 1500, 600
"""Events, and how many of them version 3 had read."""


class Live:
    """A bare river model whose labels come later: what is due is learned before the next event is asked."""

    def __init__(self, recipe: str) -> None:
        self.model = RECIPES[recipe]()
        self.pending: list[tuple[int, int, bool, bool, dict[str, float]]] = []
        self.right: dict[int, bool] = {}

    def go(self, events: Sequence[dict[str, Any]], first: int) -> Live:
        """Ask the events from `first` on."""
        for number, event in list(enumerate(events))[first:]:
            self.reveal(event["at"])
            x = {"a": event["a"], "b": event["b"]}
            if event["y"] is not None:
                self.pending.append((event["known"], number, event["y"], self.model.predict_one(x), x))
            else:
                self.model.predict_one(x)
        return self

    def reveal(self, now: float) -> Live:
        """Judge and learn what is due."""
        for due in sorted(each for each in self.pending if each[0] <= now):
            self.pending.remove(due)
            _, number, y, answer, x = due
            if answer is not None:
                self.right[number] = answer == y
            self.model.learn_one(x, y)
        return self


def mean(right: dict[int, bool], events: Sequence[int]) -> float:
    return sum(right[number] for number in events) / len(events)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.write_events("log.jsonl", delayed(COUNT, 3))
    world.configure(
        log="file:log.jsonl", learner=LINEAR, more='moment = "at"\nignore = ["at", "known"]\n' + LATER + SHORT
    )
    train(world)
    return world


def test_a_warm_one_and_a_cold_one_are_compared_on_the_events_of_the_range(world: World) -> None:
    events = delayed(COUNT, 3)
    warm = Live(LINEAR).go(events, 0).reveal(float("inf"))
    cold = Live(BAYES).go(events, START).reveal(float("inf"))
    both = sorted(warm.right.keys() & cold.right.keys() & set(range(START, COUNT)))
    found = play(world, "live", BAYES, start="3")
    assert found.replays_live is True
    assert found.verdict is not None
    (pair,) = found.verdict["pairs"]
    assert pair["events"] == len(both)
    told = found.outcomes[0].learned, found.outcomes[1].learned
    assert told[0] > told[1], "the live one judged events of before, too"
    difference = mean(warm.right, both) - mean(cold.right, both)
    assert pair["difference"] == pytest.approx(difference if pair["a"] == "live" else -difference, abs=1e-12)


def test_one_that_was_rolled_back_is_compared_on_what_both_judged(world: World) -> None:
    """At an odd place: the windows of its scores are counted through."""
    events, at = delayed(COUNT, 3), 977
    live = Live(LINEAR).go(events, 0).reveal(float("inf"))
    before = Live(LINEAR).go(events[:at], 0)
    after = Live(LINEAR).go(events[:START], 0).go(events, at).reveal(float("inf"))
    right = {n: r for n, r in before.right.items() if n < at} | {n: r for n, r in after.right.items() if n >= at}
    both = sorted(right.keys() & live.right.keys())
    found = play(world, rollback=(str(at), "3"))
    assert found.verdict is not None
    (pair,) = found.verdict["pairs"]
    assert pair["events"] == len(both)
    difference = mean(live.right, both) - mean(right, both)
    assert pair["difference"] == pytest.approx(difference if pair["a"] == "live" else -difference, abs=1e-12)


def test_baselines_are_scored_over_the_range_alone(tmp_path: Path) -> None:
    world, events = World(tmp_path), made(COUNT, 3)
    world.write_events("log.jsonl", events)
    world.configure(log="file:log.jsonl", learner=LINEAR, more='ignore = ["at"]\n' + SHORT)
    train(world)
    found = play(world, start="3")
    ys = [event["y"] for event in events]
    same = [last == y for last, y in zip(ys[START - 1 :], ys[START:], strict=False)]
    assert len(same) == COUNT - START
    assert found.outcomes[0].baselines["NoChange"]["Accuracy"]["cumulative"] == sum(same) / len(same)
    in_window = same[-100:]
    assert found.outcomes[0].baselines["NoChange"]["Accuracy"]["window"] == sum(in_window) / len(in_window)


UNWRITTEN = """
from river import dummy

class Unwritten(dummy.NoChangeClassifier):
    def __init__(self):
        super().__init__()
        self.odd = lambda: 1

def make():
    return Unwritten()
"""


def test_a_model_that_cannot_be_written_fails_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "unwritten.py").write_text(UNWRITTEN)
    world.write_events("log.jsonl", made(500, 3))
    world.configure(log="file:log.jsonl", learner=LINEAR, more='ignore = ["at"]\n' + SHORT)
    train(world)
    found = play(world, "live", "unwritten:make")
    assert found.outcomes[0].error is None
    assert "cannot be written" in (found.outcomes[1].error or "")
    assert found.verdict is not None
    assert list(found.verdict["candidates"]) == ["live"]


@pytest.mark.parametrize("place", ["-5", "earliest", "head", "7:", "1e3", ""])
def test_what_is_no_place_is_told_with_all_that_would_be_one(world: World, place: str) -> None:
    with pytest.raises(ConfigError, match="expected an offset, a version or an ISO time"):
        play(world, since=place)
