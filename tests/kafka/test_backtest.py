"""What was trained live on real Kafka is replayed by a backtest, the same scores bit for bit; what is not, is told."""

from __future__ import annotations

import gc
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

from store import ModelStore
from tests.bare_loop import RECIPES, Bare, Place
from tests.kafka.broker import Broker
from tests.kafka.test_rebuild import Life, Topic, _killed_when
from tests.stream.test_backtest import SHORT, delayed, made, play, train
from tests.world import World

pytestmark = pytest.mark.kafka

LINEAR, TREE, BAYES = RECIPES
MORE = """
ignore = ["s", "at"]
moment = "at"
[validation]
metrics = ["Accuracy", "LogLoss"]
window = 100
[snapshots]
every_events = 150
"""


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    gc.unfreeze()
    structlog.reset_defaults()


class Lived(Life):
    """A model on a topic of two partitions that went through all that can happen to one."""

    def __init__(self, folder: Path, kafka: Broker) -> None:
        super().__init__(folder, kafka, 4)  # a tree, two partitions
        assert (self.recipe, len(self.topic.ends)) == (TREE, 2)
        self.kafka = kafka
        self.stamps = False
        self.topic._stamps = False
        self.mode("dynamic")

    def mode(self, mode: str) -> None:
        address = f"kafka://{self.kafka.bootstrap}/{self.topic.name}"
        self.world.configure(log=address, learner=self.recipe, model=f'mode = "{mode}"', more=MORE)

    def more(self, count: int) -> None:
        self.topic.put(count, self.source)
        self.train()

    def kill(self, count: int) -> bool:
        """Train in a process that is killed after it saved."""
        self.topic.put(count, self.source)
        model = self.world.open()
        was = model.outline()[-1].version
        killed = _killed_when(self.world.start("train"), lambda: model.outline()[-1].version > was)
        self.train()
        return killed

    def go(self) -> None:
        """Live."""
        rollback = ("rollback", "--reason", "test")
        self.more(500)
        killed = [self.kill(400), self.kill(300)]
        assert all(killed)
        back = self.world.open().head()[0].version - 2
        self.world.run(*rollback, str(back), "--rewind")
        self.more(100)
        self.quarantine()
        self.world.json("rebuild", "--reason", "test")
        self.more(200)
        self.world.run("quarantine", "release", "1", "--reason", "test", "--late")
        self.more(200)
        self.mode("static")
        self.more(200)
        self.mode("dynamic")
        self.more(200)
        back = self.world.open().head()[0].version - 1
        self.world.run(*rollback, str(back), "--skip")
        self.more(200)

    def quarantine(self) -> None:
        start = self.topic.ends[0] // 3
        made = self.world.json("quarantine", "add", "--offsets", f"0:{start}-{start + 60}", "--reason", "test")
        assert made["entry"] == 1


def order(model: ModelStore) -> Iterator[tuple[Place, bool]]:
    """Give out what head's lineage learned, in its order, and whether it was static then."""
    static = False
    for version in model.lineage(model.head()[0].version):
        static = {"freeze": True, "thaw": False}.get(version.kind, static)
        segment = model.segment(version.version)
        held = {(hold.partition, hold.offset) for hold in segment.holds}
        for run in segment.runs:
            if run.kind in ("read", "late"):
                places = ((run.partition, offset) for offset in range(run.start, run.stop))
                yield from ((place, static) for place in places if place not in held)


def river(recipe: str, topic: Topic, places: Iterable[tuple[Place, bool]]) -> Bare:
    bare = Bare(RECIPES[recipe]())
    learn = bare.model.learn_one
    for place, static in places:
        found = topic.example(place)
        assert found is not None
        bare.model.learn_one = (lambda *_: None) if static else learn
        bare.learn(found[0], y=found[1])
    return bare


def stands(model: ModelStore, kafka: Broker, topic: str) -> Any:
    """Return all that a backtest must not touch."""
    group = ConsumerGroupTopicPartitions("tidemark-m", [TopicPartition(topic, p) for p in (0, 1)])
    offsets = kafka.admin.list_consumer_group_offsets([group])["tidemark-m"].result(30)
    committed = [(at.partition, at.offset, at.metadata) for at in offsets.topic_partitions]
    assert all(offset > 0 for _, offset, _ in committed)
    versions = [(version, model.segment(version.version)) for version in model.versions()]
    return model.refs(), model.moves(), versions, committed, model.quarantine(), model.heartbeat()


