"""Verify proves a version, and is false when the log, the order or the bytes are not what they were."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest

from learners import Learner
from store.envelope import pack
from tests.world import World


def lines(count: int, seed: int) -> list[bytes]:
    source = random.Random(seed)
    made = []
    for _ in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        made.append(json.dumps({"a": a, "b": b, "y": a + source.gauss(0, 0.3) > b}).encode())
    return made


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A model of five versions over two partitions, whose runs alternate."""
    world = World(tmp_path)
    for partition in (0, 1):
        events = lines(1500, partition)
        events[700] = b"garbage"
        world.write_events(f"topic/{partition}.jsonl", events)
    world.configure(
        log="file:topic",
        learner="tree.ExtremelyFastDecisionTreeClassifier(grace_period=50)",
        more='[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = 900',
    )
    world.train()
    return world


def test_every_version_over_two_partitions_is_equal_in_a_new_process(world: World) -> None:
    found = world.json("verify", "all")
    assert [each["equal"] for each in found] == [True] * 5
    assert sum(each["events"] for each in found) == 3000
    model = world.open()
    runs = model.segment(3).runs
    assert {run.partition for run in runs} == {0, 1}
    assert len(runs) > 2
    assert {hold.reason for version in range(1, 6) for hold in model.segment(version).holds} == {"not_json"}


def test_a_changed_label_is_seen(world: World) -> None:
    path = world.folder / "topic/1.jsonl"
    events = path.read_bytes().split(b"\n")
    event = json.loads(events[50])
    events[50] = json.dumps({**event, "y": not event["y"]}).encode()
    path.write_bytes(b"\n".join(events))
    found = {each["version"]: each["equal"] for each in world.json("verify", "all", code=1)}
    assert found[2] is False
    assert [found[version] for version in (3, 4)] == [True, True]  # each is proved from its parent's bytes


def test_an_event_that_became_unreadable_is_seen(world: World) -> None:
    path = world.folder / "topic/0.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"a"', b'["a"', 1))
    found = world.json("verify", "2", code=1)
    assert found["equal"] is False
    assert "the log changed" in found["why"]


def test_swapped_runs_are_seen(world: World) -> None:
    with sqlite3.connect(world.folder / "tidemark.db") as connection:
        runs = connection.execute(
            "SELECT ordinal, partition FROM segment_runs WHERE version = 3 ORDER BY ordinal"
        ).fetchall()
        first, second = runs[0][0], runs[1][0]
        assert runs[0][1] != runs[1][1]
        for old, new in ((first, -1), (second, first), (-1, second)):
            connection.execute("UPDATE segment_runs SET ordinal = ? WHERE version = 3 AND ordinal = ?", (new, old))
    connection.close()
    found = world.json("verify", "3", code=1)
    assert (found["equal"], found["why"]) == (False, "the predictions of its segment differ")


@pytest.mark.parametrize("altered", [4, 3])
def test_one_altered_weight_is_seen(tmp_path: Path, altered: int) -> None:
    """In the version's own bytes, or in its parent's; the address is made to fit."""
    world = World(tmp_path)
    world.write_events("events.jsonl", lines(3000, 7))
    world.configure(log="file:events.jsonl", more="[snapshots]\nevery_events = 900")
    world.train()
    state = world.open().payload(altered)
    learner = Learner.restore(state)
    weights = learner._parts.model["LogisticRegression"]._weights
    weights["a"] *= 1 + 1e-12
    blob = pack(learner.seal().state)
    with sqlite3.connect(world.folder / "tidemark.db") as connection:
        connection.execute(
            "INSERT INTO blobs (sha256, size, envelope) VALUES (?, ?, ?)",
            (blob.sha256, len(blob.envelope), blob.envelope),
        )
        connection.execute("UPDATE versions SET blob = ? WHERE version = ?", (blob.sha256, altered))
    connection.close()
    found = world.json("verify", "4", code=1)
    assert found["equal"] is False
    assert "golden" in found["why"]


def test_a_log_that_is_gone_cannot_be_told(world: World) -> None:
    (world.folder / "topic/1.jsonl").unlink()
    found = world.json("verify", "3")
    assert found["equal"] is None
    assert found["why"]
