"""Versions of a compiled tree: while training goes on its leaves are only copied, and one process proves them all."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import stream.saver
from learners import Sealed
from learners.written import Written
from stream.config import read_config
from stream.consumer import Options, consume
from stream.forked import CAN_FORK
from stream.saver import LOSSES_MAX
from stream.screen import LogScreen
from stream.scribe import Scribe
from stream.stop import Stop
from tests.stream.test_aside import states
from tests.stream.test_live import idle_at, lines, opened
from tests.world import World, end, until

pytestmark = [
    pytest.mark.skipif(not CAN_FORK, reason="forks are for Linux"),
    pytest.mark.usefixtures("compiled_code"),
]

TREE = "tree.HoeffdingTreeClassifier(50, tau=0.3)"


def world_of(folder: Path, *, fork_from: str, engine: str = "auto", events: int = 6000) -> World:
    world = World(folder)
    world.write_events("topic/0.jsonl", lines(events))
    snapshots = f'[snapshots]\nevery_events = 500\nevery = "1h"\nfork_from = "{fork_from}"\n'
    validation = '[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n'
    world.configure(log="file:topic", learner=TREE, model=f'engine = "{engine}"', more=f"{validation}{snapshots}")
    return world


def train(world: World) -> None:
    assert consume(read_config(world.config), Options(until_end=True), Stop(), LogScreen("test")) is not None


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The process ids of all forks."""
    pids: list[int] = []
    fork = os.fork

    def watched() -> int:
        pid = fork()
        pids.append(pid)
        return pid

    monkeypatch.setattr(os, "fork", watched)
    return pids


def killing(patch: pytest.MonkeyPatch, kills: set[int]) -> list[int]:
    """Kill the scribe before some of its proofs, by their numbers; return the process ids of who was to make each."""
    asked: list[int] = []
    proved = Scribe.proved

    def watched(scribe: Scribe, written: Written) -> Sealed:
        asked.append(scribe.pid)
        if len(asked) - 1 in kills:
            os.kill(scribe.pid, signal.SIGKILL)
        return proved(scribe, written)

    patch.setattr(Scribe, "proved", watched)
    return asked


def in_line(folder: Path, patch: pytest.MonkeyPatch) -> World:
    """Train where nothing can be forked."""
    world = world_of(folder, fork_from="1h")
    with patch.context() as here:
        here.setattr(stream.saver, "CAN_FORK", False)
        train(world)
    return world


def test_a_compiled_tree_is_written_in_the_loop_and_proved_by_one_process(
    tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = in_line(tmp_path / "calm", monkeypatch)
    assert not forks
    asked = killing(monkeypatch, set())
    for fork_from in ("0s", "1h"):
        world = world_of(tmp_path / fork_from, fork_from=fork_from)
        train(world)
        assert forks == [asked[-1]]
        assert asked == forks * 11  # of twelve: the first is made in line
        assert not psutil.pid_exists(forks.pop())
        asked.clear()
        assert states(world.open()) == states(calm.open())


def test_its_versions_are_those_of_river(tmp_path: Path, forks: list[int]) -> None:
    worlds = [world_of(tmp_path / each, fork_from="0s", engine=each) for each in ("auto", "river")]
    for world in worlds:
        train(world)
    assert len(forks) == 1 + 11
    first, second = (states(world.open()) for world in worlds)
    assert len(first) == 13
    assert [each[1:] for each in first] == [each[1:] for each in second]


@pytest.mark.parametrize("kills", [{0}, {4, 5}, {1, 3, 5}])
def test_a_scribe_that_dies_costs_no_event_and_no_version(
    tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch, kills: set[int]
) -> None:
    calm = in_line(tmp_path / "calm", monkeypatch)
    asked = killing(monkeypatch, kills)
    world = world_of(tmp_path / "killed", fork_from="1h")
    train(world)
    assert [each[1:] for each in states(world.open())] == [each[1:] for each in states(calm.open())]
    assert len(forks) == min(1 + len(kills), LOSSES_MAX)  # after so many losses, none is forked again
    assert list(dict.fromkeys(asked)) == forks
    assert not any(map(psutil.pid_exists, forks))


def test_a_rollback_gives_up_what_a_scribe_makes(
    tmp_path: Path, forks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = in_line(tmp_path / "calm", monkeypatch)
    world = world_of(tmp_path / "moved", fork_from="1h")
    proved, moved = Scribe.proved, [False]

    def watched(scribe: Scribe, written: Written) -> Sealed:
        head, _ = world.open().head()
        if head.version == 4 and not moved[0]:
            moved[0] = True
            world.open().move("head", 2, kind="rewind", who="test", why="test")
        return proved(scribe, written)

    monkeypatch.setattr(Scribe, "proved", watched)
    train(world)
    model = world.open()
    assert [version.version for version in model.lineage(model.head()[0].version)][:3] == [1, 2, 5]
    assert [each[1:] for each in states(model)] == [each[1:] for each in states(calm.open())]
    assert len(forks) == 2
    assert not any(map(psutil.pid_exists, forks))


def test_a_killed_trainer_leaves_no_scribe(tmp_path: Path) -> None:
    world = world_of(tmp_path, fork_from="1h")
    trainer = world.start("train")
    until(lambda: idle(world), process=trainer)
    children = psutil.Process(trainer.pid).children()
    assert children
    end(trainer, number=signal.SIGKILL)
    until(lambda: not any(alive(child) for child in children))


def idle(world: World) -> bool:
    model = opened(world)
    return model is not None and idle_at(model, 6000)


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
