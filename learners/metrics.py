"""River's metrics by name: which fit a task, and the value of each from counts, losses or ranks.

Every value is river's own, computed by river's class, but for ROCAUC: river's has ten thresholds (its docstring shows
0.875 where the truth is 0.75), ours is exact, and so exists only over a window: exact needs every prediction.
An undefined value (nothing scored, a division by zero, NaN) is None.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from river import metrics as river_metrics
from river.metrics.base import BinaryMetric, ClassificationMetric, MeanMetric, RegressionMetric

from learners.errors import MetricError
from learners.recipe import Task
from learners.spans import BOOL_PAIRS

Kind = Literal["counts", "mean", "running", "ranks"]
NOT_A_VALUE = {"ClassificationReport", "ConfusionMatrix"}
WINDOWED_ALREADY = {"RollingROCAUC": "ROCAUC", "RollingPRAUC": "ROCAUC"}

PLAIN_MEANS = {"CrossEntropy", "LogLoss", "MAE", "MSE"}
"""Those of which river says no more than the mean."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One of river's metrics and how it is computed: from pair counts, as a mean of losses, running, or by ranks.

    `takes_weights`: an event may count for less or more than one; not so where pairs of events are counted (Rand).

    >>> read_metrics(["Accuracy", "LogLoss"], "binary")[1].kind
    'mean'
    """

    name: str
    kind: Kind
    takes_probabilities: bool
    takes_weights: bool = True

    def make(self) -> Any:
        """Return a fresh metric of river."""
        return getattr(river_metrics, self.name)()


def fitting(task: Task) -> dict[str, Metric]:
    """Return the metrics that fit the task, by name.

    >>> sorted(fitting("regression"))
    ['MAE', 'MAPE', 'MSE', 'R2', 'RMSE', 'RMSLE', 'SMAPE']
    """
    found = {}
    for name in sorted(set(river_metrics.__all__) - NOT_A_VALUE - set(WINDOWED_ALREADY)):
        cls = getattr(river_metrics, name, None)
        if isinstance(cls, type) and _fits(cls, task):
            try:
                metric = cls()
            except TypeError:  # it needs an argument: FBeta(beta)
                continue
            probabilities = not getattr(metric, "requires_labels", True)
            weights = bool(metric.works_with_weights)
            found[name] = Metric(name, _kind(cls), takes_probabilities=probabilities, takes_weights=weights)
    return found


def _fits(cls: type, task: Task) -> bool:
    if task == "regression":
        return issubclass(cls, RegressionMetric)
    return issubclass(cls, ClassificationMetric) and (task == "binary" or not issubclass(cls, BinaryMetric))


def _kind(cls: type) -> Kind:
    if cls is river_metrics.ROCAUC:
        return "ranks"
    if issubclass(cls, MeanMetric):
        return "mean" if cls.update is MeanMetric.update else "running"
    return "running" if issubclass(cls, RegressionMetric) else "counts"


def read_metrics(names: Iterable[str], task: Task) -> tuple[Metric, ...]:
    """Return the metrics of these names, in order, once each. Raises MetricError.

    >>> read_metrics(["Acuracy"], "binary")
    Traceback (most recent call last):
    learners.errors.MetricError: no metric 'Acuracy' for task 'binary'
    """
    known = fitting(task)
    for name in names:
        if name not in known:
            raise MetricError(f"no metric {name!r} for task {task!r}", hint=_hint(name, task, known))
    return tuple(known[name] for name in dict.fromkeys(names))


def _hint(name: str, task: Task, known: Mapping[str, Metric]) -> str:
    if name in WINDOWED_ALREADY:
        return f"every metric is windowed already; ask for {WINDOWED_ALREADY[name]}"
    if f"Macro{name}" in known:
        return f"for task {task!r} river has Macro{name}, Micro{name} and Weighted{name}"
    near = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"task {task!r} has {', '.join(known)}"


make_matrix: Any = river_metrics.ConfusionMatrix


def confusion(counts: Mapping[tuple[Any, Any], float]) -> Any:
    """Return river's ConfusionMatrix of {(y, y_pred): count}, as if each pair had come by itself; None is not scored.

    >>> confusion({(True, True): 3, (True, False): 1}).total_true_positives
    3.0
    """
    matrix = make_matrix()
    scored = {pair: count for pair, count in counts.items() if count and pair[1] is not None}
    for (y, y_pred), count in scored.items():
        matrix.update(y, y_pred, w=float(count))
    matrix.n_samples = sum(scored.values())
    return matrix


OF_FOUR = ("Accuracy", "F1", "Precision", "Recall")
"""What is computed from four counts of booleans without river: score points come often."""


def of_four(tn: int, fp: int, fn: int, tp: int) -> dict[str, float | None]:
    """Return the values of those metrics by name: river's operations, in river's order.

    >>> of_four(1, 1, 0, 2)
    {'Accuracy': 0.75, 'F1': 0.8, 'Precision': 0.6666666666666666, 'Recall': 1.0}
    """
    if not tn + fp + fn + tp:
        return dict.fromkeys(OF_FOUR)
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    f1 = 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"Accuracy": (tn + tp) / (tn + fp + fn + tp), "F1": f1, "Precision": precision, "Recall": recall}


def values_of_counts(metrics: Iterable[Metric], counts: Mapping[tuple[Any, Any], int]) -> dict[str, float | None]:
    """Return what river's metrics say of the counts of pairs, by name.

    >>> values_of_counts(read_metrics(["Recall"], "binary"), {(True, True): 3, (True, False): 1})
    {'Recall': 0.75}
    """
    values: dict[str, float | None] = {}
    four, matrix = _four(counts), None
    known = {} if four is None else of_four(*four)
    for metric in metrics:
        if metric.name in known:
            values[metric.name] = known[metric.name]
        else:
            matrix = matrix or confusion(counts)
            values[metric.name] = value_of_counts(metric, matrix)
    return values


def _four(counts: Mapping[tuple[Any, Any], int]) -> tuple[int, ...] | None:
    """Return how often each pair of booleans came, if counted by `count_bools`; None if there are others."""
    pairs, many = tuple(counts), len(BOOL_PAIRS)
    if pairs[:many] != BOOL_PAIRS or (len(pairs) > many and any(label is not None for _, label in pairs[many:])):
        return None
    return tuple(counts.values())[:many]


def value_of_counts(metric: Metric, matrix: Any) -> float | None:
    """Return the metric's value for a confusion matrix; None where nothing was scored, or nothing weighs anything."""
    if not matrix.n_samples or not matrix.total_weight:
        return None
    return value_of(getattr(river_metrics, metric.name)(cm=matrix))


