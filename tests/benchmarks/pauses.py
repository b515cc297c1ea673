"""How long training pauses for a version, and what versions cost: in line, in a fork, and as Tidemark chooses."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from tests.benchmarks import measured
from tests.benchmarks.alone import alone
from tests.benchmarks.contestants import engine_setting
from tests.benchmarks.cores import Cores, pinned
from tests.benchmarks.environments import NotHad
from tests.benchmarks.events import events_of
from tests.benchmarks.machine import machine
from tests.benchmarks.results import Ratio, Section
from tests.benchmarks.runs import LINEAR

ARF = "forest.ARFClassifier(n_models=10, seed=1)"
WAYS = {"line": "fork_from = '1h'", "fork": "fork_from = '0s'", "chosen": ""}

PAUSES = {
    "linear model": (LINEAR, "auto", 45_312, 0.1),
    "linear model, rows": (LINEAR, "river", 45_312, 0.1),
    "Hoeffding tree": (measured.TREE, "auto", 200_000, 0.1),
    "Hoeffding tree, rows": (measured.TREE, "river", 45_312, 0.1),
    "ARF with 10 trees": (ARF, "river", 45_312, 0.5),
    "linear model with 13 MB": ("ballast:make", "river", 10_000, 1.0),
}
"""Each with its engine (auto: compiled), the events that it has learned before, and after how many seconds each version
is due, once the one before is made."""

NEVER = {("Hoeffding tree", "fork")}
"""A compiled tree is not written in a fork."""

VERSIONS = 120
"""So many of what Tidemark does by itself, whatever the scale: a 99th percentile of fewer is the longest."""

VERSIONS_MIN = 20

COSTS = (
    ("linear model, columns", LINEAR, "auto", 12_000_000),
    ("linear model, rows", LINEAR, "river", 1_200_000),
    ("Hoeffding tree, columns", measured.TREE, "auto", 6_000_000),
    ("Hoeffding tree, rows", measured.TREE, "river", 600_000),
    ("ARF with 10 trees", ARF, "river", 48_000),
)
"""Over how many events throughput with a version every five seconds is compared with none: for 12 s each or so, at any
scale, since there must be versions."""

ROUNDS_MIN = 3

RATE_MIN = 30_000
"""Events a second that are there at least, so that there are enough for all versions."""

LADEN_KILOBYTES = 13_000

WITH, WITHOUT = "5s", "1h"


def measure(scale: float, rounds: int) -> Section:
    """Return the section of results; every count and time is so much smaller."""
    cores = Cores.of_machine()
    found = machine()
    with pinned(cores.others):
        pauses = [
            {
                "learner": name,
                "way": way,
                **pause(learner, engine, way, int(before * scale), versions(way, scale), every_s, cores),
            }
            for name, (learner, engine, before, every_s) in PAUSES.items()
            for way in WAYS
            if (name, way) not in NEVER
        ]
        rounds = max(rounds, ROUNDS_MIN)
        costs = [
            cost(name, learner, engine, int(count * max(scale, 1.0)), rounds, cores)
            for name, learner, engine, count in COSTS
        ]
    return {**found, "pauses": pauses, "costs": costs, "rounds": rounds}


def versions(way: str, scale: float) -> int:
    """Return how many versions are measured."""
    return VERSIONS if way == "chosen" else max(VERSIONS_MIN, int(VERSIONS * scale))


def pause(
    learner: str, engine: str, way: str, before: int, versions: int, every_s: float, cores: Cores
) -> dict[str, Any]:
    """Return percentiles of the pause of one learner, in milliseconds: elapsed, and the loop's own processor time."""
    found = paused(learner, engine, way, before, versions, every_s, cores, LADEN_KILOBYTES)
    pauses, busy = found.pop("pauses_ms"), found.pop("busy_ms")
    told = {
        "saves": len(pauses),
        **{f"p{share}_ms": percentile(pauses, share) for share in (50, 99, 100)},
        **{f"busy{share}_ms": percentile(busy, share) for share in (50, 99, 100)},
        **found,
    }
    print(way, learner, told, file=sys.stderr)
    return told


def paused(
    learner: str, engine: str, way: str, before: int, versions: int, every_s: float, cores: Cores, kilobytes: int
) -> dict[str, Any]:
    """Return what `saving` found after some events, which another process has learned: as after any start."""
    with tempfile.TemporaryDirectory() as folder:
        laden(folder, kilobytes)
        began = alone(learning, folder, learner, engine, max(before, 1_000), cores=cores.every)
        events = int(max(3 * began["rate"], RATE_MIN) * every_s * (versions + 2))
        return alone(saving, folder, learner, engine, way, events, versions, every_s, cores=cores.every)


