"""What proves a learner that was written down leaves nothing behind, and does not stop who goes on."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from river import naive_bayes

from learners import Learner, Weights, read_recipe
from learners.table import Column, Layout, Table

NAMES = ("a", "b")
LAYOUT = Layout(NAMES, NAMES)
TREE = "tree.HoeffdingTreeClassifier(50, tau=0.3)"


class Own(naive_bayes.GaussianNB):
    """Says itself what label it gives: it is asked for that, and for probabilities."""

    def predict_one(self, x: dict[str, Any], **_: Any) -> Any:
        return super().predict_one(x)


def made(text: str, task: str, metrics: list[str]) -> Learner:
    return Learner.new(read_recipe(text, task), features=NAMES, metrics=metrics, window=50)


def taught(learner: Learner, seed: int, *, rows: bool, task: str = "binary") -> None:
    source = np.random.default_rng(seed)
    table = Table(LAYOUT, source.normal(size=(600, 2)), {})
    sums = table.numbers.sum(axis=1)
    ys = Column(sums > 0.0 if task == "binary" else sums)
    learner.test_then_train(*((table.rows(), list(ys)) if rows else (table, ys)))


@pytest.mark.parametrize(
    ("text", "task", "metrics"),
    [
        (TREE, "binary", ["Accuracy"]),
        ("tree.HoeffdingTreeRegressor(50)", "regression", ["MAE"]),
        ("ensemble.VotingClassifier([tree.HoeffdingTreeClassifier(), naive_bayes.GaussianNB()])", "binary", ["F1"]),
        ("tests.learners.test_written:Own", "binary", ["LogLoss"]),
    ],
)
def test_copies_go_without_the_collector(text: str, task: str, metrics: list[str]) -> None:
    """A cycle would keep each version's copy of the model until the collector looks, while nobody else can compute."""
    learner = made(text, task, metrics)
    taught(learner, 1, rows=True, task=task)
    learner.seal()
    written, kind = learner.write(), type(learner.model)
    gc.collect()
    gc.disable()
    try:
        before = [sum(type(each) is kind for each in gc.get_objects()) for _ in range(2)]
        assert written.proved().ruin is None
        assert sum(type(each) is kind for each in gc.get_objects()) == before[0]
    finally:
        gc.enable()


@pytest.mark.usefixtures("compiled_code")
def test_the_collector_waits_until_a_learner_is_proved() -> None:
    learner, found = made(TREE, "binary", ["Accuracy"]), list[Any]()
    taught(learner, 1, rows=False)
    before = gc.get_threshold()
    gc.callbacks.append(lambda phase, _: found.append(phase))
    gc.set_threshold(10)
    try:
        written = learner.write()
        del found[:]
        written.proved()
        assert len(found) <= 2
    finally:
        gc.callbacks.pop()
        gc.set_threshold(*before)
    assert gc.isenabled()


@pytest.mark.usefixtures("compiled_code")
@pytest.mark.parametrize(("making", "expected"), [({}, [False, True, False]), ({"weights": Weights("a")}, [False] * 3)])
def test_a_tree_is_away_for_the_batch_in_which_river_measures_it(making: dict[str, Any], expected: list[bool]) -> None:
    """Where events have weights it is not known before: a version may then be written by river."""
    recipe = read_recipe(TREE, "binary")
    learner = Learner.new(recipe, features=NAMES, metrics=["Accuracy"], window=50, **making)
    learner.parts.model._train_weight_seen_by_model = 999_400.0
    table = Table(LAYOUT, np.random.default_rng(4).uniform(1.0, 2.0, size=(900, 2)), {})
    ys, found = Column(table.numbers[:, 0] > 1.5), []
    for part in (slice(0, 300), slice(300, 700), slice(700, 900)):
        learner.test_then_train(table[part], ys[part])
        found.append(learner.away)
        assert learner.lends is not learner.away or making
    assert found == expected


@pytest.mark.usefixtures("compiled_code")
def test_a_learner_lends_while_the_engine_has_its_tree() -> None:
    learner = made(TREE, "binary", ["Accuracy"])
    assert not learner.lends
    taught(learner, 1, rows=False)
    assert learner.lends
    taught(learner, 2, rows=True)
    assert not learner.lends
    taught(learner, 3, rows=False)
    assert learner.lends
    linear = made("linear_model.LogisticRegression()", "binary", ["Accuracy"])
    taught(linear, 1, rows=False)
    assert not linear.lends


@pytest.mark.parametrize(
    ("text", "how", "lends"),
    [
        (TREE, "columns", True),
        (f"preprocessing.StandardScaler() | {TREE}", "columns", True),
        (TREE, "rows", False),
        (TREE, "static", False),
        ("tree.HoeffdingAdaptiveTreeClassifier(seed=1)", "columns", False),
        ("linear_model.LogisticRegression()", "columns", False),
    ],
)
def test_whether_a_model_will_be_lent_is_known_before_an_engine_runs_it(text: str, how: str, *, lends: bool) -> None:
    """So the process that proves it is forked while training waits anyway, in the first version."""
    learner = Learner.new(read_recipe(text, "binary"), features=NAMES, metrics=["Accuracy"], window=10)
    learner.switch(static=how == "static")
    table = Table(LAYOUT, np.array([[1.0, 2.0], [3.0, 4.0]]), {})
    assert not learner.will_lend
    learner.test_then_train(list(table) if how == "rows" else table, Column(np.array([True, False])))
    assert learner.will_lend == lends
