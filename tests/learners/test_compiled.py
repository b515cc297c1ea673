"""Compiled learners equal river bit for bit: answers, and all that a model keeps, in the order in which it keeps it."""

from __future__ import annotations

import copy
import csv
import gzip
import math
import pickle
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, utils

from learners.compiled import Engine, engine_for, hindrance
from learners.recipe import read_recipe
from learners.table import Column, Layout, Table
from tests.bits import bits

RAISED = (ArithmeticError, TypeError, ValueError, LookupError)
SCALED = "preprocessing.StandardScaler() | "
pytestmark = pytest.mark.usefixtures("compiled_code")


def ask(model: Any, x: dict[str, float]) -> float:
    if isinstance(model, base.Regressor) or isinstance(getattr(model, "_last_step", None), base.Regressor):
        return float(model.predict_one(x))
    return float(model.predict_proba_one(x).get(True, math.nan))


def bare(model: Any, xs: Any, ys: Any, weights: Any) -> list[float]:
    """What river does, event by event."""
    answers = []
    for place, (x, y) in enumerate(zip(xs, ys, strict=True)):
        answers.append(ask(model, x))
        if weights is None:
            model.learn_one(x, y)
        elif weights[place] != 0:
            model.learn_one(x, y, w=weights[place])
    return answers


def made(text: str, width: int, task: str) -> tuple[Any, Engine]:
    model = read_recipe(text, task).build()
    engine = engine_for(model, layout(width), task)
    assert not isinstance(engine, str), engine
    return model, engine


def layout(width: int) -> Layout:
    names = tuple(f"f{n}" for n in range(width))
    return Layout(names, names)


STEPS = [
    "",
    *[SCALED] * 3,
    "preprocessing.StandardScaler(with_std=False) | ",
    "preprocessing.MinMaxScaler() | ",
    f"preprocessing.MinMaxScaler() | {SCALED}",
    f"{SCALED}preprocessing.MinMaxScaler() | preprocessing.StandardScaler(with_std=False) | ",
    f"compose.Select('f0') | {SCALED}",
    f"compose.Discard('f0', 'f7') | {SCALED}",
]

RATES = ["0.01", "1", "optim.schedulers.InverseScaling(0.1)", "optim.schedulers.Optimal(optim.losses.Hinge())"]
OPTIMIZERS = ["SGD({})", "AdaGrad({})", "Adam({})", "Adam({}, beta_1=0.5, eps=0.001)", "AdaGrad({}, eps=0.1)"]
LOSSES = {
    "binary": ["Log()", "Log(weight_pos=2.5, weight_neg=0.3)", "Hinge()", "Hinge(0)", "BinaryFocalLoss(2, 1)"],
    "regression": [
        *("Squared()", "Squared()", "Absolute()", "Cauchy()", "Cauchy(0.7)", "EpsilonInsensitiveHinge()"),
        *("Quantile(0.3)", "Huber()", "Poisson()"),
    ],
}
MODELS = {"binary": "LogisticRegression", "regression": "LinearRegression"}


@st.composite
def recipes(draw: Any, task: str) -> str:
    """Notation of a linear model, perhaps behind other steps."""
    scaler = draw(st.sampled_from(STEPS))
    rate = draw(st.sampled_from(RATES))
    options = [f"loss=optim.losses.{draw(st.sampled_from(LOSSES[task]))}"]
    penalty = draw(st.sampled_from(["", "", "l1=0.001", "l2=0.01", "l1=0.1"]))
    optimizer = draw(st.sampled_from(OPTIMIZERS)).format(rate)
    if draw(st.booleans()) and "l1" not in penalty:
        optimizer = draw(st.sampled_from(["FTRLProximal()", "FTRLProximal(alpha=0.3, beta=0, l1=0.01, l2=0)"]))
    options += [f"optimizer=optim.{optimizer}", penalty]
    options.append(draw(st.sampled_from(["", "intercept_lr=0.0", f"intercept_lr={rate}", "intercept_init=-3"])))
    options.append(draw(st.sampled_from(["", "", "clip_gradient=0.5", "clip_gradient=1"])))
    options.append(draw(st.sampled_from(["", "", "initializer=optim.initializers.Constant(0.25)"])))
    return f"{scaler}linear_model.{MODELS[task]}({', '.join(filter(None, options))})"


