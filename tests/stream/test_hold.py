"""A trainer whose breaker tripped: it waits, is resumed, is killed, goes on; no event is lost or learned twice."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from learners import Learner
from store import ModelStore, StoreError
from tests.world import Command, World, end, until

GARBAGE = b"nothing that can be read"


def lines(count: int, seed: int = 1) -> list[bytes]:
    source = random.Random(seed)
    return [
        json.dumps({"id": n, "a": (a := source.gauss(0, 1)), "b": (b := source.gauss(0, 1)), "y": a > b}).encode()
        for n in range(count)
    ]


def world_of(folder: Path, *partitions: list[bytes], gate: str = "") -> World:
    world = World(folder)
    for number, events in enumerate(partitions):
        world.write_events(f"topic/{number}.jsonl", events)
    schema = '[schema]\na = { type = "number" }\nb = { type = "number" }'
    more = f'id = "id"\n{schema}\n[snapshots]\nevery_events = 300\n[gate]\n{gate}'
    world.configure(log="file:topic", more=more)
    return world


def read_once(model: ModelStore) -> dict[int, int]:
    """Return how far each partition was read; every offset of head's lineage once, in order."""
    reached: dict[int, int] = {}
    for version in model.lineage(model.head()[0].version):
        assert version.accounts.balanced
        for run in model.segment(version.version).runs:
            assert run.start == reached.get(run.partition, 0)
            reached[run.partition] = run.stop
    return reached


def in_hold(model: ModelStore) -> str | None:
    beat = model.heartbeat()
    return beat.detail if beat is not None and beat.state == "hold" else None


@pytest.fixture
def events() -> list[bytes]:
    """A thousand events, and the 50 from 400 on garbage."""
    made = lines(1000)
    made[400:450] = [GARBAGE] * 50
    return made


def test_training_to_the_end_stops_at_the_limit_and_a_resume_goes_on(tmp_path: Path, events: list[bytes]) -> None:
    world = world_of(tmp_path, events, gate="breaker = { consecutive = 20 }")
    for _ in range(2):  # it finds itself in hold again
        done = world.run("train", "--until-end", code=3)
        assert (
            "20 events in a row of topic[0] are held, up to offset 419; 20 for not_json: expected a JSON" in done.stderr
        )
        assert "tidemark resume" in done.stderr
    model = world.open()
    head = model.head()[0]
    assert (head.accounts.read, head.accounts.learned, head.accounts.held) == (420, 400, 20)
    assert "20 events in a row" in head.reason
    status = world.json("status")
    assert "offset 419" in status["hold"]
    assert world.json("show", "head")["hold"]["resumed"] is None
    told = world.json("resume", "--reason", "the producer is mended")
    assert told["version"] == head.version
    assert "offset 419" in told["why"]
    assert world.json("resume")["again"] is True
    world.run("train", "--until-end", code=3)  # 20 more in a row, from the next event on
    assert model.head()[0].accounts.held == 40
    world.run("resume")
    shown = world.train()
    assert (shown["read"], shown["learned"], shown["held"]) == (1000, 950, 50)
    assert read_once(model) == {0: 1000}
    assert world.json("status")["hold"] is None
    assert world.json("show", str(head.version))["hold"]["resumed"]["why"] == "the producer is mended"
    resumes = [each for each in world.json("log", "--moves") if each["kind"] == "resume"]
    assert [each["why"] for each in resumes] == ["", "the producer is mended"]
    assert {each["equal"] for each in world.json("verify", "all")} == {True}
    assert "nothing is to be resumed" in world.run("resume", code=2).stderr


def test_what_was_learned_is_as_if_it_had_never_stopped(tmp_path: Path, events: list[bytes]) -> None:
    held = world_of(tmp_path / "held", events, gate="breaker = { consecutive = 20 }")
    for code in (3, 3, 0):
        held.run("train", "--until-end", code=code)
        if code:
            held.run("resume")
    free = world_of(tmp_path / "free", events, gate="breaker = false")
    free.train()
    one, other = (world.json("show", "head") for world in (held, free))
    for key in ("events", "position"):
        assert one[key] == other[key]
    pairs = [(one["scores"], other["scores"])]
    pairs += [(scores, other["baselines"][name]) for name, scores in one["baselines"].items()]
    for mine, theirs in pairs:
        for metric, score in mine.items():
            assert {**score, "since_last": 0} == {**theirs[metric], "since_last": 0}
    assert held.run("predict", "head", "topic/0.jsonl").stdout == free.run("predict", "head", "topic/0.jsonl").stdout


