"""Scores against bare loops of river, naive recomputation and pair counting."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import dummy, evaluate, metrics, stats

from learners import Learner, read_recipe
from learners.baselines import Mean, NoChange, Prior
from learners.errors import MetricError
from learners.metrics import fitting, read_metrics, roc_auc
from learners.outputs import Outputs
from learners.progressive import Tally
from learners.recipe import Task
from tests.learners.streams import columns, elec2, labels

LINEAR = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.005))"


def learn(
    text: str, task: Task, xs: list[Any], ys: list[Any], names: list[str], window: int = 100, size: int = 37
) -> Learner:
    learner = Learner.new(read_recipe(text, task), features=list(xs[0]), metrics=names, window=window)
    for start in range(0, len(xs), size):
        learner.test_then_train(xs[start : start + size], ys[start : start + size])
    return learner


def test_the_published_figures_of_elec2() -> None:
    features, xs, ys = elec2()
    learner = Learner.new(read_recipe(LINEAR, "binary"), features=features, metrics=["Accuracy", "F1"], window=906)
    for start in range(0, len(xs), 500):
        learner.test_then_train(xs[start : start + 500], ys[start : start + 500])
    scores = learner.scores()
    assert scores["Accuracy"]["cumulative"] == 0.8221442443502824
    assert scores["F1"]["cumulative"] == 0.7770862722319033
    assert learner.baseline_scores()["NoChange"]["Accuracy"]["cumulative"] == pytest.approx(0.853303, abs=1e-6)
    learner.point()
    learner.point()
    points = learner.seal().points
    assert [point.learned for point in points] == [*range(906, 45_312, 906), 45_312]


CLASSES = {
    "binary": ["linear_model.LogisticRegression()", "naive_bayes.GaussianNB()", "linear_model.ALMAClassifier()"],
    "multiclass": [
        "naive_bayes.GaussianNB()",
        "tree.HoeffdingTreeClassifier(grace_period=30)",
        "linear_model.SoftmaxRegression()",
    ],
}


@pytest.mark.parametrize(("task", "text"), [(task, text) for task, texts in CLASSES.items() for text in texts])
def test_classifiers_equal_a_bare_loop_of_river(task: Task, text: str) -> None:
    xs = columns(400)
    ys = labels(xs) if task == "multiclass" else [y == "low" for y in labels(xs)]
    without = {"ROCAUC"} if "ALMA" not in text else {"ROCAUC", "LogLoss", "CrossEntropy"}
    names = [name for name in fitting(task) if name not in without]
    scores = learn(text, task, xs, ys, names).scores()
    for name in names:
        metric = getattr(metrics, name)()
        expected = evaluate.progressive_val_score(
            zip(xs, ys, strict=True), read_recipe(text, task).build(), metric
        ).get()
        assert scores[name]["cumulative"] == scores[name]["since_last"] == expected, name


@pytest.mark.parametrize("text", ["linear_model.LinearRegression()", "tree.HoeffdingTreeRegressor(grace_period=30)"])
def test_regressors_equal_a_bare_loop_of_river(text: str) -> None:
    xs = columns(400)
    ys = [3 + x["a"] - x["b"] for x in xs]
    names = [name for name in fitting("regression") if name != "RMSLE"]
    scores = learn(text, "regression", xs, ys, names).scores()
    for name in names:
        metric = getattr(metrics, name)()
        model = read_recipe(text, "regression").build()
        expected = evaluate.progressive_val_score(zip(xs, ys, strict=True), model, metric).get()
        assert scores[name]["cumulative"] == scores[name]["since_last"] == expected, name


def naive_window(metric: Any, pairs: list[tuple[Any, Any]]) -> float | None:
    scored = [(y, y_pred) for y, y_pred in pairs if y_pred is not None and y_pred != {}]
    for y, y_pred in scored:
        metric.update(y, y_pred)
    return metric.get() if scored and math.isfinite(metric.get()) else None


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None])), max_size=60),
    window=st.integers(1, 12),
    sizes=st.lists(st.integers(1, 12), min_size=1),
)
def test_windowed_counts_equal_naive_ones(pairs: list[tuple[Any, Any]], window: int, sizes: list[int]) -> None:
    names = ["Accuracy", "MacroF1", "CohenKappa", "MicroF1", "WeightedRecall", "BalancedAccuracy"]
    tally = Tally(read_metrics(names, "multiclass"), window, binary=False)
    start = 0
    while start < len(pairs):
        stop = min(start + sizes[start % len(sizes)], len(pairs), start + window - start % window)
        ys, y_preds = zip(*pairs[start:stop], strict=True)
        tally.add(ys, Outputs.of_labels(y_preds))
        start = stop
        values = tally.values()
        for name in names:
            metric = getattr(metrics, name)
            assert values[name]["window"] == naive_window(metric(), pairs[max(0, start - window) : start])
            assert values[name]["cumulative"] == naive_window(metric(), pairs[:start])


finite = st.floats(-1e6, 1e6).filter(lambda number: number == 0 or abs(number) > 1e-6)


@settings(max_examples=60, deadline=None)
@given(
    pairs=st.lists(st.tuples(finite, st.one_of(finite, st.sampled_from([None, math.nan, math.inf, 3]))), max_size=40),
    window=st.integers(1, 12),
)
def test_losses_equal_river_and_are_never_poisoned(pairs: list[tuple[float, Any]], window: int) -> None:
    names = ["MAE", "RMSE", "MAPE", "R2", "SMAPE"]
    tally = Tally(read_metrics(names, "regression"), window, binary=False)
    usable = [(y, p if p is not None and math.isfinite(p) else None) for y, p in pairs]
    for stop in range(1, len(pairs) + 1):
        y, y_pred = pairs[stop - 1]
        tally.add([y], Outputs.of_numbers([y_pred]))
        values = tally.values()
        for name in names:
            metric = getattr(metrics, name)
            assert values[name]["cumulative"] == naive_window(metric(), usable[:stop])
            assert values[name]["window"] == naive_window(metric(), usable[max(0, stop - window) : stop])


def test_unusable_outputs_are_counted() -> None:
    outputs = Outputs.of_numbers([1.0, None, math.nan, -math.inf, 10**400])
    assert (outputs.absent, outputs.not_finite) == (1, 3)
    outputs = Outputs.of_probabilities([{True: 0.5, False: 0.5}, {}, {True: math.nan, False: 0.1}])
    assert (outputs.absent, outputs.not_finite) == (1, 1)
    assert [p is None for p in outputs.numbers] == [False, True, True]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])), max_size=40))
def test_roc_auc_equals_pair_counting(pairs: list[tuple[bool, float]]) -> None:
    positive = [p for y, p in pairs if y]
    negative = [p for y, p in pairs if not y]
    wins = sum(1.0 if p > q else 0.5 if p == q else 0.0 for p in positive for q in negative)
    expected = wins / (len(positive) * len(negative)) if positive and negative else None
    assert roc_auc([y for y, _ in pairs], [p for _, p in pairs]) == expected


def test_roc_auc_of_the_window() -> None:
    xs = columns(300)
    ys = [y == "low" for y in labels(xs)]
    learner = learn("naive_bayes.GaussianNB()", "binary", xs, ys, ["ROCAUC", "LogLoss"], window=70)
    model, recent = read_recipe("naive_bayes.GaussianNB()", "binary").build(), deque[Any](maxlen=70)
    for x, y in zip(xs, ys, strict=True):
        recent.append((y, model.predict_proba_one(x).get(True, 0.0)))
        model.learn_one(x, y)
    expected = roc_auc([y for y, _ in recent], [p for _, p in recent])
    nothing = dict.fromkeys(("cumulative", "since_last", "low", "high"))
    assert learner.scores()["ROCAUC"] == {**nothing, "window": expected}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=60), st.integers(1, 9), st.booleans())
def test_baselines_of_classes_equal_river(ys: list[str], size: int, probabilities: bool) -> None:  # noqa: FBT001
    ours: Any
    for ours, river in (
        (NoChange(probabilities=probabilities), dummy.NoChangeClassifier()),
        (Prior(probabilities=probabilities), dummy.PriorClassifier()),
    ):
        expected_labels, expected = [], []
        for y in ys:
            expected_labels.append(river.predict_one({}))
            expected.append(river.predict_proba_one({}) or None)
            river.learn_one({}, y)
        outputs = [ours.predict_then_learn(ys[start : start + size]) for start in range(0, len(ys), size)]
        assert [label for output in outputs for label in output.labels] == expected_labels
        if probabilities:
            assert [p for output in outputs for p in output.numbers] == expected


@given(st.lists(finite, max_size=40), st.integers(1, 9))
def test_baselines_of_numbers_equal_river(ys: list[float], size: int) -> None:
    river, ours, last = dummy.StatisticRegressor(stats.Mean()), Mean(), NoChange(probabilities=False, numbers=True)
    expected = []
    for y in ys:
        expected.append(river.predict_one({}))
        river.learn_one({}, y)
    pieces = [ys[start : start + size] for start in range(0, len(ys), size)]
    assert [p for piece in pieces for p in ours.predict_then_learn(piece).labels] == expected
    assert [p for piece in pieces for p in last.predict_then_learn(piece).numbers] == [None, *ys][: len(ys)]


def test_baselines_are_scored_as_the_model_is() -> None:
    xs = columns(250)
    ys = labels(xs)
    learner = learn("naive_bayes.GaussianNB()", "multiclass", xs, ys, ["Accuracy", "CrossEntropy"])
    for name, river in (("NoChange", dummy.NoChangeClassifier), ("Prior", dummy.PriorClassifier)):
        for metric in (metrics.Accuracy(), metrics.CrossEntropy()):
            expected = evaluate.progressive_val_score(zip(xs, ys, strict=True), river(), metric).get()
            assert learner.baseline_scores()[name][type(metric).__name__]["cumulative"] == expected


@pytest.mark.parametrize(
    ("name", "task", "hint"),
    [
        ("Acuracy", "binary", "Accuracy"),
        ("F1", "multiclass", "MacroF1"),
        ("Accuracy", "regression", "MAE"),
        ("MAE", "binary", "task 'binary' has"),
        ("RollingROCAUC", "binary", "ROCAUC"),
        ("Silhouette", "binary", "task 'binary' has"),
        ("ConfusionMatrix", "binary", ""),
        ("base", "binary", ""),
        ("FBeta", "binary", ""),
        ("__class__", "binary", ""),
    ],
)
def test_metrics_that_do_not_fit_are_refused(name: str, task: Task, hint: str) -> None:
    with pytest.raises(MetricError) as raised:
        read_metrics([name], task)
    assert hint in raised.value.hint
    assert raised.value.hint


def test_probabilities_are_asked_of_models_that_have_them() -> None:
    recipe = read_recipe("ensemble.VotingClassifier([linear_model.Perceptron(), linear_model.Perceptron()])", "binary")
    assert Learner.new(recipe, features=["a"], metrics=["Accuracy"], window=10).learned == 0
    with pytest.raises(MetricError, match="LogLoss needs probabilities"):
        Learner.new(recipe, features=["a"], metrics=["Accuracy", "LogLoss"], window=10)
