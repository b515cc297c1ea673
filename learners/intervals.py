"""Intervals of scores, and which of two is better on the same events: confidence sequences that survive peeking.

A score has an interval if it is a mean of one value an event, and each value is within a bound: Accuracy (an event is
right or wrong: 1 or 0), and metrics that are means of losses whose bound is declared. A bound is in the metric's own
unit: that of RMSE bounds the error (its square the squares), that of MAPE and SMAPE is in percent. The first loss
beyond its bound ends the interval: what was declared was not so.

Two are compared by the differences of their values on the events where both were scored, which lie within twice the
bound; better is the one whose whole interval says so. RMSE is compared by squared errors, as MSE. Each interval holds
with probability 0.95 by itself; three comparisons are three intervals.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from river import stats

from learners.confidence import LEVEL, ConfidenceSequence
from learners.errors import MetricError
from learners.metrics import Metric, value_of_mean
from learners.table import Column

PERCENT = ("MAPE", "SMAPE")


@dataclass(frozen=True, slots=True)
class Bounded:
    """A metric whose values of single events are in [0, most]. `declared` is the bound in the metric's unit."""

    metric: Metric
    declared: float

    @property
    def most(self) -> float:
        """The largest value of one event, in the unit in which values are summed."""
        if self.metric.name == "RMSE":
            return self.declared**2
        return self.declared / 100 if self.metric.name in PERCENT else self.declared

    def values(self, columns: Sequence[Sequence[Any]]) -> np.ndarray:
        """Return the value of each event, NaN where it was not scored, from the columns of the metric's measure."""
        if self.metric.kind == "counts":
            return rights(columns[0], columns[1])
        if isinstance(columns[0], Column):
            return columns[0].array
        values: np.ndarray = np.array(columns[0], dtype=float)  # None becomes NaN
        return values

    def told(self, mean: float) -> float | None:
        """Return what the metric says of a mean of values."""
        if self.metric.kind == "counts":
            return mean
        kept = stats.Mean()
        kept.update(mean)
        return value_of_mean(self.metric, kept)


def rights(ys: Sequence[Any], labels: Sequence[Any]) -> np.ndarray:
    """Return 1 for each label that is right, 0 for each that is wrong, NaN for None; or booleans, if none is None.

    >>> rights([True, False, True], [True, True, None]).tolist(), rights([True, False], [True, True]).tolist()
    ([1.0, 0.0, nan], [True, False])
    """
    if isinstance(ys, Column) and isinstance(labels, Column):
        right: np.ndarray = ys.array == labels.array
        return right
    try:  # booleans and small integers: fast
        a, b = np.frombuffer(bytes(ys), np.uint8), np.frombuffer(bytes(labels), np.uint8)
    except (TypeError, ValueError):
        return np.array([math.nan if p is None else float(y == p) for y, p in zip(ys, labels, strict=True)])
    equal: np.ndarray = a == b
    return equal


def bounded(metric: Metric, bounds: Mapping[str, float]) -> Bounded | str:
    """Return the metric with its bound, or why it can have no interval.

    >>> from learners.metrics import read_metrics
    >>> bounded(read_metrics(["MAE"], "regression")[0], {})
    'no bound of its loss is declared: set MAE in [validation.bounds]'
    """
    if metric.name == "Accuracy":
        return Bounded(metric, 1.0)
    if metric.kind != "mean":
        return "it is no mean of one value an event"
    if metric.name not in bounds:
        return f"no bound of its loss is declared: set {metric.name} in [validation.bounds]"
    return Bounded(metric, bounds[metric.name])


def check_bounds(metrics: Sequence[Metric], bounds: Mapping[str, float]) -> None:
    """Raise MetricError for a bound of a metric that was not asked for, or that is no mean of losses."""
    fitting = [metric.name for metric in metrics if metric.kind == "mean"]
    for name, bound in bounds.items():
        if name not in fitting:
            raise MetricError(
                f"expected a bound of a metric that is asked for and is a mean of losses, found {name!r}",
                hint=f"there are {', '.join(fitting) or 'none'}",
            )
        assert 0 < bound < math.inf


