"""A running trainer: follows a moved head, stops well, is taken over, tells how it is.

How soon it follows is measured, not asserted to the promised second: the bounds here only catch a trainer that is deaf.
"""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import pytest

from store import ModelStore, StoreMissing
from tests.world import Command, World, end, until

SLOW_MODEL = """
import time
from river import linear_model, preprocessing

class Slow(linear_model.LogisticRegression):
    def learn_one(self, x, y):
        time.sleep({seconds})
        super().learn_one(x, y)

def make():
    return Slow()
"""


def lines(count: int, seed: int = 1) -> list[bytes]:
    source = random.Random(seed)
    return [
        json.dumps({"a": (a := source.gauss(0, 1)), "b": (b := source.gauss(0, 1)), "y": a > b}).encode()
        for _ in range(count)
    ]


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.write_events("topic/0.jsonl", lines(2000))
    world.configure(
        log="file:topic", more='[validation]\nmetrics = ["Accuracy"]\nwindow = 100\n[snapshots]\nevery_events = 500'
    )
    return world


def idle_at(model: ModelStore, read: int) -> bool:
    """Tell whether the trainer has nothing left to read, by what it told since head moved: an older word is stale."""
    beat = model.heartbeat()
    return beat is not None and beat.state == "idle" and beat.read == read and beat.version == model.watch().version


def started(world: World) -> tuple[Command, ModelStore]:
    trainer = world.start("train")
    return trainer, until(lambda: opened(world), process=trainer)


def opened(world: World) -> ModelStore | None:
    try:
        model = world.open()
    except StoreMissing:
        return None
    return model if model.exists() else None


def test_a_trainer_follows_a_rollback_and_ends_as_if_there_was_none(world: World) -> None:
    world.train()
    before = world.json("show", "head")
    trainer, model = started(world)
    try:
        until(lambda: idle_at(model, 2000), process=trainer)
        ref = model.move("head", 3, kind="rewind", who="test", why="test")
        until(lambda: (at := model.watch()).moves > ref.moves and at.version > before["version"], process=trainer)
        until(lambda: idle_at(model, 2000), process=trainer)
    finally:
        done = end(trainer)
    assert trainer.returncode == 0, done
    assert "head was moved" in done.stderr
    after = world.json("show", "head")
    assert after["version"] > before["version"]
    for key in ("scores", "baselines", "events", "position"):
        assert after[key] == before[key]


def test_a_slow_model_follows_a_rollback_soon(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "slow_model.py").write_text(SLOW_MODEL.format(seconds=0.05))
    world.write_events("topic/0.jsonl", lines(2000))
    world.configure(log="file:topic", learner="slow_model:make", more='[snapshots]\nevery = "1s"')
    trainer, model = started(world)
    try:
        until(lambda: model.head()[0].version >= 3, process=trainer)
        until(lambda: (beat := model.heartbeat()) is not None and beat.state == "training")
        moved = model.move("head", 1, kind="rewind", who="test", why="test")
        began = time.monotonic()
        until(lambda: (beat := model.heartbeat()) is not None and beat.version == 1, seconds=5)
        took = time.monotonic() - began
        assert moved.version == 1
        assert took < 3, took  # far above what is measured: only a deaf trainer fails
    finally:
        end(trainer)
    assert trainer.returncode == 0


