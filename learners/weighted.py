"""Measures of events that count for more or less than one: the last of their columns are the weights.

The values are those of river's metrics updated with these weights (`metric.update(y, y_pred, w=…)`), bit for bit: sums
are made event by event, as river makes them. An event that weighs nothing changes nothing. ROCAUC is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from river import stats

from learners.errors import MetricError
from learners.fading import FadedCounts
from learners.metrics import Metric, make_matrix, roc_auc_weighted, value_of_counts, value_of_mean
from learners.outputs import Outputs
from learners.sums import Columns, MeanMeasure, Measure, RankMeasure, RunningMeasure, Sum, Values


class WeightedCountMeasure:
    """All metrics that a confusion matrix of weights gives."""

    width = 3

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = tuple(metrics)

    def columns(self, ys: Sequence[Any], outputs: Outputs) -> Columns:
        """Return labels and predicted labels."""
        return ys, outputs.labels

    def batch(self, *columns: Sequence[Any]) -> Any:
        """Return (y, y_pred, weight) of each event."""
        return list(zip(*columns, strict=True))

    def sum(self) -> MatrixSum:
        """Return a matrix of nothing."""
        return MatrixSum(self.metrics)

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the values over these events."""
        matrix = self.sum()
        matrix.add(self.batch(*columns))
        return matrix.values()

    def faded(self, alpha: float) -> FadedCounts:
        """Return faded counts of nothing."""
        return FadedCounts(self.metrics, alpha)


class MatrixSum:
    """The sums of river's ConfusionMatrix. River's own would change when it is read: missing cells come to be."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.pairs: dict[tuple[Any, Any], float] = {}
        self.rows: dict[Any, float] = {}
        self.columns: dict[Any, float] = {}
        self.events = 0
        self.total = 0.0
        self.right = 0.0

    def add(self, batch: Sequence[tuple[Any, Any, float]]) -> None:
        """Take in events, in order, as river's ConfusionMatrix.update does."""
        pairs, rows, columns = self.pairs, self.rows, self.columns
        for y, y_pred, weight in batch:
            if y_pred is not None:
                pair = y, y_pred
                pairs[pair] = pairs.get(pair, 0.0) + weight
                rows[y] = rows.get(y, 0.0) + weight
                columns[y_pred] = columns.get(y_pred, 0.0) + weight
                self.events += 1
                self.total += weight
                if y == y_pred:
                    self.right += weight

    def values(self) -> Values:
        """Return what river's metrics say of the matrix."""
        matrix = make_matrix()
        for (y, y_pred), weight in self.pairs.items():
            matrix.data[y][y_pred] = weight
        matrix.sum_row.update(self.rows)
        matrix.sum_col.update(self.columns)
        matrix.n_samples, matrix.total_weight = self.events, self.total
        matrix._total_true_positives = self.right  # noqa: SLF001 - where river's matrix keeps it
        return {metric.name: value_of_counts(metric, matrix) for metric in self.metrics}


class WeightedMeanMeasure(MeanMeasure):
    """A metric that is a mean of losses, with weights."""

    width = 2

    def batch(self, *columns: Sequence[Any]) -> Any:
        """Return (loss, weight) of each event."""
        return list(zip(*columns, strict=True))

    def sum(self) -> Sum:
        """Return the mean of nothing."""
        return WeightedMeanSum(self.metrics[0])


class WeightedMeanSum:
    """River's running mean of losses, with weights."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.mean = stats.Mean()

    def add(self, batch: Sequence[tuple[float | None, float]]) -> None:
        """Take in losses, in order."""
        for loss, weight in batch:
            if loss is not None and weight:
                self.mean.update(loss, weight)

    def values(self) -> Values:
        """Return what river's metric says of the mean."""
        return {self.metric.name: value_of_mean(self.metric, self.mean)}


class WeightedRunningMeasure(RunningMeasure):
    """A metric that river updates event by event, with weights."""

    width = 3


class WeightedRankMeasure(RankMeasure):
    """The exact ROC AUC of a window, with weights."""

    width = 3

    def of(self, *columns: Sequence[Any]) -> Values:
        """Return the area under the curve of these events."""
        scored = [event for event in zip(*columns, strict=True) if event[1] is not None]
        return {self.metrics[0].name: roc_auc_weighted(*([event[i] for event in scored] for i in range(3)))}


def weighted_measures(metrics: Sequence[Metric]) -> list[Measure]:
    """Return what computes these metrics with weights. Raises MetricError for one that takes none."""
    for metric in metrics:
        if not metric.takes_weights:
            raise MetricError(
                f"{metric.name} counts pairs of events, and takes no weights",
                hint="take the metric out, or weight and recency out of [validation]",
            )
    counted = [metric for metric in metrics if metric.kind == "counts"]
    makes: dict[str, Callable[[Metric], Measure]] = {
        "mean": WeightedMeanMeasure,
        "running": WeightedRunningMeasure,
        "ranks": WeightedRankMeasure,
    }
    found: list[Measure] = [WeightedCountMeasure(counted)] if counted else []
    return found + [makes[metric.kind](metric) for metric in metrics if metric.kind != "counts"]
