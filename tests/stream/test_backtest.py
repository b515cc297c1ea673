"""Backtests over files: equal to a bare river loop over what was read, in the order in which it was read."""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from store import ModelStore
from stream.backtest import told
from stream.backtest.range import Wishes
from stream.backtest.run import Ask, Found
from stream.commands.backtesting import carry_out
from stream.config import read_config
from stream.consumer import Options, consume
from stream.screen import LogScreen
from stream.stop import Stop
from tests.bare_loop import RECIPES, Bare, Place, read_by
from tests.world import World

LINEAR, TREE, BAYES = RECIPES
SHORT = '[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = 300\n'


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    """Training in this process freezes what there is for the garbage collector, and logs to this test's own stderr."""
    structlog.reset_defaults()
    yield
    gc.unfreeze()
    structlog.reset_defaults()


def made(count: int, seed: int) -> list[dict[str, Any]]:
    source = random.Random(seed)
    events = []
    for at in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        events.append({"a": a, "b": b, "at": at, "y": a + source.gauss(0, 0.5) > b})
    return events


def delayed(count: int, seed: int) -> list[dict[str, Any]]:
    """Return events a second apart, most of whose labels come later, some never; `at` and `known` are seconds."""
    source, events = random.Random(seed), made(count, seed)
    for event in events:
        event["known"] = event["at"] + source.choice([0, 1, 30, 300, 900])
        if source.random() < 0.05:
            event["y"] = None
    return events


def train(world: World, **options: Any) -> ModelStore:
    """Train to the end in this process."""
    consume(read_config(world.config), Options(until_end=True, **options), Stop(), LogScreen("test"))
    return world.open()


def play(world: World, *learners: str, workers: int = 1, stop: Stop | None = None, **asked: Any) -> Found:
    """Backtest in this process."""
    wishes = Wishes(*(asked.pop(name, None) for name in ("since", "until", "start")))
    ask = Ask(learners=learners, wishes=wishes, **asked)
    return carry_out(read_config(world.config), world.open(), ask, workers, stop or Stop())[0]


def plain(found: Found) -> Any:
    """Return what is told but for how long it took, and who had begun it."""
    whole = told.plain(found)
    del whole["resumed"]
    for candidate in whole["candidates"]:
        del candidate["seconds"]
    return json.loads(json.dumps(whole))


class Events:
    """The events of a topic of files, by place."""

    def __init__(
        self, world: World, partitions: int = 2, *, count: int = 1500, garbage: Sequence[int] = (700,)
    ) -> None:
        self.world = world
        self.events: dict[Place, dict[str, Any] | None] = {}
        for partition in range(partitions):
            self.add(partition, made(count, partition), garbage)

    def add(self, partition: int, events: Iterable[dict[str, Any]], garbage: Sequence[int] = ()) -> None:
        start = self.ends().get(partition, 0)
        for at, event in enumerate(events):
            self.events[partition, start + at] = None if at in garbage else event
        path = self.world.folder / f"topic/{partition}.jsonl"
        path.parent.mkdir(exist_ok=True)
        mine = [self.events[partition, at] for at in range(self.ends()[partition])]
        path.write_bytes(b"".join((b"{" if e is None else json.dumps(e).encode()) + b"\n" for e in mine))

    def ends(self) -> dict[int, int]:
        return {partition: offset + 1 for partition, offset in sorted(self.events)}

    def bare(self, recipe: str, places: Iterable[Place]) -> Bare:
        """Return a bare river model that has seen these places, in this order."""
        bare = Bare(RECIPES[recipe]())
        for place in places:
            if (event := self.events[place]) is not None:
                bare.learn({"a": event["a"], "b": event["b"]}, y=event["y"])
        return bare


def recorded(model: ModelStore, first: int, last: int) -> list[Place]:
    """Return what versions of a lineage read, in order."""
    lineage = model.lineage(last)
    return [place for version in lineage if version.version >= first for _, place in read_by(model, version)]


