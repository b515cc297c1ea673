"""Backtests over files: equal to a bare river loop over what was read, in the order in which it was read."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from river import compose, evaluate, metrics

from learners import LabelPolicy, Learner, read_recipe
from store import ModelStore
from stream.backtest import told
from stream.backtest.asked import Ask, Found
from stream.backtest.journey import asked_before
from stream.backtest.range import Wishes
from stream.backtest.trial import Trial
from stream.commands.backtesting import carry_out
from stream.config import read_config
from stream.consumer import Options, consume
from stream.gate import Verdicts
from stream.screen import LogScreen
from stream.stop import Stop
from tests.bare_loop import RECIPES, Bare, Place, read_by
from tests.world import World, until

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
    """Return what is told, as `same`."""
    return same(json.loads(json.dumps(told.plain(found))))


def same(whole: dict[str, Any]) -> dict[str, Any]:
    """Leave out how long it took, who had begun it, and the size of pickles: those of equal learners may differ."""
    for name in ("resumed", "run", "interrupted"):
        whole.pop(name, None)
    for candidate in whole["candidates"]:
        for name in ("seconds", "state_bytes"):
            candidate.pop(name)
    return whole


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


class StopAfter(Stop):
    """Asks to stop once it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    @property
    def requested(self) -> bool:  # type: ignore[override]
        self.looks -= 1
        return self.looks < 0


THREE = ("live", LINEAR, BAYES)


@pytest.mark.parametrize("looks", [2, 13])
def test_what_was_interrupted_goes_on(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch, looks: int
) -> None:
    """In what was read live, in the tail, and once more."""
    world.configure(
        log="file:topic",
        learner=TREE,
        more='id = "id"\nignore = ["at"]\n[gate]\nduplicates = 5000\n' + SHORT,
    )
    monkeypatch.setattr("stream.backtest.journey.CHECKPOINT_S", 0.0)
    monkeypatch.setattr("stream.backtest.course.EVENTS_IN_STRETCH", 500)
    (world.folder / "tidemark.db").unlink()
    for place, event in events.events.items():
        if event is not None:
            event["id"] = f"{place[1] - (place[1] % 5 == 4)}-{place[0]}"  # one of five comes twice
    events.add(0, [])
    events.add(1, [])
    train(world)
    for partition in (0, 1):
        more = made(1200, partition + 5)
        for at, event in enumerate(more):
            event["id"] = f"{1400 + at % 700}-{partition}"  # and these of what was read live, and of the tail
        events.add(partition, more)
    whole = play(world, *THREE)
    assert whole.resumed is None
    assert whole.outcomes[1].held > 1400, "ids that were met before"
    assert play(world, *THREE).resumed is None, "what was done is begun anew"
    assert play(world, *THREE, stop=StopAfter(looks)).outcomes == {}
    interrupted = world.open().runs()[-1]
    assert (interrupted.command, interrupted.outcome) == ("backtest", "interrupted")
    twice = play(world, *THREE, stop=StopAfter(2))
    assert twice.resumed == interrupted.run
    found = play(world, *THREE)
    assert found.resumed == world.open().runs()[-2].run
    assert plain(found) == plain(whole)
    for number in range(3):
        assert found.outcomes[number].values.tobytes() == whole.outcomes[number].values.tobytes()


