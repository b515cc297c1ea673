"""What a version tells beside scores: confusion, unusable answers. The same in any batches, before and after JSON."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, metrics

from learners import LabelPolicy, Learner, read_recipe
from learners.confusion import LABELS_MAX, OTHER, confusion_table
from tests.learners.streams import columns, labels


class Odd(base.Classifier):
    """Answers what the event's feature `a` says: an index into ANSWERS."""

    ANSWERS: ClassVar[list[Any]] = [
        {True: 0.75, False: 0.25},
        {True: math.nan, False: 0.5},
        {True: math.inf, False: 0.0},
        {},
        None,
        {True: None, False: 0.5},
        {True: 10**400, False: 1},
        {False: 1.0},
        {True: "much", False: 0.5},
        {True: "0.5", False: 0.5},
    ]
    ABSENT: ClassVar[set[int]] = {3, 4}
    FINE: ClassVar[set[int]] = {0, 7}

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        pass

    def predict_proba_one(self, x: dict[str, Any], **_: Any) -> Any:
        return self.ANSWERS[x["a"]]


class OddNumbers(base.Regressor):
    """Answers what the event's feature `a` says."""

    ANSWERS: ClassVar[list[Any]] = [1.5, None, math.nan, -math.inf, 10**400, "2.5", 1j, 2]
    FINE: ClassVar[set[int]] = {0, 7}

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        pass

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.ANSWERS[x["a"]]


def batches(count: int, sizes: list[int]) -> list[slice]:
    found, start = [], 0
    while start < count:
        found.append(slice(start, start + sizes[len(found) % len(sizes)]))
        start = found[-1].stop
    return found


cuts = st.lists(st.integers(1, 9), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.integers(0, len(Odd.ANSWERS) - 1), max_size=40), truth=st.randoms(), sizes=cuts)
def test_log_loss_never_sees_what_is_no_number(answers: list[int], truth: random.Random, sizes: list[int]) -> None:
    xs, ys = [{"a": index} for index in answers], [truth.random() < 0.5 for _ in answers]
    sealed = []
    for cut in (sizes, [1], [100]):
        recipe = read_recipe("tests.learners.test_details:Odd", "binary")
        learner = Learner.new(recipe, features=["a"], metrics=["LogLoss", "ROCAUC", "Accuracy"], window=10, fading=0.9)
        for piece in batches(len(xs), cut):
            learner.test_then_train(xs[piece], ys[piece])
        sealed.append(learner.seal())
    assert sealed[0] == sealed[1] == sealed[2]
    absent = sum(index in Odd.ABSENT for index in answers)
    fine = [(y, Odd.ANSWERS[index]) for index, y in zip(answers, ys, strict=True) if index in Odd.FINE]
    assert sealed[0].details["outputs"] == {"absent": absent, "not_finite": len(answers) - absent - len(fine)}
    loss = metrics.LogLoss()
    for y, y_pred in fine:
        loss.update(y, y_pred)
    assert sealed[0].scores["LogLoss"]["cumulative"] == (loss.get() if fine else None)


@settings(max_examples=60, deadline=None)
@given(answers=st.lists(st.integers(0, len(OddNumbers.ANSWERS) - 1), max_size=40), sizes=cuts)
def test_losses_never_see_what_is_no_number(answers: list[int], sizes: list[int]) -> None:
    sealed = []
    for cut in (sizes, [1], [100]):
        recipe = read_recipe("tests.learners.test_details:OddNumbers", "regression")
        learner = Learner.new(recipe, features=["a"], metrics=["MAE", "R2"], window=10, fading=0.9)
        for piece in batches(len(answers), cut):
            learner.test_then_train([{"a": index} for index in answers[piece]], [1.0] * len(answers[piece]))
        sealed.append(learner.seal())
    assert sealed[0] == sealed[1] == sealed[2]
    absent, fine = answers.count(1), [index for index in answers if index in OddNumbers.FINE]
    assert sealed[0].details["outputs"] == {"absent": absent, "not_finite": len(answers) - absent - len(fine)}
    assert "confusion" not in sealed[0].details
    expected = sum(abs(1.0 - OddNumbers.ANSWERS[index]) for index in fine) / len(fine) if fine else None
    assert sealed[0].scores["MAE"]["cumulative"] == (None if expected is None else pytest.approx(expected))


def later(learner: Learner, xs: list[Any], ys: list[Any], sizes: list[int], delay: int) -> None:
    """Feed events a second apart whose labels come `delay` events later."""
    for piece in batches(len(xs), sizes):
        times = range(len(xs))[piece]
        learner.test_then_train(xs[piece], ys[piece], list(times), [t + delay for t in times])


def naive_table(pairs: list[tuple[Any, Any]], order: list[Any]) -> list[list[int]]:
    counts = Counter(pairs)
    return [[counts[y, y_pred] for y_pred in order] for y in order]


