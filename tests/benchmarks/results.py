"""The results that are kept: a section of JSON a part, with date and machine. A part run again replaces its own."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "docs" / "benchmarks.json"
"""The page beside it is made of it."""

Section = dict[str, Any]


def read(path: Path) -> dict[str, Section]:
    """Return the sections that are there."""
    if not path.is_file():
        return {}
    found: dict[str, Section] = json.loads(path.read_text(encoding="utf-8"))
    return found


def keep(path: Path, name: str, section: Section) -> None:
    """Put a section in the place of the one of its name; a folder that is missing is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**read(path), name: section}, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much faster one was than another, round by round.

    >>> Ratio.of([6.0, 4.0, 9.0], [2.0, 2.0, 3.0])
    Ratio(median=3.0, least=2.0, most=3.0)
    """

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        """Compare round by round: what disturbs a round disturbs both."""
        found = [one / other for one, other in zip(ours, theirs, strict=True)]
        return cls(statistics.median(found), min(found), max(found))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def ratio(section: Mapping[str, Any], ours: str, theirs: str) -> Ratio | None:
    """Return the ratio of two lines of the table; None if one of them was not measured."""
    lines = section["lines"]
    if any(key not in lines or lines[key]["trouble"] or not lines[key]["rates"] for key in (ours, theirs)):
        return None
    return Ratio.of(lines[ours]["rates"], lines[theirs]["rates"])