def test_a_share_trips_only_its_own_partition(tmp_path: Path) -> None:
    """Every second event of partition 1 is garbage, none of partition 0: together a quarter, which would be well."""
    mixed = lines(600, 2)
    mixed[101::2] = [GARBAGE] * len(mixed[101::2])
    world = world_of(tmp_path, lines(600), mixed, gate="breaker = { share = 0.4, last = 100 }")
    done = world.run("train", "--until-end", code=3)
    assert "40 of the last 100 events of topic[1] are held, up to offset 179" in done.stderr
    model = world.open()
    assert model.head()[0].position.next_offsets()["topic"][1] == 180
    assert sum(each.partition == 1 for each in model.held()) == model.held_count() == 40
    assert model.head()[0].accounts.balanced


def test_a_healthy_stream_with_some_garbage_does_not_trip(tmp_path: Path) -> None:
    """By default: a few events at the start, most of a small stream, a third of a large one."""
    small = [GARBAGE] * 150 + lines(50)
    assert world_of(tmp_path / "small", small).train()["held"] == 150
    large = lines(3000)
    large[::3] = [GARBAGE] * 1000
    assert world_of(tmp_path / "large", large).train()["held"] == 1000


@pytest.fixture
def started(tmp_path: Path, events: list[bytes]) -> tuple[World, Command, ModelStore]:
    """A running trainer in hold, at offset 420 of 1000."""
    world = world_of(tmp_path, events, gate="breaker = { consecutive = 20 }")
    return world, *running(world)


def running(world: World) -> tuple[Command, ModelStore]:
    trainer = world.start("train")
    model: ModelStore = until(lambda: opened(world), process=trainer)
    until(lambda: in_hold(model), process=trainer)
    return trainer, model


def opened(world: World) -> ModelStore | None:
    try:
        model = world.open()
    except StoreError:
        return None
    return model if model.exists() else None


def read_by(model: ModelStore, read: int) -> bool:
    beat = model.heartbeat()
    return beat is not None and beat.state == "idle" and beat.read == read


def test_a_running_trainer_waits_and_notices_a_resume(started: tuple[World, Command, ModelStore]) -> None:
    world, trainer, model = started
    assert "offset 419" in (in_hold(model) or "")
    assert world.json("status")["state"] == "hold"
    assert world.run("status", "--check", code=1).stdout.startswith("not well: hold")
    first = model.heartbeat()
    until(lambda: (beat := model.heartbeat()) and first and beat.at > first.at, process=trainer)
    world.run("resume", "--reason", "mended")
    until(lambda: model.head()[0].accounts.read == 440 and in_hold(model), process=trainer)
    world.run("resume", "--reason", "mended again")
    until(lambda: read_by(model, 1000), process=trainer)
    done = end(trainer)
    assert trainer.returncode == 0
    assert "mended again" in done.stderr
    head = model.head()[0].accounts
    assert (head.read, head.learned, head.held) == (1000, 950, 50)
    assert read_once(model) == {0: 1000}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_is_in_hold_again_after_it_was_ended(started: tuple[World, Command, ModelStore], number: int) -> None:
    world, trainer, model = started
    before = model.head()
    end(trainer, number=number)
    assert trainer.returncode == (0 if number == signal.SIGTERM else -number)
    again, _ = running(world)
    assert model.head()[0] == before[0]
    world.run("resume")
    end(again, number=signal.SIGKILL)  # whether or not it had noticed: the resume stays
    third = world.start("train")
    until(lambda: model.head()[0].accounts.read == 440 and in_hold(model), process=third)
    assert read_once(model) == {0: 440}
    end(third)


