"""What scores sum up: counts of pairs, means of losses, river's own running metrics, and ranks.

A measure turns labels and outputs into columns, one value an event, that a window keeps, and those of a batch into what
its sums take in: computed once, whatever number of sums there are (since ever, since the last version, of a slice).
What a sum takes in at once or in pieces gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from river import stats

from learners.fading import FadedCounts, FadedMean
from learners.losses import losses as bulk_losses
from learners.losses import update_running
from learners.metrics import Metric, roc_auc, value_of, value_of_mean, values_of_counts
from learners.outputs import Outputs
from learners.probable import Probable
from learners.spans import BOOL_PAIRS, Counts, add_counts, add_to_mean, add_to_means, count_bools, count_pairs
from learners.table import Column

Values = dict[str, float | None]
"""Metric name to value; None where undefined."""
Columns = tuple[Sequence[Any], ...]


class Sum(Protocol):
    """What is summed up of some events."""

    def add(self, batch: Any) -> None:
        """Take in what the measure made of the next events."""

    def values(self) -> Values:
        """Return the values now."""


class Faded(Protocol):
    """What is summed up with a fading factor: it takes in columns, since the place of every event counts."""

    def add(self, *columns: Sequence[Any]) -> None:
        """Take in the columns of the next events."""

    def values(self) -> Values:
        """Return the values now."""


class Measure(Protocol):
    """Some metrics that are computed from the same columns. `width` is how many columns they are."""

    metrics: tuple[Metric, ...]
    width: int

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Return the columns of some events."""

    def batch(self, *columns: Sequence[Any]) -> Any:
        """Return what sums take in of these columns."""

    def sum(self) -> Sum:
        """Return an empty sum."""

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the values over these columns alone."""

    def faded(self, alpha: float) -> Faded | None:
        """Return an empty sum with a fading factor; None where there is no such thing."""


class CountMeasure:
    """All metrics that a confusion matrix gives: they share the counts of pairs (y, y_pred)."""

    width = 2

    def __init__(self, metrics: Sequence[Metric], *, binary: bool) -> None:
        self.metrics = tuple(metrics)
        self._count = count_bools if binary else count_pairs

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Return labels and predicted labels."""
        return ys, outputs.labels

    def batch(self, *columns: Sequence[Any]) -> Counts:
        """Count the pairs."""
        return self._count(*columns)

    def sum(self) -> CountSum:
        """Return counts of nothing."""
        return CountSum(self.metrics, dict.fromkeys(BOOL_PAIRS, 0) if self._count is count_bools else {})

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the values over these pairs."""
        return CountSum(self.metrics, self._count(*columns)).values()

    def faded(self, alpha: float) -> FadedCounts:
        """Return faded counts of nothing."""
        return FadedCounts(self.metrics, alpha)


class CountSum:
    """Counts of pairs."""

    def __init__(self, metrics: Sequence[Metric], counts: Counts) -> None:
        self.metrics = metrics
        self.counts = counts

    def add(self, batch: Counts) -> None:
        """Add the counts."""
        add_counts(self.counts, batch)

    def values(self) -> Values:
        """Return what river's metrics say of the counts."""
        return values_of_counts(self.metrics, self.counts)


class MeanMeasure:
    """A metric that is a mean of one loss an event. A loss that is not defined or not finite is None: not scored."""

    width = 1

    def __init__(self, metric: Metric) -> None:
        self.metrics: tuple[Metric, ...] = (metric,)

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Compute the losses, once."""
        found = bulk_losses(self.metrics[0].name, ys, outputs.numbers)
        if found is not None:
            return (Column(found),)
        loss = self.metrics[0].make()._eval  # noqa: SLF001 - river's loss of one event
        losses: list[float | None] = []
        for y, y_pred in zip(ys, outputs.numbers, strict=True):
            try:
                value = loss(y, y_pred) if y_pred is not None else None
            except (ArithmeticError, ValueError):
                value = None
            losses.append(float(value) if value is not None and math.isfinite(value) else None)
        return (losses,)

    def batch(self, *columns: Sequence[Any]) -> Any:
        """Return the losses."""
        return columns[0]

    def sum(self) -> Sum:
        """Return the mean of nothing."""
        return MeanSum(self.metrics[0])

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the value of these losses."""
        mean = self.sum()
        mean.add(self.batch(*columns))
        return mean.values()

    def faded(self, alpha: float) -> FadedMean:
        """Return the faded mean of nothing."""
        return FadedMean(self.metrics[0], alpha)


