"""The verdict on many candidates that were judged on the same events: which is best, and which cannot be told apart.

Two are compared by the differences of their values on the events where both were scored, by confidence sequences
(`learners.mixture`): they hold at every look, whatever drifts. The leader is chosen after the fact, so all intervals
hold at once: with k candidates each of the k (k - 1) / 2 pairs has its share of what `level` leaves (union bound),
also of those that are not computed. With more than CANDIDATES_MAX only the pairs with the leader are.

Beside them each pair has a test for a fixed end (`learners.fixed_end`), corrected by Holm over all pairs: McNemar's
for Accuracy, Diebold and Mariano's for losses. It holds where the end was fixed beforehand and is looked at once, and
has no say in who is better. A loss without a declared bound has no interval, and this test only.

What is compared are the losses of predictions as they were made, on these events: not how today's models will do. Nor
does anything here know of candidates that were tried before on the same events, or of ranges that were chosen by what
was seen in them: who searches for a winner so confirms it on events that had no part in the search.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learners.errors import MetricError
from learners.fixed_end import diebold_mariano, holm, mcnemar
from learners.intervals import PERCENT, Bounded, bounded
from learners.metrics import Metric
from learners.mixture import Differences, ends

CANDIDATES_MAX = 30
"""Of more than so many only the pairs with the leader are computed: hundreds would have tens of thousands of pairs."""
CHUNK = 32_768
"""Differences that are summed up at once: they stay in the processor's cache."""
HOLDS = {
    "interval": "at every look, for all pairs at once",
    "test": "at one look, at an end that was fixed beforehand",
}
"""What is told of when each of the two may be believed."""


def comparable(
    metrics: Sequence[Metric], bounds: Mapping[str, float], *, weighted: bool = False
) -> tuple[Metric, float | None] | None:
    """Return the metric to compare by, with its bound if there is one; None if there is no such metric.

    The first metric asked for whose values are bounded, as live comparisons do; else the first that is a mean of one
    value an event. Events with weights (`weighted`) have no plain mean.

    >>> from learners.metrics import read_metrics
    >>> asked = read_metrics(["R2", "MAE", "RMSE"], "regression")
    >>> [found[0].name for found in (comparable(asked, {}), comparable(asked, {"RMSE": 9.0})) if found]
    ['MAE', 'RMSE']
    """
    if weighted:
        return None
    for metric in metrics:
        if isinstance(found := bounded(metric, bounds), Bounded):
            return metric, found.declared
    return next(((metric, None) for metric in metrics if metric.kind == "mean"), None)


def values_of(metric: Metric, columns: Sequence[Sequence[Any]]) -> np.ndarray:
    """Return the value of each event, NaN where it was not scored, from the columns of the metric's measure.

    They are those that a `Tally` returns at `learners.contest.place_of`. Accuracy: 1 or 0; else the loss.
    """
    return np.asarray(Bounded(metric, math.inf).values(columns), dtype=float)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a candidate's predictions were worth. `why`: a loss is beyond the bound, so that it has no interval."""

    name: str
    values: np.ndarray
    why: str | None

    @classmethod
    def of(cls, name: str, values: np.ndarray, bound: Bounded | str) -> Candidate:
        """Return the candidate, its values looked through."""
        found = np.asarray(values, dtype=float)
        first = None if isinstance(bound, str) else first_beyond(found, bound)
        if first is None or isinstance(bound, str):
            return cls(name, found, None)
        loss = bound.told(float(found[first]))
        text = f"{name}: the loss of event {first + 1:,} is {loss:g}, beyond the declared bound of {bound.declared:g}"
        return cls(name, found, text)


def first_beyond(values: np.ndarray, bound: Bounded) -> int | None:
    """Return the index of the first value beyond the bound, None if all are within."""
    beyond = np.flatnonzero((values > bound.most) | (values < 0))
    return int(beyond[0]) if beyond.size else None


