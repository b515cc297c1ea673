"""Pending labels: events that were predicted, and whose label has not come.

The order of things is river's (stream.simulate_qa): before an event is asked at time t, every label due at or before t
is revealed, in the order of their times (equal times: in the order asked); a tie reveals first. What was predicted when
the question was asked is kept, and judged when the label comes. Times are integers (microseconds).

Invariants: a label is seen by nobody before it is due; asked = revealed + pending + expired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

HEAP_SLACK = 64
"""So many more times than twice the events may be in the heap before those of expired events are taken out."""

Entry = list[Any]
"""[x, y, raw answer, answers of the baselines]; an unknown y is None. A list: the baselines answer after the batch."""


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
    """The pending events of one learner. `clock`: the latest time an event was asked at; `late`: events behind it."""

    policy: LabelPolicy
    entries: dict[int, Entry] = field(default_factory=dict)
    due: list[tuple[int, int]] = field(default_factory=list)
    asked: int = 0
    expired: int = 0
    late: int = 0
    clock: int | None = None

    def __len__(self) -> int:
        return len(self.entries)

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
        if timeout is not None and (due is None or entry[1] is None or due > moment + timeout):
            entry[1], due = self.policy.default, moment + timeout
        elif entry[1] is None:
            due = None
        self.entries[self.asked] = entry
        if due is not None:
            heappush(self.due, (due, self.asked))
        self.asked += 1
        if len(self.entries) > self.policy.pending_max:
            del self.entries[next(iter(self.entries))]
            self.expired += 1
            if len(self.due) > 2 * len(self.entries) + HEAP_SLACK:
                self.due = [item for item in self.due if item[1] in self.entries]
                heapify(self.due)

    def reveal(self, now: int) -> Iterator[Entry]:
        """Take out what is due at or before `now`, in order; what never got a label expires on the way."""
        while self.due and self.due[0][0] <= now:
            entry = self.entries.pop(heappop(self.due)[1], None)
            if entry is None:  # it made room, and has expired
                continue
            if entry[1] is None:
                self.expired += 1
            else:
                yield entry

    def reveal_all(self) -> Iterator[Entry]:
        """Take out every event whose label is known, in the order in which they are due; the others stay."""
        unknown = [item for item in self.due if item[1] in self.entries and self.entries[item[1]][1] is None]
        known = sorted(item for item in self.due if item[1] in self.entries and self.entries[item[1]][1] is not None)
        heapify(unknown)
        self.due = unknown
        for _, number in known:
            yield self.entries.pop(number)


class LabelFailed(Exception):
    """The model raised while it learned a label: not the event that was just asked is to blame."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def ask_then_reveal(
    pending: Pending,
    ask: Callable[[Any], Any],
    learn: Callable[[Any, Any], Any],
    events: Sequence[tuple[dict[str, Any], Any, int, int | None]],
) -> Iterator[tuple[bool, Entry]]:
    """Go through events (x, y, moment, due); give out (True, entry) for each asked, (False, entry) for each revealed.

    Nothing is learned but what is due; a revealed event is learned before it is given out.
    """
    for x, y, moment, due in events:
        now = pending.turn(moment)
        for entry in pending.reveal(now):
            try:
                learn(entry[0], entry[1])
            except Exception as error:  # the model may be the user's own, and raise anything
                raise LabelFailed(error) from error
            yield False, entry
        entry = [x, y, ask(x), ()]
        pending.add(entry, now, due)
        yield True, entry
