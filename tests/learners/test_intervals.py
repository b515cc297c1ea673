"""Intervals of scores and comparisons: against the oracle of the sequence, on losses of a bare loop of river."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from river import base, dummy, metrics, stats

from learners import Learner, MetricError, read_recipe
from learners.intervals import bounded, rights
from learners.metrics import read_metrics
from learners.pending import LabelPolicy
from learners.recipe import Task
from learners.weights import Weights
from tests.learners.streams import columns
from tests.learners.test_confidence import CHUNK, STEPS, STREAMS, oracle

LINEAR = "preprocessing.StandardScaler() | linear_model.LinearRegression()"
NAIVE = "naive_bayes.GaussianNB()"


class Told(base.Regressor, base.Classifier):
    """Answers what the event says: every prediction is in the test's hand."""

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        """Nothing to learn."""

    @property
    def _multiclass(self) -> bool:
        return True

    def predict_one(self, x: dict[str, Any], **_: Any) -> Any:
        return x["answer"]


def learner_of(task: Task, names: list[str], text: str = "tests.learners.test_intervals:Told", **more: Any) -> Learner:
    features = ["answer"] if "Told" in text else ["a", "b", "c"]
    return Learner.new(read_recipe(text, task), features=features, metrics=names, window=100, **more)


def ends(values: list[float], most: float) -> tuple[float, float]:
    low, high = oracle(np.array([values]), 0.0, most)
    return float(low[0, -1]), float(high[0, -1])


def differences(values: list[float], most: float) -> tuple[float, float]:
    low, high = oracle(np.array([values]), -most, most)
    return float(low[0, -1]), float(high[0, -1])


def classes(count: int) -> tuple[list[dict[str, float]], list[bool]]:
    xs = columns(count)
    return xs, [x["a"] + 0.3 * x["c"] > 0.2 for x in xs]


def river_losses(xs: list[Any], ys: list[Any]) -> dict[str, list[tuple[bool | None, float | None]]]:
    """For each predictor: right or wrong, and log loss, of every event; None where it said nothing."""
    found = {}
    for name, model in {
        "model": read_recipe(NAIVE, "binary").build(),
        "NoChange": dummy.NoChangeClassifier(),
        "Prior": dummy.PriorClassifier(),
    }.items():
        losses: list[tuple[bool | None, float | None]] = []
        for x, y in zip(xs, ys, strict=True):
            y_pred, chances = model.predict_one(x), model.predict_proba_one(x)
            loss = metrics.LogLoss()
            if chances:
                loss.update(y, chances)
            losses.append((None if y_pred is None else y_pred == y, loss.get() if chances else None))
            model.learn_one(x, y)
        found[name] = losses
    return found


@pytest.mark.parametrize("size", [1, 37, 1000])
def test_intervals_and_verdicts_of_classes(size: int) -> None:
    xs, ys = classes(700)
    learner = learner_of("binary", ["F1", "LogLoss", "Accuracy"], NAIVE, bounds={"LogLoss": 34.6})
    for start in range(0, len(xs), size):
        learner.test_then_train(xs[start : start + size], ys[start : start + size])
    expected = river_losses(xs, ys)
    scores = {"model": learner.scores(), **learner.baseline_scores()}
    for name, losses in expected.items():
        right = [float(each) for each, _ in losses if each is not None]
        loss = [each for _, each in losses if each is not None]
        for metric, values, most in (("Accuracy", right, 1.0), ("LogLoss", loss, 34.6)):
            found = scores[name][metric]
            assert (found["low"], found["high"]) == pytest.approx(ends(values, most), rel=1e-9)
            assert found["low"] < found["cumulative"] < found["high"]  # type: ignore[operator]
        assert (scores[name]["F1"]["low"], scores[name]["F1"]["high"]) == (None, None)
    details = learner.details()
    assert details["intervals"]["Accuracy"] == {
        "low": scores["model"]["Accuracy"]["low"],
        "high": scores["model"]["Accuracy"]["high"],
        "level": 0.95,
        "why": None,
    }
    assert details["intervals"]["F1"]["why"] == "it is no mean of one value an event"
    for name in ("NoChange", "Prior"):
        verdict = details["against"][name]
        both = [(m, b) for (_, m), (_, b) in zip(expected["model"], expected[name], strict=True) if None not in (m, b)]
        between = [m - b for m, b in both]  # type: ignore[operator]
        assert verdict["metric"] == "LogLoss"  # the first that has an interval
        assert verdict["events"] == len(both)
        assert verdict["difference"] == pytest.approx(sum(between) / len(between))
        assert (verdict["low"], verdict["high"]) == pytest.approx(differences(between, 34.6))
        assert verdict["better"] == ("model" if verdict["high"] < 0 else name if verdict["low"] > 0 else None)


