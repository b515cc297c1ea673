"""A rebuild when the topic no longer has the events: it refuses, and says what is possible; or it keeps a gap."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition

from store.types import Run
from tests.bare_loop import RECIPES, Place, assert_equals_river, assert_read_once
from tests.kafka.broker import Broker
from tests.world import World

pytestmark = pytest.mark.kafka

LIES, GONE = range(450, 460), 650
MORE = '[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\n[snapshots]\nevery_events = 100'


def test_refused_with_words_protected_and_accepted_with_a_gap(tmp_path: Path, kafka: Broker) -> None:
    world, topic, source = World(tmp_path), kafka.topic(), random.Random(5)
    recipe, river = next(iter(RECIPES.items()))
    world.configure(log=f"kafka://{kafka.bootstrap}/{topic}", learner=recipe, more=MORE)
    events = [{"a": source.gauss(0, 1), "b": source.gauss(0, 1), "y": source.random() < 0.5} for _ in range(1000)]
    producer = kafka.producer()
    for event in events:
        producer.produce(topic, json.dumps(event).encode(), partition=0)
    assert producer.flush(30) == 0
    world.train()
    model = world.open()
    world.run("promote", "head")
    world.json("quarantine", "add", "--offsets", f"0:{LIES.start}-{LIES.stop}", "--reason", "they lie")
    head, moves = model.head(), model.moves()
    would = world.json("rebuild", "--dry-run")
    assert (would["base"], would["learned"], would["to"]) == (5, len(LIES), None)
    assert (model.head(), model.moves(), model.rebuilds()) == (head, moves, [])

    place = TopicPartition(topic, 0, GONE)
    kafka.admin.delete_records([place])[place].result(30)
    refused = world.run("rebuild", "--protect", code=3).stderr
    assert f"now begins at offset {GONE}" in refused
    assert "a clean rebuild is possible from version 8 on" in refused  # the first whose position is still there
    assert "--accept-gap" in refused
    assert model.head() == head
    champion = model.ref("champion")
    assert champion is not None
    assert champion.version == 5

    told = world.json("rebuild", "--accept-gap", "--also-verify")
    assert told["proved"] is None, "the log no longer has what genesis read"
    assert f"begins at {GONE}" in told["why_not"]
    rebuilt = model.head()[0]
    assert told["to"] == rebuilt.version
    gaps = [run for _, run in model.passed_over(rebuilt.version)]
    assert gaps == [Run(topic, 0, start, stop, 0, "gap") for start, stop in ((400, 500), (500, 600), (600, GONE))]

    def example(at: Place) -> tuple[dict[str, float], bool]:
        event = events[at[1]]
        return {"a": event["a"], "b": event["b"]}, bool(event["y"])

    assert assert_equals_river(model, river(), example, lambda _: False, [{"a": 1.0, "b": -1.0}]) == 400 + 1000 - GONE
    assert_read_once(model, {0: 1000})
    assert world.json("rebuild")["base"] is None
