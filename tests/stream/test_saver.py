"""Versions made in forked processes are those made in line, bit for bit; a fork that is lost costs none of them."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

import tests.stream.watched
from store import ModelStore
from stream.forked import CAN_FORK
from tests.stream.test_live import idle_at, lines, started
from tests.stream.test_taint import HUGE, check, loop, made_of, models, poisoned, same, stream
from tests.world import ELEC2, World, end, until

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="forks are for Linux")

WATCHED = "watched:watched"
VALIDATION = (
    '[validation]\nmetrics = ["Accuracy", "F1", "LogLoss", "ROCAUC"]\nwindow = 100\nfading = 0.99\nstatic_after = 700\n'
)
ALWAYS, NEVER = "0s", "1h"


def world_of(
    folder: Path, fork_from: str, *, learner: str = WATCHED, events: int = 3000, every: int = 500, more: str = ""
) -> World:
    world = World(folder)
    world.write_events("topic/0.jsonl", lines(events))
    (folder / "watched.py").write_text(Path(tests.stream.watched.__file__).read_text(encoding="utf-8"))
    snapshots = f'[snapshots]\nevery_events = {every}\nevery = "1h"\nfork_from = "{fork_from}"\n'
    publish = "[publish]\nevery_events = 700\n"
    world.configure(log="file:topic", learner=learner, more=f"{more}{VALIDATION}{snapshots}{publish}")
    return world


def forks(world: World) -> list[int]:
    """Return the process ids of the forks that wrote down the model, each once."""
    file = world.folder / "forks"
    return list(dict.fromkeys(map(int, file.read_text().split()))) if file.exists() else []


def told(model: ModelStore, *, bytes_too: bool = False) -> list[tuple[Any, ...]]:
    """Return all that is kept of head's lineage, but for when and by which attempt, and the versions' numbers.

    The bytes of one that went on from a restored learner may be others.
    """
    return [
        (
            version.kind,
            version.blob if bytes_too else None,
            version.position,
            version.accounts,
            version.proof,
            version.reason,
            version.quarantine,
            model.segment(version.version),
        )
        for version in model.lineage(model.head()[0].version)
    ]


def champions(model: ModelStore) -> list[int]:
    """Return after how many learned events champion followed head."""
    return [model.version(move.new).accounts.learned for move in model.moves("champion")]


def assert_as_in_line(world: World, calm: World, *, bytes_too: bool = False) -> None:
    """Assert that all versions are those of a calm run in line, with their points, and that each can be verified."""
    calm.train()
    assert told(world.open(), bytes_too=bytes_too) == told(calm.open(), bytes_too=bytes_too)
    assert world.json("scores") == calm.json("scores")
    assert champions(world.open()) == champions(calm.open())
    assert all(each["equal"] for each in world.json("verify", "all"))


LEARNERS = {
    "linear": (ELEC2, ""),
    "forest": ("forest.ARFClassifier(n_models=3, seed=7)", ""),
    "labels later": (ELEC2, 'moment = "at"\nignore = ["at", "known"]\n[labels]\nmoment = "known"\n'),
}


def test_forked_versions_of_a_compiled_model_are_those_in_line(tmp_path: Path) -> None:
    """Without a static copy, and long enough for the engine to begin: its state goes back to the model in the fork."""
    worlds = [world_of(tmp_path / each, each, learner=ELEC2, events=6000) for each in (ALWAYS, NEVER)]
    for world in worlds:
        world.config.write_text(world.config.read_text().replace("static_after = 700\n", ""))
    worlds[0].train()
    assert_as_in_line(*worlds, bytes_too=True)


@pytest.mark.parametrize("name", LEARNERS)
def test_forked_versions_are_those_in_line(tmp_path: Path, name: str) -> None:
    learner, more = LEARNERS[name]
    worlds = [world_of(tmp_path / each, each, learner=learner, more=more, every=300) for each in (ALWAYS, NEVER)]
    if more:
        source = random.Random(5)
        events = [
            {"a": (a := source.gauss(0, 1)), "y": a > 0, "at": 1_600_000_000 + n, "known": 1_600_000_000 + n + n % 50}
            for n in range(2000)
        ]
        for world in worlds:
            world.write_events("topic/0.jsonl", events)
    worlds[0].train()
    assert_as_in_line(*worlds, bytes_too=True)


def test_forks_are_taken_where_the_last_version_took_as_long(tmp_path: Path) -> None:
    for fork_from, expected in ((ALWAYS, 5), (NEVER, 0)):
        world = world_of(tmp_path / fork_from, fork_from)
        world.train()
        assert len(forks(world)) == expected  # of six: the first is made in line
        assert world.json("show", "head")["version"] == 7


@pytest.mark.parametrize("order", ["die", "fail"])
def test_a_fork_that_dies_costs_no_event_and_no_version(tmp_path: Path, order: str) -> None:
    world = world_of(tmp_path / "disturbed", ALWAYS)
    (world.folder / "order").write_text(order)
    done = world.run("train", "--until-end")
    assert "in a forked process is lost" in done.stderr
    assert not (world.folder / "order").exists()
    assert len(forks(world)) >= 3  # it forks again once a version was made in line
    assert_as_in_line(world, world_of(tmp_path / "calm", NEVER))


def waiting(world: World, *, every: int = 500) -> tuple[Any, ModelStore, int]:
    """Start a trainer that has read all, and whose fork waits: return it, its model, and the fork's process id."""
    (world.folder / "order").write_text("wait")
    trainer, model = started(world)
    until(lambda: forks(world), process=trainer)
    until(lambda: (beat := model.heartbeat()) is not None and beat.learned > model.head()[0].accounts.learned)
    assert model.head()[0].accounts.learned == every  # the first was made in line
    return trainer, model, forks(world)[0]