def turns(begins: dict[int, int], ends: dict[int, int]) -> list[Place]:
    """Lay out, by hand, what was never read live: 500 of each partition in turn."""
    places: list[Place] = []
    at = dict(begins)
    while at != ends:
        for partition, end in ends.items():
            stop = min(at[partition] + 500, end)
            places += [(partition, offset) for offset in range(at[partition], stop)]
            at[partition] = stop
    return places


def assert_equals(found: Found, number: int, bare: Bare) -> None:
    scores = found.outcomes[number].scores
    assert scores["Accuracy"]["cumulative"] == bare.accuracy.get()
    assert scores["LogLoss"]["cumulative"] == bare.loss.get()
    assert found.outcomes[number].learned == bare.learned


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.configure(log="file:topic", learner=TREE, more='ignore = ["at"]\n' + SHORT)
    return world


@pytest.fixture
def events(world: World) -> Events:
    """Two partitions, each with a malformed event, and a model that learned them in eleven versions."""
    events = Events(world)
    train(world)
    return events


def test_all_that_was_trained_live(world: World, events: Events) -> None:
    model = world.open()
    head = model.head()[0]
    found = play(world, "live", LINEAR, BAYES)
    assert (found.replays_live, found.why) == (True, None)
    assert found.outcomes[0].live == head.version - 1 > 8
    places = recorded(model, 1, head.version)
    for number, recipe in enumerate((TREE, LINEAR, BAYES)):
        assert_equals(found, number, events.bare(recipe, places))
    for metric, spans in found.outcomes[0].scores.items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    for name, scores in found.outcomes[0].baselines.items():
        for metric, spans in scores.items():
            assert spans == {span: head.proof.baselines[name][metric][span] for span in spans}
    assert (found.events, found.outcomes[0].held) == (3000, 2)


def test_from_a_version_to_a_version(world: World, events: Events) -> None:
    model = world.open()
    found = play(world, "live", LINEAR, since="v:2", until="v:5")
    places = recorded(model, 3, 5)
    assert len(places) > 800
    for number, recipe in enumerate((TREE, LINEAR)):
        assert_equals(found, number, events.bare(recipe, places))
    assert found.replays_live is None
    assert "never trained" not in (found.why or "")


def test_from_an_offset_to_an_offset(world: World, events: Events) -> None:
    model = world.open()
    found = play(world, TREE, LINEAR, since="0:133,1:455", until="0:901,1:1000")
    places = [
        (partition, offset)
        for partition, offset in recorded(model, 1, model.head()[0].version)
        if (133, 455)[partition] <= offset < (901, 1000)[partition]
    ]
    for number, recipe in enumerate((TREE, LINEAR)):
        assert_equals(found, number, events.bare(recipe, places))


def test_a_tail_that_was_never_trained_live(world: World, events: Events) -> None:
    model = world.open()
    head = model.head()[0]
    before = events.ends()
    events.add(0, made(1234, 7), [3])
    events.add(1, made(99, 8))
    events.add(2, made(600, 9))
    found = play(world, "live", LINEAR)
    places = [*recorded(model, 1, head.version), *turns({**before, 2: 0}, events.ends())]
    assert len(places) == len(events.events)
    for number, recipe in enumerate((TREE, LINEAR)):
        assert_equals(found, number, events.bare(recipe, places))
    assert (found.replays_live, found.why) == (True, None)
    since = play(world, "live", LINEAR, since=f"v:{head.version}")
    assert_equals(since, 1, events.bare(LINEAR, turns({**before, 2: 0}, events.ends())))
    assert since.replays_live is None
    part = play(world, LINEAR, since="v:4", until="0:1500,1:1599,2:0")
    places = [*recorded(model, 5, head.version), *turns({1: 1500}, {1: 1599})]
    assert_equals(part, 0, events.bare(LINEAR, places))
