"""Labels in a log of their own: the same as labels in the events' log, whichever runs ahead; nothing is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import life
from tests.stream.test_labels import RECIPE, WINDOWED, events, river_says
from tests.stream.test_live import started
from tests.world import World, end, until

pytestmark = pytest.mark.usefixtures("compiled_code")


def joined(world: World, events: str, labels: str, more: str = "", idle: str = "60s", **others: str) -> World:
    """Write a configuration with a log of events and a log of labels."""
    world.folder.mkdir(exist_ok=True)
    world.configure(
        log=events,
        learner=RECIPE,
        more=f'moment = "at"\nid = "id"\n'
        f'[labels]\nlog = "{labels}"\nmoment = "known_at"\nidle = "{idle}"\n{more}\n{WINDOWED}',
        **others,
    )
    return world


def configure(world: World, more: str = "", idle: str = "60s") -> World:
    return joined(world, "file:events", "file:labels", more, idle)


def append(world: World, name: str, records: Iterable[dict[str, Any] | bytes]) -> None:
    path = world.folder / name
    path.parent.mkdir(exist_ok=True)
    with path.open("ab") as out:
        for record in records:
            out.write((record if isinstance(record, bytes) else json.dumps(record).encode()) + b"\n")


def halves(made: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return events without labels, and their labels in the order in which they became known."""
    asked = [{key: event[key] for key in ("at", "a", "b")} | {"id": f"e{i}"} for i, event in enumerate(made)]
    told = [{"id": f"e{i}", "y": event["y"], "known_at": event["known_at"]} for i, event in enumerate(made)]
    return asked, sorted(told, key=lambda label: label["known_at"])


def spread(world: World, made: list[dict[str, Any]], partitions: int) -> None:
    """Write events and labels to partitions, each of them in the order of its times."""
    for name, records in zip(("events", "labels"), halves(made), strict=True):
        for partition in range(partitions):
            append(world, f"{name}/{partition}.jsonl", records[partition::partitions])


def head(world: World) -> Any:
    return world.json("show", "head")


def in_one_topic(folder: Path, made: list[dict[str, Any]]) -> Any:
    """Return head where each event names the time of its label, after all labels were revealed."""
    world = World(folder)
    world.write_events("events.jsonl", made)
    world.configure(
        log="file:events.jsonl",
        learner=RECIPE,
        more=f'moment = "at"\nignore = ["id"]\n[labels]\nmoment = "known_at"\n{WINDOWED}',
    )
    world.train("--close")
    return head(world)


@pytest.mark.parametrize("partitions", [1, 3])
def test_two_logs_are_as_good_as_one(tmp_path: Path, partitions: int) -> None:
    made = events(1500, 3)
    if partitions > 1:  # no two at the same time: ties are in the order of partitions
        made = [
            {**event, "at": 10_000 * i, "known_at": 10_000 * i + 7000 * (event["known_at"] - event["at"]) + i % 997 + 1}
            for i, event in enumerate(made)
        ]
    world = configure(World(tmp_path / "two"))
    spread(world, made, partitions)
    world.train("--close")
    found, alone = head(world), in_one_topic(tmp_path / "one", made)
    assert found["engine"] == alone["engine"] == "compiled"
    assert found["scores"]["LogLoss"]["cumulative"] == alone["scores"]["LogLoss"]["cumulative"]
    assert found["baselines"]["Prior"]["LogLoss"]["cumulative"] == alone["baselines"]["Prior"]["LogLoss"]["cumulative"]
    assert found["scores"]["LogLoss"]["cumulative"] == pytest.approx(river_says(made)["model"][1], abs=1e-12)
    assert found["events"] == {"read": 1500, "learned": 1500, "held": 0, "pending": 0, "expired": 0}
    assert found["segment"]["runs"] <= 2 * partitions
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_trainer_that_runs_while_both_logs_grow_ends_as_one_that_reads_them_whole(tmp_path: Path) -> None:
    made = events(1200, 8)
    live, whole = configure(World(tmp_path / "live")), configure(World(tmp_path / "whole"))
    spread(whole, made, 2)
    whole.train()
    source = random.Random(9)
    lanes = []
    for name, records in zip(("events", "labels"), halves(made), strict=True):
        for partition in range(2):
            append(live, f"{name}/{partition}.jsonl", [])
            lanes.append((f"{name}/{partition}.jsonl", records[partition::2]))
    append(live, lanes[0][0], lanes[0][1][:30])
    trainer, model = started(live)
    rest = [(name, records[30:] if i == 0 else records) for i, (name, records) in enumerate(lanes)]
    while any(records for _, records in rest):
        name, records = source.choice(rest)
        count = source.randrange(80)
        append(live, name, records[:count])
        del records[:count]
    until(lambda: (beat := model.heartbeat()) and beat.state == "idle", process=trainer)
    done = end(trainer)
    assert trainer.returncode == 0, done
    live.train()
    found, expected = head(live), head(whole)
    for metric, score in expected["scores"].items():
        assert found["scores"][metric]["cumulative"] == score["cumulative"]
    assert found["events"] == expected["events"]
    assert found["position"] == expected["position"]
    assert found["details"]["labels"]["late"] == found["details"]["labels"]["records"]["late"] == 0
    assert all(each["equal"] for each in live.json("verify", "all"))