class Judge:
    """What two values of an event mean: which metric, in which unit, which of two is better, and how sure to be.

    `told` is what a difference is multiplied with to be in the metric's unit; RMSE is compared as MSE.
    """

    def __init__(self, metric: Metric, bounds: Mapping[str, float], level: float, pairs: int) -> None:
        found = bounded(metric, bounds)
        if isinstance(found, str) and metric.kind != "mean":
            raise MetricError(
                f"expected a metric that is a mean of one value an event, found {metric.name}",
                hint="compare by Accuracy, or by a loss such as MAE or LogLoss",
            )
        assert 0 < level < 1
        self.bound = found
        self.metric = "MSE" if metric.name == "RMSE" else metric.name
        self.counts = metric.kind == "counts"
        self.told = 100.0 if metric.name in PERCENT else 1.0
        self.alpha = (1 - level) / max(pairs, 1)

    def better(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return 1 where a is better, -1 where b is, 0 while the interval of a minus b has a place for both."""
        sides: np.ndarray = np.sign(low) * (np.sign(low) == np.sign(high))
        return sides if self.counts else -sides

    def losses(self, values: np.ndarray) -> float:
        """Return the cumulative loss: of Accuracy, the number of wrong ones. Infinite where a model exploded."""
        with np.errstate(over="ignore"):
            total = float(values.sum())
        return self.told * (len(values) - total if self.counts else total)

    def mean(self, values: np.ndarray) -> float | None:
        """Return the mean in the metric's unit; None where there is none that is finite."""
        if not len(values):
            return None
        with np.errstate(over="ignore"):
            total = float(values.sum())
        mean = self.told * (total / len(values) if math.isfinite(total) else float((values / len(values)).sum()))
        return mean if math.isfinite(mean) else None

    def test(self, differences: np.ndarray) -> dict[str, Any] | None:
        """Return the test for a fixed end: {"name", "p", "p_holm"}, not yet corrected."""
        if self.counts:
            p: float | None = mcnemar(int((differences > 0).sum()), int((differences < 0).sum()))
        else:
            p = diebold_mariano(differences)
        name = "McNemar" if self.counts else "Diebold-Mariano"
        return None if p is None or not len(differences) else {"name": name, "p": p, "p_holm": p}

    def pair(self, a: Candidate, b: Candidate) -> dict[str, Any]:
        """Return what can be said of two: the value of a minus that of b."""
        differences = a.values - b.values
        differences = differences[~np.isnan(differences)]
        found: dict[str, Any] = {"a": a.name, "b": b.name, **dict.fromkeys(("difference", "low", "high", "better"))}
        found |= {"test": self.test(differences), "events": len(differences), "why": None}
        if not len(differences):
            return found | {"why": "no event is scored for both"}
        found["difference"] = self.mean(differences)
        if isinstance(self.bound, str):
            return found | {"why": self.bound}
        if a.why or b.why:
            return found | {"why": a.why or b.why}
        sequence = Differences(self.bound.most)
        for start in range(0, len(differences), CHUNK):
            sequence.add(differences[start : start + CHUNK])
        low, high = sequence.interval(alpha=self.alpha)
        side = int(self.better(np.array(low), np.array(high)))
        return found | {"low": self.told * low, "high": self.told * high, "better": {1: a.name, -1: b.name}.get(side)}


def compare(
    values: Mapping[str, np.ndarray], metric: Metric, bounds: Mapping[str, float], *, level: float = 0.95
) -> dict[str, Any]:
    """Return the verdict on candidates, as plain values. Raises MetricError for a metric that is no mean.

    `values[name]`: one entry an event, the same events for all, NaN where the candidate was not scored (`values_of`).
    "mean", "difference", "low", "high" and "regret" are in the metric's unit, MSE for RMSE; "difference" is a minus b.
    "regret" is the cumulative loss less that of the best fixed candidate, on the "common" events: those where all were
    scored (but for candidates that never were). "leader" has none; of equals, it is the first by name.
    "best" is the leader if its interval with each other says so; else None: "why" names those it cannot be told from.

    >>> from learners.metrics import read_metrics
    >>> (accuracy,) = read_metrics(["Accuracy"], "binary")
    >>> right = {"a": np.tile([1.0, 1.0], 200), "b": np.tile([1.0, 0.0], 200)}
    >>> found = compare(right, accuracy, {})
    >>> found["best"], found["pairs"][0]["difference"], round(found["pairs"][0]["low"], 2), found["candidates"]["b"]
    ('a', 0.5, 0.38, {'mean': 0.5, 'events': 400, 'regret': 200.0})
    """
    lengths = {len(each) for each in values.values()}
    assert len(lengths) == 1, "candidates are compared on the same events"
    pairs = math.comb(len(values), 2)
    judge = Judge(metric, bounds, level, pairs)
    candidates = {name: Candidate.of(name, each, judge.bound) for name, each in values.items()}
    common, regrets = _regrets(candidates, judge)
    leader = min(regrets, key=lambda name: (regrets[name], name), default=None)
    compared = [judge.pair(a, b) for a, b in _pairs(candidates, leader)]
    tested = [pair["test"] for pair in compared if pair["test"] is not None]
    for test, p in zip(tested, holm([test["p"] for test in tested], among=pairs), strict=True):
        test["p_holm"] = p
    why = _why(compared, leader)
    return {
        "metric": judge.metric,
        "events": lengths.pop(),
        "common": common,
        "level": level,
        "leader": leader,
        "best": leader if why is None else None,
        "why": why,
        "candidates": {
            name: {**_scored(each, judge), "regret": regrets.get(name)} for name, each in candidates.items()
        },
        "pairs": compared,
        "holds": HOLDS,
    }


def _regrets(candidates: Mapping[str, Candidate], judge: Judge) -> tuple[int, dict[str, float]]:
    """Return the number of common events, and on them the regret of each candidate whose loss is finite."""
    scored = {name: ~np.isnan(each.values) for name, each in candidates.items()}
    scored = {name: mask for name, mask in scored.items() if mask.any()}
    if not scored:
        return 0, {}
    common = np.logical_and.reduce(list(scored.values()))
    losses = {name: judge.losses(candidates[name].values[common]) for name in scored}
    finite = {name: loss for name, loss in losses.items() if common.any() and math.isfinite(loss)}
    least = min(finite.values(), default=0.0)
    return int(common.sum()), {name: loss - least for name, loss in finite.items()}


def _scored(candidate: Candidate, judge: Judge) -> dict[str, Any]:
    """Return the mean over all events where the candidate was scored, and how many they are."""
    values = candidate.values[~np.isnan(candidate.values)]
    return {"mean": judge.mean(values), "events": len(values)}


def _pairs(candidates: Mapping[str, Candidate], leader: str | None) -> list[tuple[Candidate, Candidate]]:
    """Return the pairs to compute: all, or of many only those with the leader."""
    if len(candidates) <= CANDIDATES_MAX:
        return list(itertools.combinations(candidates.values(), 2))
    return [(candidates[leader], each) for name, each in candidates.items() if leader is not None and name != leader]


def _why(pairs: Sequence[Mapping[str, Any]], leader: str | None) -> str | None:
    """Return why the leader is not best, None if it is."""
    if leader is None:
        return "no candidate has a finite loss on events where all were scored"
    against = {
        pair["b"] if pair["a"] == leader else pair["a"]: pair for pair in pairs if leader in {pair["a"], pair["b"]}
    }
    open_ = [name for name, pair in against.items() if pair["better"] != leader]
    if not open_:
        return None
    reasons = dict.fromkeys(pair["why"] for name in open_ if (pair := against[name])["why"])
    return "; ".join([f"{leader} is not distinguishable from {', '.join(open_)}", *reasons])


def first_claim(
    a: np.ndarray,
    b: np.ndarray,
    metric: Metric,
    bounds: Mapping[str, float],
    *,
    step: int = 100,
    level: float = 0.95,
    candidates: int = 2,
) -> tuple[int, str] | None:
    """Return after how many events a difference was claimed first, and who was better: "a" or "b"; None if never.

    Looked at after every `step` events and at the end, by the same intervals as `compare` with so many `candidates`:
    between equals it is ever anything but None with probability 1 - level at most, over all pairs. Without a bound
    nothing is ever claimed, and from the first loss beyond it on, neither.
    """
    judge = Judge(metric, bounds, level, math.comb(candidates, 2))
    if isinstance(judge.bound, str):
        return None
    ours, others = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    stops = [first for each in (ours, others) if (first := first_beyond(each, judge.bound)) is not None]
    differences = (ours - others)[: min(stops, default=None)]
    scored = ~np.isnan(differences)
    looks = np.append(np.arange(step, len(differences), step), len(differences))
    counts = np.concatenate([[0], np.cumsum(scored)])[looks]
    looks, counts = looks[counts > 0], counts[counts > 0]
    totals, spreads = Differences(judge.bound.most).add(differences[scored])
    low, high = ends(counts, totals[counts - 1], spreads[counts - 1], most=judge.bound.most, alpha=judge.alpha)
    sides = judge.better(low, high)
    claims = np.flatnonzero(sides)
    return (int(looks[claims[0]]), "a" if sides[claims[0]] > 0 else "b") if claims.size else None
