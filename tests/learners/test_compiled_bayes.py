"""A compiled GaussianNB equals river's bit for bit: probabilities in their order, and all that it keeps."""

from __future__ import annotations

import copy
import math
import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.compiled import Engine
from learners.table import Column, Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, SCALES, cuts, huge, layout, made

pytestmark = pytest.mark.usefixtures("compiled_code")

STEPS = [
    "",
    "",
    "preprocessing.StandardScaler() | ",
    "preprocessing.MinMaxScaler() | preprocessing.StandardScaler(with_std=False) | ",
    "compose.Select('f0') | ",
]
LABELS: list[tuple[Any, ...]] = [(True, False), tuple("abc"), tuple(range(12)), ("x",), (0, True, 2)]


@st.composite
def streams(draw: Any) -> tuple[Table, list[Any]]:
    """Numbers, some missing, some constant, some huge or tiny, some that come late; labels, some of which come late."""
    width, count = draw(st.integers(1, 9)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    numbers = rng.normal(size=(count, width)) * 10.0 ** rng.choice(draw(SCALES), size=width) + rng.normal(size=width)
    if draw(st.booleans()):
        numbers = np.round(numbers)
    numbers[rng.random(numbers.shape) < draw(st.sampled_from([0.0, 0.0, 0.3, 0.9]))] = math.nan
    numbers[: count // 2, rng.random(width) < draw(st.sampled_from([0.0, 0.5]))] = math.nan
    labels = draw(st.sampled_from(LABELS))
    kinds = rng.integers(0, len(labels), size=count)
    kinds[: count // 2] = np.minimum(kinds[: count // 2], draw(st.integers(0, len(labels) - 1)))
    return Table(layout(width), numbers, {}), [labels[kind] for kind in kinds]


def bare(model: Any, xs: Any, ys: list[Any]) -> list[dict[Any, float]]:
    """What river does, event by event."""
    answers = []
    for x, y in zip(xs, ys, strict=True):
        answers.append(model.predict_proba_one(x))
        model.learn_one(x, y)
    return answers


def dicts(engine: Engine, found: np.ndarray) -> list[dict[Any, float]]:
    """What an engine answered, as river answers."""
    return [{c: p for c, p in zip(engine.classes, row, strict=True) if p == p} for row in found.tolist()]  # noqa: PLR0124


@settings(max_examples=300, deadline=None)
@given(steps=st.sampled_from(STEPS), stream=streams(), data=st.data())
def test_nothing_tells_a_compiled_bayes_from_rivers(steps: str, stream: Any, data: Any) -> None:
    (table, ys), text = stream, f"{steps}naive_bayes.GaussianNB()"
    model, engine = made(text, table.numbers.shape[1], "multiclass")
    plain = copy.deepcopy(model)
    for start, stop in pairwise(data.draw(cuts(len(table)))):
        xs, labels = table[start:stop], ys[start:stop]
        before = bits(model)
        try:
            expected = bare(plain, xs, labels)
        except RAISED:
            assert engine.run(xs, labels, None) is None
            return
        found = engine.run(xs, labels, None)
        if found is None:
            assert bits(model) == before
            engine.store(model)
            bare(model, xs, labels)
            engine.load(model)
            finite = all(math.isfinite(p) for answer in expected for p in answer.values())
            assert huge(table) or not finite or "MinMax" in steps
        else:
            assert bits(dicts(engine, found)) == bits(expected)
        if data.draw(st.booleans()):
            asked = engine.ask(xs)
            if asked is not None:
                assert bits(dicts(engine, asked)) == bits([plain.predict_proba_one(x) for x in xs])
            engine.store(model)
            model = pickle.loads(pickle.dumps(model))
            engine = made(text, table.numbers.shape[1], "multiclass")[1]
            engine.load(model)
        else:
            engine.store(model)
        assert bits(model) == bits(plain)
    engine.store(model)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("classes", [1, 2, 3, 9, 40])
def test_a_long_stream_has_the_same_answers(classes: int) -> None:
    """With as many classes as numpy adds in turn (below nine), and as it adds in eights: scipy's sum is river's."""
    rng = np.random.default_rng(classes)
    ys = rng.integers(0, classes, size=3000)
    numbers = rng.normal(size=(3000, 3)) + ys[:, None] * 0.5
    model, engine = made("naive_bayes.GaussianNB()", 3, "multiclass")
    plain, table = copy.deepcopy(model), Table(layout(3), numbers, {})
    found = engine.run(table, ys.tolist(), None)
    assert found is not None
    assert bits(dicts(engine, found)) == bits(bare(plain, table, ys.tolist()))
    engine.store(model)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("ys", [[1.5, 2.5], [None, "a"], [("a",), "b"], ["a"], Column(np.array([1.0, 2.0]))])
def test_labels_of_another_type_are_left_to_river(ys: Any) -> None:
    _, engine = made("naive_bayes.GaussianNB()", 2, "multiclass")
    assert engine.run(Table(layout(2), np.ones((2, 2)), {}), ys, None) is None


def test_weights_are_left_to_river() -> None:
    _, engine = made("naive_bayes.GaussianNB()", 2, "binary")
    assert engine.run(Table(layout(2), np.ones((2, 2)), {}), [True, False], [1.0, 1.0]) is None