class MeanSum:
    """River's running mean of losses."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.mean = stats.Mean()

    def add(self, batch: Sequence[float | None]) -> None:
        """Take in losses, in order."""
        add_to_mean(self.mean, batch)

    def values(self) -> Values:
        """Return what river's metric says of the mean."""
        return {self.metric.name: value_of_mean(self.metric, self.mean)}


def add_to_all(sums: Sequence[Sum], batch: Any) -> None:
    """Let each sum take in the batch: three means of an array at once."""
    if isinstance(batch, Column) and len(sums) == 3:  # noqa: PLR2004 - as many as `add_to_means` takes
        add_to_means([each.mean for each in sums if isinstance(each, MeanSum)], batch)
        return
    for each in sums:
        each.add(batch)


class RunningMeasure:
    """A metric that river updates event by event, and that is no plain mean (R2, RMSLE)."""

    width = 2

    def __init__(self, metric: Metric) -> None:
        self.metrics: tuple[Metric, ...] = (metric,)

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Return labels and predicted numbers."""
        return ys, outputs.numbers

    def batch(self, *columns: Sequence[Any]) -> Any:
        """Return what river's metric is updated with, event by event; the columns themselves if they are arrays."""
        if all(isinstance(column, Column) for column in columns) and len(columns) == self.width == 2:  # noqa: PLR2004
            return columns
        return list(zip(*columns, strict=True))

    def sum(self) -> RunningSum:
        """Return river's metric, new."""
        return RunningSum(self.metrics[0])

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return what river's metric says of these events."""
        judge = self.sum()
        judge.add(self.batch(*columns))
        return judge.values()

    def faded(self, alpha: float) -> None:
        """Return None: it is no mean of one loss an event."""


class RunningSum:
    """One of river's metrics, and how many events it took."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.judge = metric.make()
        self.scored = 0

    def add(self, batch: Sequence[Any]) -> None:
        """Update the metric with each event that it can take, given as tuples, or as columns."""
        if isinstance(batch, tuple):
            self.scored += update_running(self.judge, *(column.array for column in batch))
            return
        for y, y_pred, *weight in batch:
            if y_pred is not None:
                try:
                    self.judge.update(y, y_pred, *weight)
                except (ArithmeticError, ValueError):  # RMSLE of a number below -1
                    continue
                self.scored += 1

    def values(self) -> Values:
        """Return what river's metric says."""
        return {self.metric.name: value_of(self.judge) if self.scored else None}


class RankMeasure:
    """The exact ROC AUC of a window. Over all events it would need unbounded memory: its sums are None."""

    width = 2

    def __init__(self, metric: Metric) -> None:
        self.metrics: tuple[Metric, ...] = (metric,)

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Return labels, and the probabilities of the positive class."""
        if isinstance(outputs.numbers, Probable) and outputs.numbers.binary:
            return ys, Column(outputs.numbers.of(True))
        return ys, [None if p is None else p.get(True, 0.0) for p in outputs.numbers]

    def batch(self, *columns: Sequence[Any]) -> None:
        """Return None: nothing is summed up."""

    def sum(self) -> Unsummed:
        """Return what sums nothing up."""
        return Unsummed(self.metrics[0])

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the area under the curve of these events."""
        if isinstance(columns[0], Column) and isinstance(columns[1], Column):
            return {self.metrics[0].name: roc_auc(columns[0].array, columns[1].array)}
        scored = [event for event in zip(*columns, strict=True) if event[1] is not None]
        return {self.metrics[0].name: roc_auc([event[0] for event in scored], [event[1] for event in scored])}

    def faded(self, alpha: float) -> None:
        """Return None: ranks do not fade."""


class Unsummed:
    """Stands where nothing is summed up."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def add(self, batch: Any) -> None:
        """Do nothing."""

    def values(self) -> Values:
        """Return None."""
        return {self.metric.name: None}


def measures(metrics: Sequence[Metric], *, binary: bool) -> list[Measure]:
    """Return what computes these metrics: one measure for all that are counted, one for each other."""
    counted = [metric for metric in metrics if metric.kind == "counts"]
    makes: dict[str, Callable[[Metric], Measure]] = {
        "mean": MeanMeasure,
        "running": RunningMeasure,
        "ranks": RankMeasure,
    }
    found: list[Measure] = [CountMeasure(counted, binary=binary)] if counted else []
    return found + [makes[metric.kind](metric) for metric in metrics if metric.kind != "counts"]
