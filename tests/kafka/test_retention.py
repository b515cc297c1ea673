"""What is told of a log that forgets: from which version on a rebuild is possible, while there is still time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from tests.kafka.broker import Broker
from tests.stream.test_verify import lines
from tests.world import World

pytestmark = pytest.mark.kafka

EVERY, EVENTS = 100, 1_000
"""Version V stands at offset (V - 1) * EVERY, and head is version 11."""


def version_at(first: int) -> int:
    """Return the oldest version that stands at or beyond the first offset that is still there."""
    return next(version for version in range(1, 12) if (version - 1) * EVERY >= first)


def forget(kafka: Broker, topic: str, first: int) -> None:
    place = TopicPartition(topic, 0, first)
    kafka.admin.delete_records([place])[place].result(30)


def told(world: World, *, code: int = 0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what status says of rebuilds, and what doctor does."""
    (check,) = [check for check in world.json("doctor", code=code) if check["check"] == "retention"]
    return world.json("status")["rebuild"], check


def test_the_oldest_version_that_can_be_replayed_from_is_told(tmp_path: Path, kafka: Broker) -> None:
    world, topic = World(tmp_path), kafka.topic()
    world.configure(log=f"kafka://{kafka.bootstrap}/{topic}", more=f"[snapshots]\nevery_events = {EVERY}")
    world.write_events("events.jsonl", lines(EVENTS, 1))
    world.run("produce", "events.jsonl")
    world.train()

    status, check = told(world)
    assert (status["from"], status["lost_versions"], status["due_from"]) == (1, 0, None)
    assert (check["well"], check["warns"]) == (True, False)

    for first, warns in ((150, False), (700, False), (701, True), (850, True)):
        forget(kafka, topic, first)
        status, check = told(world)
        assert (status["from"], status["lost_versions"]) == (version_at(first), version_at(first) - 1)
        assert status["told"].startswith("WARNING: ") == warns
        assert (check["well"], check["warns"]) == (True, warns)
        assert f"from version {version_at(first)} (" in check["found"]
        assert f"has lost events of {version_at(first) - 1} versions before" in check["found"]

    world.run("quarantine", "add", "--offsets", "0:955-960", "--reason", "garbage")
    status, check = told(world)
    assert (status["from"], status["due_from"], status["too_late"]) == (10, 10, False)
    assert check["warns"]
    assert "tidemark rebuild" in check["hint"]

    forget(kafka, topic, 950)
    status, check = told(world, code=1)
    assert (status["from"], status["due_from"], status["too_late"]) == (11, 10, True)
    assert (check["well"], "--accept-gap" in check["hint"]) == (False, True)
    refused = world.run("rebuild", code=3)
    assert "version 11 on" in refused.stderr
    assert "--accept-gap" in refused.stderr
    assert world.json("status")["head"] == 11

    rebuilt = world.json("rebuild", "--accept-gap")["to"]
    shown = world.json("show", str(rebuilt))
    assert shown["segment"]["skipped"] == [{"topic": topic, "partition": 0, "start": 900, "stop": 950}]
    assert shown["segment"]["held"] == {"quarantined": 5}
    status, check = told(world)
    assert status["due_from"] is None
    assert (check["well"], check["warns"]) == (True, True)


def test_status_and_doctor_do_not_need_the_log(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(log="file:t.jsonl")
    world.write_events("t.jsonl", lines(300, 1))
    world.train()
    world.configure(log="kafka://127.0.0.1:1/t")
    status = world.json("status")
    assert (status["head"], status["rebuild"]["from"]) == (2, None)
    assert status["rebuild"]["told"].startswith("unknown: ")
    assert "unknown: " in world.run("status").stdout
