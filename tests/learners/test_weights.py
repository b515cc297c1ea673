"""Weights of learning and of scoring, against bare loops of river with `w`."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import dummy, metrics

from learners import LabelPolicy, Learner, MetricError, RecipeError, Weights, read_recipe
from learners.metrics import fitting, roc_auc, roc_auc_weighted
from learners.recipe import Task
from tests.learners.streams import columns, labels

RECIPES: dict[Task, str] = {
    "binary": "compose.Discard('w') | linear_model.LogisticRegression()",
    "multiclass": "compose.Discard('w') | tree.HoeffdingTreeClassifier(grace_period=30)",
    "regression": "compose.Discard('w') | linear_model.LinearRegression()",
}


def stream(task: Task, weights: list[float], seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    xs = columns(len(weights), seed)
    ys: list[Any] = labels(xs)
    if task == "binary":
        ys = [y == "low" for y in ys]
    if task == "regression":
        ys = [3 + x["a"] - x["b"] for x in xs]
    return [{**x, "w": w} for x, w in zip(xs, weights, strict=True)], ys


def taken(task: Task) -> list[str]:
    """All metrics that take weights, but the exact ones of our own, and what is not defined below -1."""
    return [name for name, metric in fitting(task).items() if metric.takes_weights and name not in ("ROCAUC", "RMSLE")]


def river_says(name: str, judged: list[tuple[Any, Any, float]]) -> float | None:
    """The metric updated event by event with w; None where nothing was scored that weighs anything."""
    metric = getattr(metrics, name)()
    scored = [(y, p, w) for y, p, w in judged if p is not None and p != {} and w]
    for y, p, w in scored:
        wants_label = isinstance(p, dict) and metric.requires_labels
        metric.update(y, max(p, key=p.get) if wants_label else p, w)
    return metric.get() if scored and math.isfinite(metric.get()) else None


weighing = st.lists(st.sampled_from([0.0, 1.0, 0.1, 0.7, 2.5, 1e-9, 3e6]), min_size=1, max_size=60)


@pytest.mark.parametrize("task", list(RECIPES))
@pytest.mark.parametrize("learns", [True, False])
@settings(max_examples=6, deadline=None)
@given(
    weights=weighing,
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    restore=st.booleans(),
)
def test_scores_and_learning_equal_river_with_weights(
    task: Task,
    learns: bool,  # noqa: FBT001
    weights: list[float],
    seed: int,
    sizes: list[int],
    restore: bool,  # noqa: FBT001
) -> None:
    xs, ys = stream(task, weights, seed)
    model, judged, beside = read_recipe(RECIPES[task], task).build(), [], []
    no_change: Any = dummy.NoChangeClassifier()
    last = None
    for x, y in zip(xs, ys, strict=True):
        judged.append((y, model.predict_one(x) if task == "regression" else model.predict_proba_one(x), x["w"]))
        beside.append((y, last if task == "regression" else no_change.predict_proba_one(x), x["w"]))
        if not learns:
            model.learn_one(x, y)
        elif x["w"]:  # what weighs nothing is not learned
            model.learn_one(x, y, w=x["w"])
        no_change.learn_one(x, y)
        last = y
    learner = Learner.new(
        read_recipe(RECIPES[task], task),
        features=["a", "b", "c", "w"],
        metrics=taken(task),
        window=20,
        weights=Weights("w") if learns else Weights(),
        score_weights=Weights("w"),
    )
    start, turn = 0, 0
    while start < len(xs):
        stop = min(len(xs), start + sizes[turn % len(sizes)])
        learner.test_then_train(xs[start:stop], ys[start:stop])
        start, turn = stop, turn + 1
        if restore and turn % 2:
            learner.scores()
            learner = Learner.restore(learner.seal().state)
    scores = learner.scores()
    for name in taken(task):
        assert scores[name]["cumulative"] == river_says(name, judged), name
        assert scores[name]["window"] == river_says(name, judged[-20:]), name
        assert learner.baseline_scores()["NoChange"][name]["cumulative"] == river_says(name, beside), name


def test_looking_changes_nothing() -> None:
    xs, ys = stream("multiclass", [0.5, 1.5, 2.0] * 40, 3)
    found = []
    for looks in (0, 1):
        learner = Learner.new(
            read_recipe(RECIPES["multiclass"], "multiclass"),
            features=["a", "b", "c", "w"],
            metrics=["MacroF1", "Accuracy"],
            window=20,
            score_weights=Weights("w"),
            fading=0.9,
            slices=["w"],
        )
        for x, y in zip(xs, ys, strict=True):
            learner.test_then_train([x], [y])
            for _ in range(looks):
                learner.scores()
                learner.details()
        found.append(learner.seal())
    assert found[0] == found[1]


def test_slices_fading_and_counts_of_weighted_events() -> None:
    weights = random.Random(4).choices([0.5, 2.0, 0.0], k=90)
    xs, ys = stream("binary", weights, 5)
    learner = Learner.new(
        read_recipe(RECIPES["binary"], "binary"),
        features=["a", "b", "c", "w"],
        metrics=["Accuracy", "LogLoss"],
        window=30,
        score_weights=Weights("w"),
        fading=0.9,
        slices=["w"],
    )
    learner.test_then_train(xs, ys)
    model, judged = read_recipe(RECIPES["binary"], "binary").build(), []
    for x, y in zip(xs, ys, strict=True):
        judged.append((y, model.predict_proba_one(x), x["w"]))
        model.learn_one(x, y)
    slices = learner.details()["slices"]["w"]
    for weight in (0.5, 2.0, 0.0):
        here = [event for event in judged if event[2] == weight]
        entry = slices[f"{weight:g}"]
        assert entry["events"] == len(here)
        for name in ("Accuracy", "LogLoss"):
            assert entry["scores"][name]["cumulative"] == river_says(name, here)
    assert "weights" in learner.details()["intervals"]["Accuracy"]["why"]
    counts = learner.details()["confusion"]["counts"]
    assert sum(map(sum, counts)) == 90
    for name in ("Accuracy", "LogLoss"):
        total = weighed = 0.0
        for y, p, w in judged:
            loss = -math.log(p[True] if y else 1 - p[True]) if name == "LogLoss" else float((p[True] > 0.5) == y)
            total, weighed = w * loss + 0.9 * total, w + 0.9 * weighed
        assert learner.scores()[name]["faded"] == pytest.approx(total / weighed, rel=1e-9)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.9]), st.sampled_from([0.0, 0.5, 1.0, 3.0])),
        max_size=40,
    )
)
def test_weighted_roc_auc_equals_pair_counting(events: list[tuple[bool, float, float]]) -> None:
    positive = [(p, w) for y, p, w in events if y]
    negative = [(p, w) for y, p, w in events if not y]
    wins = sum(v * w * (1.0 if p > q else 0.5 if p == q else 0.0) for p, v in positive for q, w in negative)
    pairs = sum(v * w for _, v in positive for _, w in negative)
    found = roc_auc_weighted(*([event[i] for event in events] for i in range(3)))  # type: ignore[arg-type]
    assert found == (pytest.approx(wins / pairs) if pairs else None)
    plain = roc_auc_weighted([y for y, _, _ in events], [p for _, p, _ in events], [1.0] * len(events))
    expected = roc_auc([y for y, _, _ in events], [p for _, p, _ in events])
    assert plain == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("preprocessing.StandardScaler() | linear_model.PAClassifier()", "binary"),
        ("naive_bayes.GaussianNB()", "multiclass"),
        ("ensemble.BaggingClassifier(naive_bayes.GaussianNB(), n_models=3, seed=1)", "multiclass"),
        ("preprocessing.TargetStandardScaler(linear_model.LinearRegression())", "regression"),
    ],
)
def test_a_model_without_weights_is_refused(text: str, task: Task) -> None:
    recipe = read_recipe(text, task)
    with pytest.raises(RecipeError, match="need a model that learns with them") as raised:
        Learner.new(recipe, features=["a", "w"], metrics=[], window=10, weights=Weights("w"))
    assert "whose learn_one takes w" in raised.value.hint
    Learner.new(recipe, features=["a", "w"], metrics=[], window=10, score_weights=Weights("w"))


def test_a_metric_that_takes_no_weights_is_refused() -> None:
    recipe = read_recipe(RECIPES["multiclass"], "multiclass")
    with pytest.raises(MetricError, match="AdjustedMutualInfo"):
        Learner.new(recipe, features=["a", "w"], metrics=["AdjustedMutualInfo"], window=10, score_weights=Weights("w"))
    Learner.new(recipe, features=["a", "w"], metrics=["AdjustedMutualInfo"], window=10, weights=Weights("w"))


@pytest.mark.parametrize("task", list(RECIPES))
@pytest.mark.parametrize("field", [None, "w"])
@settings(max_examples=6, deadline=None)
@given(
    delays=st.lists(st.sampled_from([0, 1, 5, 5, 40]), min_size=1, max_size=60),
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    timeout=st.sampled_from([None, 7]),
)
def test_weights_halve_with_the_age_of_the_label(
    task: Task, field: str | None, delays: list[int], seed: int, sizes: list[int], timeout: int | None
) -> None:
    """Event n is asked at n; learned with half-life 3, scored with half-life 10; the default label comes at timeout."""
    xs, ys = stream(task, random.Random(seed).choices([0.5, 1.0, 2.0], k=len(delays)), seed)
    default: Any = {"binary": False, "multiclass": "mid", "regression": 0.5}[task]
    model, waiting, judged = read_recipe(RECIPES[task], task).build(), [], []

    def reveal(now: float) -> None:
        for due, number, x, y, answer in sorted(
            (each for each in waiting if each[0] <= now), key=lambda each: each[:2]
        ):
            waiting.remove((due, number, x, y, answer))
            base = 1.0 if field is None else x["w"]
            model.learn_one(x, y, w=base * 0.5 ** ((due - number) / 3))
            judged.append((y, answer, base * 0.5 ** ((due - number) / 10)))

    for now, (x, y, delay) in enumerate(zip(xs, ys, delays, strict=True)):
        reveal(now)
        answer = model.predict_one(x) if task == "regression" else model.predict_proba_one(x)
        late = timeout is not None and delay > timeout
        waiting.append((now + timeout, now, x, default, answer) if late else (now + delay, now, x, y, answer))  # type: ignore[operator]
    reveal(math.inf)
    found = []
    for cut in (sizes, [1], [1000]):
        learner = Learner.new(
            read_recipe(RECIPES[task], task),
            features=["a", "b", "c", "w"],
            metrics=taken(task),
            window=20,
            labels=LabelPolicy(timeout=timeout, default=None if timeout is None else default),
            weights=Weights(field, half_life=3.0),
            score_weights=Weights(field, half_life=10.0),
        )
        start, turn = 0, 0
        while start < len(xs):
            stop = min(len(xs), start + cut[turn % len(cut)])
            due = [now + delays[now] for now in range(start, stop)]
            learner.test_then_train(xs[start:stop], ys[start:stop], list(range(start, stop)), due)
            start, turn = stop, turn + 1
            if cut is sizes and turn % 2:
                learner = Learner.restore(learner.seal().state)
        learner.close()
        for name in taken(task):
            assert learner.scores()[name]["cumulative"] == river_says(name, judged), name
            assert learner.scores()[name]["window"] == river_says(name, judged[-20:]), name
        found.append(learner.seal())
    assert found[1] == found[2]
