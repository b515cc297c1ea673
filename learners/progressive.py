"""Progressive validation in bulk: the scores of one predictor, cumulative, over a window, and since the last version.

Source: Gama, Sebastião and Rodrigues (2013), On evaluating stream learning algorithms. Values are river's, bit for bit.

1. A prediction of None (or without probabilities, or not finite, for a metric that takes numbers) is not scored.
2. The window is the last `window` events learned, scored or not; its value is computed afresh from what it holds when
   it is read, never by adding and taking back.
3. What is added in one call or in many gives the same scores; no call goes beyond a multiple of `window` events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from river import stats

from learners.metrics import Metric, confusion, roc_auc, value_of, value_of_counts, value_of_mean
from learners.outputs import Outputs
from learners.spans import Recent, add_counts, add_to_mean, count_bools, count_pairs

Scores = dict[str, dict[str, float | None]]
"""Metric name to {"cumulative", "window", "since_last"}."""


class Score(Protocol):
    """Some metrics of one predictor. `add` takes labels and outputs of events, in order; `renew` begins a version."""

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Take in the events, in order."""

    def renew(self) -> None:
        """Forget what was since the last version."""

    def values(self) -> Scores:
        """Return the values now. May be called at any time; changes nothing."""


class CountScore:
    """All metrics that a confusion matrix gives: they share the counts of pairs (y, y_pred).

    The stretch is what came since the last multiple of `window`: at a score point it is the window, counted already.
    """

    def __init__(self, metrics: Sequence[Metric], window: int, *, binary: bool) -> None:
        self.metrics = tuple(metrics)
        self.window = window
        self.count = count_bools if binary else count_pairs
        self.recent = Recent(window)
        self.total = self.count([], [])
        self.since = self.count([], [])
        self.stretch = self.count([], [])
        self.stretch_events = 0

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Count the pairs of at most what is left of the stretch."""
        if self.stretch_events == self.window:
            self.stretch, self.stretch_events = self.count([], []), 0
        self.stretch_events += len(ys)
        assert self.stretch_events <= self.window
        self.recent.add(ys, outputs.labels)
        counts = self.count(ys, outputs.labels)
        for counted in (self.total, self.since, self.stretch):
            add_counts(counted, counts)

    def renew(self) -> None:
        """Forget what was since the last version."""
        self.since = self.count([], [])

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}."""
        full = self.stretch_events == self.window
        counted = {
            "cumulative": self.total,
            "window": self.stretch if full else self.count(*(self.recent.columns(2))),
            "since_last": self.since,
        }
        matrices = {span: confusion(counts) for span, counts in counted.items()}
        return {
            metric.name: {span: value_of_counts(metric, matrix) for span, matrix in matrices.items()}
            for metric in self.metrics
        }


class MeanScore:
    """A metric that is a mean of one loss an event. A loss that is not defined or not finite is not scored."""

    def __init__(self, metric: Metric, window: int) -> None:
        self.metric = metric
        self.recent = Recent(window)
        self.total = stats.Mean()
        self.since = stats.Mean()

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Compute the losses once, and take them into both means."""
        losses = self._losses(ys, outputs.numbers)
        self.recent.add(losses)
        add_to_mean(self.total, losses)
        add_to_mean(self.since, losses)

    def _losses(self, ys: Sequence[Any], numbers: Sequence[Any]) -> list[float | None]:
        loss = self.metric.make()._eval  # noqa: SLF001 - river's loss of one event
        losses: list[float | None] = []
        for y, y_pred in zip(ys, numbers, strict=True):
            try:
                value = loss(y, y_pred) if y_pred is not None else None
            except (ArithmeticError, ValueError):
                value = None
            losses.append(value if value is not None and math.isfinite(value) else None)
        return losses

    def renew(self) -> None:
        """Forget what was since the last version."""
        self.since = stats.Mean()

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}."""
        window = stats.Mean()
        add_to_mean(window, chain.from_iterable(self.recent.columns(1)))
        means = {"cumulative": self.total, "window": window, "since_last": self.since}
        return {self.metric.name: {span: value_of_mean(self.metric, mean) for span, mean in means.items()}}


