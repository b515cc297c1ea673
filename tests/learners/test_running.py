"""Who runs a model makes no difference: river on rows, the compiled engine on columns, or both in turns."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from learners import Learner, LearnFailed, read_recipe, why_river
from learners.parts import Sealed
from learners.table import Column, Layout, Table
from tests.bits import bits

FEATURES = ("a", "b", "c")
LAYOUT = Layout(FEATURES, FEATURES)
SCALED = "preprocessing.StandardScaler() | "
LOGISTIC = SCALED + "linear_model.LogisticRegression(optimizer=optim.SGD(0.05), l2=0.001)"
LINEAR = SCALED + "linear_model.LinearRegression(optimizer=optim.SGD(0.01))"
METRICS = {"binary": ["Accuracy", "F1", "LogLoss", "ROCAUC"], "regression": ["MAE", "RMSE", "R2"]}
pytestmark = pytest.mark.usefixtures("compiled_code")


def events(seed: int, count: int, task: str, missing: float) -> tuple[list[dict[str, Any]], list[Any]]:
    chance = random.Random(seed)
    xs, ys = [], []
    for _ in range(count):
        x = {name: chance.gauss(3, 5) for name in FEATURES if chance.random() >= missing}
        y = sum(x.values()) - 6 + chance.gauss(0, 4)
        xs.append(x)
        ys.append(y > 0 if task == "binary" else y)
    return xs, ys


def made(text: str, task: str, **making: Any) -> Learner:
    return Learner.new(read_recipe(text, task), features=FEATURES, metrics=METRICS[task], window=50, **making)


def told(sealed: Sealed) -> list[Any]:
    return [sealed.digest, sealed.golden, sealed.scores, sealed.baselines, sealed.points, sealed.details, sealed.ruin]


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("text", "task"), [(LOGISTIC, "binary"), (LINEAR, "regression")])
@pytest.mark.parametrize("seed", range(6))
def test_rows_columns_and_both_in_turns_give_the_same(text: str, task: str, missing: float, seed: int) -> None:
    xs, ys = events(seed, 400, task, missing)
    chance = random.Random(seed)
    ways = [made(text, task) for _ in range(3)]
    place, compiled = 0, set()
    while place < len(xs):
        stop = place + chance.choice((1, 7, 49, 50, 51, 130))
        rows, labels = xs[place:stop], ys[place:stop]
        table, column = Table.of(LAYOUT, rows), Column(np.array(labels))
        ways[0].test_then_train(rows, labels)
        ways[1].test_then_train(table, column)
        ways[2].test_then_train(*(chance.choice(((rows, labels), (table, column), (table, labels), (rows, column)))))
        place = stop
        compiled.add(ways[1]._running._loaded)
        if chance.random() < 0.3:
            assert ways[0].predict_many(xs[:5]) == ways[1].predict_many(xs[:5]) == ways[2].predict_many(xs[:5])
        if chance.random() < 0.3:
            sealed = [learner.seal() for learner in ways]
            assert told(sealed[0]) == told(sealed[1]) == told(sealed[2])
            if chance.random() < 0.5:
                ways = [Learner.restore(each.state, each.golden) for each in sealed]
    assert compiled == {True}  # it was the engine that learned
    last = [learner.seal() for learner in ways]
    assert told(last[0]) == told(last[1]) == told(last[2])


def test_a_batch_of_no_events_changes_nothing() -> None:
    xs, ys = events(6, 100, "binary", 0.0)
    ways = [made(LOGISTIC, "binary") for _ in range(2)]
    for learner in ways:
        learner.test_then_train(Table.of(LAYOUT, xs), Column(np.array(ys)))
    ways[0].test_then_train(Table.of(LAYOUT, []), Column(np.array([], dtype=bool)))
    assert told(ways[0].seal()) == told(ways[1].seal())


@pytest.mark.parametrize("field", ["c"])
def test_weighted_events_are_learned_by_their_weights(field: str) -> None:
    from learners import Weights  # noqa: PLC0415

    xs, ys = events(3, 200, "binary", 0.0)
    chance = random.Random(3)
    for x in xs:
        x[field] = chance.choice((0.0, 0.5, 1.0, 2.0))
    rows, columns = (made(LOGISTIC, "binary", weights=Weights(field)) for _ in range(2))
    rows.test_then_train(xs, ys)
    columns.test_then_train(Table.of(LAYOUT, xs), Column(np.array(ys)))
    assert told(rows.seal()) == told(columns.seal())


def test_a_static_model_is_asked_and_learns_nothing() -> None:
    xs, ys = events(4, 200, "binary", 0.0)
    ways = [made(LOGISTIC, "binary") for _ in range(2)]
    for learner in ways:
        learner.test_then_train(xs[:100], ys[:100])
        learner.switch(static=True)
    ways[0].test_then_train(xs[100:], ys[100:])
    ways[1].test_then_train(Table.of(LAYOUT, xs[100:]), Column(np.array(ys[100:])))
    assert told(ways[0].seal()) == told(ways[1].seal())


def test_what_ruins_a_model_is_left_to_river() -> None:
    xs, ys = events(5, 120, "binary", 0.0)
    xs[60]["a"] = 1e160  # finite, but its square is not
    ways = [made(LOGISTIC, "binary") for _ in range(2)]
    found = []
    for learner, given, labels in ((ways[0], xs, ys), (ways[1], Table.of(LAYOUT, xs), Column(np.array(ys)))):
        try:
            learner.test_then_train(given, labels)
            found.append(told(learner.seal()))
        except LearnFailed as failed:
            found.append([failed.index, repr(failed.cause)])
    assert found[0] == found[1]


def test_why_river_runs_a_model_is_told() -> None:
    def why(text: str, **how: bool) -> str | None:
        flags = {"at_question": False, "copied": False, **how}
        return why_river(read_recipe(text, "binary"), LAYOUT, **flags)

    assert why(LOGISTIC) is None
    assert why(LOGISTIC, at_question=True) == "its unsupervised parts learn when it is asked"
    assert "SGTClassifier" in str(why("tree.SGTClassifier()"))


def later(learner: Learner, xs: Any, ys: Any, moments: range) -> None:
    """Labels come 30 events later, every seventh never."""
    known = [None if moment % 7 == 0 else moment + 30 for moment in moments]
    learner.test_then_train(xs, ys, list(moments), known)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("text", "task"), [(LOGISTIC, "binary"), (LINEAR, "regression")])
@pytest.mark.parametrize("odd", ["", "a number", "a label"])
def test_where_labels_come_later_both_in_turns_give_the_same(text: str, task: str, missing: float, odd: str) -> None:
    from learners import LabelPolicy  # noqa: PLC0415

    xs, ys = events(8, 400, task, missing)
    if odd == "a number":
        xs[250]["a"] = 1e155  # its square is none: from there on river answers NaN
    elif odd == "a label" and task == "regression":
        ys[250] = 2**60 + 1
    chance = random.Random(8)
    ways = [made(text, task, labels=LabelPolicy()) for _ in range(3)]
    place, compiled = 0, []
    while place < len(xs):
        stop = place + chance.choice((1, 7, 49, 50, 51, 130))
        rows, labels, moments = xs[place:stop], ys[place:stop], range(place, min(stop, len(xs)))
        table = Table.of(LAYOUT, rows)
        for learner, given in zip(ways, (rows, table, chance.choice((rows, table))), strict=True):
            later(learner, given, labels, moments)
        place = stop
        compiled.append(ways[1]._running._loaded)
        if chance.random() < 0.3:
            assert ways[0].predict_many(xs[:5]) == ways[1].predict_many(xs[:5]) == ways[2].predict_many(xs[:5])
        if chance.random() < 0.3:
            sealed = [learner.seal() for learner in ways]
            assert told(sealed[0]) == told(sealed[1]) == told(sealed[2])
            ways = [Learner.restore(each.state, each.golden) for each in sealed]
    assert compiled[0]
    assert odd or all(compiled)
    for learner in ways:
        learner.close()
    last = [learner.seal() for learner in ways]
    assert told(last[0]) == told(last[1]) == told(last[2])


MANY = """
from learners import Learner, bulk, read_recipe