def learning(folder: str, learner: str, engine: str, events: int) -> dict[str, Any]:
    """Train on so many events; return how many a second."""
    from tests.benchmarks.watching import Watch  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    watch = Watch()
    train_on(Path(folder), learner, engine, events, "every = '1h'")
    return {"rate": events / watch.told()["seconds"]}


def saving(
    folder: str, learner: str, engine: str, way: str, events: int, versions: int, every_s: float
) -> dict[str, Any]:
    """Train on, until so many versions were saved or events learned; return pauses in milliseconds.

    `bytes` are those of the last version, compressed; `raw_bytes` before that.
    """
    from store import Store  # noqa: PLC0415
    from tests.benchmarks.watching import Watch  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    watch = Watch()
    watch.saves_max = versions + 1
    head = train_on(Path(folder), learner, engine, events, f"every = '{round(every_s * 1e3)}ms'\n{WAYS[way]}")
    with Store.open(f"sqlite:///{folder}/tidemark.db") as store:
        raw = len(store.model("m").payload(head.version))
    pauses, busy = ([each * 1e3 for each in found] for found in watch.longest())
    assert pauses, "no version was saved but the first"
    return {"pauses_ms": pauses, "busy_ms": busy, "raw_bytes": raw, **watch.told()}


def train_on(home: Path, learner: str, engine: str, events: int, snapshots: str) -> Any:
    """Put so many more events into the log, and train; return head."""
    log, source = home / "events.jsonl", cycle(events_of(1)[0])
    with log.open("ab") as out:
        out.writelines(next(source) + b"\n" for _ in range(events))
    return measured.train(home, learner, f"file:{log}", engine_setting(engine), snapshots)


def cost(name: str, learner: str, engine: str, count: int, rounds: int, cores: Cores) -> dict[str, Any]:
    """Return how fast it is with a version every five seconds, against none but the last, in turn, on all cores.

    `busy` is the same by all processor time of the process; that of forks and of the scribe, which work beside it, is
    not in it.
    """
    try:
        setting = engine_setting(engine)
    except NotHad as why:
        return {"learner": name, "trouble": f"not had: {why}"}
    rates: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    busy: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        events = cycle(events_of(1)[0])
        with path.open("wb") as out:
            out.writelines(next(events) + b"\n" for _ in range(count))
        for number in range(rounds):
            for every in (WITH, WITHOUT)[:: -1 if number % 2 else 1]:
                done = alone(measured.tidemark, learner, f"file:{path}", setting, every, cores=cores.every)
                rates[every].append(done["events"] / done["seconds"])
                busy[every].append(done["events"] / done["cpu_seconds"])
                print(name, every, json.dumps(done), file=sys.stderr)
    ratio = Ratio.of(rates[WITH], rates[WITHOUT])
    told = {"ratio": ratio.median, "least": ratio.least, "most": ratio.most}
    return {"learner": name, "count": count, **told, "busy": Ratio.of(busy[WITH], busy[WITHOUT]).median}


def laden(folder: str, kilobytes: int) -> None:
    """Write the recipe `LADEN` beside the configuration: once it learns, its state has so many kilobytes more."""
    Path(folder, "ballast.py").write_text(BALLAST.format(numbers=kilobytes * 111), encoding="utf-8")


LADEN = "ballast:make"
BALLAST = '''"""A linear model that carries so many numbers with it: nine bytes each when they are saved."""

import random

from river import linear_model, optim, preprocessing


class Laden(linear_model.LogisticRegression):
    def __init__(self, optimizer):
        super().__init__(optimizer=optimizer)
        self.ballast = []

    def learn_one(self, x, y, w=1.0):
        if not self.ballast:
            source = random.Random(7)
            self.ballast = [source.random() for _ in range({numbers})]
        super().learn_one(x, y, w)


def make():
    return preprocessing.StandardScaler() | Laden(optim.SGD(0.005))
'''


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that so many of a hundred do not exceed (nearest rank); 100: the greatest.

    >>> percentile([3.0, 1.0, 2.0], 50), percentile([3.0, 1.0, 2.0], 99)
    (2.0, 3.0)
    """
    place = -(-len(values) * share // 100)
    return round(sorted(values)[max(0, int(place) - 1)], 2)
