"""What is known of events by their ids, where labels come from a log of their own. Bounded by timeout and number.

Invariant: labels read = matched + repeated + unknown + waiting.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from learners.columns import pack_integers, pack_texts, read_integers, read_texts

_TIMES = ("numbers", "labeled", "over")
_COUNTS = ("read", "matched", "repeated", "unknown", "late", "repeated_ids")


@dataclass(slots=True)
class Ids:
    """Numbers of pending events by id, labels that wait for their event, and when what was labeled was.

    `over` are events that expired, and when. All are in the order in which they came; times are microseconds of the
    event clock. `late`: labels behind the clock, learned at once; `repeated_ids`: events whose id was taken.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    early: dict[str, tuple[int, Any]] = field(default_factory=dict)
    labeled: dict[str, int] = field(default_factory=dict)
    over: dict[str, int] = field(default_factory=dict)
    read: int = 0
    matched: int = 0
    repeated: int = 0
    unknown: int = 0
    late: int = 0
    repeated_ids: int = 0

    def columns(self) -> dict[str, Any]:
        """Return all in columns."""
        state = {name: getattr(self, name) for name in _COUNTS}
        for name in _TIMES:
            state[name] = pack_texts(getattr(self, name)), pack_integers(getattr(self, name).values())
        times = pack_integers([time for time, _ in self.early.values()])
        state["early"] = pack_texts(self.early), times, [y for _, y in self.early.values()]
        return state

    @classmethod
    def of(cls, state: dict[str, Any]) -> Ids:
        """Return what is in columns."""
        ids = cls(**{name: state[name] for name in _COUNTS})
        for name in _TIMES:
            texts, integers = state[name]
            setattr(ids, name, dict(zip(read_texts(texts), read_integers(integers), strict=True)))
        texts, times, ys = state["early"]
        ids.early = dict(zip(read_texts(texts), zip(read_integers(times), ys, strict=True), strict=True))
        return ids

    def account(self) -> dict[str, int]:
        """Return the account of the labels that were read."""
        return {
            "read": self.read,
            "matched": self.matched,
            "repeated": self.repeated,
            "unknown": self.unknown,
            "waiting": len(self.early),
            "late": self.late,
            "repeated_ids": self.repeated_ids,
        }

    def settle(self, now: int, entries: Container[int], *, defaulted: bool) -> None:
        """Note which events are no longer pending, though their label did not come: expired, or learned by default."""
        while self.numbers and next(iter(self.numbers.values())) not in entries:
            name = next(iter(self.numbers))
            del self.numbers[name]
            (self.labeled if defaulted else self.over)[name] = now

    def strike(self, number: int, now: int) -> None:
        """Note that the event with this number is over, though its label may come."""
        for name in [name for name, each in self.numbers.items() if each == number]:
            del self.numbers[name]
            self.over[name] = now

    def forget(self, before: int | None, most: int) -> None:
        """Let go of what came before a time (None: of nothing), or is too much."""
        while self.early and (len(self.early) > most or _is_before(next(iter(self.early.values()))[0], before)):
            del self.early[next(iter(self.early))]
            self.unknown += 1
        for names in (self.labeled, self.over):
            while names and (len(names) > most or _is_before(next(iter(names.values())), before)):
                del names[next(iter(names))]


def _is_before(moment: int, before: int | None) -> bool:
    return before is not None and moment < before
