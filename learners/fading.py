"""Scores with a fading factor: what was long ago weighs less, event by event, and nothing is forgotten at once.

Source: Gama, Sebastião and Rodrigues (2013), On evaluating stream learning algorithms, section 3.3: with losses L_i and
a factor alpha, S_i = L_i + alpha * S_{i-1}, N_i = 1 + alpha * N_{i-1}, and the score is S_i / N_i. With weights:
S_i = w_i * L_i + alpha * S_{i-1}, N_i = w_i + alpha * N_{i-1}.

An event that is not scored fades nothing. Bits depend on the sequence of events alone: a count is kept as it was when
its pair came last, with the number of that event, and fades by one power when it is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from river import stats

from learners.metrics import Metric, confusion, value_of_counts, value_of_mean

WITHOUT_WEIGHTS = 2
"""So many columns have counts without weights."""


class FadedMean:
    """The faded mean of losses.

    >>> from learners.metrics import read_metrics
    >>> mean = FadedMean(read_metrics(["MAE"], "regression")[0], alpha=0.5)
    >>> mean.add([4.0, None, 1.0])
    >>> mean.values()
    {'MAE': 2.0}
    """

    def __init__(self, metric: Metric, alpha: float) -> None:
        self.metric = metric
        self.alpha = alpha
        self.losses = 0.0
        self.events = 0.0

    def add(self, *columns: Sequence[Any]) -> None:
        """Take in losses, and weights if there are any, in order."""
        alpha, losses, events = self.alpha, self.losses, self.events
        for loss, weight in zip(columns[0], columns[1] if len(columns) > 1 else repeat(1.0), strict=False):
            if loss is not None:
                losses = weight * loss + alpha * losses
                events = weight + alpha * events
        self.losses, self.events = losses, events

    def values(self) -> dict[str, float | None]:
        """Return what river's metric says of the faded mean."""
        mean = stats.Mean()
        if self.events:
            mean.update(self.losses / self.events)
        return {self.metric.name: value_of_mean(self.metric, mean)}


class FadedCounts:
    """The faded counts of pairs (y, y_pred), for all metrics that a confusion matrix with weights gives.

    >>> from learners.metrics import read_metrics
    >>> counts = FadedCounts(read_metrics(["Accuracy"], "binary"), alpha=0.5)
    >>> counts.add([True, True, True], [False, None, True])
    >>> counts.values()
    {'Accuracy': 0.6666666666666666}
    """

    def __init__(self, metrics: Sequence[Metric], alpha: float) -> None:
        self.metrics = [metric for metric in metrics if metric.takes_weights]
        self.alpha = alpha
        self.scored = 0
        self.counts: dict[tuple[Any, Any], tuple[float, int]] = {}
        """The count of a pair when it came last, and how many events had been scored then."""

    def add(self, *columns: Sequence[Any]) -> None:
        """Take in labels, predicted labels, and weights if there are any, in order."""
        alpha, counts, scored = self.alpha, self.counts, self.scored
        pairs = zip(*columns[:2], strict=True)
        for pair, weight in zip(pairs, columns[2] if len(columns) > WITHOUT_WEIGHTS else repeat(1.0), strict=False):
            if pair[1] is not None:
                scored += 1
                count, then = counts.get(pair, (0.0, scored))
                counts[pair] = (count * alpha ** (scored - then) + weight, scored)
        self.scored = scored

    def values(self) -> dict[str, float | None]:
        """Return what river's metrics say of the faded counts."""
        if not self.metrics:
            return {}
        matrix = confusion({pair: n * self.alpha ** (self.scored - then) for pair, (n, then) in self.counts.items()})
        return {metric.name: value_of_counts(metric, matrix) for metric in self.metrics}