@st.composite
def events(draw: Any, task: str) -> tuple[Table, Any, Any]:
    """Numbers, some missing, some constant, some huge or tiny, some that come late; labels, and weights or none."""
    width, count = draw(st.integers(1, 9)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    numbers = rng.normal(size=(count, width)) * 10.0 ** rng.choice(draw(SCALES), size=width) + rng.normal(size=width)
    if draw(st.booleans()):
        numbers = np.round(numbers)
    for column in range(width):
        kind = draw(st.sampled_from(["full", "full", "rare", "often", "late", "constant", "never"]))
        if kind == "constant":
            numbers[:, column] = numbers[0, column]
        share = {"rare": 0.1, "often": 0.6, "never": 1.0}.get(kind, 0.0)
        numbers[rng.random(count) < share, column] = np.nan
        if kind == "late":
            numbers[: count // 2, column] = np.nan
    total = np.nansum(numbers[:, : 1 + width // 2], axis=1) + rng.normal(size=count)
    ys = total > np.median(total) if task == "binary" else total / 10.0 ** draw(st.integers(0, 3))
    weights = [None, rng.choice([0.0, 1.0, 0.3, 7.0], size=count).tolist()][draw(st.integers(0, 1))]
    return Table(layout(width), numbers, {}), ys, weights


SCALES = st.sampled_from([(0,), (0, 1, 2), (-9, 9), (-160, 0), (0, 100)])


@st.composite
def cuts(draw: Any, count: int) -> list[int]:
    places = draw(st.lists(st.integers(0, count), max_size=6))
    return [0, *sorted(places), count]


@pytest.mark.parametrize("task", ["binary", "regression"])
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_nothing_tells_a_compiled_model_from_rivers(task: str, data: Any) -> None:
    """In batches of any size, with river taking over here and there, and pickles in between."""
    text = data.draw(recipes(task))
    table, ys, weights = data.draw(events(task))
    model, engine = made(text, table.numbers.shape[1], task)
    plain = copy.deepcopy(model)
    as_column = data.draw(st.booleans())
    places = data.draw(cuts(len(table)))
    for start, stop in pairwise(places):
        xs, labels = table[start:stop], ys[start:stop]
        ws = None if weights is None else weights[start:stop]
        try:
            expected = bare(plain, xs, labels.tolist(), ws)
        except RAISED:
            engine.store(model)
            before = bits(model)
            assert engine.run(xs, labels.tolist(), ws) is None
            engine.store(model)
            assert bits(model) == before
            return
        found = engine.run(xs, Column(labels) if as_column else labels.tolist(), ws)
        if found is None:
            engine.store(model)
            bare(model, xs, labels.tolist(), ws)
            assert bits(model) == bits(plain)
            assert huge(table) or not all(map(math.isfinite, [*expected, *numbers_of(model)])) or "MinMax" in text
            engine.load(model)
            continue
        assert bits(found.tolist()) == bits(expected)
        if data.draw(st.booleans()):
            engine.store(model)
            assert bits(model) == bits(plain)
            model = pickle.loads(pickle.dumps(model))
            if data.draw(st.booleans()):
                try:
                    bare(plain, xs, labels.tolist(), ws)
                except RAISED:
                    return
                bare(model, xs, labels.tolist(), ws)
            engine = made(text, table.numbers.shape[1], task)[1]
            engine.load(model)
    engine.store(model)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("last", ["linear_model.LogisticRegression(optim.Adam(0.1))", "naive_bayes.GaussianNB()"])
@pytest.mark.parametrize("steps", [*dict.fromkeys(STEPS), "compose.Select('f3', 'f1', 'f0', 'f2') | "])
def test_all_steps_are_compiled_once_every_feature_has_come(steps: str, last: str) -> None:
    """A MinMaxScaler knows nothing of a feature that comes first: its NaN is river's."""
    rng = np.random.default_rng(3)
    table = Table(layout(5), rng.normal(size=(3001, 5)), {})
    ys = (table.numbers.sum(axis=1) > rng.normal(size=3001)).tolist()
    model, engine = made(steps + last, 5, "binary")
    plain = copy.deepcopy(model) if "Select" not in steps else made(steps + last, 5, "binary")[0]
    assert (engine.run(table[:1], ys[:1], None) is None) == ("MinMax" in steps)
    for each in (model, plain):
        bare(each, table[:1], ys[:1], None) if each is plain or "MinMax" in steps else engine.store(model)
    engine.load(model)
    found = engine.run(table[1:], ys[1:], None)
    assert found is not None
    answers = found[:, engine.classes.index(True)] if found.ndim > 1 else found
    assert bits(answers.tolist()) == bits(bare(plain, table[1:], ys[1:], None))
    engine.store(model)
    assert bits(model) == bits(plain)


def huge(table: Table) -> bool:
    """Numbers with which a sum may come to infinity on the way."""
    return bool(np.nanmax(np.abs(table.numbers), initial=0.0) > 1e50)


def numbers_of(part: Any) -> list[float]:
    """All numbers that a part of a model keeps."""
    if isinstance(part, float | int):
        return [float(part)]
    if isinstance(part, utils.VectorDict):
        return list(part.to_dict().values())
    if isinstance(part, dict):
        return [number for each in part.values() for number in numbers_of(each)]
    return [number for each in getattr(part, "__dict__", {}).values() for number in numbers_of(each)]


LONG = [
    *(
        "SGD(0.05)",
        "AdaGrad(0.3)",
        "Adam(0.02)",
        "FTRLProximal()",
        "FTRLProximal(alpha=0.3, beta=0.5, l1=0.01, l2=0.1)",
    ),
]


@pytest.mark.parametrize("optimizer", LONG)
def test_a_long_stream_ends_in_the_same_state(optimizer: str) -> None:
    """Long enough for what rounds otherwise once in a thousand times: roots and squares that pow takes."""
    rng = np.random.default_rng(7)
    numbers = rng.normal(size=(4000, 6)) * 10.0 ** rng.uniform(-3, 3, size=6)
    ys = numbers[:, 0] + rng.normal(size=4000) > 0
    model, engine = made(f"{SCALED}linear_model.LogisticRegression(optim.{optimizer})", 6, "binary")
    plain = copy.deepcopy(model)
    table = Table(layout(6), numbers, {})
    found = engine.run(table, Column(ys), None)
    assert found is not None
    assert bits(found.tolist()) == bits(bare(plain, table, ys.tolist(), None))
    engine.store(model)
    assert bits(model) == bits(plain)


ELEC2 = Path(__file__).parents[3] / "shared" / "data" / "elec2.csv.gz"


@pytest.mark.skipif(not ELEC2.exists(), reason="the published streams are not here")
def test_elec2_has_the_published_accuracy() -> None:
    with gzip.open(ELEC2, "rt") as file:
        rows = list(csv.reader(file))
    names = tuple(name for name in rows[0] if name != "class")
    numbers = np.array([[float(v) for name, v in zip(rows[0], row, strict=True) if name in names] for row in rows[1:]])
    ys = np.array([row[rows[0].index("class")] == "UP" for row in rows[1:]])
    shape = Layout(names, names)
    text = SCALED + "linear_model.LogisticRegression(optimizer=optim.SGD(.005))"
    engine = engine_for(read_recipe(text, "binary").build(), shape, "binary")
    assert not isinstance(engine, str)
    answers = engine.run(Table(shape, numbers, {}), Column(ys), None)
    assert answers is not None
    assert ((answers > 0.5) == ys).mean() == 0.8221442443502824


REASONS = {
    "tree.ExtremelyFastDecisionTreeClassifier()": "ExtremelyFastDecisionTreeClassifier is not compiled",
    "preprocessing.Normalizer() | linear_model.LogisticRegression()": "Normalizer is not compiled",
    "preprocessing.StandardScaler(window_size=9) | linear_model.LogisticRegression()": (
        "StandardScaler with a window_size is not compiled"
    ),
    "linear_model.LogisticRegression(optim.Momentum())": "the optimizer Momentum is not compiled",
    "linear_model.LogisticRegression(optim.FTRLProximal(), l1=0.1)": (
        "FTRLProximal with l1 of the model is not compiled"
    ),
    "linear_model.LogisticRegression(initializer=optim.initializers.Normal(seed=1))": (
        "LogisticRegression with the initializer Normal is not compiled"
    ),
}


@pytest.mark.parametrize("text", REASONS)
def test_what_is_not_compiled_is_told_why(text: str) -> None:
    assert engine_for(read_recipe(text, "binary").build(), layout(2), "binary") == REASONS[text]


NUMBERS_ONLY = "features that are no numbers are not compiled (b)"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ("", NUMBERS_ONLY),
        ("compose.Select('a', 'b') | ", NUMBERS_ONLY),
        ("compose.Select('a') | ", None),
        ("compose.Discard('b') | ", None),
        ("compose.Discard('a') | ", NUMBERS_ONLY),
        ("compose.Select('a', 'x') | ", "Select of what is no feature is not compiled (x)"),
        (f"{SCALED}compose.Discard('b') | ", "Discard is compiled only as the first step"),
    ],
)
def test_which_features_are_compiled_is_told(steps: str, why: str | None) -> None:
    model = read_recipe(f"{steps}linear_model.LogisticRegression()", "binary").build()
    assert hindrance(model, Layout(("a", "b", "c"), ("a", "c")), "binary") == why


def test_asking_teaches_nothing() -> None:
    """But river's scaler has a key for what it was asked, and so has it after the engine was."""
    model, engine = made(SCALED + "linear_model.LogisticRegression()", 2, "binary")
    plain = copy.deepcopy(model)
    table = Table(layout(2), np.array([[np.nan, 1.0], [2.0, 3.0]]), {})
    expected = [ask(plain, x) for x in table]
    answers = engine.ask(table)
    assert answers is not None
    assert bits(answers.tolist()) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)
    assert list(model["StandardScaler"].vars) == ["f1", "f0"]


@pytest.mark.parametrize("ys", [[1, 0], ["a", "b"], [True], [None, True], Column(np.array([1.0, 0.0]))])
def test_labels_of_another_type_are_left_to_river(ys: Any) -> None:
    _, engine = made(SCALED + "linear_model.LogisticRegression()", 2, "binary")
    assert engine.run(Table(layout(2), np.ones((2, 2)), {}), ys, None) is None
