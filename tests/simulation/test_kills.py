"""A trainer that is killed a hundred times learns every event exactly once."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from store.types import Version
from stream.consumer import Options
from tests.simulation import life
from tests.world import World

KILLS = 100
SEED = 20261120


def events(count: int, seed: int) -> list[bytes]:
    """Return a stream with a moving concept, garbage among it."""
    source = random.Random(seed)
    made = []
    for index in range(count):
        if source.random() < 0.002:
            made.append(
                source.choice([b"", b"{", b"\xff", b'{"a": 1e999, "b": 0, "y": true}', b'{"a": "x", "y": true}'])
            )
            continue
        a, b = source.gauss(0, 1), source.gauss(3, 2)
        y = a * (1 if index % 20_000 < 10_000 else -1) + b > 3 + source.gauss(0, 0.5)
        made.append(json.dumps({"a": a, "b": b, "y": y}).encode())
    return made


def world_of(folder: Path, partitions: Sequence[Sequence[bytes]]) -> World:
    world = World(folder)
    for number, lines in enumerate(partitions):
        world.write_events(f"topic/{number}.jsonl", lines)
    world.configure(
        log="file:topic",
        more='[validation]\nmetrics = ["Accuracy", "LogLoss", "ROCAUC"]\nwindow = 500\n[snapshots]\nevery_events = 700',
    )
    return world


def kill_often(world: World, kills: int, source: random.Random) -> Counter[str]:
    """Kill that many lives at random moments, most of them after they began to learn; return what they were doing."""
    fell: Counter[str] = Counter()
    while fell.total() < kills:
        process, doing = life.begin(world.config, Options(until_end=True))
        deadline = time.monotonic() + 30
        early = source.random() < 0.1
        while doing.value == life.STARTING and process.is_alive() and time.monotonic() < deadline and not early:
            time.sleep(0.001)
        time.sleep(source.uniform(0, 0.1))
        was = doing.value
        process.kill()
        process.join()
        if was == life.ENDED or process.exitcode == 0:
            break
        fell[life.NAMES[was]] += 1
        process.close()
    return fell


def assert_read_once(lineage: Sequence[Version], world: World, ends: dict[int, int]) -> None:
    """Add up the segments: every offset of every partition was read exactly once, in order."""
    model = world.open()
    reached = dict.fromkeys(ends, 0)
    for version in lineage:
        for run in model.segment(version.version).runs:
            assert run.start == reached[run.partition], (version.version, run)
            assert run.stop - run.start == run.events
            reached[run.partition] = run.stop
    assert reached == ends
    assert all(version.accounts.balanced for version in lineage)


@pytest.mark.slow
def test_a_hundred_kills_on_two_partitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = [events(150_000, SEED), events(90_000, SEED + 1)]
    world = world_of(tmp_path, parts)
    fell = kill_often(world, KILLS, random.Random(SEED))
    with capsys.disabled():
        print(f"\nkilled {fell.total()} times with seed {SEED}: {dict(fell)}", end=" ")
    assert fell.total() == KILLS, "the log must be long enough for every kill"
    assert sum(fell[name] for name in ("polling", "learning", "saving", "between")) >= 60

    world.train()
    model = world.open()
    head = model.head()[0]
    lineage = model.lineage(head.version)
    lost = [run for run in model.runs() if run.outcome == "lost"]
    assert head.accounts.read == 240_000
    assert head.accounts.balanced
    assert_read_once(lineage, world, {0: 150_000, 1: 90_000})
    assert KILLS - fell["starting"] <= len(lost) <= KILLS


@pytest.mark.slow
def test_one_partition_killed_equals_undisturbed_bit_for_bit(tmp_path: Path) -> None:
    lines = events(80_000, SEED + 2)
    disturbed, calm = world_of(tmp_path / "disturbed", [lines]), world_of(tmp_path / "calm", [lines])
    fell = kill_often(disturbed, 25, random.Random(SEED + 3))
    assert fell.total() == 25
    disturbed.train()
    calm.train()
    shown = [world.json("show", "head") for world in (disturbed, calm)]
    for key in ("events", "position"):
        assert shown[0][key] == shown[1][key]
    for metric, score in shown[1]["scores"].items():  # since_last depends on where versions were saved
        assert [shown[0]["scores"][metric][span] for span in ("cumulative", "window")] == [
            score["cumulative"],
            score["window"],
        ]
    series = [[(point["events"], point["scores"]) for point in world.json("scores")] for world in (disturbed, calm)]
    assert series[0] == series[1]
    assert len(series[0]) == shown[0]["events"]["learned"] // 500 + 1
    predictions = [world.run("predict", "head", "topic/0.jsonl").stdout for world in (disturbed, calm)]
    assert predictions[0] == predictions[1]
