"""Versions that are committed aside, while training goes on: refused, failing, slow; and what waits for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import stream.owner
from store import ModelStore
from store.errors import Fenced, HeadMoved, StoreError
from store.owners import Claimant
from store.types import TopicPosition, Version
from stream.config import read_config
from stream.consumer import Options, consume
from stream.files import FileLog
from stream.owner import Owner, Process, Vitals
from stream.screen import LogScreen
from stream.stop import Stop
from tests.stream.test_live import lines
from tests.world import ELEC2, World

NOW = datetime.now(UTC)

Amid = Callable[[ModelStore, int], None]
"""Is done right before a version is saved aside: gets the store, and how many were before."""


def world_of(folder: Path, *, events: int = 1200, every: int = 100) -> World:
    world = World(folder)
    world.write_events("topic/0.jsonl", lines(events))
    snapshots = f'[snapshots]\nevery_events = {every}\nevery = "1h"\nfork_from = "1h"\n'
    world.configure(log="file:topic", learner=ELEC2, more=f'[validation]\nmetrics = ["Accuracy"]\n{snapshots}')
    return world


def train(world: World) -> Version | None:
    return consume(read_config(world.config), Options(until_end=True), Stop(), LogScreen("test"))


def aside() -> bool:
    return threading.current_thread() is not threading.main_thread()


class Watched:
    """What happens in `ModelStore.save`, and amid it. Counts what is saved aside, and how many of them at once."""

    def __init__(self, patch: pytest.MonkeyPatch, amid: Amid = lambda _store, _count: None) -> None:
        self.count = self.now = self.most = 0
        save = ModelStore.save

        def watched(store: ModelStore, *arguments: Any, **more: Any) -> Any:
            if not aside():
                assert not self.now, "one in line beside one aside"
                return save(store, *arguments, **more)
            self.count, self.now = self.count + 1, self.now + 1
            self.most = max(self.most, self.now)
            try:
                amid(store, self.count - 1)
                return save(store, *arguments, **more)
            finally:
                self.now -= 1

        patch.setattr(ModelStore, "save", watched)


def learned(model: ModelStore) -> list[int]:
    return [version.accounts.learned for version in model.lineage(model.head()[0].version)]


def states(model: ModelStore) -> list[tuple[Any, ...]]:
    return [
        (version.blob, version.position, version.proof, model.segment(version.version))
        for version in model.lineage(model.head()[0].version)
    ]


def test_versions_are_at_the_same_events_however_slow_they_are_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = world_of(tmp_path / "calm")
    train(calm)
    with monkeypatch.context() as patch:
        watched = Watched(patch, lambda _store, _count: time.sleep(0.03))
        slow = world_of(tmp_path / "slow")
        head = train(slow)
    assert watched.count >= 10
    assert watched.most == 1
    assert learned(slow.open()) == learned(calm.open()) == list(range(0, 1201, 100))
    assert states(slow.open()) == states(calm.open())
    assert head is not None
    assert head.version == slow.open().head()[0].version  # the end waited
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tidemark-aside")]


def test_training_does_not_wait_for_a_version_when_the_next_is_due_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch, lambda _store, _count: time.sleep(1.0))
    world = world_of(tmp_path, events=4000, every=1_000_000)
    world.config.write_text(world.config.read_text().replace('every = "1h"', 'every = "1ms"'))
    train(world)
    assert watched.count <= 2  # of a dozen batches: all others were learned meanwhile
    assert learned(world.open())[-1] == 4000


def test_a_head_that_moved_refuses_what_is_saved_aside_and_training_goes_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def amid(store: ModelStore, count: int) -> None:
        if count == 3:
            store.move("head", 2, kind="rewind", who="test", why="test")

    calm = world_of(tmp_path / "calm")
    train(calm)
    Watched(monkeypatch, amid)
    world = world_of(tmp_path / "moved")
    train(world)
    model = world.open()
    assert [version.version for version in model.lineage(model.head()[0].version)][:3] == [1, 2, 6]
    assert [move.kind for move in model.moves("head")][:6] == ["genesis", *["save"] * 4, "rewind"]
    assert [state[1:] for state in states(model)] == [state[1:] for state in states(calm.open())]


def test_who_lost_head_to_another_trainer_is_refused_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def amid(store: ModelStore, count: int) -> None:
        if count == 1:
            store.claim(Claimant(store.runs()[0].run, "elsewhere", 1, 0.0), take_over=True, now=NOW)

    Watched(monkeypatch, amid)
    world = world_of(tmp_path)
    with pytest.raises(Fenced):
        train(world)
    assert learned(world.open()) == [0, 100, 200]


def test_what_the_store_says_aside_ends_training_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def amid(_store: ModelStore, count: int) -> None:
        if count == 1:
            raise StoreError("the disk is full", hint="make room")

    Watched(monkeypatch, amid)
    world = world_of(tmp_path)
    with pytest.raises(StoreError, match="the disk is full"):
        train(world)
    assert learned(world.open()) == [0, 100, 200]
    monkeypatch.undo()
    train(world)
    assert learned(world.open()) == list(range(0, 1201, 100))


def test_the_log_is_told_of_a_position_by_the_loop_and_only_when_a_version_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, told = world_of(tmp_path), list[TopicPosition]()

    def commit(_log: FileLog, position: TopicPosition) -> None:
        assert not aside()
        assert world.open().head()[0].position.topics["topic"] == position
        told.append(position)

    monkeypatch.setattr(FileLog, "commit", commit)
    Watched(monkeypatch, lambda _store, _count: time.sleep(0.02))
    train(world)
    assert [position.cursors[0].next_offset for position in told] == list(range(100, 1201, 100))


def owner_of(model: ModelStore, monkeypatch: pytest.MonkeyPatch) -> Owner:
    monkeypatch.setattr(stream.owner, "WATCH_S", 0.0)
    run = model.runs()[0].run
    owner = Owner(model, Process("here", 1, 0.0), run, model.claim(Claimant(run, "here", 1, 0.0), now=NOW))
    owner.follows(model.watch())
    return owner


def checked(owner: Owner, now: float, amid: Callable[[], object] = lambda: None) -> None:
    """Check twice; between, what was begun is done, and then something `amid`."""
    vitals = Vitals("training", 1, 0, 0, 0, None)
    owner.check(vitals, now)
    owner.aside.begin(lambda: None).result()
    owner.eyes.begin(lambda: None).result()
    amid()
    owner.check(vitals, now)


def test_an_owner_knows_its_own_move_from_that_of_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_of(tmp_path)
    train(world)
    model = world.open()
    owner = owner_of(model, monkeypatch)
    with owner.aside, owner.eyes:
        checked(owner, 1.0)
        owner.moving = True
        moved = model.move("head", 2, kind="rewind", who="test", why="test")
        checked(owner, 2.0)
        owner.moving = False
        owner.follows(moved)
        checked(owner, 3.0)
        model.move("head", 3, kind="rewind", who="test", why="test")
        with pytest.raises(HeadMoved):
            checked(owner, 4.0)


def test_an_owner_looks_aside_and_compares_with_where_head_was_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_of(tmp_path)
    train(world)
    model = world.open()
    owner, look, looks = owner_of(model, monkeypatch), ModelStore.look, list[bool]()

    def watched(store: ModelStore) -> Any:
        looks.append(aside())
        return look(store)

    monkeypatch.setattr(ModelStore, "look", watched)
    with owner.aside, owner.eyes:
        checked(owner, 1.0, lambda: owner.follows(model.move("head", 2, kind="rewind", who="me", why="in line")))
        waits = threading.Event()
        owner.eyes.begin(lambda: None).result()
        owner.eyes.begin(waits.wait)
        owner.check(Vitals("training", 1, 0, 0, 0, None), 1.0)  # what it finds is from after the next move
        owner.follows(model.move("head", 3, kind="rewind", who="me", why="in line"))
        waits.set()
        checked(owner, 1.0)
        owner.quarantine = 7  # read since, in line
        checked(owner, 2.0)
        assert owner.quarantine == 7
        assert looks == [True] * len(looks)
        model.move("head", 2, kind="rewind", who="another", why="test")
        with pytest.raises(HeadMoved):
            owner.check(Vitals("idle", 1, 0, 0, 0, None), 3.0)
    assert len(looks) >= 3
    assert not looks[-1]


def test_a_heartbeat_that_cannot_be_written_aside_is_raised_where_it_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beat(_store: ModelStore, _beat: object) -> None:
        assert aside()
        raise StoreError("the disk is full", hint="make room")

    monkeypatch.setattr(ModelStore, "beat", beat)
    with pytest.raises(StoreError, match="the disk is full"):
        train(world_of(tmp_path))
