"""How speed and memory grow: over events, over features, over the size of what is saved. From files, one by one."""

from __future__ import annotations

import itertools
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import measured
from tests.benchmarks.alone import alone
from tests.benchmarks.contestants import engine_setting
from tests.benchmarks.cores import Cores, pinned
from tests.benchmarks.environments import NotHad
from tests.benchmarks.events import events_of
from tests.benchmarks.machine import machine
from tests.benchmarks.pauses import LADEN, paused, percentile
from tests.benchmarks.results import Section
from tests.benchmarks.runs import LINEAR

EVENTS = (100_000, 1_000_000, 10_000_000)
FEATURES = (5, 20, 50, 100, 200, 500)
KILOBYTES = (1, 100, 1_000, 10_000, 100_000)
"""That the model carries: with scores over a window of 1,000 a version has some 40 more."""
ROWS_EVENTS_MAX = 1_000_000
"""River takes minutes for more."""

VALUES = {"auto": 8_000_000, "river": 400_000}
"""Numbers that are read for each count of features, in columns and in rows."""

DISTINCT = 2_000
"""Events of many features that are made; then they are repeated."""

ENGINES = {"columns": "auto", "rows": "river"}


def measure(scale: float) -> Section:
    """Return the section of results; every count is so much smaller."""
    cores = Cores.of_machine()
    found = machine()
    with pinned(cores.others), tempfile.TemporaryDirectory() as folder:
        more = {
            "events": list(over_events(Path(folder), cores, scale)),
            "features": list(over_features(Path(folder), cores, scale)),
            "sizes": list(over_sizes(cores, scale)),
        }
    return {**found, "pinned": cores.told(), **more}


def over_events(folder: Path, cores: Cores, scale: float) -> Iterator[dict[str, Any]]:
    """Yield events a second and peak memory for ever more events."""
    events = events_of(1)[0]
    for count in (int(each * scale) for each in EVENTS):
        path = write(folder, events, count)
        for engine, setting in engines():
            point: dict[str, Any] = {"engine": engine, "count": count}
            if engine == "rows" and count > ROWS_EVENTS_MAX:
                yield {**point, "trouble": "not run: it takes minutes"}
                continue
            done = alone(measured.tidemark, LINEAR, f"file:{path}", setting, "5s", cores=cores.measured)
            yield told({**point, "rate": round(done["events"] / done["seconds"]), "peak_mb": round(done["peak"] / 1e6)})


def over_features(folder: Path, cores: Cores, scale: float) -> Iterator[dict[str, Any]]:
    """Yield events a second for ever more features, and those of bare river."""
    for features in FEATURES:
        events = synthetic(features)
        for engine, setting in engines():
            count = max(500, int(VALUES[ENGINES[engine]] / features * scale))
            path = write(folder, events, count)
            done = alone(measured.tidemark, LINEAR, f"file:{path}", setting, "5s", cores=cores.measured)
            point = {"engine": engine, "features": features, "count": count}
            yield told({**point, "rate": round(done["events"] / done["seconds"]), "peak_mb": round(done["peak"] / 1e6)})
        bare = alone(measured.in_memory, LINEAR, str(path), count, True, cores=cores.measured)
        yield told(
            {"engine": "bare river", "features": features, "count": count, "rate": round(count / bare["seconds"])}
        )


def over_sizes(cores: Cores, scale: float) -> Iterator[dict[str, Any]]:
    """Yield how long training pauses for a version of ever more bytes, made in line and in a fork."""
    for kilobytes in (max(1, int(each * scale)) for each in KILOBYTES):
        for way in ("line", "fork", "chosen"):
            found = paused(LADEN, "river", way, 2_000, 20, 0.2, cores, kilobytes)
            pauses, _ = found.pop("pauses_ms"), found.pop("busy_ms")
            yield told(
                {
                    "way": way,
                    "kilobytes": kilobytes,
                    **found,
                    "saves": len(pauses),
                    "median_ms": percentile(pauses, 50),
                    "longest_ms": percentile(pauses, 100),
                }
            )


def engines() -> Iterator[tuple[str, str]]:
    """Yield each engine with its setting, columns only where they are."""
    for name, engine in ENGINES.items():
        try:
            yield name, engine_setting(engine)
        except NotHad:
            continue


def write(folder: Path, events: Sequence[bytes], count: int) -> Path:
    """Write so many events, over and over, to the one file that there is at a time."""
    path = folder / "events.jsonl"
    body = b"\n".join(events) + b"\n"
    with path.open("wb") as out:
        for _ in range(count // len(events)):
            out.write(body)
        out.writelines(event + b"\n" for event in itertools.islice(events, count % len(events)))
    return path


def synthetic(features: int) -> list[bytes]:
    """Return events of so many numbers; the label follows from all of them, more or less."""
    source = random.Random(features)
    events = []
    for _ in range(DISTINCT):
        x = {f"f{index}": round(source.random(), 6) for index in range(features)}
        up = sum(x.values()) / features > source.gauss(0.5, 0.3 / features**0.5)
        events.append(json.dumps({**x, "class": "UP" if up else "DOWN"}).encode())
    return events


def told(point: dict[str, Any]) -> dict[str, Any]:
    """Say how far it is, and return the point."""
    print(" ".join(f"{key}={value}" for key, value in point.items()), file=sys.stderr)
    return point
