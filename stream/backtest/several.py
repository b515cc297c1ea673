"""Backtests of the same candidates over independent ranges, carried out side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from store import ModelStore
from stream.backtest.asked import Ask, Found
from stream.backtest.candidates import CANDIDATES_MAX
from stream.backtest.executor import executor
from stream.backtest.hear import Interrupted
from stream.backtest.journey import Journey
from stream.backtest.run import Backtest
from stream.backtest.trial import Outcome
from stream.config import Config
from stream.runs import OpenRun

EVENTS_FOR_MORE = 100_000
"""With fewer to learn in all, starting processes takes longer than what they save."""


class Several:
    """A backtest for each range that was asked for, mostly one. Each begins and ends by itself.

    A trial has one number among all: that of its candidate, after CANDIDATES_MAX for each range before.
    """

    def __init__(self, config: Config, model: ModelStore, ask: Ask, run: OpenRun) -> None:
        self.parts = [
            Backtest(config, model, replace(ask, wishes=wishes, ranges=()), run, base=number * CANDIDATES_MAX)
            for number, wishes in enumerate(ask.ranges or (ask.wishes,))
        ]

    def workers(self, most: int) -> int:
        """Return how many processes are worth starting, at most so many."""
        events = sum(part.total * len(part.candidates) for part in self.parts)
        return 1 if events < EVENTS_FOR_MORE else most

    def hands(self, workers: int) -> int:
        """Return how many journeys each range is dealt out to."""
        return min(-(-workers // len(self.parts)), len(self.parts[0].candidates))

    def total(self, workers: int) -> int:
        """About how many events are read in all."""
        return sum(part.total for part in self.parts) * self.hands(workers)

    def go(self, workers: int, tell: Callable[[int], None], stop: Callable[[], bool]) -> None:
        """Carry all out by so many processes; `tell` is called with events read.

        Raises `Interrupted` when `stop` says so: what is done is kept, and `found` tells it.
        """
        hear = _Hear(self, tell, stop)
        journeys = [_numbered(each, part.base) for part in self.parts for each in part.begin(self.hands(workers), hear)]
        if len(journeys) == 1 < workers:
            journeys = [replace(journeys[0], spare=True)]
        if journeys:
            executor(min(workers, len(journeys))).run(journeys, hear)
        for part in self.parts:
            part.finish()

    def of(self, number: int) -> Backtest:
        """Return the part that a trial belongs to."""
        return self.parts[number // CANDIDATES_MAX]

    def found(self) -> list[Found]:
        """Return what is known by now, of each range."""
        return [part.found() for part in self.parts]


def _numbered(journey: Journey, base: int) -> Journey:
    """Return a journey with the numbers that its trials have among all."""
    return replace(
        journey,
        candidates={base + number: each for number, each in journey.candidates.items()},
        live=frozenset(base + number for number in journey.live),
        rolled=frozenset(base + number for number in journey.rolled),
        states={base + number: state for number, state in journey.states.items()},
        parents={base + number: parent for number, parent in journey.parents.items()},
        first=base + journey.first,
    )


class _Hear:
    """Hears what journeys tell."""

    def __init__(self, several: Several, tell: Callable[[int], None], stop: Callable[[], bool]) -> None:
        self._several = several
        self._tell = tell
        self._stop = stop

    def advance(self, events: int) -> None:
        if events:
            self._tell(events)
        if self._stop():
            raise Interrupted

    def end(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._several.of(outcome.number).take(replace(outcome, number=outcome.number % CANDIDATES_MAX))

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        for number, state in states.items():
            self._several.of(number).put(number % CANDIDATES_MAX, "running", place, state)
