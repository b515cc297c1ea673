"""Hashed features ahead of models: river's bits, to the order of keys, in batches of any size, at once or later."""

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

from learners.compiled import Engine, engine_for, hindrance, slots
from learners.compiled.branches import COLUMNS_MAX
from learners.recipe import read_recipe
from learners.table import Layout, Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, cuts, recipes
from tests.learners.test_compiled_bayes import LABELS
from tests.learners.test_compiled_hot import LAYOUT, MODEL, SCALES, made, tables
from tests.learners.test_compiled_later import Turn, answers_of, engine_answers, turns

pytestmark = pytest.mark.usefixtures("compiled_code")
BAYES = "naive_bayes.GaussianNB()"
HASHER = "preprocessing.FeatureHasher(n_features=7, seed=1)"


@st.composite
def hashers(draw: Any) -> str:
    """Notation of what comes before a model: features hashed, few columns for many or many for few."""
    many = draw(st.sampled_from(["n_features=1, ", "n_features=3, ", "n_features=16, ", "n_features=1000, ", ""]))
    sign = draw(st.sampled_from(["", ", alternate_sign=False"]))
    hasher = f"preprocessing.FeatureHasher({many}seed={draw(st.integers(0, 5))}{sign})"
    steps = ["", "compose.Select('e', 'c', 'a') | ", "compose.Select('c') | ", "compose.Discard('a', 'b') | "]
    which = draw(st.sampled_from(steps))
    if draw(st.booleans()):
        return f"{which}{hasher} | "
    scaler = draw(st.sampled_from(["", " | preprocessing.StandardScaler()", " | preprocessing.MinMaxScaler()"]))
    branches = [f"(compose.Select('b', 'a'){scaler})", f"({which}{hasher})"]
    if draw(st.booleans()):
        given = draw(st.sampled_from(["", "{'d': {True}}, ", "{'d': {False, 'x'}, 'q': {'a'}}, "]))
        branches.append(f"(compose.Select('d') | preprocessing.OneHotEncoder({given}drop_zeros=True))")
    return f"({' + '.join(draw(st.permutations(branches)))}) | "


