"""All that a learner can keep, switched on at once: how events come in batches, and restores, make no difference."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners import LabelPolicy, Learner, Sealed, Turn, Weights, read_recipe
from learners.recipe import Task
from tests.learners.streams import columns, labels

RECIPES: dict[Task, str] = {
    "binary": "compose.Discard('w', 'carrier') | preprocessing.StandardScaler() | linear_model.LogisticRegression()",
    "multiclass": "compose.Discard('w', 'carrier') | tree.HoeffdingTreeClassifier(grace_period=30)",
    "regression": "compose.Discard('w', 'carrier') | preprocessing.StandardScaler() | linear_model.LinearRegression()",
}
METRICS: dict[Task, list[str]] = {
    "binary": ["F1", "LogLoss", "ROCAUC", "Accuracy"],
    "multiclass": ["MacroF1", "CrossEntropy", "Accuracy"],
    "regression": ["MAE", "R2", "RMSE"],
}


def stream(task: Task, count: int, seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    xs: list[dict[str, Any]] = [dict(x) for x in columns(count, seed)]
    ys: list[Any] = labels(columns(count, seed))
    if task == "binary":
        ys = [y == "low" for y in ys]
    if task == "regression":
        ys = [3 + x["a"] - x["b"] for x in xs]
    source = random.Random(seed)
    for x in xs:
        x["w"] = source.choice([0.0, 0.3, 1.0, 2.5])
        if source.random() < 0.9:
            x["carrier"] = source.choice("ABCDEF")
    return xs, ys


def learner_of(task: Task, *, later: bool, weighted: bool, joined: bool = False) -> Learner:
    age = 10.0 if later else None
    return Learner.new(
        read_recipe(RECIPES[task], task),
        features=["a", "b", "c", "w", "carrier"],
        metrics=METRICS[task],
        window=20,
        fading=0.95,
        slices=["carrier", "w"],
        slices_max=3,
        bounds={"MAE": 50.0} if task == "regression" else {},
        static_after=25,
        labels=LabelPolicy() if later else None,
        joined=joined,
        weights=Weights("w", age) if weighted else Weights(),
        score_weights=Weights("w", age) if weighted else Weights(),
    )


def cut(count: int, sizes: list[int]) -> list[tuple[int, int]]:
    found, start = [], 0
    while start < count:
        found.append((start, min(count, start + sizes[len(found) % len(sizes)])))
        start = found[-1][1]
    return found


@pytest.mark.parametrize("task", list(RECIPES))
@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@settings(max_examples=6, deadline=None)
@given(
    count=st.integers(1, 90),
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    restores=st.sets(st.integers(0, 9), max_size=3),
)
def test_batches_and_restores_make_no_difference(
    task: Task,
    later: bool,  # noqa: FBT001
    weighted: bool,  # noqa: FBT001
    count: int,
    seed: int,
    sizes: list[int],
    restores: set[int],
) -> None:
    xs, ys = stream(task, count, seed)
    dues = [now + random.Random(seed + now).choice([0, 1, 7, 30]) for now in range(count)]
    found: list[Sealed] = []
    for pieces, at in ((cut(count, sizes), set()), ([(0, count)], set()), (cut(count, sizes), restores)):
        learner = learner_of(task, later=later, weighted=weighted)
        for turn, (start, stop) in enumerate(pieces):
            times = (list(range(start, stop)), dues[start:stop]) if later else ()
            learner.test_then_train(xs[start:stop], ys[start:stop], *times)
            if turn in at:
                learner = Learner.restore(learner.seal().state)
        learner.close()
        found.append(learner.seal())
    assert found[0] == found[1]
    restored, whole = found[2], found[1]
    assert restored.details == whole.details
    assert json.loads(json.dumps(whole.details)) == whole.details
    for metric, score in whole.scores.items():
        assert {**restored.scores[metric], "since_last": 0} == {**score, "since_last": 0}
    assert replace(restored, digest="", points=(), scores={}, baselines={}, state=b"") == replace(
        whole, digest="", points=(), scores={}, baselines={}, state=b""
    )


@pytest.mark.parametrize("task", list(RECIPES))
@settings(max_examples=6, deadline=None)
@given(count=st.integers(1, 80), seed=st.integers(0, 99), size=st.integers(1, 30))
def test_labels_of_their_own_log_score_and_weigh_the_same(task: Task, count: int, seed: int, size: int) -> None:
    xs, ys = stream(task, count, seed)
    dues = [now + random.Random(seed + now).choice([1, 7, 30]) for now in range(count)]
    one = learner_of(task, later=True, weighted=True)
    one.test_then_train(xs, ys, list(range(count)), dues)
    one.close()
    questions = [(now, 1, now, Turn(now, str(now), x)) for now, x in enumerate(xs)]
    answers = [(due, 0, now, Turn(due, str(now), None, y)) for now, (due, y) in enumerate(zip(dues, ys, strict=True))]
    turns = [turn for *_, turn in sorted([*questions, *answers], key=lambda each: each[:3])]
    two = learner_of(task, later=True, weighted=True, joined=True)
    for start in range(0, len(turns), size):
        two.take_turns(turns[start : start + size])
    assert two.learned == one.learned == count
    assert two.scores() == one.scores()
    assert two.baseline_scores() == one.baseline_scores()
    for key in ("slices", "confusion", "outputs"):
        assert two.details().get(key) == one.details().get(key)