def test_a_life_is_replayed(tmp_path: Path, kafka: Broker) -> None:
    life = Lived(tmp_path, kafka)
    life.go()
    model = life.world.open()
    head = model.head()[0]
    lineage = model.lineage(head.version)
    kinds = {version.kind for version in lineage}
    assert kinds == {"genesis", "save", "skip", "freeze", "thaw"}
    assert any(version.covers for version in lineage), "head was rebuilt"
    runs = [run for version in lineage for run in model.segment(version.version).runs]
    assert {run.kind for run in runs} == {"read", "late", "skip"}
    assert {hold.reason for version in lineage for hold in model.segment(version.version).holds} >= {"not_json"}
    before = stands(model, kafka, life.topic.name)
    told = life.world.json("backtest", "--learner", "live", "--learner", LINEAR, "--workers", "1")
    assert (told["replays_live"], told["why"]) == (True, None)
    for metric, spans in told["candidates"][0]["scores"].items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    for number, recipe in enumerate((TREE, LINEAR)):
        bare = river(recipe, life.topic, order(model))
        scores = told["candidates"][number]["scores"]
        assert scores["Accuracy"]["cumulative"] == bare.accuracy.get()
        assert scores["LogLoss"]["cumulative"] == bare.loss.get()
    said = life.world.run("backtest").stdout
    assert "replays live: equal" in said
    assert stands(model, kafka, life.topic.name) == before
    start = [version for version in lineage if version.kind == "save"][2]
    found = play(life.world, "live", start=str(start.version))
    assert (found.replays_live, found.why) == (True, None)
    after = [version for version in lineage if version.version > start.version and version.kind != "skip"]
    assert found.outcomes[0].live == len(after)
    # the tail was never trained live; partitions take turns of 500
    ends = dict(life.topic.ends)
    life.topic.put(1300, life.source)
    tail = []
    while ends != life.topic.ends:
        for partition, end in life.topic.ends.items():
            stop = min(end, ends[partition] + 500)
            tail += [(partition, offset) for offset in range(ends[partition], stop)]
            ends[partition] = stop
    found = play(life.world, "live", BAYES)
    assert found.replays_live is True
    places = [*order(model), *((place, False) for place in tail if life.topic.example(place) is not None)]
    for number, recipe in enumerate((TREE, BAYES)):
        bare = river(recipe, life.topic, places)
        assert found.outcomes[number].scores["LogLoss"]["cumulative"] == bare.loss.get()
    assert stands(model, kafka, life.topic.name) == before
    alter(life.world, after[2].version)
    told = life.world.json("backtest", "--to", f"v:{after[3].version}", code=1)
    assert (told["replays_live"], told["why"]) == (False, f"version {after[2].version}: the scores differ")
    said = life.world.run("backtest", code=1).stdout
    assert "replays live: NOT equal" in said


def alter(world: World, version: int) -> None:
    """Alter a score of a version by one bit."""
    with sqlite3.connect(world.folder / "tidemark.db") as connection:
        (scores,) = connection.execute("SELECT scores FROM versions WHERE version = ?", (version,)).fetchone()
        altered = json.loads(scores)
        altered["LogLoss"]["cumulative"] = math.nextafter(altered["LogLoss"]["cumulative"], 9.0)
        connection.execute("UPDATE versions SET scores = ? WHERE version = ?", (json.dumps(altered), version))
    connection.close()


def test_labels_that_come_later_up_to_a_closing_version(tmp_path: Path, kafka: Broker) -> None:
    world, topic, producer = World(tmp_path), kafka.topic(partitions=2), kafka.producer()
    events = delayed(1500, 3)
    for place, event in enumerate(events):
        producer.produce(topic, json.dumps(event).encode(), partition=place % 2)
    assert producer.flush(30) == 0
    more = 'moment = "at"\nignore = ["at", "known"]\n[labels]\nmoment = "known"\ntimeout = "10m"\n' + SHORT
    world.configure(log=f"kafka://{kafka.bootstrap}/{topic}", learner=TREE, more=more)
    model = train(world, close=True)
    head = model.head()[0]
    assert head.kind == "closing"
    before = stands(model, kafka, topic)
    found = play(world, "live", LINEAR)
    assert (found.replays_live, found.why, found.outcomes[0].live) == (True, None, head.version - 1)
    for metric, spans in found.outcomes[0].scores.items():
        assert spans == {span: head.proof.scores[metric][span] for span in spans}
    assert stands(model, kafka, topic) == before
    open_ended = play(world, "live", close=False)
    assert open_ended.replays_live is True
    parent = model.version(head.parent or 0)
    assert open_ended.outcomes[0].scores["LogLoss"]["cumulative"] == parent.proof.scores["LogLoss"]["cumulative"]
    assert open_ended.outcomes[0].accounts == (
        parent.accounts.learned,
        parent.accounts.pending,
        parent.accounts.expired,
    )


def test_what_the_topic_has_deleted_is_told_and_gone_around(tmp_path: Path, kafka: Broker) -> None:
    world, topic, producer = World(tmp_path), kafka.topic(), kafka.producer()
    events = made(1000, 4)
    for event in events:
        producer.produce(topic, json.dumps(event).encode(), partition=0)
    assert producer.flush(30) == 0
    world.configure(
        log=f"kafka://{kafka.bootstrap}/{topic}", learner=TREE, more='ignore = ["at"]\n' + SHORT.replace("300", "100")
    )
    model = train(world)
    place = TopicPartition(topic, 0, 450)
    kafka.admin.delete_records([place])[place].result(30)
    for wrong in ((), ("--from", "v:3"), ("--start", "3"), ("--workers", "2", "--learner", "live", "--learner", BAYES)):
        done = world.run("backtest", *wrong, code=3)
        assert "hint: " in done.stderr
        assert "450" in done.stderr, done.stderr
    assert "450" in world.run("backtest", "--from", "100", code=2).stderr
    start = next(version for version in model.versions() if version.accounts.read == 500)
    found = play(world, "live", LINEAR, start=str(start.version))
    assert (found.replays_live, found.outcomes[0].live) == (True, 5)
    bare = Bare(RECIPES[LINEAR]())
    for event in events[500:]:
        bare.learn({"a": event["a"], "b": event["b"]}, y=event["y"])
    assert found.outcomes[1].scores["LogLoss"]["cumulative"] == bare.loss.get()
    found = play(world, LINEAR, since="450")
    assert found.events == 550