def test_kills_and_a_rollback_leave_no_trace(tmp_path: Path) -> None:
    made = events(5000, 5)
    calm, killed = configure(World(tmp_path / "calm")), configure(World(tmp_path / "killed"))
    for world in (calm, killed):
        spread(world, made, 2)
    life.kill_often(killed.config, 6, seed=6, within_s=0.3)
    killed.train()
    killed.run("rollback", "4", "--rewind")
    killed.train("--close")
    calm.train("--close")
    found, clean = head(killed), head(calm)
    assert found["events"] == clean["events"]
    for metric, score in clean["scores"].items():
        assert found["scores"][metric]["cumulative"] == score["cumulative"]
    assert all(each["equal"] for each in killed.json("verify", "all"))


def test_every_label_and_every_event_is_accounted_for(tmp_path: Path) -> None:
    world = configure(World(tmp_path), 'timeout = "100s"')
    x = {"a": 1.0, "b": 2.0}
    append(world, "events/0.jsonl", [
        *({"id": i, "at": i, **x} for i in range(20)),
        {"id": 3, "at": 20, **x},       # an id that is pending
        {"at": 21, **x},                # no id
        {"id": [1], "at": 21, **x},     # no id either
        {"id": 90, "at": "never", **x},
        {"id": 50, "at": 60, **x},      # its label came first
        {"id": 51, "at": 15, **x},      # behind the clock
        {"id": 99, "at": 500, **x},
        {"id": 98, "at": 900, **x},
    ])  # fmt: skip
    append(world, "labels/0.jsonl", [
        *({"id": i, "known_at": 25 + i, "y": bool(i % 2)} for i in range(10)),
        {"id": "4", "known_at": 36, "y": True},   # a second time
        {"id": 50, "known_at": 37, "y": True},    # before its event
        {"id": 77, "known_at": 38, "y": True},    # of no event
        {"id": 10, "known_at": 39, "y": "what"},  # no label
        {"id": 10, "known_at": None, "y": True},  # no time
        b"\xff",
        {"known_at": 40, "y": True},
        {"id": 11, "known_at": 2, "y": True},     # behind the clock
        {"id": 98, "known_at": 901, "y": False},
    ])  # fmt: skip
    world.train("--close")
    found = head(world)
    held = {"id_missing": 2, "id_type": 1, "time_type": 1, "target_type": 1, "time_missing": 1, "not_utf8": 1}
    model = world.open()
    reasons: dict[str, int] = {}
    for each in model.held():
        reasons[each.reason] = reasons.get(each.reason, 0) + 1
    assert reasons == held
    assert sum(each.topic == "labels" for each in model.held()) == 4
    assert found["events"]["held"] == 3
    assert found["events"] == {"read": 28, "learned": 13, "held": 3, "pending": 0, "expired": 12}
    records = found["details"]["labels"]["records"]
    assert records == {
        "read": 15, "matched": 13, "repeated": 1, "unknown": 1, "waiting": 0, "late": 1, "repeated_ids": 1,
    }  # fmt: skip
    assert found["details"]["labels"]["late"] == 1
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_log_that_is_silent_does_not_stop_the_other_for_ever(tmp_path: Path) -> None:
    world = configure(World(tmp_path), idle="300ms")
    append(world, "labels/0.jsonl", [])
    append(world, "events/0.jsonl", [{"id": i, "at": i, "a": 1.0, "b": 0.5} for i in range(1100)])
    trainer, model = started(world)
    until(lambda: (beat := model.heartbeat()) and beat.read == 1100, process=trainer)
    append(world, "labels/0.jsonl", [{"id": i, "known_at": 300 + i, "y": i % 3 == 0} for i in range(700)])
    until(lambda: (beat := model.heartbeat()) and beat.learned == 700, process=trainer)
    assert end(trainer).stderr
    found = head(world)
    assert found["events"] == {"read": 1100, "learned": 700, "held": 0, "pending": 400, "expired": 0}
    assert found["details"]["labels"]["records"]["late"] == 700, (
        "they came behind the clock, and were learned all the same"
    )
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_what_is_wrong_is_said_before_anything_is_made(tmp_path: Path) -> None:
    world = configure(World(tmp_path))
    append(world, "events/0.jsonl", [{"id": 1, "at": 1, "a": 1.0, "b": 0.5}])
    assert "expected a log, found nothing" in world.run("train", "--until-end", code=2).stderr
    append(world, "labels/0.jsonl", [{"id": 1, "known_at": 1, "label": True}])
    assert 'expected the target "y"' in world.run("train", "--until-end", code=2).stderr
    text = world.config.read_text()
    for was, now, told in (
        ('id = "id"\n', "", "expected source.id too"),
        ('log = "file:labels"\n', "", "labels.log"),
        ('"file:labels"', '"file:other/events"', "expected two topics"),
    ):
        (tmp_path / "other/events").mkdir(parents=True, exist_ok=True)
        (tmp_path / "other/events/0.jsonl").touch()
        world.config.write_text(text.replace(was, now) if told != "labels.log" else text.replace(was, 'id = "id"\n'))
        assert told.replace("labels.log", "set `log` too") in world.run("train", "--until-end", code=2).stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_a_skip_passes_over_both_logs(tmp_path: Path) -> None:
    world = configure(World(tmp_path), 'timeout = "2000s"')
    asked, told = halves(events(2000, 13))
    append(world, "events/0.jsonl", asked[:1500])
    append(world, "labels/0.jsonl", told[:1500])
    world.train()
    position = head(world)["position"]
    world.run("rollback", "3", "--skip", "--reason", "what came since is suspect")
    skipped = head(world)
    assert skipped["position"] == position
    assert {run["topic"] for run in skipped["segment"]["skipped"]} == {"events", "labels"}
    append(world, "events/0.jsonl", asked[1500:])
    append(world, "labels/0.jsonl", told[1500:])
    world.train()
    found = head(world)["events"]
    assert found["read"] == skipped["events"]["read"] + 500
    assert found["read"] == sum(found[key] for key in ("learned", "held", "pending", "expired"))
    assert found["learned"] > skipped["events"]["learned"]
    assert all(each["equal"] for each in world.json("verify", "all"))