@dataclass(slots=True)
class Interval:
    """The interval of one predictor's score. `events` counts those learned so far; `broken` is the first beyond.

    `broken` is (number of the event, 1 being the first that was learned; its value).
    """

    of: Bounded
    events: int
    sequence: ConfidenceSequence | None
    broken: tuple[int, float] | None = None

    @classmethod
    def new(cls, of: Bounded, events: int = 0) -> Interval:
        """Return the interval of nothing, after so many learned events."""
        return cls(of, events, ConfidenceSequence(0.0, of.most))

    def copy(self) -> Interval:
        """Return one that goes on by itself."""
        return replace(self, sequence=self.sequence and replace(self.sequence))

    def add(self, values: np.ndarray) -> None:
        """Take in the values of events, NaN where not scored."""
        if self.sequence is not None:
            if self.of.metric.kind != "counts" and (values > self.of.most).any():
                first = int((values > self.of.most).argmax())
                self.broken = (self.events + first + 1, float(values[first]))
                self.sequence = None
            else:
                self.sequence.add(values)
        self.events += len(values)

    def why(self) -> str | None:
        """Return why there is no interval, None if there is one."""
        if self.broken is not None:
            number, value = self.broken
            loss = self.of.told(value)
            return (
                f"the loss of learned event {number:,} is {loss:g}, beyond the declared bound of {self.of.declared:g}"
            )
        return None if self.sequence is not None and self.sequence.n else "nothing is scored yet"

    def ends(self) -> tuple[float | None, float | None]:
        """Return both ends, in the metric's unit; None where there is no interval."""
        if self.sequence is None or not self.sequence.n:
            return None, None
        low, high = self.sequence.interval()
        return self.of.told(low), self.of.told(high)

    def details(self) -> dict[str, Any]:
        """Return {"low", "high", "level", "why"}."""
        low, high = self.ends()
        return {"low": low, "high": high, "level": LEVEL, "why": self.why()}


@dataclass(slots=True)
class Comparison:
    """The model against one other, by differences of the values of the same events: the model's minus the other's."""

    of: Bounded
    sequence: ConfidenceSequence | None

    @classmethod
    def new(cls, of: Bounded) -> Comparison:
        """Return the comparison over no event."""
        return cls(of, ConfidenceSequence(-of.most, of.most))

    def copy(self) -> Comparison:
        """Return one that goes on by itself."""
        return replace(self, sequence=self.sequence and replace(self.sequence))

    def add(self, model: Interval, values: np.ndarray, other: Interval, others: np.ndarray) -> None:
        """Take in what both intervals made of the same events."""
        if model.broken or other.broken:
            self.sequence = None
        if self.sequence is not None:
            self.sequence.add_differences(values, others)

    def details(self, model: Interval, other: Interval, name: str) -> dict[str, Any]:
        """Return the verdict on the model and the other, whose name is given."""
        broken = [each for each in (model, other) if each.broken is not None]
        if self.sequence is None or not self.sequence.n:
            first = min(broken, key=lambda each: each.broken or (0, 0.0), default=None)
            why = "no event is scored for both yet" if first is None else first.why()
            whose = "" if first is None or first is model else f"{name}: "
            return no_comparison(f"{whose}{why}", self._metric())
        scale = 100.0 if self.of.metric.name in PERCENT else 1.0
        low, high = self.sequence.interval()
        return {
            "metric": self._metric(),
            "difference": scale * self.sequence.mean,
            "low": scale * low,
            "high": scale * high,
            "level": LEVEL,
            "better": {-1: name, 0: None, 1: "model"}[self._verdict(low, high)],
            "events": self.sequence.n,
            "why": None,
        }

    def _verdict(self, low: float, high: float) -> Literal[-1, 0, 1]:
        """Return 1 if the model is better, -1 if the other is, 0 while the interval has a place for both."""
        if self.of.metric.kind != "counts":  # a loss: less is better
            low, high = -high, -low
        return 1 if low > 0 else -1 if high < 0 else 0

    def _metric(self) -> str:
        return "MSE" if self.of.metric.name == "RMSE" else self.of.metric.name


def no_interval(why: str) -> dict[str, Any]:
    """Return what is told of a score that has no interval."""
    return {"low": None, "high": None, "level": LEVEL, "why": why}


def no_comparison(why: str, metric: str | None = None) -> dict[str, Any]:
    """Return what is told where two cannot be compared."""
    nothing = dict.fromkeys(("difference", "low", "high"))
    return {"metric": metric, **nothing, "level": LEVEL, "better": None, "events": 0, "why": why}
