"""Two predictors that look at no feature, always beside the model: what it must beat to be worth its keep.

They answer as river.dummy's do, prediction for prediction (ties, the first event), but a batch at a time.
Source: Bifet and others (2015), Efficient online evaluation of big data stream classifiers (no-change, majority).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from learners.bulk import means
from learners.outputs import Outputs
from learners.probable import Probable
from learners.recipe import Task
from learners.table import Column

FEW_LABELS = 4
"""So many labels are counted faster one label at a time than one event at a time."""


class Baseline(Protocol):
    """Predicts and learns labels in order: each is predicted from those before it."""

    @property
    def warm(self) -> bool:
        """Whether it answers labels that come as an array with arrays."""

    def predict_then_learn(self, ys: Sequence[Any]) -> Outputs:
        """Return what it predicted for each label before it knew it. There is at least one label."""

    def now(self) -> Answer:
        """Return what it predicts now."""


Answer = tuple[Any, Any]
"""A label, and its number or probabilities (None where nobody asks for them)."""


def answers(baseline: Baseline, ys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Let it learn the labels; return its answers before the first, between each two, and after the last: two columns.

    >>> answers(NoChange(probabilities=False), ["a", "b"])
    ([None, 'a', 'b'], [None, None, None])
    """
    outputs = baseline.predict_then_learn(Column.of(ys)) if ys else Outputs([])
    label, number = baseline.now()
    return [*outputs.labels, label], [*(outputs.numbers or [None] * len(ys)), number]


class NoChange:
    """The last label seen (river.dummy.NoChangeClassifier); for a regression the last number.

    >>> NoChange(probabilities=False).predict_then_learn(["a", "b", "b"]).labels
    [None, 'a', 'b']
    """

    def __init__(self, *, probabilities: bool, numbers: bool = False) -> None:
        self.probabilities = probabilities
        self.numbers = numbers
        self.last: Any = None
        self.seen: dict[Any, float] = {}

    def predict_then_learn(self, ys: Sequence[Any]) -> Outputs:
        """Return the labels moved by one."""
        if isinstance(ys, Column) and self.warm:
            return self._in_bulk(ys.array)
        labels = [self.last, *ys[:-1]]
        self.last = ys[-1]
        if self.numbers:
            return Outputs(labels, labels)
        if not self.probabilities:
            return Outputs(labels)
        numbers: list[dict[Any, float] | None] = []
        for label in labels:
            if label is not None:
                self.seen[label] = 0.0
            numbers.append({**self.seen, label: 1.0} if label is not None else None)
        return Outputs(labels, numbers)

    @property
    def warm(self) -> bool:
        """Whether both labels of a binary classification have been answered, or a number: arrays hold what comes."""
        if self.numbers:
            return isinstance(self.last, float)
        return isinstance(self.last, bool) and (not self.probabilities or are_both(self.seen))

    def _in_bulk(self, ys: np.ndarray) -> Outputs:
        labels = np.empty_like(ys)
        labels[0], labels[1:] = self.last, ys[:-1]
        self.last = ys[-1].item()
        if self.numbers:
            return Outputs(Column(labels), Column(labels))
        if not self.probabilities:
            return Outputs(Column(labels))
        ones = {True: labels.astype(float)}
        ones[False] = 1.0 - ones[True]
        return Outputs(Column(labels), Probable(tuple(self.seen), tuple([ones[label] for label in self.seen])))

    def now(self) -> Answer:
        """Return the last label."""
        if self.last is None or not self.probabilities:
            return self.last, self.last if self.numbers else None
        return self.last, {**self.seen, self.last: 1.0}