def test_what_was_interrupted_goes_on_in_another_order(
    world: World, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.backtest.journey.CHECKPOINT_S", 0.0)
    assert len(events.events) == 3000
    assert play(world, "live", LINEAR, BAYES, stop=StopAfter(9)).outcomes == {}
    found = play(world, "live", BAYES, "forest.ARFClassifier(seed=1, n_models=1)", LINEAR)
    assert found.resumed is not None
    whole = play(world, "live", BAYES, "forest.ARFClassifier(seed=1, n_models=1)", LINEAR)
    assert whole.resumed is None
    assert plain(found) == plain(whole)


SLOW = """
import time
from river import naive_bayes


class Slow(naive_bayes.GaussianNB):
    def learn_one(self, x, y):
        time.sleep(0.01)
        super().learn_one(x, y)


def make():
    return Slow()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_was_done_when_it_was_killed_is_not_done_again(world: World, number: int) -> None:
    """By a signal to all its processes, as a terminal sends it, or by one that nobody can answer; no process stays."""
    Events(world, count=300)
    train(world)
    module = world.folder / f"slow{int(number)}.py"
    module.write_text(SLOW, encoding="utf-8")
    learners = ("live", f"{module.stem}:make", LINEAR, BAYES)
    asked = [word for learner in learners for word in ("--learner", learner)]
    command = world.start("backtest", *asked, "--workers", "2", "--json")
    model = world.open()

    def kept() -> set[int]:
        last = model.runs()[-1]
        return {trial.number for trial in model.trials(last.run)} if last.command == "backtest" else set()

    until(lambda: kept() == {0, 2}, process=command)
    mine = processes_of(command.pid)
    assert len(mine) >= 2
    for pid in [command.pid, *mine] if number == signal.SIGINT else [command.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    done = command.wait(30)
    until(lambda: not any(alive(pid) for pid in mine))
    if number == signal.SIGINT:
        assert command.returncode == 1
        assert json.loads(done.stdout)["interrupted"] is True
        assert "Traceback" not in done.stderr
    module.write_text(SLOW.replace("0.01", "0"), encoding="utf-8")
    found = play(world, *learners)
    assert [run.outcome for run in model.runs() if run.command == "backtest"] == [
        "interrupted" if number == signal.SIGINT else "lost",
        "done",
    ]
    assert found.resumed == model.runs()[-2].run
    whole = play(world, *learners)
    assert whole.resumed is None
    assert plain(found) == plain(whole)


def test_ctrl_c_while_its_processes_begin(world: World) -> None:
    Events(world, count=50)
    train(world)
    command = world.start("backtest", "--learner", "live", "--learner", BAYES, "--workers", "2", "--json")
    until(lambda: len(processes_of(command.pid)) >= 2, process=command)
    for pid in [command.pid, *processes_of(command.pid)]:
        os.kill(pid, signal.SIGINT)
    done = command.wait(60)
    assert command.returncode == 1
    assert json.loads(done.stdout)["interrupted"] is True
    assert "Traceback" not in done.stderr


def processes_of(pid: int) -> list[int]:
    """Return the processes that a process began."""
    with contextlib.suppress(FileNotFoundError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(each) for task in tasks for each in (task / "children").read_text(encoding="utf-8").split()]
    return []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


MORE_LATER = 'moment = "at"\nignore = ["at", "known"]\n[labels]\nmoment = "known"\ntimeout = "10m"\n'


def later(world: World, count: int, **options: Any) -> tuple[ModelStore, list[dict[str, Any]]]:
    """Train on events whose labels come later, in one topic of one partition."""
    events = [event for event in delayed(count, 4) if event["y"] is not None]
    world.write_events("topic.jsonl", events)
    world.configure(log="file:topic.jsonl", learner=TREE, more=MORE_LATER.replace('timeout = "10m"\n', "") + SHORT)
    return train(world, **options), events


def river_says(recipe: str, events: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return Accuracy and LogLoss by river's own delayed progressive validation."""
    found = []
    for metric in (metrics.Accuracy(), metrics.LogLoss()):
        stream_of = [({"a": e["a"], "b": e["b"], "at": e["at"], "known": e["known"]}, e["y"]) for e in events]
        model = compose.Select("a", "b") | RECIPES[recipe]()
        evaluate.progressive_val_score(
            ((x, y) for x, y in stream_of),
            model,
            metric,
            moment=lambda x: datetime.fromtimestamp(x["at"], UTC),
            delay=lambda x, _: timedelta(seconds=x["known"] - x["at"]),
        )
        found.append(metric.get())
    return found[0], found[1]


def test_labels_that_come_later_are_rivers(world: World) -> None:
    model, events = later(world, 1200)
    head = model.head()[0]
    found = play(world, "live", LINEAR)
    for number, recipe in enumerate((TREE, LINEAR)):
        accuracy, loss = river_says(recipe, events)
        assert found.outcomes[number].scores["Accuracy"]["cumulative"] == pytest.approx(accuracy, abs=1e-12)
        assert found.outcomes[number].scores["LogLoss"]["cumulative"] == pytest.approx(loss, abs=1e-12)
    assert found.replays_live is True
    pending = play(world, "live", close=False)
    for metric, spans in pending.outcomes[0].scores.items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    assert pending.outcomes[0].accounts[1] == head.accounts.pending > 0


@pytest.mark.parametrize("workers", [1, 2])
def test_going_on_from_a_version_while_labels_are_pending(world: World, workers: int) -> None:
    """Scores are of what was asked in the range; values of one event stand in one place."""
    model, events = later(world, 1200)
    start = model.version(3)
    assert start.accounts.pending > 20
    found = play(world, LINEAR, "live", start="3", workers=workers)
    assert found.replays_live is True
    whole = play(world, "live", BAYES, answers=True)
    asked = start.accounts.read
    values = whole.outcomes[0].values[asked:]
    assert found.outcomes[1].values.tobytes() == values.tobytes()
    assert len(found.outcomes[0].values) == len(values) == len(events) - asked
    accuracy = found.outcomes[1].scores["Accuracy"]["cumulative"]
    assert accuracy == values.sum() / np.count_nonzero(~np.isnan(values))
    cold, _ = river_says(LINEAR, events[asked:])
    assert found.outcomes[0].scores["Accuracy"]["cumulative"] == pytest.approx(cold, abs=1e-12)
    table = found.outcomes[1].details["confusion"]["counts"]
    assert sum(map(sum, table)) == np.count_nonzero(~np.isnan(values))


def test_going_on_from_a_version(world: World, events: Events) -> None:
    """Live scores are those of the whole life; told are those of the range, by hand."""
    model = world.open()
    head, start = model.head()[0], model.version(4)
    found = play(world, "live", LINEAR, start="4")
    assert found.replays_live is True
    assert found.outcomes[0].live == head.version - 4
    after = recorded(model, 5, head.version)
    assert_equals(found, 1, events.bare(LINEAR, after))
    bare = events.bare(TREE, recorded(model, 1, 4))
    bare.accuracy, bare.loss = metrics.Accuracy(), metrics.LogLoss()
    prior = metrics.Accuracy()
    counts: dict[bool, int] = {}
    for place in recorded(model, 1, 4):
        if (event := events.events[place]) is not None:
            counts[event["y"]] = counts.get(event["y"], 0) + 1
    for place in after:
        if (event := events.events[place]) is not None:
            bare.learn({"a": event["a"], "b": event["b"]}, y=event["y"])
            prior.update(event["y"], max(counts, key=counts.__getitem__))
            counts[event["y"]] += 1
    scores = found.outcomes[0].scores
    assert scores["Accuracy"]["cumulative"] == bare.accuracy.get()
    assert scores["LogLoss"]["cumulative"] == pytest.approx(bare.loss.get(), abs=1e-12)
    assert found.outcomes[0].baselines["Prior"]["Accuracy"]["cumulative"] == prior.get()
    part = play(world, "live", start="4", until="v:6")
    assert (part.replays_live, part.outcomes[0].live) == (True, 2)
    assert start.version == 4


def test_workers_change_nothing(world: World, events: Events) -> None:
    """Two, and more than there are candidates."""
    events.add(0, made(700, 11))
    learners = ("live", LINEAR, LINEAR.replace("0.05", "0.001"))
    alone = plain(play(world, *learners))
    assert plain(play(world, *learners, workers=2)) == alone
    assert plain(play(world, *learners, workers=5)) == alone


def test_what_a_feature_is_worth(world: World, events: Events) -> None:
    """Leave-one-out in one pass: equal to river without the feature."""
    model = world.open()
    found = play(world, LINEAR, necessity=True)
    assert [candidate.drop for candidate in found.candidates] == [(), ("a",), ("b",)]
    places = recorded(model, 1, model.head()[0].version)
    for number, left in enumerate((("a", "b"), ("b",), ("a",))):
        bare = Bare(RECIPES[LINEAR]())
        for place in places:
            if (event := events.events[place]) is not None:
                bare.learn({name: event[name] for name in left}, y=event["y"])
        assert_equals(found, number, bare)
    assert found.outcomes[1].scores["Accuracy"]["cumulative"] < found.outcomes[0].scores["Accuracy"]["cumulative"]


def test_events_of_before_the_beginning(world: World) -> None:
    """What the model never read since it started later is judged today, and read before."""
    events = Events(world, garbage=[30])
    world.configure(log="file:topic", learner=TREE, more='ignore = ["at"]\nstart = { 0 = 100, 1 = 220 }\n' + SHORT)
    model = train(world)
    live = recorded(model, 1, model.head()[0].version)
    found = play(world, "live", since="0:0,1:20")
    assert_equals(found, 0, events.bare(TREE, [*turns({0: 0, 1: 20}, {0: 100, 1: 220}), *live]))
    assert found.replays_live is None
    assert play(world, "live").replays_live is True


def test_a_lineage_that_was_abandoned(world: World, events: Events) -> None:
    model = world.open()
    old = model.head()[0].version
    world.run("rollback", "4", "--rewind", "--reason", "test")
    world.configure(log="file:topic", learner=TREE, more='ignore = ["at"]\n' + SHORT.replace("300", "170"))
    train(world)
    assert old not in {version.version for version in model.lineage(model.head()[0].version)}
    found = play(world, "live", LINEAR, until=f"v:{old - 1}")
    assert (found.replays_live, found.outcomes[0].live) == (True, old - 2)
    places = recorded(model, 1, old - 1)
    for number, recipe in enumerate((TREE, LINEAR)):
        assert_equals(found, number, events.bare(recipe, places))
    warm = play(world, "live", start="6")
    assert warm.replays_live is True
    assert warm.outcomes[0].live == old - 6


def test_what_was_struck_out_live_is_struck_out_of_each(world: World) -> None:
    """By the place in the range: a learner that began with it has other numbers than the one that goes on."""
    model, events = later(world, 600)
    start = model.version(2)
    live = Learner.restore(model.payload(2))
    recipe = read_recipe(LINEAR, "binary")
    cold = Learner.new(recipe, features=("a", "b"), metrics=("Accuracy",), window=100, labels=LabelPolicy(timeout=None))
    asked = asked_before(start)
    assert asked == start.accounts.read
    details = {"labels": {"struck": [asked + 3]}}
    version = replace(model.version(3), proof=replace(start.proof, details=details))
    for learner, number in ((live, asked + 3), (cold, 3)):
        trial = Trial(0, learner, None, "topic")
        xs = [{"a": 0.1, "b": float(at)} for at in range(9)]
        moment = events[-1]["at"] * 1_000_000
        trial.take(Verdicts(xs, [True] * 9, [], [], [moment] * 9, [moment + 9] * 9))
        trial.begin(version, asked)
        assert learner.struck == (number,)


def test_from_a_time_to_a_time(world: World) -> None:
    """By the events' own times, in each partition: the first event at or after it."""
    events = Events(world, garbage=[500])
    more = 'moment = "at"\nignore = ["at"]\n' + SHORT
    world.configure(log="file:topic", learner=TREE, more=more)
    model = train(world)
    found = play(world, LINEAR, since="1970-01-01T00:08:20Z", until="1970-01-01T00:15:00Z")
    live = recorded(model, 1, model.head()[0].version)
    places = [place for place in live if 501 <= place[1] < 900]  # at 500 there is garbage, without a time
    assert_equals(found, 0, events.bare(LINEAR, places))
