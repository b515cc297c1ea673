"""Scores by slice against a bare loop over the events of each slice."""

from __future__ import annotations

import json
import math
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics

from learners import LabelPolicy, Learner, read_recipe
from learners.confusion import OTHER
from learners.metrics import roc_auc
from learners.recipe import Task
from learners.slices import MISSING, TEXT_CHARS_MAX, text_of
from tests.learners.streams import columns, labels

RECIPES: dict[Task, str] = {
    "binary": "compose.Discard('carrier') | linear_model.LogisticRegression()",
    "multiclass": "compose.Discard('carrier') | naive_bayes.GaussianNB()",
    "regression": "compose.Discard('carrier') | linear_model.LinearRegression()",
}
METRICS: dict[Task, list[str]] = {
    "binary": ["F1", "LogLoss", "ROCAUC", "Accuracy"],
    "multiclass": ["MacroF1", "CrossEntropy"],
    "regression": ["MAE", "R2", "RMSE"],
}


def flights(task: Task, carriers: list[Any], seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    xs: list[dict[str, Any]] = [dict(x) for x in columns(len(carriers), seed)]
    ys: list[Any] = labels(columns(len(carriers), seed))
    if task == "binary":
        ys = [y == "low" for y in ys]
    if task == "regression":
        ys = [3 + x["a"] - x["b"] for x in xs]
    for x, carrier in zip(xs, carriers, strict=True):
        if carrier is not None:
            x["carrier"] = carrier
    return xs, ys


def judged(task: Task, xs: list[Any], ys: list[Any], delay: int) -> list[tuple[str, Any, Any]]:
    """(carrier, y, answer) in the order in which labels come, by a bare loop; event n is asked at n."""
    model, waiting, found = read_recipe(RECIPES[task], task).build(), [], []
    for now, (x, y) in enumerate(zip(xs, ys, strict=True)):
        while waiting and waiting[0][0] <= now:
            _, old, then, answer = waiting.pop(0)
            model.learn_one(old, then)
            found.append((old.get("carrier"), then, answer))
        answer = model.predict_one(x) if task == "regression" else model.predict_proba_one(x)
        waiting.append((now + delay, x, y, answer))
        if delay == 0:
            model.learn_one(x, y)
            found.append((x.get("carrier"), y, answer))
            waiting.pop()
    return found


def value(name: str, events: list[tuple[Any, Any]]) -> float | None:
    """What river says of these events; the exact area for ROCAUC."""
    scored = [(y, answer) for y, answer in events if answer is not None and answer != {}]
    if name == "ROCAUC":
        return roc_auc([y for y, _ in scored], [p.get(True, 0.0) for _, p in scored])
    metric = getattr(metrics, name)()
    for y, answer in scored:
        wants_label = isinstance(answer, dict) and metric.requires_labels
        metric.update(y, max(answer, key=answer.get) if wants_label else answer)
    return metric.get() if scored and math.isfinite(metric.get()) else None


@pytest.mark.parametrize("task", list(RECIPES))
@pytest.mark.parametrize("delay", [0, 9])
@settings(max_examples=15, deadline=None)
@given(
    carriers=st.lists(st.sampled_from(["AA", "UA", "B6", "DL", "WN", None, OTHER]), min_size=1, max_size=70),
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(1, 25), min_size=1, max_size=5),
    restore=st.booleans(),
)
def test_slices_equal_a_bare_loop(
    task: Task,
    delay: int,
    carriers: list[Any],
    seed: int,
    sizes: list[int],
    restore: bool,  # noqa: FBT001
) -> None:
    xs, ys = flights(task, carriers, seed)
    events = judged(task, xs, ys, delay)
    names: dict[Any, str] = {None: MISSING, OTHER: OTHER}
    for carrier, _, _ in events:
        names.setdefault(carrier, carrier if len(names) < 2 + 3 else OTHER)
    expected: dict[str, Any] = {}
    for name in dict.fromkeys(names[carrier] for carrier, _, _ in events):
        here = [(y, answer) for carrier, y, answer in events if names[carrier] == name]
        recent = [(y, answer) for carrier, y, answer in events[-20:] if names[carrier] == name]
        expected[name] = {
            "events": len(here),
            "window": len(recent),
            "scores": {
                metric: {
                    "cumulative": None if metric == "ROCAUC" else value(metric, here),
                    "window": value(metric, recent),
                }
                for metric in METRICS[task]
            },
        }
    learner = Learner.new(
        read_recipe(RECIPES[task], task),
        features=["a", "b", "c", "carrier"],
        metrics=METRICS[task],
        window=20,
        slices=["carrier"],
        slices_max=3,
        labels=LabelPolicy() if delay else None,
    )
    start, turn = 0, 0
    while start < len(xs):
        stop = min(len(xs), start + sizes[turn % len(sizes)])
        times = list(range(start, stop)) if delay else []
        learner.test_then_train(xs[start:stop], ys[start:stop], times, [now + delay for now in times])
        start, turn = stop, turn + 1
        if restore and turn % 2:
            learner = Learner.restore(learner.seal().state)
    found = learner.details()["slices"]["carrier"]
    assert found == expected
    assert json.loads(json.dumps(found)) == found
    assert sum(entry["events"] for entry in found.values()) == learner.learned


def test_values_without_bound_are_bounded_and_independent_of_batches() -> None:
    source = random.Random(3)
    xs = [{"a": source.gauss(0, 1)} for _ in range(3000)]
    ys = [x["a"] * 0.1 for x in xs]
    found = []
    for size in (1, 7, 500, 3000):
        recipe = read_recipe("linear_model.LinearRegression()", "regression")
        learner = Learner.new(recipe, features=["a"], metrics=["MAE", "RMSE"], window=1000, slices=["a"])
        for start in range(0, 3000, size):
            learner.test_then_train(xs[start : start + size], ys[start : start + size])
        found.append(learner.seal())
        slices = found[-1].details["slices"]["a"]
        assert len(slices) == 51
        assert slices[OTHER]["events"] == 2950
        assert list(slices)[:50] == [text_of(x["a"]) for x in xs[:50]]
    assert found[0] == found[1] == found[2] == found[3]


def test_equal_values_have_one_name() -> None:
    noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    assert text_of(noon) == text_of(noon.astimezone(timezone(timedelta(hours=5))))
    assert text_of(0.0) == text_of(-0.0) == "0"
    assert text_of(datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))).endswith("+05:00")
    assert text_of(1e300) == "1e+300"
    assert len(text_of("é" * 1000)) == TEXT_CHARS_MAX
