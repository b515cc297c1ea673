"""Memory over a million events with a linear model: it must not grow."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.alone import alone
from tests.benchmarks.events import synthetic
from tests.benchmarks.runs import LINEAR


def measure(count: int) -> None:
    """Train on a file of that many events in this process's child, and print its resident memory on the way."""
    found = alone(grow, count)
    print(f"\nmemory, {count:,} events, linear model (resident, MB)")
    for events, resident in found["series"]:
        print(f"  {events:>9,}  {resident / 1e6:,.1f}")


def grow(count: int) -> dict[str, Any]:
    """Train on a file, and note resident memory each tenth."""
    from stream.config import read_config  # noqa: PLC0415
    from stream.consumer import Options, consume  # noqa: PLC0415
    from stream.screen import LogScreen  # noqa: PLC0415
    from stream.stop import Stop  # noqa: PLC0415

    process = psutil.Process()
    series: list[tuple[int, int]] = []

    class Watching(LogScreen):
        def training(self, vitals: Any, learner: Any) -> None:
            if vitals.learned >= (len(series) + 1) * count // 10:
                series.append((vitals.learned, process.memory_info().rss))

    with tempfile.TemporaryDirectory() as folder:
        source = random.Random(2)
        with (Path(folder) / "events.jsonl").open("wb") as out:
            for _ in range(count):
                out.write(synthetic(source) + b"\n")
        path = Path(folder) / "tidemark.toml"
        path.write_text(
            f"[model]\nname = 'm'\ntask = 'binary'\ntarget = 'class'\npositive = 'UP'\nlearner = '''{LINEAR}'''\n"
            "[source]\nlog = 'file:events.jsonl'\n[snapshots]\nevery_events = 50000\n",
            encoding="utf-8",
        )
        consume(read_config(path), Options(until_end=True), Stop(), Watching("memory"))
    return {"series": series}
