"""Champion does not follow a head that has learned what is quarantined; after a rebuild it does again."""

from __future__ import annotations

import random
from pathlib import Path

from tests.world import World


def event(source: random.Random, sensor: int) -> dict[str, object]:
    a, b = source.gauss(0, 1), source.gauss(0, 1)
    return {"a": a, "b": b, "sensor": f"s{sensor}", "y": a > b}


def test_champion_waits_for_a_clean_head(tmp_path: Path) -> None:
    source, world = random.Random(4), World(tmp_path)
    events = [event(source, number % 3) for number in range(600)]
    world.write_events("topic/0.jsonl", events)
    world.configure(
        log="file:topic",
        more="ignore = ['sensor']\n[snapshots]\nevery_events = 100\n[publish]\nevery_events = 100\n",
    )
    world.train()
    model = world.open()
    published = model.ref("champion")
    assert published is not None
    world.json("quarantine", "add", "--where", "sensor == 's1'", "--reason", "s1 lies")
    events += [event(source, 2) for _ in range(300)]
    world.write_events("topic/0.jsonl", events)
    world.train()
    assert model.ref("champion") == published
    assert model.head()[0].accounts.read == 900
    told = world.json("rebuild", "--protect")
    assert model.ref("champion").version == told["protected"] == 1  # type: ignore[union-attr]
    events += [event(source, 2) for _ in range(200)]
    world.write_events("topic/0.jsonl", events)
    world.train()
    head, champion = model.head()[0], model.ref("champion")
    assert champion is not None
    assert champion.version == head.version
    assert head.accounts.held == 200