class Prior:
    """The most common label so far (river.dummy.PriorClassifier); of equals the one that was seen first.

    >>> Prior(probabilities=False).predict_then_learn(["a", "b", "b", "a"]).labels
    [None, 'a', 'a', 'b']
    """

    def __init__(self, *, probabilities: bool) -> None:
        self.probabilities = probabilities
        self.counts: Counter[Any] = Counter()
        self.n = 0

    def predict_then_learn(self, ys: Sequence[Any]) -> Outputs:
        """Return the leader before each label: at once where no label of the batch can change it."""
        if isinstance(ys, Column) and self.warm:
            return self._in_bulk(ys.array)
        if self.probabilities:
            return self._one_by_one_with_probabilities(ys)
        top = self.counts.most_common(2)
        if top and top[0][1] - (top[1][1] if len(top) > 1 else 0) > len(ys):
            self._count(ys)
            return Outputs([top[0][0]] * len(ys))
        return Outputs(self._one_by_one(ys))

    @property
    def warm(self) -> bool:
        """Whether both labels of a binary classification have been seen."""
        return are_both(self.counts)

    def _in_bulk(self, ys: np.ndarray) -> Outputs:
        size, first = len(ys), next(iter(self.counts))
        known = self.counts[True] + self.counts[False]
        trues = np.cumsum(ys, dtype=float)
        before = {True: trues - ys + float(self.counts[True])}  # whole numbers, so exact
        before[False] = np.arange(known, known + size, dtype=float) - before[True]
        ahead = before[first] >= before[not first]
        self.counts[True] += int(trues[-1])
        self.counts[False] += size - int(trues[-1])
        labels = Column(ahead if first else ~ahead)
        if not self.probabilities:
            return Outputs(labels)
        seen = np.arange(self.n, self.n + size, dtype=float)
        self.n += size
        return Outputs(labels, Probable((first, not first), (before[first] / seen, before[not first] / seen)))

    def now(self) -> Answer:
        """Return the leader."""
        leader = max(self.counts, key=self.counts.__getitem__) if self.counts else None
        if not self.probabilities:
            return leader, None
        return leader, {label: count / self.n for label, count in self.counts.items()} or None

    def _count(self, ys: Sequence[Any]) -> None:
        known = {label: ys.count(label) for label in self.counts} if len(self.counts) <= FEW_LABELS else {}
        self.counts.update(known if sum(known.values()) == len(ys) else ys)

    def _one_by_one(self, ys: Sequence[Any]) -> list[Any]:
        counts, labels = self.counts, []
        leader = max(counts, key=counts.__getitem__) if counts else None
        place = {label: index for index, label in enumerate(counts)}
        for y in ys:
            labels.append(leader)
            counts[y] += 1
            place.setdefault(y, len(place))
            if leader is None or (counts[y], -place[y]) > (counts[leader], -place[leader]):
                leader = y
        return labels

    def _one_by_one_with_probabilities(self, ys: Sequence[Any]) -> Outputs:
        labels = []
        numbers: list[dict[Any, float] | None] = []
        for y, leader in zip(ys, self._leaders(ys), strict=True):
            labels.append(leader)
            numbers.append({label: count / self.n for label, count in self.counts.items()} or None)
            self.counts[y] += 1
            self.n += 1
        return Outputs(labels, numbers)

    def _leaders(self, ys: Sequence[Any]) -> list[Any]:
        ahead = Prior(probabilities=False)
        ahead.counts = Counter(self.counts)
        return ahead._one_by_one(ys)


class Mean:
    """The mean of the numbers so far (river.dummy.StatisticRegressor(stats.Mean())): 0.0 at first.

    >>> Mean().predict_then_learn([1.0, 3.0, 5.0]).labels
    [0.0, 1.0, 2.0]
    """

    warm = True

    def __init__(self) -> None:
        self.n = 0.0
        self.average = 0.0

    def predict_then_learn(self, ys: Sequence[Any]) -> Outputs:
        """Return the mean before each number: the operations of river's stats.Mean, so the same bits."""
        if isinstance(ys, Column) and ys.array.dtype == float:
            before = Column(np.empty(len(ys)))
            self.n, self.average = means(self.n, self.average, ys.array, before.array)
            return Outputs(before, before)
        n, average, labels = self.n, self.average, []
        for y in ys:
            labels.append(average)
            n += 1.0
            average += (1.0 / n) * (y - average)
        self.n, self.average = n, average
        return Outputs(labels, labels)

    def now(self) -> Answer:
        """Return the mean."""
        return self.average, self.average


def are_both(labels: Mapping[Any, Any]) -> bool:
    """Tell whether these are True and False, and no others.

    >>> are_both({True: 1, False: 2}), are_both({True: 1}), are_both({1: 1, 0: 2})
    (True, False, False)
    """
    return len(labels) == 2 and all(isinstance(label, bool) for label in labels)  # noqa: PLR2004 - True and False


def baselines(task: Task, *, probabilities: bool) -> dict[str, Baseline]:
    """Return the two baselines of a task by name, untrained.

    >>> list(baselines("regression", probabilities=False))
    ['NoChange', 'Mean']
    """
    if task == "regression":
        return {"NoChange": NoChange(probabilities=False, numbers=True), "Mean": Mean()}
    return {"NoChange": NoChange(probabilities=probabilities), "Prior": Prior(probabilities=probabilities)}
