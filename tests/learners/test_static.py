"""A learner that is made static: nothing in it learns, everything is judged on."""

from __future__ import annotations

import contextlib
import copy
import heapq
import math
import random
from typing import Any

import pytest
from river import base, compose, linear_model, metrics, optim, preprocessing

from learners import Learner, read_recipe
from learners.pending import LabelPolicy
from tests.learners.streams import columns
from tests.learners.test_learner import Spy, spying

LINEAR = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"


def test_a_static_model_is_asked_and_never_learns() -> None:
    learner = spying()
    learner.test_then_train([{"a": i} for i in range(5)], [True] * 5)
    learner.switch(static=True)
    Spy.calls.clear()
    learner.test_then_train([{"a": i} for i in range(7)], [True] * 7)
    assert Spy.calls == [("predict", i) for i in range(7)]
    assert (learner.static, learner.learned) == (True, 12)
    assert learner.details()["static"] == {"of": "model", "since_learned": 5, "events": 7}
    learner.switch(static=False)
    learner.test_then_train([{"a": 9}], [False])
    assert Spy.calls[-2:] == [("predict", 9), ("learn", 9, False)]
    assert "static" not in learner.details()


@pytest.mark.parametrize("at_question", [False, True])
@pytest.mark.parametrize("delayed", [False, True])
def test_no_part_of_it_learns_not_even_when_asked(at_question: bool, delayed: bool) -> None:  # noqa: FBT001
    xs = columns(300)
    ys = [x["a"] > x["b"] for x in xs]
    learner = Learner.new(
        read_recipe(LINEAR, "binary"),
        features=["a", "b", "c"],
        metrics=["Accuracy"],
        window=50,
        labels=LabelPolicy() if delayed else None,
        at_question=at_question,
    )

    def learn(start: int, stop: int) -> None:
        times: Any = (list(range(start, stop)), list(range(start + 20, stop + 20))) if delayed else ()
        learner.test_then_train(xs[start:stop], ys[start:stop], *times)

    learn(0, 200)
    learner.switch(static=True)
    before = [learner.predict_one(x) for x in xs]
    learn(200, 300)
    learner.close()
    assert [learner.predict_one(x) for x in xs] == before
    assert learner.learned == 300
    learner.switch(static=False)
    learn(0, 50)
    learner.close()
    assert [learner.predict_one(x) for x in xs] != before


def test_batches_and_restores_change_nothing() -> None:
    xs = columns(240)
    ys = [x["a"] > x["b"] for x in xs]

    def run(rng: random.Random | None) -> Any:
        learner = Learner.new(
            read_recipe(LINEAR, "binary"), features=["a", "b", "c"], metrics=["Accuracy", "LogLoss"], window=30
        )
        at = 0
        for stop, static in ((100, False), (170, True), (240, False)):
            learner.switch(static=static)
            while at < stop:
                to = stop if rng is None else min(stop, at + rng.randint(1, 40))
                learner.test_then_train(xs[at:to], ys[at:to])
                at = to
        return learner.seal()

    whole = run(None)
    assert all(run(random.Random(seed)) == whole for seed in range(4))
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
    accuracy = metrics.Accuracy()
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if (y_pred := model.predict_one(x)) is not None:
            accuracy.update(y, y_pred)
        if not 100 <= i < 170:
            model.learn_one(x, y)
    assert whole.scores["Accuracy"]["cumulative"] == accuracy.get()


DUE = [random.Random(8).choice([0, 1, 7, 60]) for _ in range(600)]
"""How long after its question the label of each event comes."""


class Moody(base.Classifier):
    """A copy of it raises, or answers what is none, on events that ask for it: the one that learns does not."""

    def __init__(self) -> None:
        self.learned = 0

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        """Count."""
        self.learned += 1

    def predict_one(self, x: dict[str, Any], **_: Any) -> Any:
        return True

    def predict_proba_one(self, x: dict[str, Any], **_: Any) -> Any:
        if self.learned == 50 and x["a"] % 5 == 1:
            raise ZeroDivisionError("frozen")
        return 7 if self.learned == 50 and x["a"] % 5 == 2 else {True: 0.75, False: 0.25}