def value_of_mean(metric: Metric, mean: Any) -> float | None:
    """Return the value of a metric that is a mean of losses, given river's running mean of them."""
    if not mean.n:
        return None
    if metric.name in PLAIN_MEANS:
        average: float = mean.get()
        return average if math.isfinite(average) else None
    judge = metric.make()
    judge._mean = mean  # noqa: SLF001 - where river's MeanMetric keeps it
    return value_of(judge)


def value_of(judge: Any) -> float | None:
    """Return what river's metric says, or None where it is undefined.

    >>> value_of(river_metrics.MAE())
    0.0
    """
    try:
        value = float(judge.get())
    except (ArithmeticError, ValueError):
        return None
    return value if math.isfinite(value) else None


def roc_auc(ys: Iterable[bool], scores: Iterable[float]) -> float | None:
    """Return the exact area under the ROC curve, ties by average rank (Hanley and McNeil 1982; Mann-Whitney U).

    None unless both classes are there. O(n log n).

    >>> roc_auc([False, False, True, True], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    positive = ys if isinstance(ys, np.ndarray) else np.fromiter(ys, dtype=bool)
    positives = int(positive.sum())
    negatives = positive.size - positives
    if not positives or not negatives:
        return None
    numbers = scores if isinstance(scores, np.ndarray) else np.fromiter(scores, dtype=float)
    _, inverse, sizes = np.unique(numbers, return_inverse=True, return_counts=True)
    doubled_ranks = 2 * np.cumsum(sizes) - sizes + 1  # twice the average rank of each tie: whole numbers, so exact
    doubled = int(doubled_ranks[inverse][positive].sum()) - positives * (positives + 1)
    return doubled / (2 * positives * negatives)


def roc_auc_weighted(ys: Sequence[bool], scores: Sequence[float], weights: Sequence[float]) -> float | None:
    """Return the exact area under the ROC curve of events with weights: each pair counts for the product of its two.

    None unless events of both classes weigh something. O(n log n).

    >>> roc_auc_weighted([False, False, True, True], [0.1, 0.4, 0.35, 0.8], [1.0, 2.0, 1.0, 1.0])
    0.6666666666666666
    """
    positive, weight = np.array(ys, dtype=bool), np.array(weights, dtype=float)
    _, inverse = np.unique(np.array(scores, dtype=float), return_inverse=True)
    up = np.bincount(inverse, weight * positive)
    down = np.bincount(inverse, weight * ~positive)
    pairs = float(up.sum()) * float(down.sum())
    if not 0 < pairs < math.inf:
        return None
    return float((up * (np.cumsum(down) - down + down / 2)).sum()) / pairs
