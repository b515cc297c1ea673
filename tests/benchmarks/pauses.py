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
    "linear model": (LINEAR, 45_312, "100ms"),
    "Hoeffding tree": (measured.TREE, 45_312, "100ms"),
    "ARF with 10 trees": (ARF, 45_312, "1s"),
    "linear model with 13 MB": ("ballast:make", 10_000, "1s"),
}
"""Each with the events that it has learned before, and how often a version is saved: none waits for the one before."""

SECONDS = {"linear model": 12.0, "Hoeffding tree": 12.0, "ARF with 10 trees": 40.0, "linear model with 13 MB": 40.0}

COSTS = (
    ("linear model, columns", LINEAR, "auto", 5_000_000),
    ("linear model, rows", LINEAR, "river", 900_000),
    ("Hoeffding tree", measured.TREE, "river", 360_000),
    ("ARF with 10 trees", ARF, "river", 30_000),
)
"""Over how many events throughput with a version every five seconds is compared with none: for 15 s each or so."""

SECONDS_MIN = 4.0

RATE_MIN = 30_000
"""Events a second that are there at least, so that there are enough until the time is up."""

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
                **pause(learner, way, int(before * scale), max(SECONDS_MIN, SECONDS[name] * scale), every, cores),
            }
            for name, (learner, before, every) in PAUSES.items()
            for way in WAYS
        ]
        costs = [
            cost(name, learner, engine, int(count * scale), rounds, cores) for name, learner, engine, count in COSTS
        ]
    return {**found, "pauses": pauses, "costs": costs, "rounds": rounds}


def pause(learner: str, way: str, before: int, seconds: float, every: str, cores: Cores) -> dict[str, Any]:
    """Return percentiles of the pause of one learner, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        laden(folder, LADEN_KILOBYTES)
        found = alone(saving, folder, learner, way, before, seconds, every, cores=cores.every)
    pauses = found.pop("pauses_ms")
    told = {"saves": len(pauses), **{f"p{share}_ms": percentile(pauses, share) for share in (50, 99, 100)}, **found}
    print(way, learner, told, file=sys.stderr)
    return told


def saving(folder: str, learner: str, way: str, before: int, seconds: float, every: str) -> dict[str, Any]:
    """Train on some events, then for so many seconds, saving often; return pauses in milliseconds.

    `bytes` are those of the last version, compressed; `raw_bytes` before that.
    """
    from store import Store  # noqa: PLC0415
    from tests.benchmarks.watching import Watch  # noqa: PLC0415

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    events, home = events_of(1)[0], Path(folder)
    repeated = cycle(events)
    log = home / "events.jsonl"
    watch = Watch()

    def more(count: int) -> None:
        with log.open("ab") as out:
            out.writelines(next(repeated) + b"\n" for _ in range(count))

    engine = engine_setting("river")
    more(max(before, 1_000))
    measured.train(home, learner, f"file:{log}", engine, "every = '1h'")
    rate = max(before, 1_000) / watch.told()["seconds"]
    watch.forget()
    watch.seconds_max = seconds
    more(int(max(2 * rate, RATE_MIN) * seconds))
    snapshots = f"every = '{every}'\n{WAYS[way]}"
    head = measured.train(home, learner, f"file:{log}", engine, snapshots)
    with Store.open(f"sqlite:///{folder}/tidemark.db") as store:
        raw = len(store.model("m").payload(head.version))
    pauses = [each * 1e3 for each in watch.longest()]
    assert pauses, "no version was saved but the first"
    return {"pauses_ms": pauses, "raw_bytes": raw, **watch.told()}


def cost(name: str, learner: str, engine: str, count: int, rounds: int, cores: Cores) -> dict[str, Any]:
    """Return how fast it is with a version every five seconds, against none but the last, in turn, on all cores."""
    try:
        setting = engine_setting(engine)
    except NotHad as why:
        return {"learner": name, "trouble": f"not had: {why}"}
    rates: dict[str, list[float]] = {WITH: [], WITHOUT: []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        events = cycle(events_of(1)[0])
        with path.open("wb") as out:
            out.writelines(next(events) + b"\n" for _ in range(count))
        for _ in range(rounds):
            for every, found in rates.items():
                done = alone(measured.tidemark, learner, f"file:{path}", setting, every, cores=cores.every)
                found.append(done["events"] / done["seconds"])
                print(name, every, json.dumps(done), file=sys.stderr)
    ratio = Ratio.of(rates[WITH], rates[WITHOUT])
    return {"learner": name, "count": count, "ratio": ratio.median, "least": ratio.least, "most": ratio.most}


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