@pytest.mark.parametrize("where", ["events", "labels"])
def test_one_time_far_ahead_is_held_and_moves_nothing(tmp_path: Path, where: str) -> None:
    made = events(1500, 14)
    calm, world = configure(World(tmp_path / "calm")), configure(World(tmp_path / "ahead"))
    asked, told = halves(made)
    for name, records in (("events", asked), ("labels", told)):
        append(calm, f"{name}/0.jsonl", records)
        far = {"id": "far", "at": 253402300000, "known_at": 253402300000, "a": 1.0, "b": 1.0, "y": True}
        append(world, f"{name}/0.jsonl", [*records[:100], *([far] if name == where else []), *records[100:]])
    calm.train("--close")
    world.train("--close")
    found, clean = head(world), head(calm)
    (held,) = world.open().held()
    assert (held.topic, held.offset, held.reason) == (where, 100, "time_ahead")
    assert found["scores"]["LogLoss"]["cumulative"] == clean["scores"]["LogLoss"]["cumulative"]
    assert found["details"]["labels"]["delay"] == clean["details"]["labels"]["delay"]
    assert found["events"]["learned"] == 1500
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_partition_that_begins_where_another_ends_is_waited_for(tmp_path: Path) -> None:
    made = [{**event, "at": 10 * i, "known_at": 10 * i + 55} for i, event in enumerate(events(6000, 15))]
    world, alone = configure(World(tmp_path / "two"), idle="0s"), configure(World(tmp_path / "one"))
    for name, records in zip(("events", "labels"), halves(made), strict=True):
        append(alone, f"{name}/0.jsonl", records)
        append(world, f"{name}/0.jsonl", records[:3500])
        append(world, f"{name}/1.jsonl", records[3500:])
    alone.train("--close")
    world.train("--close")
    found, clean = head(world), head(alone)
    assert found["details"]["labels"]["late"] == found["details"]["labels"]["records"]["late"] == 0
    for metric, score in clean["scores"].items():
        assert found["scores"][metric]["cumulative"] == score["cumulative"]
