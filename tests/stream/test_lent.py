"""Versions of a compiled tree: while training goes on its leaves are only copied, so no process is forked for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream.config import read_config
from stream.consumer import Options, consume
from stream.screen import LogScreen
from stream.stop import Stop
from tests.stream.test_aside import states
from tests.stream.test_live import lines
from tests.world import World

pytestmark = pytest.mark.usefixtures("compiled_code")

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


def test_a_compiled_tree_is_never_written_in_a_fork(tmp_path: Path, forks: list[int]) -> None:
    worlds = [world_of(tmp_path / each, fork_from=each) for each in ("0s", "1h")]
    for world in worlds:
        train(world)
    assert not forks
    assert states(worlds[0].open()) == states(worlds[1].open())


def test_its_versions_are_those_of_river(tmp_path: Path, forks: list[int]) -> None:
    worlds = [world_of(tmp_path / each, fork_from="0s", engine=each) for each in ("auto", "river")]
    for world in worlds:
        train(world)
    assert len(forks) == 11  # river's, of twelve: the first is made in line
    first, second = (states(world.open()) for world in worlds)
    assert len(first) == 13
    assert [each[1:] for each in first] == [each[1:] for each in second]
