"""Faded scores against the recursion of Gama and others, written out event by event."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics

from learners import Learner, read_recipe
from learners.metrics import fitting, read_metrics
from learners.outputs import Outputs
from learners.progressive import Tally
from learners.recipe import Task
from tests.learners.streams import columns, labels


def faded_mean(losses: list[float | None], alpha: float) -> float | None:
    """S_i = L_i + alpha S_{i-1}, N_i = 1 + alpha N_{i-1}; what is not scored is no event."""
    total = events = 0.0
    for loss in losses:
        if loss is not None:
            total, events = loss + alpha * total, 1 + alpha * events
    return total / events if events else None


def faded_matrix(pairs: list[tuple[Any, Any]], alpha: float) -> dict[tuple[Any, Any], float]:
    """Every count fades with every scored event, one by one."""
    counts: dict[tuple[Any, Any], float] = defaultdict(float)
    for pair in pairs:
        if pair[1] is not None:
            for each in counts:
                counts[each] *= alpha
            counts[pair] += 1
    return counts


def split(tally: Tally, ys: list[Any], outputs: Any, sizes: list[int], window: int) -> None:
    """Add in batches of these sizes, none beyond a multiple of the window."""
    start = 0
    while start < len(ys):
        stop = min(start + sizes[start % len(sizes)], len(ys), start + window - start % window)
        tally.add(ys[start:stop], outputs(start, stop))
        start = stop


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None])), max_size=80),
    alpha=st.sampled_from([0.5, 0.9, 0.999]),
    sizes=st.lists(st.integers(1, 12), min_size=1),
)
def test_faded_counts_equal_the_recursion(pairs: list[tuple[Any, Any]], alpha: float, sizes: list[int]) -> None:
    names = ["Accuracy", "MacroF1", "CohenKappa", "WeightedRecall"]
    asked = read_metrics(names, "multiclass")
    ys, y_preds = [y for y, _ in pairs], [y_pred for _, y_pred in pairs]
    found = []
    for cut in (sizes, [1], [1000]):
        tally = Tally(asked, 10, binary=False, fading=alpha)
        split(tally, ys, lambda start, stop: Outputs.of_labels(y_preds[start:stop]), cut, 10)
        found.append({name: score["faded"] for name, score in tally.values().items()})
    assert found[0] == found[1] == found[2]  # to the last bit
    matrix: Any = metrics.ConfusionMatrix()
    for (y, y_pred), count in faded_matrix(pairs, alpha).items():
        matrix.update(y, y_pred, w=count)
    for name in names:
        expected = getattr(metrics, name)(cm=matrix).get()
        assert found[0][name] == (pytest.approx(expected, rel=1e-9) if matrix.n_samples else None)


numbers = st.floats(-1e6, 1e6)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(numbers, st.one_of(numbers, st.sampled_from([None, math.nan, math.inf]))), max_size=60),
    alpha=st.sampled_from([0.5, 0.9, 0.999]),
    sizes=st.lists(st.integers(1, 12), min_size=1),
)
def test_faded_means_equal_the_recursion(pairs: list[tuple[float, Any]], alpha: float, sizes: list[int]) -> None:
    ys, raw = [y for y, _ in pairs], [p for _, p in pairs]
    tally = Tally(read_metrics(["MAE", "RMSE", "R2", "RMSLE"], "regression"), 10, binary=False, fading=alpha)
    split(tally, ys, lambda start, stop: Outputs.of_numbers(raw[start:stop]), sizes, 10)
    values = {name: score["faded"] for name, score in tally.values().items()}
    usable = [p is not None and math.isfinite(p) for p in raw]
    absolute = [abs(y - p) if fine else None for (y, p), fine in zip(pairs, usable, strict=True)]
    squared = [(y - p) ** 2 if fine else None for (y, p), fine in zip(pairs, usable, strict=True)]
    assert values["MAE"] == faded_mean(absolute, alpha)
    mean = faded_mean(squared, alpha)
    assert values["RMSE"] == (None if mean is None else mean**0.5)
    assert values["R2"] is values["RMSLE"] is None


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_metric_has_a_faded_value_or_none(task: Task) -> None:
    xs = columns(120)
    ys: list[Any] = labels(xs)
    text = "naive_bayes.GaussianNB()"
    if task == "binary":
        ys = [y == "low" for y in ys]
    if task == "regression":
        ys, text = [3 + x["a"] for x in xs], "linear_model.LinearRegression()"
    names = list(fitting(task))
    learner = Learner.new(read_recipe(text, task), features=["a", "b", "c"], metrics=names, window=50, fading=0.9)
    learner.test_then_train(xs, ys)
    found = {name: score["faded"] for name, score in learner.scores().items()}
    unweighted = {name for name in names if not getattr(metrics, name)().works_with_weights}
    assert {name for name in found if found[name] is None} == ({"ROCAUC", "R2", "RMSLE"} | unweighted) & set(names)
    assert all(math.isfinite(value) for value in found.values() if value is not None)
    assert all("faded" in score for scores in learner.baseline_scores().values() for score in scores.values())


def test_nothing_is_faded_unless_asked_for() -> None:
    learner = Learner.new(read_recipe("naive_bayes.GaussianNB()", "binary"), features=["a"], metrics=["F1"], window=5)
    assert set(learner.scores()["F1"]) == {"cumulative", "window", "since_last", "low", "high"}


def test_a_faded_score_forgets_what_the_cumulative_one_does_not() -> None:
    tally = Tally(read_metrics(["Accuracy"], "binary"), 1000, binary=True, fading=0.9)
    tally.add([True] * 500, Outputs.of_labels([True] * 500))
    tally.add([True] * 50, Outputs.of_labels([False] * 50))
    score = tally.values()["Accuracy"]
    assert score["cumulative"] == 500 / 550
    assert score["faded"] == pytest.approx(0.9**50, rel=0.01)
