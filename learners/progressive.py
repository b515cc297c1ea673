"""Progressive validation in bulk: the scores of one predictor, cumulative, over a window, and since the last version.

Source: Gama, Sebastião and Rodrigues (2013), On evaluating stream learning algorithms. Values are river's, bit for bit.

1. A prediction of None (or without probabilities, or not finite, for a metric that takes numbers) is not scored.
2. The window is the last `window` events learned, scored or not; its value is computed afresh from what it holds when
   it is read, never by adding and taking back.
3. What is added in one call or in many gives the same scores; no call goes beyond a multiple of `window` events.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learners.metrics import Metric
from learners.outputs import Outputs
from learners.spans import Counts, Recent
from learners.sums import Columns, CountMeasure, CountSum, Measure, Sum, Unsummed, Values, add_to_all, measures
from learners.weighted import weighted_measures

Scores = dict[str, dict[str, float | None]]
"""Metric name to {"cumulative", "window", "since_last"}, and "faded" if there is a fading factor."""


class Score:
    """The spans of one measure: since ever, since the last version, the window, and faded with `fading`.

    `lap` is what came since the window was read last: the window, if it is as many events. It is not saved.
    """

    lap: Sum | None = None
    lap_events = 0

    def __init__(self, measure: Measure, window: int, fading: float | None = None) -> None:
        self.measure = measure
        self.recent = Recent(window)
        self.total = measure.sum()
        self.since = measure.sum()
        self.fading = fading
        self.faded = measure.faded(fading) if fading is not None and measure.metrics else None

    def columns(self, ys: Sequence[Any], outputs: Outputs, weights: Sequence[float] | None = None) -> Columns:
        """Return the columns of events. `weights` if the measure takes them."""
        columns = self.measure.columns(ys, outputs)
        return columns if weights is None else (*columns, weights)

    def add(self, columns: Columns) -> None:
        """Take in the columns of the next events, in order."""
        self.recent.add(*columns)
        self.sum_up(self.measure.batch(*columns), len(columns[0]))
        if self.faded is not None:
            self.faded.add(*columns)

    def sum_up(self, batch: Any, events: int) -> None:
        """Take what the measure made of the next events into all sums."""
        if self.lap is None:
            add_to_all([self.total, self.since], batch)
            return
        self.lap_events += events
        add_to_all([self.total, self.since, self.lap], batch)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in {"lap", "lap_events"}}

    def renew(self) -> Sum:
        """Forget what was since the last version; return it."""
        since, self.since = self.since, self.measure.sum()
        return since

    def in_window(self) -> Values:
        """Return the values of the window."""
        lap, events = self.lap, self.lap_events
        if not isinstance(self.total, Unsummed):
            self.lap, self.lap_events = self.measure.sum(), 0
        if lap is not None and events == self.recent.size:
            return lap.values()
        return self.measure.of(*self.recent.columns(self.measure.width))

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}, and "faded" if asked for. Changes nothing."""
        ever, window, since = self.total.values(), self.in_window(), self.since.values()
        values: Scores = {
            name: {"cumulative": ever[name], "window": window[name], "since_last": since[name]} for name in ever
        }
        if self.fading is not None:
            faded = {} if self.faded is None else self.faded.values()
            for name, score in values.items():
                score["faded"] = faded.get(name)
        return values


class CountScore(Score):
    """The score of counts. The stretch is what came since the last multiple of `window`, counted already.

    At a score point the stretch is the window.
    """

    measure: CountMeasure
    total: CountSum
    since: CountSum

    def __init__(self, measure: CountMeasure, window: int, fading: float | None = None, begun: int = 0) -> None:
        super().__init__(measure, window, fading)
        self.window = window
        self.stretch = measure.sum()
        self.stretch_events = begun % window

    def sum_up(self, batch: Counts, events: int) -> None:
        """Count the pairs of at most what is left of the stretch."""
        if self.stretch_events == self.window:
            self.stretch, self.stretch_events = self.measure.sum(), 0
        self.stretch_events += events
        assert self.stretch_events <= self.window
        self.stretch.add(batch)
        super().sum_up(batch, events)

    def in_window(self) -> Values:
        """Return the values of the window."""
        return CountSum(self.measure.metrics, self.counts_in_window()).values()

    def counts_in_window(self) -> Counts:
        """Return the counts of the window."""
        full = self.stretch_events == self.window
        return self.stretch.counts if full else self.measure.batch(*self.recent.columns(2))


class Tally:
    """All the scores of one predictor, in the order in which the metrics were asked for.

    `pairs` are the counts of pairs of a classification; they are there if `counted`, or if a metric needs them. With
    `weighted` every event comes with a weight; `pairs` are counted without. `begun`: events of the stream before the
    first that is added; score points are at multiples of all.

    >>> from learners.metrics import read_metrics
    >>> tally = Tally(read_metrics(["Accuracy"], "binary"), window=3, binary=True)
    >>> _ = tally.add([True, False, True], Outputs([None, False, False]))
    >>> tally.values()
    {'Accuracy': {'cumulative': 0.5, 'window': 0.5, 'since_last': 0.5}}
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        window: int,
        *,
        binary: bool,
        fading: float | None = None,
        counted: bool = False,
        begun: int = 0,
        weighted: bool = False,
    ) -> None:
        self.names = [metric.name for metric in metrics]
        needed = weighted_measures(metrics) if weighted else measures(metrics, binary=binary)
        if counted and not any(isinstance(measure, CountMeasure) for measure in needed):
            needed.insert(0, CountMeasure([], binary=binary))
        self.scores = [
            CountScore(measure, window, fading, begun)
            if isinstance(measure, CountMeasure)
            else Score(measure, window, fading)
            for measure in needed
        ]
        self.pairs = next((score for score in self.scores if isinstance(score, CountScore)), None)

    def add(self, ys: Sequence[Any], outputs: Outputs, weights: Sequence[float] | None = None) -> list[Columns]:
        """Score the outputs of events, in order; return the columns that each score made of them."""
        columns = self.columns(ys, outputs, weights)
        self.take(columns)
        return columns

    def columns(self, ys: Sequence[Any], outputs: Outputs, weights: Sequence[float] | None = None) -> list[Columns]:
        """Return the columns that each score makes of events."""
        return [score.columns(ys, outputs, None if score is self.pairs else weights) for score in self.scores]

    def take(self, columns: Sequence[Columns]) -> None:
        """Score events, in order, given the columns that each score made of them."""
        for score, column in zip(self.scores, columns, strict=True):
            score.add(column)

    def renew(self) -> list[Sum]:
        """Begin a new version; return what was since the last one."""
        return [score.renew() for score in self.scores]

    def recall(self, since: Sequence[Sum]) -> None:
        """Let these be what was since the last version: they are those of a tally that this one is a copy of."""
        for score, each in zip(self.scores, since, strict=True):
            score.since = each

    def values(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last"}}, and "faded" if there is a fading factor."""
        found: Scores = {}
        for score in self.scores:
            found.update(score.values())
        return {name: found[name] for name in self.names}
