"""The main job on the real thing: Apache Kafka and PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from store import ModelStore
from tests.kafka.broker import Broker
from tests.stream.test_label_log import halves, joined
from tests.stream.test_labels import events
from tests.stream.test_published import ELEC2_VALIDATION, POSITIVE_UP, assert_elec2
from tests.stream.test_verify import lines
from tests.world import World, end, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]


def test_elec2_from_kafka_into_postgresql(tmp_path: Path, shared_data: Path, kafka: Broker, postgres_url: str) -> None:
    world = World(tmp_path, "elec2")
    topic = kafka.topic()
    world.configure(
        log=f"kafka://{kafka.bootstrap}/{topic}",
        target="class",
        model=POSITIVE_UP,
        more=ELEC2_VALIDATION,
        store=postgres_url,
    )
    assert world.json("produce", str(shared_data / "elec2.csv.gz"))["events"] == 45_312
    world.train()
    assert_elec2(world, shared_data)
    assert world.json("show", "head")["engine"] == world.json("status")["engine"] == "compiled"
    assert all(each["equal"] for each in world.json("verify", "all"))
    assert all(check["well"] is not False for check in world.json("doctor"))


def test_two_partitions_killed_rolled_back_and_proved(tmp_path: Path, kafka: Broker, postgres_url: str) -> None:
    world = World(tmp_path)
    topic = kafka.topic(partitions=2)
    world.configure(
        log=f"kafka://{kafka.bootstrap}/{topic}",
        more='[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 250\n[snapshots]\nevery_events = 1000',
        store=postgres_url,
    )
    world.write_events("events.jsonl", [*lines(20_000, 1), b"garbage"])
    world.run("produce", "events.jsonl", "--key", "a")
    for _ in range(5):
        trainer = world.start("train")
        until(lambda: exists(world, postgres_url), process=trainer)
        model = world.open(postgres_url)
        was = model.head()[0].version
        until(lambda: model.head()[0].version > was or done(model, 20_001), process=trainer)  # noqa: B023 - in this turn
        end(trainer, number=9)
    trainer = world.start("train")
    model = world.open(postgres_url)
    try:
        until(lambda: model.head()[0].accounts.read > 15_000 or done(model, 20_001), process=trainer)
        moved = world.json("rollback", "3", "--rewind", "--reason", "a look at the past")
        assert moved["to"] == 3
        until(lambda: done(model, 20_001), process=trainer)
    finally:
        end(trainer)
    head = world.json("show", "head")
    assert head["events"] == {"read": 20_001, "learned": 20_000, "held": 1, "pending": 0, "expired": 0}
    assert sum(head["position"][topic].values()) == 20_001
    found = world.json("verify", "all")
    assert len(found) > 20
    assert [each for each in found if each["equal"] is not True] == []


def exists(world: World, url: str) -> bool:
    try:
        return world.open(url).exists()
    except Exception:  # noqa: BLE001 - not there yet
        return False


def done(model: ModelStore, read: int) -> bool:
    """Tell whether all was read, by a word from since head moved last: it may have been rolled back meanwhile."""
    beat = model.heartbeat()
    return beat is not None and beat.state == "idle" and beat.read == read and beat.version == model.watch().version


def test_a_topic_made_anew_is_refused(tmp_path: Path, kafka: Broker) -> None:
    world = World(tmp_path)
    topic = kafka.topic()
    world.configure(log=f"kafka://{kafka.bootstrap}/{topic}")
    world.write_events("events.jsonl", lines(100, 1))
    world.run("produce", "events.jsonl")
    world.train()
    kafka.admin.delete_topics([topic])[topic].result(30)
    until(lambda: topic not in kafka.admin.list_topics(timeout=5).topics)
    world.write_events("events.jsonl", lines(300, 2))
    world.run("produce", "events.jsonl")
    done = world.run("train", "--until-end", code=3)
    assert "hint: " in done.stderr
    assert len(world.json("log")) == 2


def test_no_broker_is_exit_5(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(log="kafka://127.0.0.1:1/nothing")
    done = world.run("train", "--until-end", code=5)
    assert "127.0.0.1:1" in done.stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_labels_from_a_topic_of_their_own(tmp_path: Path, kafka: Broker, postgres_url: str) -> None:
    topics = [kafka.topic(partitions=2) for _ in range(2)]
    shown = []
    for name, kills in (("calm", 0), ("killed", 4)):
        world = World(tmp_path / name, name)
        joined(world, *(f"kafka://{kafka.bootstrap}/{topic}" for topic in topics), store=postgres_url)
        if not kills:
            for file, records in zip(("events", "labels"), halves(events(4000, 11)), strict=True):
                world.write_events(f"{file}.jsonl", records)
            assert world.json("produce", "events.jsonl", "--key", "id")["events"] == 4000
            assert world.json("produce", "labels.jsonl", "--labels", "--key", "id")["events"] == 4000
        for _ in range(kills):
            trainer = world.start("train")
            until(lambda: exists(world, postgres_url), process=trainer)  # noqa: B023 - in this turn
            model = world.open(postgres_url)
            was = model.head()[0].version
            until(lambda: model.head()[0].version > was or done(model, 4000), process=trainer)  # noqa: B023
            end(trainer, number=9)
        world.train()
        world.run("rollback", "3", "--rewind", "--reason", "a look at the past")
        world.train("--close")
        assert all(each["equal"] for each in world.json("verify", "all"))
        assert all(check["well"] is not False for check in world.json("doctor"))
        shown.append(world.json("show", "head"))
    calm, killed = shown
    assert calm["events"] == killed["events"] == {"read": 4000, "learned": 4000, "held": 0, "pending": 0, "expired": 0}
    for metric, score in calm["scores"].items():
        assert killed["scores"][metric]["cumulative"] == score["cumulative"]
    assert killed["details"]["labels"]["records"] == calm["details"]["labels"]["records"]
    assert killed["details"]["labels"]["records"]["late"] == 0


def test_labels_that_their_topic_has_lost_are_told_of(tmp_path: Path, kafka: Broker) -> None:
    asked, told = kafka.topic(), kafka.topic()
    world = World(tmp_path)
    joined(world, *(f"kafka://{kafka.bootstrap}/{topic}" for topic in (asked, told)))
    records = halves(events(2000, 12))
    for file, made in zip(("events", "labels"), records, strict=True):
        world.write_events(f"{file}.jsonl", made)
    world.run("produce", "events.jsonl", "--limit", "1000")
    world.run("produce", "labels.jsonl", "--labels", "--limit", "500")
    world.train()
    before = world.json("show", "head")
    world.run("produce", "labels.jsonl", "--labels")
    place = TopicPartition(told, 0, 700)
    kafka.admin.delete_records([place])[place].result(30)
    assert "--accept-gap" in world.run("train", "--until-end", code=3).stderr
    assert world.json("show", "head")["version"] == before["version"]
    world.train("--accept-gap")
    (gap,) = [
        gap for each in world.json("log") for gap in world.json("show", str(each["version"]))["segment"]["skipped"]
    ]
    assert gap == {"topic": told, "partition": 0, "start": 500, "stop": 700}
    after = world.json("show", "head")
    assert after["position"] == {asked: {"0": 1000}, told: {"0": 2500}}
    assert after["events"]["learned"] > before["events"]["learned"]


def in_hold(model: ModelStore) -> str | None:
    """Return "hold" if head is a version that the trainer holds at."""
    beat = model.heartbeat()
    held = beat is not None and beat.state == "hold" and beat.version == model.watch().version
    return "hold" if held else None


def test_a_breaker_stops_at_its_limit_and_a_resume_goes_on(tmp_path: Path, kafka: Broker, postgres_url: str) -> None:
    """Two partitions, with ids that may not come twice; nothing is lost and nothing is learned twice."""
    world = World(tmp_path)
    topic = kafka.topic(partitions=2)
    events = [
        {**json.loads(line), "id": f"e{n - 2 if n % 10 == 2 else n}"}  # the one before it in its partition
        for n, line in enumerate(lines(6000, 2))
    ]
    more = 'id = "id"\n[snapshots]\nevery_events = 700\n[gate]\nduplicates = 100\nbreaker = { consecutive = 50 }'
    world.configure(log=f"kafka://{kafka.bootstrap}/{topic}", more=more, store=postgres_url)
    good, bad = [json.dumps(event).encode() for event in events], [b"garbage"] * 120
    world.write_events("events.jsonl", [*good[:3000], *bad, *good[3000:]])
    world.run("produce", "events.jsonl")
    trainer = world.start("train")
    until(lambda: exists(world, postgres_url), process=trainer)
    model = world.open(postgres_url)
    try:
        holds = 0
        while until(lambda: in_hold(model) or done(model, 6120), process=trainer) == "hold":  # 60 of each partition
            head = model.head()[0]
            assert head.proof.details["hold"]["held"] == 50
            assert head.accounts.balanced
            holds += 1
            world.run("resume", "--reason", "the test goes on")
            until(lambda: model.head()[0].version > head.version, process=trainer)  # noqa: B023 - in this turn
        assert holds in (1, 2)
    finally:
        end(trainer)
    accounts = model.head()[0].accounts
    assert accounts.balanced
    assert accounts.read == 6120
    reasons = [hold.reason for v in model.lineage(model.head()[0].version) for hold in model.segment(v.version).holds]
    assert reasons.count("not_json") == 120
    assert reasons.count("duplicate_id") == 600
    assert [each["equal"] for each in world.json("verify", "all") if each["equal"] is not True] == []
