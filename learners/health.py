"""The health of labels: how long they took, and how many never came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from learners.pending import Entry

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


class Health:
    """Counts of what became of questions, and of the delays of labels (microseconds; whole numbers, so exact)."""

    def __init__(self) -> None:
        self.learned = 0
        self.delay_us = 0
        self.counts = [0] * (len(EDGES_S) + 1)

    def learn(self, entries: Iterable[Entry]) -> None:
        """Take in events whose label was learned."""
        delays = [int(entry.known_at - entry.asked_at) for entry in entries]
        if delays:
            self.learned += len(delays)
            self.delay_us += sum(delays)
            found = np.bincount(np.searchsorted(_EDGES_US, delays, side="right"), minlength=len(self.counts))
            self.counts = [before + more for before, more in zip(self.counts, found.tolist(), strict=True)]

    def delay(self) -> dict[str, Any]:
        """Return the histogram: `counts` has one more than `edges_s`, and the mean in seconds."""
        mean = self.delay_us / self.learned / 1e6 if self.learned else None
        return {"edges_s": list(EDGES_S), "counts": list(self.counts), "mean_s": mean}
