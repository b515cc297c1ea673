"""The same events in every form that is read: topics, JSON lines, Vowpal Wabbit's text, ARFF."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks import runs
from tests.benchmarks.cores import Cores
from tests.benchmarks.events import events_of
from tests.kafka.broker import Broker


@dataclass(frozen=True, slots=True)
class Size:
    """So many events, where they are, and how often a bare river loop is right on them."""

    events: int
    topic: str
    lines: Path
    vw: Path
    arff: Path


@dataclass(frozen=True, slots=True)
class Stage:
    """A broker and the events, in as many sizes as the contestants' speeds ask for."""

    bootstrap: str
    cores: Cores
    source: str
    sizes: Mapping[str, Size]
    bytes_each: float
    folder: Path


def set_stage(broker: Broker, cores: Cores, folder: Path, times: Mapping[str, int]) -> Stage:
    """Write the events so many times over for each size."""
    events, _ = events_of(1)
    sizes = {}
    for name, count in times.items():
        topic = broker.topic()
        runs.fill(broker.bootstrap, topic, (event for _ in range(count) for event in events))
        size = Size(len(events) * count, topic, *(folder / f"{name}.{form}" for form in ("jsonl", "vw", "arff")))
        write(size, [json.loads(event) for event in events], b"\n".join(events) + b"\n", count)
        sizes[name] = size
    os.sync()  # else the system writes a gigabyte while the first contestants run
    source = events_of(1)[1].split(",", maxsplit=1)[0]
    return Stage(broker.bootstrap, cores, source, sizes, sum(map(len, events)) / len(events), folder)


def write(size: Size, rows: list[dict[str, Any]], lines: bytes, times: int) -> None:
    """Write the files of a size."""
    features = [key for key in rows[0] if key != "class"]
    wabbit = "".join(
        f"{1 if row['class'] == 'UP' else -1} | {' '.join(f'{key}:{row[key]}' for key in features)}\n" for row in rows
    ).encode()
    attributes = "".join(f"@attribute {key} numeric\n" for key in features)
    header = f"@relation events\n{attributes}@attribute class {{DOWN,UP}}\n@data\n".encode()
    table = "".join(f"{','.join(str(row[key]) for key in features)},{row['class']}\n" for row in rows).encode()
    for path, begin, body in ((size.lines, b"", lines), (size.vw, b"", wabbit), (size.arff, header, table)):
        with path.open("wb") as out:
            out.write(begin)
            for _ in range(times):
                out.write(body)
