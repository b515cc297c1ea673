"""The events that are measured: elec2 where it is, else a stream of its shape."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.world import read_csv

ELEC2 = Path(__file__).parents[3] / "shared" / "data" / "elec2.csv.gz"


def events_of(times: int) -> tuple[list[bytes], str]:
    """Return the events as JSON, and what they are."""
    if ELEC2.is_file():
        lines = [
            json.dumps({key: value if key == "class" else float(value) for key, value in line.items()}).encode()
            for line in read_csv(ELEC2)
        ]
        return lines * times, f"elec2, {times} times over"
    source = random.Random(1)
    return [synthetic(source) for _ in range(45_312 * times)], "a synthetic stream of elec2's shape"


def synthetic(source: random.Random) -> bytes:
    """Return one event with eight numbers and a label."""
    x = {f"f{index}": source.random() for index in range(8)}
    return json.dumps({**x, "class": "UP" if x["f0"] + x["f1"] > source.gauss(1, 0.3) else "DOWN"}).encode()