class RunningScore:
    """A metric that river updates event by event, and that is no plain mean (R2, RMSLE)."""

    def __init__(self, metric: Metric, window: int) -> None:
        self.metric = metric
        self.recent = Recent(window)
        self.total, self.scored = metric.make(), 0
        self.since, self.scored_since = metric.make(), 0

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Update river's metrics in order."""
        pairs = list(zip(ys, outputs.numbers, strict=True))
        self.recent.add(pairs)
        self.scored += _update(self.total, pairs)
        self.scored_since += _update(self.since, pairs)

    def renew(self) -> None:
        """Forget what was since the last version."""
        self.since, self.scored_since = self.metric.make(), 0

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}."""
        window = self.metric.make()
        spans = {
            "cumulative": (self.total, self.scored),
            "window": (window, _update(window, chain.from_iterable(self.recent.columns(1)))),
            "since_last": (self.since, self.scored_since),
        }
        return {self.metric.name: {span: value_of(judge) if n else None for span, (judge, n) in spans.items()}}


def _update(judge: Any, pairs: Iterable[tuple[Any, Any]]) -> int:
    """Update the metric with each pair that it can take, and return how many those were."""
    scored = 0
    for y, y_pred in pairs:
        if y_pred is not None:
            try:
                judge.update(y, y_pred)
            except (ArithmeticError, ValueError):  # RMSLE of a number below -1
                continue
            scored += 1
    return scored


class RankScore:
    """The exact ROC AUC of the window. Cumulative and since the last version it would need unbounded memory: None."""

    def __init__(self, metric: Metric, window: int) -> None:
        self.metric = metric
        self.recent = Recent(window)

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Keep the probabilities of the positive class."""
        self.recent.add(ys, outputs.numbers)

    def renew(self) -> None:
        """Nothing is kept since the last version."""

    def values(self) -> Scores:
        """Return {metric: {"cumulative": None, "window", "since_last": None}}."""
        scored = [(y, p.get(True, 0.0)) for y, p in zip(*self.recent.columns(2), strict=True) if p is not None]
        value = roc_auc((y for y, _ in scored), (p for _, p in scored))
        return {self.metric.name: {"cumulative": None, "window": value, "since_last": None}}


class Tally:
    """All the scores of one predictor, in the order in which the metrics were asked for.

    >>> from learners.metrics import read_metrics
    >>> tally = Tally(read_metrics(["Accuracy"], "binary"), window=3, binary=True)
    >>> tally.add([True, False, True], Outputs([None, False, False]))
    >>> tally.values()
    {'Accuracy': {'cumulative': 0.5, 'window': 0.5, 'since_last': 0.5}}
    """

    def __init__(self, metrics: Sequence[Metric], window: int, *, binary: bool) -> None:
        self.names = [metric.name for metric in metrics]
        counted = [metric for metric in metrics if metric.kind == "counts"]
        self.scores: list[Score] = [CountScore(counted, window, binary=binary)] if counted else []
        kinds: dict[str, Callable[[Metric, int], Score]] = {
            "mean": MeanScore,
            "running": RunningScore,
            "ranks": RankScore,
        }
        self.scores += [kinds[metric.kind](metric, window) for metric in metrics if metric.kind != "counts"]

    def add(self, ys: Sequence[Any], outputs: Outputs) -> None:
        """Score the outputs of events, in order."""
        for score in self.scores:
            score.add(ys, outputs)

    def renew(self) -> None:
        """Begin a new version."""
        for score in self.scores:
            score.renew()

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}."""
        found: Scores = {}
        for score in self.scores:
            found.update(score.values())
        return {name: found[name] for name in self.names}