def beside(text: str, after: int | None, *, delayed: bool, at_question: bool = False, window: int = 40) -> Learner:
    return Learner.new(
        read_recipe(text, "binary"),
        features=["a", "b", "c"],
        metrics=["Accuracy", "LogLoss"],
        window=window,
        labels=LabelPolicy() if delayed else None,
        at_question=at_question,
        static_after=after,
    )


def feed(learner: Learner, xs: list[Any], ys: list[Any], sizes: random.Random | None = None) -> None:
    at = 0
    while at < len(xs):
        to = len(xs) if sizes is None else min(len(xs), at + sizes.randint(1, 90))
        delayed = learner._parts.pending is not None
        times: Any = (list(range(at, to)), [i + DUE[i] for i in range(at, to)]) if delayed else ()
        learner.test_then_train(xs[at:to], ys[at:to], *times)
        at = to


def naive(text: str, xs: list[Any], ys: list[Any], after: int, *, delayed: bool, at_question: bool) -> list[Any]:
    """A bare loop with a deep copy: [Accuracy, LogLoss, events judged, differences of log loss] of the copy."""
    model, copied = read_recipe(text, "binary").build(), None
    accuracy, loss, learned, between, judged = metrics.Accuracy(), metrics.LogLoss(), 0, list[float](), 0
    waiting: list[Any] = []
    learning: Any = compose.learn_during_predict if at_question else contextlib.nullcontext

    def reveal(now: float) -> None:
        nonlocal learned, copied, judged
        while waiting and waiting[0][0] <= now:
            _, i, raw, other = heapq.heappop(waiting)
            with learning():
                model.learn_one(xs[i], ys[i])
            learned += 1
            if learned == after:
                copied = copy.deepcopy(model)
            if other:
                accuracy.update(ys[i], max(other, key=other.get))
                loss.update(ys[i], other)
                judged += 1
                between.append(float(max(raw, key=raw.get) == ys[i]) - float(max(other, key=other.get) == ys[i]))

    for i, x in enumerate(xs):
        reveal(i)
        with learning():
            raw = model.predict_proba_one(x)
        other = None if copied is None else copied.predict_proba_one(x)
        heapq.heappush(waiting, (i + (DUE[i] if delayed else 0.5), i, raw, other))
        if not delayed:
            reveal(i + 0.5)
    reveal(math.inf)
    return [accuracy.get(), loss.get(), judged, between]


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("at_question", [False, True])
@pytest.mark.parametrize("text", [LINEAR, "tree.HoeffdingTreeClassifier(grace_period=20)"])
@pytest.mark.parametrize("after", [1, 120, 173])
def test_the_copy_beside_is_judged_as_a_bare_loop_says(
    text: str,
    after: int,
    delayed: bool,  # noqa: FBT001
    at_question: bool,  # noqa: FBT001
) -> None:
    xs = columns(600)
    ys = [(x["a"] > x["b"]) != (i > 300) for i, x in enumerate(xs)]
    learner = beside(text, after, delayed=delayed, at_question=at_question)
    feed(learner, xs, ys, random.Random(after))
    learner.close()
    accuracy, loss, judged, between = naive(text, xs, ys, after, delayed=delayed, at_question=at_question)
    scores, details = learner.baseline_scores()["Static"], learner.details()
    assert scores["Accuracy"]["cumulative"] == accuracy
    assert scores["LogLoss"]["cumulative"] == loss
    assert details["static"] == {"of": "Static", "since_learned": after, "events": 600 - after, "absent": 0}
    assert details["against"]["Static"]["events"] == judged
    assert details["against"]["Static"]["difference"] == pytest.approx(sum(between) / judged)
    assert judged == 600 - after or delayed
    assert list(learner.baseline_scores()) == ["NoChange", "Prior", "Static"]