learner = Learner.new(
    read_recipe("linear_model.PAClassifier()", "binary"), features=("a",), metrics=["Accuracy"], window=1000
)
for count in (2000, 1):
    learner.test_then_train([{"a": 1.0}] * count, [True] * count)
    print(bulk.LIBRARY.loaded)
"""


def test_scores_are_compiled_once_events_are_many_whoever_runs_the_model() -> None:
    """In a process of its own: in this one they are."""
    command = [sys.executable, "-c", MANY]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


MIXED = Layout(("a", "c", "b"), ("a", "b"))
UNION = "((compose.Select('a', 'b') | preprocessing.StandardScaler()) + (compose.Select('c') | preprocessing.{})) | {}"
FTRL = "linear_model.LogisticRegression(optimizer=optim.FTRLProximal())"
BAYES = "naive_bayes.GaussianNB()"


@pytest.mark.parametrize("delay", [None, 30])
@pytest.mark.parametrize(
    ("encoder", "last"),
    [
        ("OneHotEncoder()", FTRL),
        ("OneHotEncoder(drop_zeros=True)", FTRL),
        ("OneHotEncoder({'c': {'k0', 'k3', 'k7'}})", FTRL),
        ("OneHotEncoder()", BAYES),
        ("OneHotEncoder(drop_zeros=True)", BAYES),
        ("FeatureHasher(n_features=8, seed=1)", FTRL),
        ("FeatureHasher(seed=1)", BAYES),
    ],
)
def test_categories_in_rows_columns_and_both_in_turns_give_the_same(encoder: str, last: str, delay: int | None) -> None:
    from learners import LabelPolicy  # noqa: PLC0415

    chance = random.Random(5)
    xs = [
        {"a": chance.gauss(3, 5), "c": f"k{int(chance.expovariate(0.2))}", "b": chance.gauss(0, 1)} for _ in range(600)
    ]
    ys = [x["a"] + 2 * len(x["c"]) + chance.gauss(0, 4) > 8 for x in xs]
    making = {"features": MIXED.features, "metrics": METRICS["binary"], "window": 50}
    policy = None if delay is None else LabelPolicy()
    recipe = read_recipe(UNION.format(encoder, last), "binary")
    ways = [Learner.new(recipe, labels=policy, **making) for _ in range(3)]  # type: ignore[arg-type]
    place, compiled = 0, set()
    while place < len(xs):
        stop = min(len(xs), place + chance.choice((1, 7, 49, 50, 51, 130)))
        rows, labels = xs[place:stop], ys[place:stop]
        times = () if delay is None else (list(range(place, stop)), [each + delay for each in range(place, stop)])
        table = Table.of(MIXED, rows)
        for learner, given in zip(ways, (rows, table, chance.choice((rows, table))), strict=True):
            learner.test_then_train(given, labels, *times)
        place = stop
        compiled.add(ways[1]._running._loaded)
        if chance.random() < 0.3:
            assert ways[0].predict_many(xs[:5]) == ways[1].predict_many(xs[:5]) == ways[2].predict_many(xs[:5])
        if chance.random() < 0.3:
            sealed = [learner.seal() for learner in ways]
            assert told(sealed[0]) == told(sealed[1]) == told(sealed[2])
            ways = [Learner.restore(each.state, each.golden) for each in sealed]
        assert bits(ways[0].model) == bits(ways[1].model) == bits(ways[2].model)
    assert compiled == {True}
