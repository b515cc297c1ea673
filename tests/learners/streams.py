"""Streams that the tests of learners share."""

from __future__ import annotations

import csv
import gzip
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"


Stream = tuple[list[str], list[dict[str, float]], list[bool]]
"""Features in header order, xs, ys."""


@cache
def elec2() -> Stream:
    """Return the stream, UP is positive; skips where the data are not there."""
    return _read("elec2.csv.gz", "class", "UP")


@cache
def phishing() -> Stream:
    """Return the stream; skips where the data are not there."""
    return _read("phishing_river.csv.gz", "is_phishing", "1")


def _read(name: str, target: str, positive: str) -> Stream:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here: the published figures are checked only beside the shared data")
    with gzip.open(path, "rt") as file:
        lines = list(csv.DictReader(file))
    features = [name for name in lines[0] if name != target]
    return (
        features,
        [{name: float(line[name]) for name in features} for line in lines],
        [line[target] == positive for line in lines],
    )


def columns(count: int, seed: int = 1) -> list[dict[str, float]]:
    """`count` xs of features a, b, c."""
    rng = random.Random(seed)
    return [{name: rng.gauss(0, 1) for name in "abc"} for _ in range(count)]


def labels(xs: list[dict[str, float]], names: tuple[Any, Any, Any] = ("low", "mid", "high")) -> list[Any]:
    """Three classes by the sum of the features."""
    return [names[(sum(x.values()) > -0.5) + (sum(x.values()) > 1)] for x in xs]