@pytest.mark.parametrize("delayed", [False, True])
def test_the_copy_is_made_after_the_same_event_wherever_batches_and_lives_end(delayed: bool) -> None:  # noqa: FBT001
    xs = columns(400)
    ys = [(x["a"] > x["b"]) != (i > 200) for i, x in enumerate(xs)]
    sealed = []
    for seed in (None, 1, 2, 3):
        learner = beside(LINEAR, 133, delayed=delayed)
        feed(learner, xs, ys, None if seed is None else random.Random(seed))
        sealed.append(learner.seal())
    assert all(each == sealed[0] for each in sealed)
    for cut in (90, 132, 133, 134, 250):
        learner = beside(LINEAR, 133, delayed=delayed)
        feed(learner, xs[:cut], ys[:cut])
        learner = Learner.restore(learner.seal().state)
        rest: Any = (list(range(cut, 400)), [i + DUE[i] for i in range(cut, 400)]) if delayed else ()
        learner.test_then_train(xs[cut:], ys[cut:], *rest)
        again = learner.seal()
        assert again.details == sealed[0].details
        for ours, theirs in zip(again.baselines.values(), sealed[0].baselines.values(), strict=True):
            assert {**ours["LogLoss"], "since_last": 0} == {**theirs["LogLoss"], "since_last": 0}


def test_before_it_is_made_there_is_none() -> None:
    xs = columns(50)
    learner = beside(LINEAR, 51, delayed=False)
    feed(learner, xs, [True, False] * 25)
    assert "static" not in learner.details()
    assert list(learner.baseline_scores()) == list(learner.details()["against"]) == ["NoChange", "Prior"]
    assert [set(point.baselines) for point in learner.seal().points] == [{"NoChange", "Prior"}]


def test_its_window_is_that_of_the_stream() -> None:
    """Points stay at multiples of the window, and at them its window is computed as the others' is."""
    xs = columns(200)
    ys = [x["a"] > x["b"] for x in xs]
    learner = beside(LINEAR, 17, delayed=False, window=50)
    feed(learner, xs, ys)
    points = learner.seal().points
    assert [point.learned for point in points] == [50, 100, 150, 200]
    model = read_recipe(LINEAR, "binary").build()
    for x, y in zip(xs[:17], ys[:17], strict=True):
        model.learn_one(x, y)
    right = [model.predict_one(x) == y for x, y in zip(xs, ys, strict=True)]
    for point, start, stop in zip(points, (17, 50, 100, 150), (50, 100, 150, 200), strict=True):
        expected = sum(right[start:stop]) / (stop - start)
        assert point.baselines["Static"]["Accuracy"]["window"] == pytest.approx(expected)


@pytest.mark.parametrize("size", [1, 60])
def test_a_copy_that_raises_does_not_end_the_training(size: int) -> None:
    learner = beside("tests.learners.test_static:Moody", 50, delayed=False)
    xs = [{"a": i, "b": 0, "c": 0} for i in range(300)]
    for start in range(0, 300, size):
        learner.test_then_train(xs[start : start + size], [True] * len(xs[start : start + size]))
    assert learner.learned == 300
    assert learner.details()["static"]["absent"] == 100
    assert learner.details()["against"]["Static"]["events"] == 150
    assert learner.baseline_scores()["Static"]["Accuracy"]["cumulative"] == 1.0


def test_regression_has_a_copy_too() -> None:
    xs = columns(200)
    ys = [x["a"] * (2 if i < 100 else -2) for i, x in enumerate(xs)]
    text = "preprocessing.StandardScaler() | linear_model.LinearRegression()"
    learner = Learner.new(
        read_recipe(text, "regression"),
        features=["a", "b", "c"],
        metrics=["MAE"],
        window=50,
        static_after=100,
        bounds={"MAE": 100},
    )
    learner.test_then_train(xs, ys)
    model, mae = read_recipe(text, "regression").build(), metrics.MAE()
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        if i < 100:
            model.learn_one(x, y)
        else:
            mae.update(y, model.predict_one(x))
    assert learner.baseline_scores()["Static"]["MAE"]["cumulative"] == mae.get()
    assert learner.details()["against"]["Static"]["events"] == 100


def test_while_the_model_is_static_the_copy_is_made_of_it() -> None:
    xs = columns(100)
    ys = [x["a"] > 0 for x in xs]
    learner = beside(LINEAR, 60, delayed=False)
    learner.test_then_train(xs[:40], ys[:40])
    learner.switch(static=True)
    learner.test_then_train(xs[40:], ys[40:])
    details = learner.details()
    assert details["static"] == {"of": "model", "since_learned": 40, "events": 60}
    verdict = details["against"]["Static"]
    assert (verdict["difference"], verdict["events"], verdict["better"]) == (0.0, 40, None)