def test_rmse_is_the_root_of_an_interval_of_squares() -> None:
    xs = columns(400)
    ys = [5 + x["a"] - x["b"] for x in xs]
    bounds = {"RMSE": 50.0, "MAPE": 10_000.0}
    learner = learner_of("regression", ["RMSE", "MAPE", "MAE", "R2"], LINEAR, bounds=bounds)
    learner.test_then_train(xs, ys)
    model, squares, shares, mean, against = read_recipe(LINEAR, "regression").build(), [], [], stats.Mean(), []
    for x, y in zip(xs, ys, strict=True):
        y_pred = model.predict_one(x)
        squares.append((y - y_pred) ** 2)
        shares.append(abs(y - y_pred) / abs(y))
        against.append(squares[-1] - (y - mean.get()) ** 2)
        mean.update(y)
        model.learn_one(x, y)
    found, details = learner.scores(), learner.details()
    low, high = ends(squares, 2500.0)
    assert (found["RMSE"]["low"], found["RMSE"]["high"]) == pytest.approx((math.sqrt(low), math.sqrt(high)))
    low, high = ends(shares, 100.0)
    assert (found["MAPE"]["low"], found["MAPE"]["high"]) == pytest.approx((100 * low, 100 * high))
    assert details["intervals"]["MAE"]["why"] == "no bound of its loss is declared: set MAE in [validation.bounds]"
    assert details["intervals"]["R2"]["why"] == "it is no mean of one value an event"
    verdict = details["against"]["Mean"]
    assert (verdict["metric"], verdict["events"]) == ("MSE", 400)
    assert (verdict["low"], verdict["high"]) == pytest.approx(differences(against, 2500.0))


@pytest.mark.parametrize("names", [["Accuracy"], ["MAE"]])
def test_better_is_the_one_whose_whole_interval_says_so(names: list[str]) -> None:
    """The same stream seen three ways: the model always right, always wrong, and as good as no change."""
    task: Task = "multiclass" if names == ["Accuracy"] else "regression"
    ys = [float(i % 2) for i in range(400)]
    verdicts = []
    for answers in (ys, [1 - y for y in ys], [0.0, *ys[:-1]]):
        learner = learner_of(task, names, bounds={} if task == "multiclass" else {"MAE": 1})
        learner.test_then_train([{"answer": answer} for answer in answers], ys)
        verdict = learner.details()["against"]["NoChange"]
        verdicts.append((verdict["better"], verdict["difference"], verdict["events"]))
    good = 1.0 if names == ["Accuracy"] else -1.0
    assert verdicts == [("model", good, 399), (None, 0.0, 399), (None, 0.0, 399)]
    other = learner_of(task, names, bounds={} if task == "multiclass" else {"MAE": 1})
    same = [1.0] * 400
    other.test_then_train([{"answer": 0.0}] * 400, same)
    verdict = other.details()["against"]["NoChange"]
    assert (verdict["better"], verdict["difference"]) == ("NoChange", -good)


