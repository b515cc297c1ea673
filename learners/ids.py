"""What is known of events by their ids, where labels come from a log of their own. Bounded by timeout and number.

Invariant: labels read = matched + repeated + unknown + waiting.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Ids:
    """Numbers of pending events by id, labels that wait for their event, and when what was labeled was.

    All are in the order in which they came; times are microseconds of the event clock. `late`: labels behind the clock,
    learned at once; `repeated_ids`: events whose id was taken.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    early: dict[str, tuple[int, Any]] = field(default_factory=dict)
    labeled: dict[str, int] = field(default_factory=dict)
    matched: int = 0
    repeated: int = 0
    unknown: int = 0
    late: int = 0
    repeated_ids: int = 0

    def account(self) -> dict[str, int]:
        """Return the account of the labels that were read."""
        waiting = len(self.early)
        return {
            "read": self.matched + self.repeated + self.unknown + waiting,
            "matched": self.matched,
            "repeated": self.repeated,
            "unknown": self.unknown,
            "waiting": waiting,
            "late": self.late,
            "repeated_ids": self.repeated_ids,
        }

    def pending(self, name: str, entries: Container[int]) -> int | None:
        """Return the number of the pending event of this id, if there is one among the entries."""
        number = self.numbers.get(name)
        return number if number in entries else None

    def forget(self, before: int | None, most: int, entries: Container[int]) -> None:
        """Let go of what came before a time (None: of nothing) or is too much, and of events that are not pending."""
        while self.early and (len(self.early) > most or _is_before(next(iter(self.early.values()))[0], before)):
            del self.early[next(iter(self.early))]
            self.unknown += 1
        while self.labeled and (len(self.labeled) > most or _is_before(next(iter(self.labeled.values())), before)):
            del self.labeled[next(iter(self.labeled))]
        while self.numbers and next(iter(self.numbers.values())) not in entries:
            del self.numbers[next(iter(self.numbers))]


def _is_before(moment: int, before: int | None) -> bool:
    return before is not None and moment < before
