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


@dataclass(slots=True)
class Contestant:
    """The intervals of one predictor. `places` tell where in its tally the columns of each interval are."""

    intervals: list[Interval]
    places: list[int]

    def add(self, columns: Sequence[Columns]) -> list[np.ndarray]:
        """Take in events; return the values of each interval's metric."""
        return [each.add(columns[place]) for each, place in zip(self.intervals, self.places, strict=True)]


class Contest:
    """Intervals and comparisons of one model's predictors. `bounds` are the declared ones, by metric.

    Two are compared by the first metric asked for that has an interval.
    """

    def __init__(self, metrics: Sequence[Metric], bounds: Mapping[str, float], *, weighted: bool) -> None:
        self.metrics: dict[str, Bounded | str] = {
            metric.name: WEIGHTED if weighted else bounded(metric, bounds) for metric in metrics
        }
        self.bounded = [each for each in self.metrics.values() if isinstance(each, Bounded)]
        self.model: Contestant | None = None
        self.others: dict[str, tuple[Contestant, Comparison]] = {}

    def enter_model(self, tally: Tally) -> None:
        """Begin the intervals of the model."""
        self.model = self._contestant(tally, 0)

    def enter(self, name: str, tally: Tally, events: int = 0) -> None:
        """Begin the intervals of a baseline, and compare it from here on, after so many learned events."""
        if self.bounded:
            self.others[name] = (self._contestant(tally, events), Comparison.new(self.bounded[0]))

    def _contestant(self, tally: Tally, events: int) -> Contestant:
        places = [
            next(place for place, score in enumerate(tally.scores) if each.metric in score.measure.metrics)
            for each in self.bounded
        ]
        return Contestant([Interval.new(each, events) for each in self.bounded], places)

    def add(self, model: Sequence[Columns], others: Mapping[str, Sequence[Columns]]) -> None:
        """Take in events, as the columns that each tally made of them."""
        if not self.bounded:
            return
        assert self.model is not None, "the model is in its contest"
        mine = self.model.add(model)
        for name, columns in others.items():
            other, comparison = self.others[name]
            theirs = other.add(columns)
            comparison.add(self.model.intervals[0], mine[0], other.intervals[0], theirs[0])

    def with_ends(self, scores: Scores, name: str | None = None) -> Scores:
        """Return the scores of the model, or of the baseline named, with "low" and "high" of each."""
        contestant = self.model if name is None else self.others[name][0] if name in self.others else None
        intervals = {} if contestant is None else {each.of.metric.name: each for each in contestant.intervals}
        ended: Scores = {}
        for metric, score in scores.items():
            low, high = intervals[metric].ends() if metric in intervals else (None, None)
            ended[metric] = {**score, "low": low, "high": high}
        return ended

    def intervals(self) -> dict[str, dict[str, Any]]:
        """Return {metric: {"low", "high", "level", "why"}} of the model."""
        assert self.model is not None, "the model is in its contest"
        found = {each.of.metric.name: each.details() for each in self.model.intervals}
        return {name: found[name] if name in found else no_interval(str(why)) for name, why in self.metrics.items()}

    def against(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the verdict on the model and each baseline."""
        if not self.bounded:
            return {name: no_comparison(NOTHING_BOUNDED) for name in names}
        assert self.model is not None, "the model is in its contest"
        first = self.model.intervals[0]
        return {
            name: comparison.details(first, other.intervals[0], name)
            for name, (other, comparison) in self.others.items()
        }
