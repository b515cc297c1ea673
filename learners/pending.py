"""Pending labels: events that were predicted, and whose label has not come.

The order of things is river's (stream.simulate_qa): before an event is asked at time t, every label due at or before t
is revealed, in the order of their times (equal times: in the order asked); a tie reveals first. What was predicted when
the question was asked is kept, and judged when the label comes. Times are integers (microseconds).

Invariants: a label is seen by nobody before it is due; asked = revealed + pending + expired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from learners.due import Due
from learners.ids import Ids
from learners.packing import Packed, Packer

DUE_SLACK = 64
"""So many more times than twice the events may be in the queue before those of events that are gone are taken out."""

YOUNG_MAX = 4096
"""The last events asked (up to twice as many) are not packed, nor are so few: a label that comes soon pays nothing."""


@dataclass(slots=True)
class Entry:
    """One pending event: features, label (None: nobody knows it yet), and what was answered (`rivals.WIDTH`).

    The answers come after the batch. `asked_at` is when it was asked, `known_at` when its label became known, and is
    not known before: microseconds, as floats, since those are packed. `number` is not known before, either.
    """

    x: dict[str, Any]
    y: Any
    answers: tuple[Any, ...] = ()
    asked_at: float = 0.0
    known_at: float = 0.0
    number: int = -1


_values: Callable[[Entry], tuple[Any, ...]] = attrgetter("x", "y", "answers", "asked_at")
"""What is packed of an entry: its first fields."""

_PLAIN = ("policy", "asked", "expired", "late", "clock", "struck")


@dataclass(frozen=True, slots=True)
class LabelPolicy:
    """What is done with labels that come late or never.

    `timeout`: how long a label is waited for, None is for ever; then the event expires, or is learned with `default` if
    that is not None. `pending_max`: more than so many, and the one asked first expires.
    """

    timeout: int | None = None
    default: Any = None
    pending_max: int = 1_000_000


@dataclass(slots=True)
class Pending:
    """The pending events of one learner. `clock`: the latest time an event was asked at; `late`: events behind it.

    `entries` are by the number of the event, in the order asked; those before `packed_to` are packed, or were few when
    they could be. `due` has their times. `ids` are there where labels have a log of their own. `gone` are
    the events that expired since somebody last looked (and cleared it). `struck` are the numbers of events that were
    struck out.
    """

    policy: LabelPolicy
    entries: dict[int, Entry | Packed] = field(default_factory=dict)
    due: Due = field(default_factory=Due)
    asked: int = 0
    expired: int = 0
    late: int = 0
    clock: int | None = None
    packed_to: int = 0
    packed_anew: int = 0
    packer: Packer = field(default_factory=Packer)
    ids: Ids | None = None
    gone: list[Entry] = field(default_factory=list)
    struck: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.entries)

    def account(self) -> dict[str, Any]:
        """Return what became of the questions, as plain values."""
        account: dict[str, Any] = {
            "asked": self.asked,
            "learned": self.asked - self.expired - len(self.entries),
            "expired": self.expired,
            "pending": len(self.entries),
            "late": self.late,
            "clock_us": self.clock,
        }
        if self.struck:
            account["struck"] = list(self.struck)
        return account if self.ids is None else account | {"records": self.ids.account()}

    def turn(self, moment: int) -> int:
        """Set the clock for an event, and return the time at which it is asked: never before the clock."""
        if self.clock is not None and moment < self.clock:
            self.late += 1
            return self.clock
        self.clock = moment
        return moment

    def add(self, entry: Entry, moment: int, due: int | None) -> None:
        """Keep an event that was asked at `moment`, until its label is due; None: nobody knows when."""
        timeout = self.policy.timeout
        if timeout is not None and (due is None or entry.y is None or due > moment + timeout):
            entry.y, due = self.policy.default, moment + timeout
        elif entry.y is None:
            due = None
        self.entries[self.asked] = entry
        if due is not None:
            self.due.push((due, self.asked))
        self.asked += 1
        if len(self.entries) > self.policy.pending_max:
            self._expire(self.take(next(iter(self.entries))))

    def take(self, number: int) -> Entry:
        """Take out a pending event by its number."""
        entry = self._opened(self.entries.pop(number))
        entry.number = number
        if len(self.due) > 2 * len(self.entries) + DUE_SLACK:
            self.due.keep(self.entries)
        return entry

    def strike(self, number: int) -> None:
        """Let a pending event expire now: the model cannot learn its label. One that is not pending is left alone."""
        if number not in self.entries:
            return
        self._expire(self.take(number))
        self.struck += (number,)
        if self.ids is not None:
            self.ids.strike(number, self.clock or 0)

    def refuse(self, entry: Entry) -> None:
        """Let an event that was asked expire at once."""
        self.asked += 1
        self._expire(entry)

    def _expire(self, entry: Entry) -> None:
        self.expired += 1
        self.gone.append(entry)

    def reveal(self, now: int) -> Iterator[Entry]:
        """Take out what is due at or before `now`, in order; what never got a label expires on the way."""
        while (item := self.due.pop(now)) is not None:
            kept = self.entries.pop(item[1], None)
            if kept is None:  # it was taken out
                continue
            entry = self._opened(kept)
            entry.known_at, entry.number = float(item[0]), item[1]
            if entry.y is None:
                self._expire(entry)
            else:
                yield entry

    def reveal_all(self) -> Iterator[Entry]:
        """Take out every event whose label is known, in the order in which they are due; the others stay."""
        items, self.due = sorted(self.due), Due()
        for item in items:
            entry = self.entry(item[1])
            if entry is None:
                continue
            if entry.y is None:
                self.due.push(item)
            else:
                del self.entries[item[1]]
                entry.known_at, entry.number = float(item[0]), item[1]
                yield entry

    def entry(self, number: int) -> Entry | None:
        """Return a pending event by its number, None if it is no longer pending. A packed one is a copy."""
        kept = self.entries.get(number)
        return None if kept is None else self._opened(kept)

    def _opened(self, kept: Entry | Packed) -> Entry:
        return kept if isinstance(kept, Entry) else Entry(*self.packer.unpack(kept))

    def _packed(self, kept: Entry | Packed) -> Packed:
        return self.packer.pack(_values(kept)) if isinstance(kept, Entry) else kept

    def pack(self) -> None:
        """Pack all but the last events asked, unless few are pending. Between batches: then they change no more."""
        if self.asked - self.packed_to < 2 * YOUNG_MAX:
            return
        if len(self.entries) > 2 * YOUNG_MAX:
            for number in range(self.packed_to, self.asked - YOUNG_MAX):
                kept = self.entries.get(number)
                if isinstance(kept, Entry):
                    self.entries[number] = self._packed(kept)
        self.packed_to = self.asked - YOUNG_MAX
        if self.packer.full and self.asked - self.packed_anew > len(self.entries):
            self._pack_anew()

    def _pack_anew(self) -> None:
        """Pack with tables that know only what is pending now: those of old events are full of what is gone."""
        opened = (
            (number, kept if isinstance(kept, Entry) else _values(self._opened(kept)))
            for number, kept in self.entries.items()
        )
        packer = Packer()
        self.entries = {number: kept if isinstance(kept, Entry) else packer.pack(kept) for number, kept in opened}
        self.packer, self.packed_anew = packer, self.asked

    def pieces(self) -> Iterator[Any]:
        """Yield all in pieces, most in columns: equal pending events give equal pieces, however they were packed."""
        yield {name: getattr(self, name) for name in _PLAIN}
        yield None if self.ids is None else self.ids.columns()
        yield self.due.columns(self.entries)
        packed = (kept if type(kept) is bytes else self._packed(kept) for kept in self.entries.values())
        yield from self.packer.sheets(list(self.entries), packed)

    @classmethod
    def of(cls, pieces: Iterator[Any]) -> Pending | None:
        """Return what is in pieces; None if there are none."""
        plain = next(pieces, None)
        if plain is None:
            return None
        pending = cls(**plain, packed_to=plain["asked"], packed_anew=plain["asked"])
        ids = next(pieces)
        pending.ids = None if ids is None else Ids.of(ids)
        pending.due = Due.of(next(pieces))
        pending.entries = dict(pending.packer.read(pieces))
        return pending