def stream(data: Any, task: str) -> tuple[str, Table, list[Any], Any]:
    steps = data.draw(hashers())
    xs = data.draw(tables(missing="Select" not in steps))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    total = np.nansum(xs.numbers, axis=1) + np.array([len(str(c)) for c in xs.others["c"]]) + rng.normal(size=len(xs))
    if task == "bayes":
        labels = data.draw(st.sampled_from(LABELS))
        kinds = rng.integers(len(labels), size=len(xs))
        kinds[: len(xs) // 2] = np.minimum(kinds[: len(xs) // 2], data.draw(st.integers(0, len(labels) - 1)))
        return steps + BAYES, xs, [labels[kind] for kind in kinds], None
    last = data.draw(recipes(task))
    ys = (total > np.median(total)).tolist() if task == "binary" else total.tolist()
    weights = data.draw(st.sampled_from([None, rng.choice([0.0, 1.0, 0.3], size=len(xs)).tolist()]))
    return steps + last[last.index("linear_model") :], xs, ys, weights


def odd(text: str, xs: Table, answers: list[Any], model: Any) -> bool:
    """Whether there is a reason for an engine to leave events to river."""
    numbers = [p for answer in answers for p in answer.values()]
    kept = [] if BAYES in text else list(model.steps[list(model.steps)[-1]].weights.values())
    return "MinMax" in text or 2.5 in xs.others["c"] or not all(map(math.isfinite, numbers + kept))


def at_once(count: int) -> list[Turn]:
    """Each event is asked, and then taught."""
    return [(asks, place) for place in range(count) for asks in (True, False)]


@pytest.mark.parametrize("words", [slots.WORDS_MAX, 3])
@pytest.mark.parametrize("task", ["binary", "regression", "bayes"])
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_nothing_tells_a_compiled_model_of_hashed_features_from_rivers(task: str, words: int, data: Any) -> None:
    """With river taking over here and there, and pickles in between; asked without labels, too."""
    text, xs, ys, weights = stream(data, task)
    task = "multiclass" if task == "bayes" else task
    every = data.draw(turns(len(xs))) if data.draw(st.booleans()) else at_once(len(xs))
    model, engine = made(text, task)
    plain = copy.deepcopy(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "WORDS_MAX", words)
        for start, stop in pairwise(data.draw(cuts(len(every)))):
            part = every[start:stop]
            try:
                expected = answers_of(plain, xs, ys, weights, part)
            except RAISED:
                assert engine_answers(engine, task, xs, ys, weights, part) is None
                return
            found = engine_answers(engine, task, xs, ys, weights, part)
            assert found is not None or odd(text, xs, expected, plain)
            if found is not None:
                assert bits(found) == bits(expected)
            if found is None or data.draw(st.booleans()):
                engine.store(model)
                if found is None:
                    answers_of(model, xs, ys, weights, part)
                assert bits(model) == bits(plain)
                model, plain = pickle.loads(pickle.dumps(model)), pickle.loads(pickle.dumps(plain))
                engine = made(text, task)[1]
                engine.load(model)
            elif data.draw(st.booleans()):
                engine.store(model)  # and it goes on
                assert bits(model) == bits(plain)
    engine.store(model)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("last", ["linear_model.LogisticRegression(optim.Adam(0.1), l2=0.01)", BAYES])
@pytest.mark.parametrize("steps", [HASHER, f"({HASHER} + {SCALES})"])
@pytest.mark.parametrize("bad", ["word", "number"])
def test_what_is_left_to_river_leaves_no_trace(steps: str, last: str, bad: str) -> None:
    """A word that cannot be hashed, after numbers were scaled; a number at which the model overflows."""
    model, engine = made(f"{steps} | {last}", "binary")
    plain, rng = copy.deepcopy(model), np.random.default_rng(2)
    others = {"c": [f"v{n % 13}" for n in range(60)], "d": [n % 3 == 0 for n in range(60)], "e": ["x"] * 60}
    xs, ys = Table(LAYOUT, rng.normal(size=(60, 2)), others), [n * n % 5 < 2 for n in range(60)]
    spoilt = xs.take(range(20, 40))
    if bad == "word":
        spoilt.others["c"][7] = "\ud800"
    else:
        spoilt.numbers[17] = 1e308
    for part, labels in ((xs[:20], ys[:20]), (spoilt, ys[20:40]), (xs[20:], ys[20:])):
        turns_of = at_once(len(part))
        found = engine_answers(engine, "binary", part, labels, None, turns_of)
        assert (found is None) == (part is spoilt)
        if found is not None:
            assert bits(found) == bits(answers_of(plain, part, labels, None, turns_of))
            engine.store(model)
            assert bits(model) == bits(plain)


@pytest.mark.parametrize("encoder", [HASHER, "preprocessing.OneHotEncoder(drop_zeros=True)"])
@pytest.mark.parametrize("missing", ["a", "c"])
def test_where_a_selected_feature_is_missing_river_is_to_raise(encoder: str, missing: str) -> None:
    names = "'c', 'a'" if encoder == HASHER else "'c'"
    model, engine = made(f"compose.Select({names}) | {encoder} | {MODEL}", "binary")
    xs = Table(LAYOUT, np.ones((2, 2)), {"c": ["u", "v"], "d": [True, True], "e": ["x", "y"]})
    assert engine.run(xs[:1], [True], None) is not None
    if missing == "a":
        xs.numbers[1, 0] = np.nan
    else:
        xs.others["c"][1] = None
    try:
        model.predict_proba_one(xs[1])
    except KeyError:
        assert engine.run(xs, [True, False], None) is None
    else:
        assert engine.run(xs, [True, False], None) is not None


def run(engine: Engine, xs: Table, ys: list[bool]) -> list[float]:
    found = engine.run(xs, ys, None)
    assert found is not None
    return [float(each) for each in found]


def test_words_are_forgotten_and_columns_are_not() -> None:
    """As many columns as come, none of them twice: what a model keeps grows as river's does, what is remembered not."""
    model, engine = made(f"compose.Select('c') | preprocessing.FeatureHasher(seed=1) | {MODEL}", "binary")
    plain, count = copy.deepcopy(model), 5000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "WORDS_MAX", 100)
        for first in (0, 2500, 4000, 0):
            c = [f"v{first + n * 7 % 900}" for n in range(count)]
            xs = Table(LAYOUT, np.ones((count, 2)), {"c": c, "d": [True] * count, "e": ["x"] * count})
            ys = [n % 3 == 0 for n in range(count)]
            answers = []
            for x, y in zip(xs, ys, strict=True):
                answers.append(plain.predict_proba_one(x)[True])
                plain.learn_one(x, y)
            found = [p for at in range(0, count, 50) for p in run(engine, xs[at : at + 50], ys[at : at + 50])]
            assert bits(found) == bits(answers)
            assert len(engine._slots._parts[0]._words["c"]) <= 150  # type: ignore[attr-defined]
            engine.store(model)
            assert bits(model) == bits(plain)