def test_sigterm_finishes_the_batch_saves_and_exits_0(world: World) -> None:
    world.configure(log="file:topic", more='[snapshots]\nevery_events = 100000\nevery = "1h"')
    trainer, model = started(world)
    until(lambda: idle_at(model, 2000), process=trainer)
    assert model.head()[0].version == 1
    end(trainer)
    assert trainer.returncode == 0
    head = model.head()[0]
    assert (head.accounts.learned, head.reason) == (2000, "stopped")
    assert model.runs()[-1].outcome == "done"
    assert world.json("status")["state"] == "stopped"


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    (tmp_path / "slow_model.py").write_text(SLOW_MODEL.format(seconds=30))
    world.write_events("topic/0.jsonl", lines(1000))
    world.configure(log="file:topic", learner="slow_model:make")
    trainer, model = started(world)
    until(lambda: model.heartbeat() is not None, process=trainer)
    time.sleep(0.5)
    trainer.signal(signal.SIGINT)
    time.sleep(0.3)
    assert trainer.returncode is None
    began = time.monotonic()
    end(trainer, number=signal.SIGINT)
    assert time.monotonic() - began < 5
    assert trainer.returncode == 128 + signal.SIGINT
    assert [run.outcome for run in model.runs()] == ["running"]
    model.mark_lost(host=model.runs()[0].host, now=model.runs()[0].started_at)
    assert [run.outcome for run in model.runs()] == ["lost"]


def test_events_are_learned_as_they_come_and_new_partitions_are_noticed(world: World) -> None:
    trainer, model = started(world)
    try:
        until(lambda: idle_at(model, 2000), process=trainer)
        with (world.folder / "topic/0.jsonl").open("ab") as out:
            for line in lines(50, seed=2):
                out.write(line + b"\n")
            out.write(b'{"a": 1, "b": 0, ')
        until(lambda: idle_at(model, 2050), process=trainer)
        with (world.folder / "topic/0.jsonl").open("ab") as out:
            out.write(b'"y": true}\n')
        until(lambda: idle_at(model, 2051), process=trainer)
        world.write_events("topic/7.jsonl", lines(30, seed=3))
        until(lambda: idle_at(model, 2081), process=trainer)
    finally:
        end(trainer)
    assert world.json("show", "head")["position"] == {"topic": {"0": 2051, "7": 30}}
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_second_trainer_stands_by_and_takes_over_when_the_first_dies(world: World) -> None:
    first, model = started(world)
    until(lambda: idle_at(model, 2000), process=first)
    second = world.start("train")
    try:
        time.sleep(3)
        assert second.returncode is None
        beat = model.heartbeat()
        assert beat is not None
        assert beat.pid == first.pid
        end(first, number=signal.SIGKILL)
        until(lambda: (b := model.heartbeat()) is not None and b.pid == second.pid and b.state == "idle")
    finally:
        end(first, number=signal.SIGKILL)
        done = end(second)
    assert second.returncode == 0
    assert "standing by" in done.stderr
    assert model.head()[0].accounts.learned == 2000


def test_take_over_fences_the_first_trainer(world: World) -> None:
    first, model = started(world)
    until(lambda: idle_at(model, 2000), process=first)
    second = world.start("train", "--take-over")
    try:
        first.wait(30)
    finally:
        done = end(first)
        end(second)
    assert first.returncode == 4
    assert "another trainer took over" in done.stderr
    assert second.returncode == 0


def test_status_of_a_running_and_of_a_killed_trainer(world: World) -> None:
    trainer, model = started(world)
    try:
        until(lambda: idle_at(model, 2000), process=trainer)
        status = world.json("status")
        assert (status["state"], status["head"], status["lag"], status["pid"]) == ("idle", 5, 0, trainer.pid)
        world.run("status", "--check")
    finally:
        end(trainer, number=signal.SIGKILL)
    assert world.json("status")["state"] == "lost"
    world.run("status", "--check", code=1)