def test_a_moved_head_ends_the_hold(started: tuple[World, Command, ModelStore]) -> None:
    world, trainer, model = started
    held = model.head()[0]
    ref = model.move("head", 1, kind="rewind", who="test", why="test")
    until(lambda: model.watch().moves > ref.moves + 1 and in_hold(model), process=trainer)
    again = model.head()[0]
    assert again.version > held.version
    assert (again.accounts, again.proof) == (held.accounts, held.proof)
    world.run("rollback", str(held.version), "--skip")  # its model, its memory: it waits there, too
    skipped = model.watch().version
    until(lambda: (beat := model.heartbeat()) and beat.version == skipped and beat.state == "hold", process=trainer)
    world.run("resume")
    until(lambda: model.head()[0].accounts.read == 440 and in_hold(model), process=trainer)
    end(trainer)
    assert {each["equal"] for each in world.json("verify", "all")} == {True}


def test_garbage_in_the_log_of_labels_trips_too(tmp_path: Path) -> None:
    """Both logs are merged; nothing is lost of either, and the lineage can be proved."""
    world = World(tmp_path)
    flights = [{"id": n, "at": 10 * n, "a": n % 7, "b": n % 3} for n in range(500)]
    arrivals: list[Any] = [{"id": n, "at": 10 * n + 25, "y": n % 7 > n % 3} for n in range(500)]
    arrivals[200:230] = [GARBAGE] * 30
    world.write_events("flights.jsonl", flights)
    world.write_events("arrivals.jsonl", arrivals)
    more = 'id = "id"\nmoment = "at"\nignore = ["at"]\n[labels]\nlog = "file:arrivals.jsonl"\nmoment = "at"\n'
    more += "[snapshots]\nevery_events = 64\n[gate]\nbreaker = { consecutive = 15 }"
    world.configure(log="file:flights.jsonl", more=more)
    done = world.run("train", "--until-end", code=3)
    assert "15 events in a row of arrivals[0] are held, up to offset 214" in done.stderr
    model = world.open()
    head = model.head()[0]
    assert head.position.next_offsets()["arrivals"] == {0: 215}
    records = head.proof.details["labels"]["records"]
    assert records["read"] == records["matched"] == 200
    assert head.accounts.balanced
    world.run("resume")
    world.run("train", "--until-end", code=3)
    world.run("resume")
    told = world.train("--close")
    assert (told["read"], told["learned"], told["pending"]) == (500, 470, 30)
    assert {each["equal"] for each in world.json("verify", "all")} == {True}


def test_ids_are_as_remembered_after_restarts_kills_rollbacks_and_refills(tmp_path: Path) -> None:
    """Each held duplicate is one by a plain loop over the events, whatever happened to the trainer."""
    source = random.Random(7)
    names = [source.choice([n, n, n, source.randint(max(0, n - 150), n)]) for n in range(2000)]
    events = [
        json.dumps({**json.loads(line), "id": name}).encode() for line, name in zip(lines(2000), names, strict=True)
    ]
    seen: list[int] = []
    expected = []
    for offset, name in enumerate(names):
        if name in seen[-100:]:
            expected.append(offset)
        else:
            seen.append(name)
    assert 100 < len(expected) < sum(names.count(name) > 1 for name in names)
    world = world_of(tmp_path, events[:1100], gate="duplicates = 100\nbreaker = false")
    world.train()  # a restart between 1100 and 1101
    world.write_events("topic/0.jsonl", events)
    trainer = world.start("train")
    model = world.open()
    until(lambda: model.head()[0].accounts.read >= 1300, process=trainer)
    end(trainer, number=signal.SIGKILL)
    world.run("rollback", "3", "--rewind")
    world.train()
    line = model.lineage(model.head()[0].version)
    held = [hold.offset for version in line for hold in model.segment(version.version).holds]
    assert held == expected
    assert {each.reason for each in model.held()} == {"duplicate_id"}
    kept = {version.version: Learner.restore(model.payload(version.version)).beside for version in line}
    world.run("expire", "--keep-last", "1")
    gone = [version.version for version in model.versions() if version.blob is None and version.version in kept]
    assert gone
    world.run("rollback", str(gone[-1]), "--rewind")
    assert Learner.restore(model.payload(gone[-1])).beside == kept[gone[-1]]
    assert len(kept[gone[-1]]["gate"]) > 400  # a hundred ids
    told = world.train()
    assert told["held"] == len(expected)