def test_a_killed_trainer_leaves_a_fork_that_commits_nothing(tmp_path: Path) -> None:
    world = world_of(tmp_path / "killed", ALWAYS, events=1200)
    trainer, model, fork = waiting(world)
    end(trainer, number=signal.SIGKILL)
    before = told(model)
    assert psutil.pid_exists(fork)
    (world.folder / "go").touch()
    until(lambda: not psutil.pid_exists(fork) or psutil.Process(fork).status() == psutil.STATUS_ZOMBIE)
    assert told(model) == before
    world.train()
    assert_as_in_line(world, world_of(tmp_path / "calm", NEVER, events=1200))


def test_a_rollback_gives_up_what_is_in_flight(tmp_path: Path) -> None:
    world = world_of(tmp_path / "moved", ALWAYS, events=1200)
    trainer, model, fork = waiting(world)
    try:
        model.move("head", 1, kind="rewind", who="test", why="test")
        until(lambda: not psutil.pid_exists(fork), process=trainer)
        until(lambda: idle_at(model, 1200), process=trainer)
    finally:
        end(trainer)
    assert [version.accounts.learned for version in model.versions()] == [0, 500, 500, 1000, 1200]
    assert told(model)[:-1] == told_of_calm(tmp_path)[:-1]  # the last was saved as it was stopped


def told_of_calm(tmp_path: Path) -> list[tuple[Any, ...]]:
    calm = world_of(tmp_path / "calm", NEVER, events=1200)
    calm.train()
    return told(calm.open())


def test_a_trainer_that_is_told_to_stop_waits_for_what_is_in_flight(tmp_path: Path) -> None:
    world = world_of(tmp_path / "stopped", ALWAYS, events=1200)
    trainer, model, fork = waiting(world)
    for pid in (fork, trainer.pid):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    until(lambda: (beat := model.heartbeat()) is not None and beat.state == "saving")
    (world.folder / "go").touch()
    trainer.wait(30)
    assert trainer.returncode == 0
    assert [version.accounts.learned for version in model.versions()] == [0, 500, 1000, 1200]
    assert told(model)[:-1] == told_of_calm(tmp_path)[:-1]


def test_a_version_that_is_due_waits_for_the_one_in_flight(tmp_path: Path) -> None:
    world = world_of(tmp_path / "pressed", ALWAYS, events=1600)
    trainer, model, _ = waiting(world)
    beat = until(lambda: (b := model.heartbeat()) is not None and b.state == "saving" and b)
    assert beat.learned == 1500
    (world.folder / "go").touch()
    until(lambda: idle_at(model, 1600), process=trainer)
    end(trainer)
    assert [version.accounts.learned for version in model.versions()] == [0, 500, 1000, 1500, 1600]


def test_who_ruined_a_model_that_a_fork_found_ruined_is_held(tmp_path: Path) -> None:
    """As the last before a version, where only sealing shows it; and where it shows while a version is in flight."""
    recipe, model = models()["scaled"]
    places, good = [899, 1007, 1600], stream(2000)
    more = f'{HUGE.format(every=100)}fork_from = "{ALWAYS}"\n'
    world = made_of(recipe, tmp_path, poisoned(good, places), more)
    done = world.run("train", "--until-end")
    assert "in a forked process is lost: it raised" in done.stderr
    check(world, places, 2000)
    same(world, *loop(model, good))
