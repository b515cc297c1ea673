"""The health of labels: how long they took, and how many never came, by slice too.

Labels that fail to come for one group are a bias that no score shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learners.pending import Entry
from learners.slices import SLICES_MAX, Names

_MINUTES = (1, 2, 3, 5, 7, 10, 15, 20, 30, 45)
_HOURS = (1, 1.5, 2, 3, 4, 6, 8, 12, 18)
_DAYS = (1, 1.5, 2, 3, 5, 7, 10, 14, 21, 30, 60, 90)
EDGES_S = (
    *(1, 3, 10, 30),
    *(60 * each for each in _MINUTES),
    *(int(3_600 * each) for each in _HOURS),
    *(int(86_400 * each) for each in _DAYS),
)
"""Delays are counted between these, and below and above them: each about half as long again as the one before."""

_EDGES_US = np.array(EDGES_S) * 1_000_000


@dataclass(slots=True)
class Fate:
    """What became of some questions; `delay_us` is the sum of the delays of what was learned: whole, so exact."""

    asked: int = 0
    learned: int = 0
    expired: int = 0
    delay_us: int = 0

    def mean_delay_s(self) -> float | None:
        """Return how long labels took; None if none came."""
        return self.delay_us / self.learned / 1e6 if self.learned else None

    def values(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "asked": self.asked,
            "learned": self.learned,
            "expired": self.expired,
            "pending": self.asked - self.learned - self.expired,
            "mean_delay_s": self.mean_delay_s(),
        }


class Health:
    """What became of all questions, and of those of each slice of some fields; and the delays of labels."""

    def __init__(self, fields: Sequence[str] = (), values_max: int = SLICES_MAX) -> None:
        self.whole = Fate()
        self.counts = [0] * (len(EDGES_S) + 1)
        self.slices: dict[str, tuple[Names, dict[str, Fate]]] = {name: (Names(values_max), {}) for name in fields}

    def take(self, asked: Sequence[Entry], learned: Sequence[Entry], expired: Iterable[Entry]) -> None:
        """Take in what happened, in order. What is learned or expired was asked, now or before."""
        delays = [max(0, int(entry.known_at - entry.asked_at)) for entry in learned]  # 0: known when it was asked
        self.whole.asked += len(asked)
        self.whole.learned += len(delays)
        self.whole.delay_us += sum(delays)
        if delays:
            found = np.bincount(np.searchsorted(_EDGES_US, delays, side="right"), minlength=len(self.counts))
            self.counts = [before + more for before, more in zip(self.counts, found.tolist(), strict=True)]
        for field, (names, fates) in self.slices.items():
            for entry in asked:
                fates.setdefault(names.of(entry.x.get(field)), Fate()).asked += 1
            for entry, delay in zip(learned, delays, strict=True):
                fate = fates[names.of(entry.x.get(field))]
                fate.learned += 1
                fate.delay_us += delay
            for entry in expired:
                fates[names.of(entry.x.get(field))].expired += 1

    def lose(self, expired: list[Entry]) -> None:
        """Take in events whose label never came, and empty the list of them."""
        self.take((), (), expired)
        expired.clear()

    def details(self) -> dict[str, Any]:
        """Return it as plain values: "delay": {"edges_s", "counts" (one more), "mean_s"}, and "slices" if there are."""
        delay = {"edges_s": list(EDGES_S), "counts": list(self.counts), "mean_s": self.whole.mean_delay_s()}
        if not self.slices:
            return {"delay": delay}
        slices = {
            field: {name: fate.values() for name, fate in fates.items()} for field, (_, fates) in self.slices.items()
        }
        return {"delay": delay, "slices": slices}