def test_as_many_categories_as_come_have_a_column_each_where_there_are_no_zeros() -> None:
    encoder = "preprocessing.OneHotEncoder(drop_zeros=True)"
    model, engine = made(f"compose.Select('c', 'e') | {encoder} | {MODEL}", "binary")
    plain, count = copy.deepcopy(model), COLUMNS_MAX + 100
    others = {"c": [f"v{n}" for n in range(count)], "d": [True] * count, "e": ["x", "y"] * (count // 2)}
    xs, ys = Table(LAYOUT, np.ones((count, 2)), others), [n % 3 == 0 for n in range(count)]
    found = engine_answers(engine, "binary", xs, ys, None, at_once(count))
    assert bits(found) == bits(answers_of(plain, xs, ys, None, at_once(count)))
    engine.store(model)
    assert bits(model) == bits(plain)


def test_one_name_for_categories_of_two_features_is_left_to_river() -> None:
    layout = Layout(("c", "c_v", "n_x"), ("n_x",))
    encoder = "preprocessing.OneHotEncoder(drop_zeros=True)"
    steps = f"(compose.Select('n_x') + (compose.Select('c', 'c_v') | {encoder}))"
    engine = engine_for(read_recipe(f"{steps} | {MODEL}", "binary").build(), layout, "binary")
    assert not isinstance(engine, str | None)
    xs = Table(layout, np.ones((3, 1)), {"c": ["v_a", "b", "v_b"], "c_v": ["x", "b", "x"]})
    assert engine.run(xs[:1], [True], None) is not None
    assert engine.run(xs, [True] * 3, None) is None


HASHED = "(compose.Select('c') | preprocessing.FeatureHasher(seed=1))"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (f"({SCALES} + {HASHED})", None),
        (f"({SCALES} + preprocessing.FeatureHasher(n_features=50, seed=1))", None),
        ("preprocessing.FeatureHasher(seed=1)", None),
        ("preprocessing.FeatureHasher(seed=1) | preprocessing.StandardScaler()", "FeatureHasher is not compiled"),
        ("preprocessing.StandardScaler() | preprocessing.FeatureHasher(seed=1)", "scalers ahead of FeatureHasher"),
        (f"({HASHED} + {HASHED})", "a union of FeatureHasher and another is not compiled"),
        (f"({HASHED} + (compose.Select('e') | preprocessing.OneHotEncoder()))", "FeatureHasher and OneHotEncoder"),
        (f"({HASHED} + (compose.Select('e') | preprocessing.OneHotEncoder(drop_zeros=True)))", None),
        ("compose.Select('z') | preprocessing.FeatureHasher(seed=1)", "Select of what is no feature"),
        ("preprocessing.FeatureHasher(n_features=0, seed=1)", "n_features = 0"),
        ("preprocessing.FeatureHasher(n_features=2.5, seed=1)", "n_features = 2.5"),
    ],
)
@pytest.mark.parametrize("last", [MODEL, BAYES])
def test_which_hashers_are_compiled_is_told(steps: str, why: str | None, last: str) -> None:
    model = read_recipe(f"{steps} | {last}", "binary").build
    found = hindrance(model(), LAYOUT, "binary")
    assert found is None if why is None else why in str(found)
