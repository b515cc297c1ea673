"""The table: every contestant over the same events, in turn, round after round, each in a process of its own."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.benchmarks import measured
from tests.benchmarks.alone import alone
from tests.benchmarks.contestants import (
    LARGE,
    LINEAR_TABLE,
    SMALL,
    TREE_TABLE,
    TREES,
    Contestant,
    engine_setting,
    vw_accuracy,
)
from tests.benchmarks.cores import Cores, pinned
from tests.benchmarks.environments import NotHad
from tests.benchmarks.machine import machine
from tests.benchmarks.runs import LINEAR
from tests.benchmarks.stage import Stage, set_stage
from tests.kafka.broker import Broker

WARM_UP = 2_000
"""Events that a compiled learner is given first, so that its compiler's cache is full before anything is measured."""


def measure(times: dict[str, int], rounds: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """Run so many rounds over the events so many times over; `only` these contestants. Return a section of results."""
    cores = Cores.of_machine()
    found = machine()
    with pinned(cores.others), tempfile.TemporaryDirectory() as folder:
        broker = Broker()
        try:
            lines = [Line(each) for each in (*LINEAR_TABLE, *TREE_TABLE) if not only or each.key in only]
            for line in lines:
                line.make_ready()
            wanted = {size: count for size, count in times.items() if any(each.uses(size) for each in lines)}
            stage = set_stage(broker, cores, Path(folder), wanted)
            print(f"{cores.told()}; {stage.source}, {stage.bytes_each:.0f} bytes an event", file=sys.stderr)
            with ThreadPoolExecutor(1) as beside:
                right = beside.submit(reference, stage)
                warm_up(stage)
            for number in range(rounds):
                _round(lines, stage, number, rounds)
            _judge(lines, stage, right.result())
        finally:
            broker.close()
    return {
        **found,
        "pinned": cores.told(),
        "source": stage.source,
        "bytes_each": round(stage.bytes_each),
        "rounds": rounds,
        "sizes": {name: size.events for name, size in stage.sizes.items()},
        "lines": {line.contestant.key: line.told() for line in lines},
    }


class Line:
    """A contestant and what was found; `trouble` says why nothing was, or what is wrong with it."""

    def __init__(self, contestant: Contestant) -> None:
        self.contestant = contestant
        self.found: list[dict[str, Any]] = []
        self.accuracy: float | None = None
        self.trouble = ""

    def make_ready(self) -> None:
        """Make what it needs; note why it cannot be had."""
        self._trying(self.contestant.ready)

    def uses(self, size: str) -> bool:
        """Tell whether it reads the events of that size."""
        return not self.trouble and self.contestant.size == size

    def run(self, stage: Stage) -> None:
        """Run it once more, unless it is in trouble."""
        if self.trouble:
            return
        contestant, cores = self.contestant, stage.cores
        size = stage.sizes[contestant.size]
        self._trying(
            lambda: self.found.append(contestant.run(stage, size, cores.every if contestant.every else cores.measured))
        )

    def _trying(self, work: Any) -> None:
        try:
            work()
        except NotHad as why:
            self.trouble = f"not had: {why}"
        except AssertionError as why:
            self.trouble = f"failed: {why}"

    def told(self) -> dict[str, Any]:
        """Return it for the results."""
        contestant = self.contestant
        more = {key: value for each in self.found[-1:] for key, value in each.items() if key not in MEASURED}
        return {
            "name": contestant.name,
            "metrics": contestant.metrics,
            "commits": contestant.commits,
            "size": contestant.size,
            "note": contestant.note,
            "rates": [round(each["events"] / each["seconds"]) for each in self.found],
            "accuracy": self.accuracy,
            "trouble": self.trouble,
            **more,
        }


MEASURED = ("seconds", "cpu_seconds", "events", "accuracy")


def reference(stage: Stage) -> dict[str, float]:
    """Return how often a bare river loop is right over the events of each size."""
    found = {}
    for name, size in stage.sizes.items():
        learner = measured.TREE if name == TREES else LINEAR
        found[name] = float(alone(measured.in_memory, learner, str(size.lines), size.events, False)["accuracy"])
    return found


def warm_up(stage: Stage) -> None:
    """Train once on few events, so that what is compiled is compiled."""
    path = stage.folder / "warm.jsonl"
    size = next(iter(stage.sizes.values()))
    with size.lines.open("rb") as events:
        path.write_bytes(b"".join(line for _, line in zip(range(WARM_UP), events, strict=False)))
    try:
        setting = engine_setting("auto")
    except NotHad:
        return
    alone(measured.tidemark, LINEAR, f"file:{path}", setting, "1h", cores=stage.cores.measured)


def _round(lines: Sequence[Line], stage: Stage, number: int, rounds: int) -> None:
    for line in lines:
        began = time.monotonic()
        line.run(stage)
        told = line.trouble or f"{line.told()['rates'][-1]:>12,} events/s"
        name = f"{number + 1}/{rounds} {line.contestant.key:<18}"
        print(f"{name} {told}  ({time.monotonic() - began:.0f} s with start-up)", file=sys.stderr)


def _judge(lines: Sequence[Line], stage: Stage, right: dict[str, float]) -> None:
    """Refuse who learned something else: accuracy must be river's, to one event (a first prediction may be absent)."""
    for line in lines:
        ran = {each["engine"] for each in line.found if "engine" in each}
        if line.contestant.compiled and ran - {"compiled"}:
            line.trouble = f"failed: expected it compiled, found {', '.join(sorted(ran))}"
        if line.trouble:
            continue
        contestant, size = line.contestant, stage.sizes[line.contestant.size]
        told = {each["accuracy"] for each in line.found if "accuracy" in each}
        if contestant.key == "vw":
            told = {vw_accuracy(stage, size)}
        line.accuracy = max(told, default=None)
        expected = right[contestant.size]
        if contestant.same and any(abs(each - expected) > 1 / size.events for each in told):
            line.trouble = f"failed: expected accuracy {expected!r}, as river has, found {sorted(told)}"


__all__ = ["LARGE", "SMALL", "TREES", "measure"]
