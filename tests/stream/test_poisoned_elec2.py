"""Elec2 with flipped labels and values of 1e14: quarantined and rebuilt while a trainer follows a growing topic."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, optim, preprocessing

from store import ModelStore
from tests.world import World, end, read_csv, until

POISONED_FROM = 20_000
FLIPPED, HUGE = 500, range(22_000, 22_020)
FIRST = 26_000
"""So many events are there before the person on call wakes up."""

MEANWHILE = 40_000
"""Up to here they come while entries are made, and from here on while head is rebuilt; the last ones after that."""

LAST = 43_000

MORE = 'ignore = ["meter"]\n[validation]\nmetrics = ["Accuracy", "F1"]\nwindow = 906\n[snapshots]\nevery_events = 1000'


def poisoned(shared_data: Path) -> list[dict[str, Any]]:
    """Return elec2 with a meter of each event; that which lies flips labels, and a range has impossible values."""
    source = random.Random(4)
    made: list[dict[str, Any]] = []
    for cells in read_csv(shared_data / "elec2.csv.gz"):
        x = {name: float(cell) for name, cell in cells.items() if name != "class"}
        made.append({**x, "meter": f"m{source.randrange(6)}", "class": cells["class"]})
    can_lie = [place for place in range(POISONED_FROM, len(made)) if place not in HUGE]
    for place in source.sample(can_lie, FLIPPED):
        made[place]["meter"] = "m7"
        made[place]["class"] = "DOWN" if made[place]["class"] == "UP" else "UP"
    for place in HUGE:
        made[place]["nswdemand"] = 1e14
    return made


def bare_loop(events: list[dict[str, Any]]) -> tuple[float, float, int]:
    """Return accuracy and F1 of river over the events that are not poisoned, and how many these are."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))
    accuracy, f1, learned = metrics.Accuracy(), metrics.F1(), 0
    for place, event in enumerate(events):
        if event["meter"] == "m7" or place in HUGE:
            continue
        x = {name: value for name, value in event.items() if name not in ("meter", "class")}
        y = event["class"] == "UP"
        y_pred = model.predict_one(x)
        accuracy.update(y, y_pred)
        f1.update(y, y_pred)
        model.learn_one(x, y)
        learned += 1
    return accuracy.get(), f1.get(), learned


def followed(world: World, store: str | None, events: list[bytes], put: Callable[[list[bytes]], None]) -> ModelStore:
    """Let a trainer follow the topic all the while; quarantine, rebuild; return the store once it has read everything.

    What the trainer learned while it was told about, rebuilt and swapped is in the account like all else.
    """
    put(events[:FIRST])
    trainer = world.start("train")
    until(lambda: _exists(world, store), process=trainer)
    model = world.open(store)
    until(lambda: model.head()[0].accounts.read == FIRST, seconds=120, process=trainer)
    swapped = threading.Event()
    producer = threading.Thread(target=_put_meanwhile, args=(model, events, put, swapped))
    producer.start()
    try:
        by_field = world.json(
            "quarantine", "add", "--where", "meter == 'm7'", "--reason", "labels of meter 7 are wrong"
        )
        huge = f"0:{HUGE.start}-{HUGE.stop}"
        by_range = world.json("quarantine", "add", "--offsets", huge, "--reason", "impossible demand", "--confirmed")
        assert by_field["learned_by_head"] > 0
        assert by_range["events"] == by_range["learned_by_head"] == len(HUGE)
        assert by_range["last_clean"] is not None
        told = world.json("rebuild", "--reason", "poison", "--also-verify")
        assert told["base"] is not None
        assert told["proved"] is True
        assert told["learned"] >= by_field["learned_by_head"] + len(HUGE)
    finally:
        swapped.set()
        producer.join()
    until(lambda: _idle(model, len(events)), seconds=120, process=trainer)
    end(trainer)
    assert trainer.returncode == 0
    assert [run.outcome for run in model.runs() if run.command == "train"] == ["done"], "one trainer, all the while"
    trained = {version.version for version in model.versions() if version.covers is None}
    began = next(run.started_at for run in model.runs() if run.command == "rebuild")
    saved = [model.version(version).created_at for version in trained]
    swap = next(move.at for move in model.moves("head") if move.kind == "rebuild")
    assert any(began < at < swap for at in saved), "it went on while head was rebuilt"
    assert max(trained) > told["to"], "it went on from what was rebuilt"
    return model


def _put_meanwhile(
    model: ModelStore, events: list[bytes], put: Callable[[list[bytes]], None], swapped: threading.Event
) -> None:
    """Produce what comes while a person works."""
    for start in range(FIRST, MEANWHILE, 500):
        put(events[start : start + 500])
        time.sleep(0.05)
    until(lambda: swapped.is_set() or any(run.command == "rebuild" for run in model.runs()), seconds=120)
    put(events[MEANWHILE:LAST])
    swapped.wait(300)
    put(events[LAST:])


def _exists(world: World, store: str | None) -> bool:
    try:
        return world.open(store).exists()
    except Exception:  # noqa: BLE001 - not there yet
        return False


def _idle(model: ModelStore, read: int) -> bool:
    beat = model.heartbeat()
    return beat is not None and beat.state == "idle" and beat.read == read


def assert_as_if_never_seen(world: World, model: ModelStore, events: list[dict[str, Any]]) -> None:
    accuracy, f1, learned = bare_loop(events)
    head = model.head()[0]
    assert head.accounts.read == len(events) == learned + FLIPPED + len(HUGE)
    assert (head.accounts.learned, head.accounts.held) == (learned, FLIPPED + len(HUGE))
    assert head.proof.scores["Accuracy"]["cumulative"] == accuracy
    assert head.proof.scores["F1"]["cumulative"] == f1
    assert world.json("rebuild")["base"] is None
    assert world.json("verify", "head")["equal"]


def test_files_and_sqlite(tmp_path: Path, shared_data: Path) -> None:
    world, events = World(tmp_path), poisoned(shared_data)
    topic = world.write_events("topic/0.jsonl", [])
    world.configure(log="file:topic", target="class", model='positive = "UP"', more=MORE, learner=LEARNER)

    def put(lines: list[bytes]) -> None:
        with topic.open("ab") as out:
            out.write(b"".join(line + b"\n" for line in lines))

    model = followed(world, None, [json.dumps(event).encode() for event in events], put)
    assert_as_if_never_seen(world, model, events)


LEARNER = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"


@pytest.mark.kafka
@pytest.mark.postgres
def test_kafka_and_postgresql(tmp_path: Path, shared_data: Path, request: pytest.FixtureRequest) -> None:
    kafka, store = request.getfixturevalue("kafka"), request.getfixturevalue("postgres_url")
    world, events = World(tmp_path), poisoned(shared_data)
    topic = kafka.topic()
    log = f"kafka://{kafka.bootstrap}/{topic}"
    world.configure(log=log, target="class", model='positive = "UP"', more=MORE, learner=LEARNER, store=store)
    producer = kafka.producer(**{"queue.buffering.max.messages": 50_000})

    def put(values: list[bytes]) -> None:
        for value in values:
            producer.produce(topic, value, partition=0)
        assert producer.flush(30) == 0

    model = followed(world, store, [json.dumps(event).encode() for event in events], put)
    assert_as_if_never_seen(world, model, events)
