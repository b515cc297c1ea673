"""The contest: an interval for each score of the model and of each baseline, and which of two is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learners.intervals import Bounded, Comparison, Interval, bounded, no_comparison, no_interval
from learners.metrics import Metric
from learners.progressive import Scores, Tally
from learners.sums import Columns

WEIGHTED = "events have weights: it is no plain mean"
NOTHING_BOUNDED = "no score that was asked for has an interval"


EVENTS_MAX = 4096
"""So many events wait to be taken in at once: a few calls for thousands of events, instead of for each batch."""


def place_of(metric: Metric, tally: Tally) -> int:
    """Return where in what `tally.add` returns the columns of a metric are."""
    return next(place for place, score in enumerate(tally.scores) if metric in score.measure.metrics)


def _joined(pieces: Sequence[np.ndarray]) -> np.ndarray:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


@dataclass(slots=True)
class Contestant:
    """The intervals of one predictor. `places` tell where in its tally the columns of each interval are.

    `waiting` are the values of each that are not taken in yet.
    """

    intervals: list[Interval]
    places: list[int]
    waiting: list[list[np.ndarray]]

    def take(self, columns: Sequence[Columns]) -> None:
        """Let the values of events wait."""
        for each, place, waiting in zip(self.intervals, self.places, self.waiting, strict=True):
            waiting.append(each.of.values(columns[place]))

    def copy(self) -> Contestant:
        """Return one that goes on by itself; what waits is the same, it never changes."""
        return Contestant([each.copy() for each in self.intervals], self.places, [[*each] for each in self.waiting])

    def settle(self) -> np.ndarray:
        """Take in what waits; return the values of the first interval."""
        found = [_joined(waiting) for waiting in self.waiting]
        for each, values, waiting in zip(self.intervals, found, self.waiting, strict=True):
            each.add(values)
            waiting.clear()
        return found[0]


class Contest:
    """Intervals and comparisons of one model's predictors. `bounds` are the declared ones, by metric.

    Two are compared by the first metric asked for that has an interval.
    """

    def __init__(self, metrics: Sequence[Metric], bounds: Mapping[str, float], *, weighted: bool) -> None:
        self.metrics: dict[str, Bounded | str] = {
            metric.name: WEIGHTED if weighted else bounded(metric, bounds) for metric in metrics
        }
        self.nothing = WEIGHTED if weighted else NOTHING_BOUNDED
        self.bounded = [each for each in self.metrics.values() if isinstance(each, Bounded)]
        self.model: Contestant | None = None
        self.others: dict[str, tuple[Contestant, Comparison]] = {}
        self.events = 0

    def enter_model(self, tally: Tally) -> None:
        """Begin the intervals of the model."""
        self.model = self._contestant(tally, 0)

    def enter(self, name: str, tally: Tally, events: int = 0) -> None:
        """Begin the intervals of a baseline, and compare it from here on, after so many learned events."""
        self.settle()
        if self.bounded:
            self.others[name] = (self._contestant(tally, events), Comparison.new(self.bounded[0]))

    def _contestant(self, tally: Tally, events: int) -> Contestant:
        places = [place_of(each.metric, tally) for each in self.bounded]
        return Contestant([Interval.new(each, events) for each in self.bounded], places, [[] for _ in places])

    def add(self, model: Sequence[Columns], others: Mapping[str, Sequence[Columns]]) -> None:
        """Take in events, as the columns that each tally made of them."""
        if not self.bounded:
            return
        assert self.model is not None, "the model is in its contest"
        self.model.take(model)
        for name, columns in others.items():
            self.others[name][0].take(columns)
        self.events += len(model[0][0])
        if self.events >= EVENTS_MAX:
            self.settle()

    def settle(self) -> None:
        """Take in what waits: the same bits, whenever it is done."""
        if not self.events:
            return
        assert self.model is not None, "the model is in its contest"
        mine = self.model.settle()
        for other, comparison in self.others.values():
            comparison.add(self.model.intervals[0], mine, other.intervals[0], other.settle())
        self.events = 0

    def __getstate__(self) -> dict[str, Any]:
        self.settle()
        return self.__dict__

    def for_later(self) -> Contest:
        """Return a copy that does not change any more, and has yet to take in what waits (`learners.ways`)."""
        copy = object.__new__(Contest)
        copy.__dict__.update(self.__dict__)
        copy.model = None if self.model is None else self.model.copy()
        copy.others = {name: (other.copy(), comparison.copy()) for name, (other, comparison) in self.others.items()}
        return copy

    def with_ends(self, scores: Scores, name: str | None = None) -> Scores:
        """Put "low" and "high" of each into the scores of the model, or of the baseline named, and return them."""
        self.settle()
        contestant = self.model if name is None else self.others[name][0] if name in self.others else None
        intervals = {} if contestant is None else {each.of.metric.name: each for each in contestant.intervals}
        for metric, score in scores.items():
            score["low"], score["high"] = intervals[metric].ends() if metric in intervals else (None, None)
        return scores

    def intervals(self) -> dict[str, dict[str, Any]]:
        """Return {metric: {"low", "high", "level", "why"}} of the model."""
        self.settle()
        assert self.model is not None, "the model is in its contest"
        found = {each.of.metric.name: each.details() for each in self.model.intervals}
        return {name: found[name] if name in found else no_interval(str(why)) for name, why in self.metrics.items()}

    def against(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the verdict on the model and each baseline."""
        if not self.bounded:
            return {name: no_comparison(self.nothing) for name in names}
        self.settle()
        assert self.model is not None, "the model is in its contest"
        first = self.model.intervals[0]
        return {
            name: comparison.details(first, other.intervals[0], name)
            for name, (other, comparison) in self.others.items()
        }