def test_a_rebuild_judges_ids_anew_and_ends_the_hold(tmp_path: Path) -> None:
    """Where the first of two is quarantined the second was no duplicate; and what is quarantined trips nothing."""
    events = lines(1000)
    events[100] = json.dumps({**json.loads(events[100]), "id": 90}).encode()  # 90 again, from a good event
    events[200] = json.dumps({**json.loads(events[200]), "id": 190}).encode()  # 190 again
    events[500:520] = [GARBAGE] * 20
    gate = "duplicates = 1000\nbreaker = { consecutive = 20 }"
    world = world_of(tmp_path / "one", events, gate=gate)
    world.run("train", "--until-end", code=3)
    model = world.open()
    assert [(each.offset, each.reason) for each in model.held()][:2] == [(100, "duplicate_id"), (200, "duplicate_id")]
    world.run("quarantine", "add", "--offsets", "0:90-91", "--offsets", "0:500-520", "--reason", "garbage")
    world.run("rebuild", "--reason", "without it")
    reasons = {
        hold.offset: hold.reason
        for v in model.lineage(model.head()[0].version)
        for hold in model.segment(v.version).holds
    }
    assert reasons == {90: "quarantined", 200: "duplicate_id", **dict.fromkeys(range(500, 520), "quarantined")}
    assert world.json("status")["hold"] is None
    told = world.train()  # nobody resumed it
    assert (told["read"], told["learned"], told["held"]) == (1000, 978, 22)
    assert {each["equal"] for each in world.json("verify", "all")} == {True}
    clean = [event for place, event in enumerate(events) if place not in {90, *range(500, 520)}]
    oracle = world_of(tmp_path / "oracle", clean, gate=gate)
    assert oracle.train()["learned"] == 978
    mine, never_saw = (each.json("show", "head")["scores"]["Accuracy"] for each in (world, oracle))
    assert (mine["cumulative"], mine["window"]) == (never_saw["cumulative"], never_saw["window"])


def test_of_two_events_with_one_id_the_earlier_one_counts_wherever_it_lies(tmp_path: Path) -> None:
    """In a stream that is merged by time, over two partitions and a log of labels; batches make no difference."""
    source = random.Random(3)
    events = sorted(
        ({"id": source.choice([n, n // 3]), "at": n, "a": n % 7, "b": n % 3, "p": n % 2} for n in range(600)),
        key=lambda event: event["at"],
    )
    seen: list[int] = []
    expected = set()
    places = Counter[int]()
    for event in events:
        place = (event["p"], places[event["p"]])
        places[event["p"]] += 1
        if event["id"] in seen[-50:]:
            expected.add(place)
        else:
            seen.append(event["id"])
    assert len(expected) > 50
    found = []
    for name, every in (("few", 37), ("many", 10_000)):
        world = World(tmp_path / name)
        for p in (0, 1):
            world.write_events(f"events/{p}.jsonl", [event for event in events if event["p"] == p])
        labels = [{"id": n, "at": n + 40, "y": n % 7 > n % 3} for n in range(600)]
        world.write_events("labels.jsonl", labels)
        more = 'id = "id"\nmoment = "at"\nignore = ["at", "p"]\n[labels]\nlog = "file:labels.jsonl"\nmoment = "at"\n'
        more += f"[snapshots]\nevery_events = {every}\n[gate]\nduplicates = 50"
        world.configure(log="file:events", more=more)
        told = world.train("--close")
        held = world.open().held()
        assert {(each.partition, each.offset) for each in held} == expected
        assert {each.reason for each in held} == {"duplicate_id"}
        assert told["read"] == 600 == told["learned"] + told["held"] + told["pending"] + told["expired"]
        assert {each["equal"] for each in world.json("verify", "all")} == {True}
        found.append(world.json("show", "head")["scores"]["Accuracy"]["cumulative"])
    assert found[0] == found[1]
