"""A learner that is made static: nothing in it learns, everything is judged on."""

from __future__ import annotations

import random
from typing import Any

import pytest
from river import linear_model, metrics, optim, preprocessing

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

    def feed(start: int, stop: int) -> None:
        times: Any = (list(range(start, stop)), list(range(start + 20, stop + 20))) if delayed else ()
        learner.test_then_train(xs[start:stop], ys[start:stop], *times)

    feed(0, 200)
    learner.switch(static=True)
    before = [learner.predict_one(x) for x in xs]
    feed(200, 300)
    learner.close()
    assert [learner.predict_one(x) for x in xs] == before
    assert learner.learned == 300
    learner.switch(static=False)
    feed(0, 50)
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