@pytest.mark.parametrize("delay", [None, 0, 7])
@pytest.mark.parametrize("asked", [["Accuracy"], ["CrossEntropy"]])
def test_confusion_equals_a_bare_loop(delay: int | None, asked: list[str]) -> None:
    xs = columns(300)
    ys = labels(xs)
    model, pairs, waiting = read_recipe("naive_bayes.GaussianNB()", "multiclass").build(), [], []
    for now, (x, y) in enumerate(zip(xs, ys, strict=True)):
        while waiting and delay is not None and waiting[0][0] <= now:
            _, old, then, y_pred = waiting.pop(0)
            pairs.append((then, y_pred))
            model.learn_one(old, then)
        y_pred = model.predict_one(x)
        if delay is None:
            pairs.append((y, y_pred))
            model.learn_one(x, y)
        else:
            waiting.append((now + delay, x, y, y_pred))
    expected = {
        "labels": ["high", "low", "mid"],
        "counts": naive_table(pairs, ["high", "low", "mid"]),
        "window": naive_table(pairs[-70:], ["high", "low", "mid"]),
    }
    sealed = []
    for sizes in ([1], [37, 5], [300]):
        policy = None if delay is None else LabelPolicy()
        recipe = read_recipe("naive_bayes.GaussianNB()", "multiclass")
        learner = Learner.new(recipe, features=["a", "b", "c"], metrics=asked, window=70, labels=policy)
        if delay is None:
            for piece in batches(300, sizes):
                learner.test_then_train(xs[piece], ys[piece])
        else:
            later(learner, xs, ys, sizes, delay)
        assert learner.details()["confusion"] == expected
        sealed.append(learner.seal())
        assert Learner.restore(sealed[-1].state, sealed[-1].golden).details() == sealed[-1].details
    assert sealed[0] == sealed[1] == sealed[2]
    assert json.loads(json.dumps(sealed[0].details)) == sealed[0].details


def test_points_have_the_clock_at_which_their_last_label_came() -> None:
    xs = columns(100)
    ys = labels(xs)
    for sizes in ([1], [13], [100]):
        recipe = read_recipe("naive_bayes.GaussianNB()", "multiclass")
        learner = Learner.new(recipe, features=["a", "b", "c"], metrics=["Accuracy"], window=20, labels=LabelPolicy())
        later(learner, xs, ys, sizes, 7)
        learner.close()
        # event n is asked at n, its label comes at n + 7, and is revealed when event n + 7 is asked
        assert [(p.learned, p.clock_us) for p in learner.seal().points] == [
            (20, 26),
            (40, 46),
            (60, 66),
            (80, 86),
            (100, 99),
        ]
    assert set(learner.baseline_scores()) == {"NoChange", "Prior"}
    immediate = Learner.new(recipe, features=["a", "b", "c"], metrics=["Accuracy"], window=20)
    immediate.test_then_train(xs, ys)
    assert {point.clock_us for point in immediate.seal().points} == {None}


def test_unusable_answers_are_counted_when_they_are_given() -> None:
    recipe = read_recipe("tests.learners.test_details:OddNumbers", "regression")
    learner = Learner.new(recipe, features=["a"], metrics=["MAE"], window=5, labels=LabelPolicy(pending_max=2))
    learner.test_then_train([{"a": i} for i in (0, 1, 2, 3)], [1.0] * 4, [0, 1, 2, 3], [None] * 4)
    assert learner.details()["outputs"] == {"absent": 1, "not_finite": 2}
    assert (learner.learned, learner.expired) == (0, 2)


def test_a_binary_confusion_has_both_labels_from_the_start() -> None:
    recipe = read_recipe("linear_model.LogisticRegression()", "binary")
    learner = Learner.new(recipe, features=["a"], metrics=["LogLoss"], window=5)
    assert learner.details()["confusion"] == {
        "labels": [False, True],
        "counts": [[0, 0], [0, 0]],
        "window": [[0, 0], [0, 0]],
    }


def test_many_labels_are_bounded() -> None:
    pairs = {(f"label {i:03}", f"label {i % 7:03}"): 1000 - i for i in range(300)}
    table = confusion_table(pairs, {("label 299", "label 000"): 1, ("label 298", "label 297"): 2, ("new", None): 1})
    assert len(table["labels"]) == LABELS_MAX + 1
    assert table["labels"][:-1] == [f"label {i:03}" for i in range(LABELS_MAX)]
    assert table["labels"][-1] == OTHER
    assert sum(map(sum, table["counts"])) == sum(pairs.values())
    assert table["window"][-1][0] == 1
    assert table["window"][-1][-1] == 2


def test_labels_of_any_kind_become_plain() -> None:
    kinds: list[Any] = [1, "1", 2.5, math.nan, 10**30, ("a", 1), True]
    table = confusion_table({(label, label): 1 for label in kinds}, {})
    assert json.loads(json.dumps(table)) == table
    assert sum(map(sum, table["counts"])) == len({1, "1", 2.5, math.nan, 10**30, ("a", 1)})