def test_a_thousand_garbage_events_are_held_and_training_is_unharmed(tmp_path: Path) -> None:
    source = random.Random(5)
    good = lines(1500)
    nasty = [
        b"\xff\xfe\x00",
        good[0][:-7],
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a": 1e999, "b": 1, "y": true}',
        b'{"a": NaN, "b": 1, "y": true}',
        b'{"a": "1", "b": 1, "y": true}',
        b'{"a": 1, "b": 1}',
        b'{"a": 1e300, "b": 1, "y": false}',
        b"",
        b'{"a": 1, "b": "\\ud800", "y": true}',
        b'{"a": 1, "b": 1, "y": "perhaps"}',
        b"null",
    ]
    mixed = good + [nasty[index % len(nasty)] for index in range(1000)]
    order = list(range(len(mixed)))
    source.shuffle(order)
    kept = [index for index in order if index < len(good)]
    one, other = World(tmp_path / "mixed"), World(tmp_path / "good")
    for world, events in ((one, [mixed[i] for i in order]), (other, [good[i] for i in kept])):
        world.write_events("events.jsonl", events)
        world.configure(log="file:events.jsonl", more='[schema]\na = { type = "number" }\nb = { type = "number" }')
        world.train()
    shown, clean = one.json("show", "head"), other.json("show", "head")
    assert shown["events"] == {"read": 2500, "learned": 1500, "held": 1000, "pending": 0, "expired": 0}
    assert shown["scores"] == clean["scores"]
    held = one.open().held()
    assert len(held) == 1000
    assert all(each.raw == mixed[order[each.offset]] and each.reason and each.detail for each in held)
    assert len({each.reason for each in held}) >= 8
    assert one.json("verify", "head")["equal"] is True


def test_the_schema_is_inferred_though_garbage_is_among_the_first_events(tmp_path: Path) -> None:
    world = World(tmp_path)
    good = lines(900)
    for place in range(0, 1000, 10):
        good.insert(place, b'{"a": "x", "zzz": 1, "y": true}' if place % 20 else b'{"b": [1], "y": 3}')
    world.write_events("events.jsonl", good)
    world.configure(log="file:events.jsonl")
    world.train()
    schema = world.json("show", "1")["schema"]
    assert [(field["name"], field["type"]) for field in schema["features"]][:2] == [("a", "number"), ("b", "number")]


BRITTLE = (
    "from river import linear_model\n"
    "class Brittle(linear_model.LogisticRegression):\n"
    "    def learn_one(self, x, y):\n"
    "        super().learn_one(x, y)\n"
    "        if x['a'] > {limit}: raise OverflowError('too much')\n"
    "def make(): return Brittle()\n"
)


def test_an_event_that_the_model_raises_on_is_held_and_leaves_no_trace(tmp_path: Path) -> None:
    good = lines(1700)
    bad = [b'{"a": 100, "b": 1, "y": true}'] * 3
    one, other = World(tmp_path / "one"), World(tmp_path / "other")
    for world, events in ((one, [*good[:700], *bad[:2], *good[700:900], bad[2], *good[900:]]), (other, good)):
        world.write_events("events.jsonl", events)
        (world.folder / "brittle.py").write_text(BRITTLE.format(limit=99))
        world.configure(log="file:events.jsonl", learner="brittle:make", more="[snapshots]\nevery_events = 500")
        world.train()
    shown, clean = one.json("show", "head"), other.json("show", "head")
    assert shown["events"] == {"read": 1703, "learned": 1700, "held": 3, "pending": 0, "expired": 0}
    for metric, score in clean["scores"].items():
        assert shown["scores"][metric]["cumulative"] == score["cumulative"]
    held = one.open().held()
    assert [(each.offset, each.kind, each.reason) for each in held] == [
        (700, "suspect", "learner_raised"),
        (701, "suspect", "learner_raised"),
        (902, "suspect", "learner_raised"),
    ]
    assert "too much" in held[0].detail
    assert all(each["equal"] for each in one.json("verify", "all"))


def test_a_model_that_raises_on_every_event_fails_and_can_be_mended(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [b'{"a": 1, "c": "x", "y": true}', b'{"a": 2, "c": "y", "y": false}'] * 300)
    world.configure(log="file:events.jsonl")
    done = world.run("train", "--until-end", code=1)
    assert "raised on 11 events" in done.stderr
    assert "[source] ignore" in done.stderr
    (run,) = world.json("runs")
    assert run["outcome"] == "failed"
    world.configure(log="file:events.jsonl", more='ignore = ["c"]')
    assert world.train()["learned"] == 600
    assert [version["kind"] for version in world.json("log")].count("genesis") == 2
    assert world.json("show", "head")["events"] == {"read": 600, "learned": 600, "held": 0, "pending": 0, "expired": 0}
