"""What happens, event by event: each is asked, then learned; or labels are revealed and learned, then one is asked.

Who is asked and what is learned when follows from times alone. So where labels come later, a round is first laid out,
then carried out: between the model's own calls next to nothing is done.

Invariant: nothing is learned but what is due, and before the next question that may know of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import length_hint
from typing import Any

from learners.errors import LearnFailed
from learners.outputs import Outputs
from learners.pending import Entry, Pending

ROUND_MAX = 4096
"""So many labels are revealed before they are judged: they may be millions, and lie unpacked until then."""


@dataclass(slots=True)
class Round:
    """What happened in a stretch of events: what was asked and what was revealed, both in order.

    `raw` has the model's answers, or `outputs` if an engine gave them. `before` tells how many of `revealed` had been
    revealed before each event was asked, `clocks` the time at which each of `revealed` was.
    """

    asked: list[Entry] = field(default_factory=list)
    raw: list[Any] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    revealed: list[Entry] = field(default_factory=list)
    clocks: list[int | None] = field(default_factory=list)
    outputs: Outputs | None = None

    def in_order(self) -> tuple[list[Entry], list[bool]]:
        """Return what is asked and what is revealed, each in its turn; and which of these are asked.

        >>> a, b = Entry({}, True), Entry({}, None)
        >>> Round([b, b], before=[1, 1], revealed=[a, a]).in_order()[1]
        [False, True, True, False]
        """
        entries: list[Entry] = []
        asks: list[bool] = []
        done = 0
        for entry, before in zip(self.asked, self.before, strict=True):
            if done < before:
                entries += self.revealed[done:before]
                asks += [False] * (before - done)
                done = before
            entries.append(entry)
            asks.append(True)
        return entries + self.revealed[done:], asks + [False] * (len(self.revealed) - done)


Quick = Callable[[Round], bool]
"""Lets an engine carry out a round; tells whether it did."""

Learn = Callable[[Entry], Any]
"""What is done with an event when its label comes."""

Step = tuple[Iterable[Entry], dict[str, Any] | None, Any, int, Any]
"""Labels to be revealed first; a question's features (None: there is none), label and time; and one thing more."""


def predict_then_learn(
    ask: Callable[[Any], Any],
    learn: Callable[[Any, Any], Any],
    xs: Sequence[dict[str, Any]],
    ys: Sequence[Any],
    first: int,
) -> list[Any]:
    """Return the raw answers to events that have their labels; `first` is the number of the first. Raises LearnFailed.

    Nothing else happens for one event: what can be done for many is done after.
    """
    raw: list[Any] = []
    keep = raw.append
    feed = iter(xs)
    try:
        for x, y in zip(feed, ys, strict=False):
            keep(ask(x))
            learn(x, y)
    except Exception as error:  # the model may be the user's own, and raise anything
        raise LearnFailed(first + len(xs) - length_hint(feed) - 1, error) from error
    return raw


def ask_then_reveal(
    pending: Pending,
    ask: Callable[[Any], Any],
    learn: Learn,
    events: Sequence[tuple[dict[str, Any], Any, int, int | None]],
    quick: Quick | None = None,
) -> Iterator[Round]:
    """Go through events (x, y, moment, due), and give out what happened, in rounds.

    Nothing is learned but what is due; a revealed event is learned before it is given out. Raises LearnFailed.
    """

    def steps() -> Iterator[Step]:
        for x, y, moment, due in events:
            now = pending.turn(moment)
            yield pending.reveal(now), x, y, now, due

    return in_rounds(pending, steps(), ask, learn, pending.add, quick)


def in_rounds(
    pending: Pending,
    steps: Iterable[Step],
    ask: Callable[[Any], Any],
    learn: Learn,
    keep: Callable[[Entry, int, Any], None],
    quick: Quick | None = None,
) -> Iterator[Round]:
    """Take one step after another: learn what is revealed, then ask, if there is a question, and keep what was asked.

    `keep` takes the entry, its time, and what the step has last; not the answer, which comes after. Whole rounds are
    left to `quick`, as far as it takes them. Raises LearnFailed.
    """
    part, first = Round(), 0
    for labels, x, y, now, last in steps:
        for entry in labels:
            part.revealed.append(entry)
            part.clocks.append(pending.clock)
            if len(part.revealed) == ROUND_MAX:
                _carry_out(part, ask, learn, first, quick)
                yield part
                part, first = Round(), first + len(part.asked)
        if x is not None:
            entry = Entry(x, y, (), float(now))
            keep(entry, now, last)
            part.asked.append(entry)
            part.before.append(len(part.revealed))
    _carry_out(part, ask, learn, first, quick)
    yield part


def reveal_the_rest(pending: Pending, learn: Learn) -> Iterator[Round]:
    """Learn every label that is known and not yet due, in rounds. Raises LearnFailed."""
    entries = pending.reveal_all()
    while revealed := list(islice(entries, ROUND_MAX)):
        _learn(learn, revealed)
        yield Round(revealed=revealed, clocks=[pending.clock] * len(revealed))


def _carry_out(part: Round, ask: Callable[[Any], Any], learn: Learn, first: int, quick: Quick | None) -> None:
    """Ask and learn, each in its turn; `first` is the number of the first that is asked."""
    if quick is not None and quick(part):
        return
    done, keep = 0, part.raw.append
    for entry, before in zip(part.asked, part.before, strict=True):
        if done < before:
            _learn(learn, part.revealed[done:before])
            done = before
        try:
            keep(ask(entry.x))
        except Exception as error:  # the model may be the user's own, and raise anything
            raise LearnFailed(first + len(part.raw), error) from error
    _learn(learn, part.revealed[done:])


def _learn(learn: Learn, entries: Iterable[Entry]) -> None:
    try:
        for entry in entries:
            learn(entry)
    except Exception as error:  # the model may be the user's own, and raise anything
        raise LearnFailed(None, error) from error
