"""Events and labels as two streams, joined by the event's id. Either may come first.

Turns come in the order of their times, a label before an event of the same moment. A label for a pending event is
learned at once; one that comes before its event waits for it, and is learned when that was asked. The first label of an
event counts, a later one is *repeated*, as is one for an event that was learned by default; one whose event does not
come within the timeout is *unknown*, as is one whose event expired. An event whose id is pending, or was labeled or
expired within the last timeout, is asked and expires: nothing is learned twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from learners.ids import Ids
from learners.pending import Entry, Pending
from learners.rounds import Learn, Quick, Round, in_rounds


class Turn(NamedTuple):
    """An event that is to be asked (with features `x`), or a label `y` that became known (`x` is None).

    `moment` in microseconds; `id` names the event.
    """

    moment: int
    id: str
    x: dict[str, Any] | None
    y: Any = None


def join_then_reveal(
    pending: Pending,
    ids: Ids,
    ask: Callable[[Any], Any],
    learn: Learn,
    turns: Iterable[Turn],
    quick: Quick | None = None,
) -> Iterator[Round]:
    """Go through the turns, and give out what happened, in rounds. Contract: `pending.ask_then_reveal`."""
    return in_rounds(pending, _steps(pending, ids, turns), ask, learn, _Keeper(pending, ids).keep, quick)


def _steps(pending: Pending, ids: Ids, turns: Iterable[Turn]) -> Iterator[tuple[Any, ...]]:
    timeout, most = pending.policy.timeout, pending.policy.pending_max
    for turn in turns:
        if turn.x is None:
            yield _told(pending, ids, turn), None, None, 0, turn.id
        else:
            now = pending.turn(turn.moment)
            yield pending.reveal(now), turn.x, None, now, turn.id
        before = None if timeout is None or pending.clock is None else pending.clock - timeout
        ids.forget(before, most)


class _Keeper:
    """Keeps events that were asked: with their label, if that came before them; not at all, if their id is taken."""

    def __init__(self, pending: Pending, ids: Ids) -> None:
        self._pending = pending
        self._ids = ids

    def keep(self, entry: Entry, now: int, name: str) -> None:
        ids, pending = self._ids, self._pending
        _settle(pending, ids, now)
        if name in ids.labeled or name in ids.over or name in ids.numbers:
            ids.repeated_ids += 1
            pending.refuse(entry)
            return
        known = ids.early.pop(name, None)
        if known is None:
            ids.numbers[name] = pending.asked
        else:
            entry.y = known[1]
            ids.matched += 1
            ids.labeled[name] = now
        pending.add(entry, now, None if known is None else now)
        ids.settle(now, pending.entries, defaulted=False)  # what made room has expired


def _told(pending: Pending, ids: Ids, turn: Turn) -> Iterator[Entry]:
    """Take in a label: give out what was due before it, and then its event, if that is pending."""
    if pending.clock is not None and turn.moment < pending.clock:
        ids.late += 1
    now = pending.clock = turn.moment if pending.clock is None else max(turn.moment, pending.clock)
    ids.read += 1
    yield from pending.reveal(now - 1)
    _settle(pending, ids, now)
    number = ids.numbers.pop(turn.id, None)
    if number is not None:
        ids.labeled[turn.id] = now
        ids.matched += 1
        entry = pending.take(number)
        entry.y, entry.known_at = turn.y, float(now)
        yield entry
    elif turn.id in ids.labeled or turn.id in ids.early:
        ids.repeated += 1
    elif turn.id in ids.over:
        ids.unknown += 1
    else:
        ids.early[turn.id] = (now, turn.y)


def _settle(pending: Pending, ids: Ids, now: int) -> None:
    ids.settle(now, pending.entries, defaulted=pending.policy.default is not None)
