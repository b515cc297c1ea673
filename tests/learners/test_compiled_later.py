"""Where labels come later, a compiled engine asks some events and is taught others: river's bits, in any order."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, compose

from learners.compiled import Engine
from learners.table import Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, STEPS, cuts, events, layout, made, numbers_of, recipes

pytestmark = pytest.mark.usefixtures("compiled_code")
Turn = tuple[bool, int]
"""Whether an event is asked (or taught), and its place."""


@st.composite
def turns(draw: Any, count: int) -> list[Turn]:
    """Each event is asked in its turn, and taught later, at once, in any order, or never."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind, mean = draw(st.sampled_from(["all", "all", "some"])), draw(st.sampled_from([0.0, 3.0, 30.0]))
    delays = rng.exponential(mean, size=count) if draw(st.booleans()) else np.full(count, mean)
    asked = [(float(place), True, place) for place in range(count)]
    taught = [(place + delays[place] + 0.5, False, place) for place in range(count)]
    taught = [each for each in taught if kind == "all" or rng.random() < 0.7]
    return [(asks, place) for _, asks, place in sorted(asked + taught)]


def answers_of(model: Any, xs: Table, ys: list[Any], weights: Any, part: list[Turn]) -> list[dict[Any, float]]:
    """What river answers and learns, one after the other; a number is that of no class."""
    found: list[Any] = []
    last = model[-1] if isinstance(model, compose.Pipeline) else model
    for asks, place in part:
        x = xs[place]
        if asks and isinstance(last, base.Regressor) and not isinstance(last, base.Classifier):
            found.append({None: float(model.predict_one(x))})
        elif asks:
            found.append({label: float(p) for label, p in model.predict_proba_one(x).items()})
        elif weights is None:
            model.learn_one(x, ys[place])
        elif weights[place] != 0:
            model.learn_one(x, ys[place], w=weights[place])
    return found


def engine_answers(
    engine: Engine, task: str, xs: Table, ys: list[Any], weights: Any, part: list[Turn]
) -> list[dict[Any, float]] | None:
    places, asks = [place for _, place in part], np.array([each for each, _ in part], dtype=bool)
    taught = [place for asked, place in part if not asked]
    ws = None if weights is None else [weights[place] for place in taught]
    raw = engine.run(xs.take(places), [ys[place] for place in taught], ws, asks)
    if raw is None:
        return None
    if raw.ndim > 1:
        return [
            {label: p for label, p in zip(engine.classes, row, strict=True) if not math.isnan(p)}
            for row in raw.tolist()
        ]
    return [{None: p} if task == "regression" else {False: 1.0 - p, True: p} for p in raw.tolist()]


def follows_river(
    model: Any,
    engine: Any,
    task: str,
    stream: tuple[Table, Sequence[Any], Any],
    parts: Iterable[list[Turn]],
    odd: Callable[[list[Any]], bool],
) -> None:
    """The engine answers and learns as river does, and leaves to river only what is `odd`, by river's answers."""
    xs, ys, weights = stream
    plain = copy.deepcopy(model)
    for part in parts:
        try:
            expected = answers_of(plain, xs, ys, weights, part)
        except RAISED:
            assert engine_answers(engine, task, xs, ys, weights, part) is None
            return
        found = engine_answers(engine, task, xs, ys, weights, part)
        if found is None:
            assert odd(expected)
            engine.store(model)
            answers_of(model, xs, ys, weights, part)
            engine.load(model)
        else:
            assert bits(found) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)


def in_parts(data: Any, count: int) -> Iterator[list[Turn]]:
    """Give the turns of so many events, in parts."""
    every = data.draw(turns(count))
    return (every[start:stop] for start, stop in pairwise(data.draw(cuts(len(every)))))


@pytest.mark.parametrize("task", ["binary", "regression", "bayes"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_nothing_tells_who_asked_and_who_taught(task: str, data: Any) -> None:
    """In batches of any size, with pickles and river's turns in between."""
    bayes = task == "bayes"
    task = "binary" if bayes else task
    text = data.draw(recipes(task))
    if bayes:
        text = f"{data.draw(st.sampled_from(STEPS))}naive_bayes.GaussianNB()"
    xs, labels, weights = data.draw(events(task))
    ys, weights = labels.tolist(), None if bayes else weights
    every = data.draw(turns(len(xs)))
    model, engine = made(text, xs.numbers.shape[1], task)
    plain = copy.deepcopy(model)
    for start, stop in pairwise(data.draw(cuts(len(every)))):
        part = every[start:stop]
        try:
            expected = answers_of(plain, xs, ys, weights, part)
        except RAISED:
            assert engine_answers(engine, task, xs, ys, weights, part) is None
            return
        found = engine_answers(engine, task, xs, ys, weights, part)
        if found is None or data.draw(st.booleans()):
            engine.store(model)
            if found is None:
                answers_of(model, xs, ys, weights, part)
                numbers = [*(p for answer in expected for p in answer.values()), *numbers_of(plain)]
                assert huge(xs) or not all(map(math.isfinite, numbers)) or "MinMax" in text
            assert bits(model) == bits(plain)
            model = pickle.loads(pickle.dumps(model))
            engine = made(text, xs.numbers.shape[1], task)[1]
            engine.load(model)
        if found is not None:
            assert bits(found) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)


def huge(table: Table) -> bool:
    """Numbers with which a sum may come to infinity on the way."""
    return bool(np.nanmax(np.abs(table.numbers), initial=0.0) > 1e50)


@pytest.mark.parametrize("last", ["linear_model.LogisticRegression(optim.Adam(0.1))", "naive_bayes.GaussianNB()"])
@pytest.mark.parametrize("steps", list(dict.fromkeys(STEPS)))
def test_a_long_stream_with_a_delay_is_learned_by_the_engine(steps: str, last: str) -> None:
    rng = np.random.default_rng(3)
    xs = Table(layout(5), rng.normal(size=(1500, 5)), {})
    ys = (xs.numbers.sum(axis=1) > rng.normal(size=1500)).tolist()
    model, engine = made(steps + last, 5, "binary")
    plain = copy.deepcopy(model)
    first: list[Turn] = [(True, 0), (False, 0)]
    rest: list[Turn] = [(bool(asks), place) for place in range(1, 1500) for asks in (1, 0)]
    rest.sort(key=lambda turn: turn[1] if turn[0] else turn[1] + 40.5)
    for each in (model, plain):
        answers_of(each, xs, ys, None, first)  # a MinMaxScaler knows nothing of a feature that comes first
    engine.load(model)
    found = engine_answers(engine, "binary", xs, ys, None, rest)
    assert found is not None
    assert bits(found) == bits(answers_of(plain, xs, ys, None, rest))
    engine.store(model)
    assert bits(model) == bits(plain)


def test_what_is_taught_before_it_was_asked_has_its_keys_in_that_order() -> None:
    model, engine = made("preprocessing.StandardScaler() | linear_model.LogisticRegression()", 2, "binary")
    plain = copy.deepcopy(model)
    xs = Table(layout(2), np.array([[np.nan, 1.0], [2.0, np.nan]]), {})
    part: list[Turn] = [(False, 0), (True, 1)]
    found = engine_answers(engine, "binary", xs, [True, False], None, part)
    assert bits(found) == bits(answers_of(plain, xs, [True, False], None, part))
    engine.store(model)
    assert bits(model) == bits(plain)
    assert list(model["StandardScaler"].vars) == ["f1", "f0"]