def test_two_that_are_equal_are_seldom_told_apart_however_often_one_looks() -> None:
    """2,000 streams of two predictors with equal chances that drift: differences -1, 0, 1, looked at 5,000 times."""
    rng = np.random.default_rng(11)
    told = naively = 0
    counts = np.arange(1, STEPS + 1)
    for _ in range(STREAMS // CHUNK):
        turns = rng.uniform(0, 1, (CHUNK, 1)) + np.arange(STEPS) / 900
        chances = 0.5 + 0.4 * np.sin(2 * np.pi * turns)
        right, other = (rng.random((2, CHUNK, STEPS)) < chances).astype(float)
        low, high = oracle(right - other, -1.0, 1.0)
        told += int(((low > 0) | (high < 0)).any(axis=1).sum())
        mean = np.cumsum(right - other, axis=1) / counts
        spread = np.cumsum((right - other) ** 2, axis=1) / counts - mean**2
        naively += int((np.abs(mean) > 1.96 * np.sqrt(spread / counts))[:, 30:].any(axis=1).sum())
    allowed = STREAMS * 0.05 + 3 * math.sqrt(STREAMS * 0.05 * 0.95)
    assert told <= allowed
    assert naively > 4 * allowed


@pytest.mark.parametrize("size", [1, 7, 300])
def test_a_loss_beyond_its_bound_ends_the_interval(size: int) -> None:
    answers = [1.0] * 150 + [-499.5] + [1.0] * 50 + [800.0] + [1.0] * 20
    learner = learner_of("regression", ["MAE", "RMSE"], bounds={"MAE": 500, "RMSE": 600})
    for start in range(0, len(answers), size):
        part = answers[start : start + size]
        learner.test_then_train([{"answer": answer} for answer in part], [0.5] * len(part))
        if start + size == 150:
            assert learner.scores()["MAE"]["high"] is not None
    for part in ([1.0] * 5, [2000.0]):
        learner = Learner.restore(learner.seal().state)
        learner.test_then_train([{"answer": answer} for answer in part], [0.5] * len(part))
        details = learner.details()
        why = "the loss of learned event 202 is 799.5, beyond the declared bound of 500"
        assert details["intervals"]["MAE"] == {"low": None, "high": None, "level": 0.95, "why": why}
        why = "the loss of learned event 202 is 799.5, beyond the declared bound of 600"
        assert details["intervals"]["RMSE"]["why"] == why
        assert (learner.scores()["MAE"]["low"], learner.scores()["RMSE"]["high"]) == (None, None)
        assert details["against"]["Mean"]["why"] == (
            "the loss of learned event 202 is 799.5, beyond the declared bound of 500"
        )
        assert details["against"]["Mean"]["better"] is None
    whole = learner_of("regression", ["MAE", "RMSE"], bounds={"MAE": 500, "RMSE": 600})
    whole.test_then_train([{"answer": answer} for answer in answers], [0.5] * len(answers))
    pieces = learner_of("regression", ["MAE", "RMSE"], bounds={"MAE": 500, "RMSE": 600})
    for start in range(0, len(answers), size):
        part = answers[start : start + size]
        pieces.test_then_train([{"answer": answer} for answer in part], [0.5] * len(part))
    assert whole.seal() == pieces.seal()


def test_a_baseline_beyond_the_bound_is_named() -> None:
    learner = learner_of("regression", ["MAE"], bounds={"MAE": 10})
    ys = [1.0] * 50 + [100.0] + [1.0] * 50
    learner.test_then_train([{"answer": y} for y in ys], ys)
    details = learner.details()
    assert details["intervals"]["MAE"]["why"] is None
    why = "the loss of learned event 51 is 99, beyond the declared bound of 10"
    assert details["against"]["NoChange"]["why"] == f"NoChange: {why}"
    assert learner.baseline_scores()["NoChange"]["MAE"]["high"] is None


def test_what_is_not_scored_is_in_no_interval() -> None:
    ys = ["a", "b", "a", "b", "a"]
    learner = learner_of("multiclass", ["Accuracy"])
    assert learner.details()["intervals"]["Accuracy"]["why"] == "nothing is scored yet"
    assert learner.details()["against"]["Prior"]["why"] == "no event is scored for both yet"
    learner.test_then_train([{"answer": None}] * 5, ys)
    assert learner.details()["intervals"]["Accuracy"]["why"] == "nothing is scored yet"
    learner.test_then_train([{"answer": answer} for answer in ("a", None, "b")], ["a", "a", "a"])
    assert learner.details()["against"]["NoChange"]["events"] == 2
    assert learner.scores()["Accuracy"]["low"] == pytest.approx(ends([1.0, 0.0], 1.0)[0])


def test_without_a_bounded_score_nothing_is_compared() -> None:
    learner = learner_of("regression", ["MAE", "R2"])
    learner.test_then_train([{"answer": 1.0}] * 5, [1.0] * 5)
    for verdict in learner.details()["against"].values():
        assert (verdict["metric"], verdict["better"], verdict["low"]) == (None, None, None)
        assert verdict["why"] == "no score that was asked for has an interval"
    assert list(learner.details()["against"]) == ["NoChange", "Mean"]


def test_weighted_scores_have_no_interval_and_are_not_compared() -> None:
    xs, ys = classes(100)
    learner = learner_of("binary", ["Accuracy"], NAIVE, score_weights=Weights("a"))
    learner.test_then_train([{**x, "a": abs(x["a"])} for x in xs], ys)
    details = learner.details()
    for told in (details["intervals"]["Accuracy"], details["against"]["Prior"]):
        assert (told["low"], told["high"]) == (None, None)
        assert told["why"] == "events have weights: it is no plain mean"


def test_delayed_labels_are_taken_in_the_order_in_which_they_come() -> None:
    """The same verdicts and intervals as without delay, where every label comes in time for the next event."""
    xs, ys = classes(300)
    found = []
    for labels in (None, LabelPolicy()):
        learner = learner_of("binary", ["Accuracy"], NAIVE, labels=labels)
        times: Any = (list(range(300)), list(range(300))) if labels else ()
        learner.test_then_train(xs, ys, *times)
        learner.close()
        details = learner.details()
        found.append((details["intervals"], details["against"], learner.scores(), learner.baseline_scores()))
    assert found[0] == found[1]


def test_how_events_come_in_batches_changes_no_bit() -> None:
    xs, ys = classes(250)
    sealed = []
    for seed in range(5):
        rng, at = random.Random(seed), 0
        learner = learner_of("binary", ["Accuracy", "LogLoss"], NAIVE, bounds={"LogLoss": 34.6})
        while at < len(xs):
            to = at + rng.randint(1, 60)
            learner.test_then_train(xs[at:to], ys[at:to])
            at = to
        sealed.append(learner.seal())
    assert all(each == sealed[0] for each in sealed)


@pytest.mark.parametrize(
    ("ys", "labels"),
    [
        ([True, False, True, True], [True, True, None, 1]),
        ([0, 1, 2, 300], [0, 2, None, 300]),
        (["a", "b", "c"], ["a", None, "b"]),
        ([1.5, 2.0, -3], [1.5, 3.0, -3]),
        ([True, False, 7], [1, 0, 7]),
    ],
)
def test_rights_are_what_is_equal(ys: list[Any], labels: list[Any]) -> None:
    expected = [math.nan if p is None else float(y == p) for y, p in zip(ys, labels, strict=True)]
    assert [float(each) for each in rights(ys, labels)] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(("name", "most"), [("MAE", 3.0), ("MSE", 3.0), ("RMSE", 9.0), ("MAPE", 0.03), ("SMAPE", 0.03)])
def test_a_bound_is_in_the_unit_of_its_metric(name: str, most: float) -> None:
    found = bounded(read_metrics([name], "regression")[0], {name: 3.0})
    assert not isinstance(found, str)
    assert found.most == pytest.approx(most)
    assert found.told(found.most) == pytest.approx(3.0)


@pytest.mark.parametrize("bounds", [{"MSE": 4.0}, {"R2": 1.0}, {"mae": 1.0}])
def test_bounds_of_what_is_no_mean_or_was_not_asked_for_are_refused(bounds: dict[str, float]) -> None:
    with pytest.raises(MetricError, match=next(iter(bounds))) as raised:
        learner_of("regression", ["MAE", "R2"], bounds=bounds)
    assert raised.value.hint == "there are MAE"
