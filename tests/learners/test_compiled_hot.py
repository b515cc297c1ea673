"""Categories, one-hot, alone and beside numbers: a compiled model equals river's bit for bit, to the order of keys."""

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

from learners.compiled import Engine, engine_for, hindrance
from learners.compiled import union as compiled_union
from learners.compiled.branches import COLUMNS_MAX
from learners.recipe import read_recipe
from learners.table import Layout, Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, SCALED, bare, cuts, numbers_of, recipes
from tests.learners.test_compiled_later import follows_river, in_parts

LAYOUT = Layout(("a", "c", "b", "d", "e"), ("a", "b"))
pytestmark = pytest.mark.usefixtures("compiled_code")
HOT = ["OneHotEncoder()", "OneHotEncoder(drop_zeros=True)", "OneHotEncoder(drop_first=True)"]
HOT += ["OneHotEncoder(drop_zeros=True, drop_first=True)"]
CATEGORIES = {"c": "{'v3', 'v0', 'v9', 'never'}", "d": "{True}", "e": "{'x', '', 'é'}"}
MORE = "'q': {'a', 'b'}"
"""Categories of what is no feature here: columns of zeros."""
NUMBERS = ["compose.Select('a', 'b')", "compose.Select('b')", "compose.Discard('c', 'd', 'e')"]


@st.composite
def unions(draw: Any) -> str:
    """Notation of what comes before a model: categories, perhaps beside numbers."""

    def hot(names: str, which: str = "cde") -> str:
        encoder = draw(st.sampled_from(HOT))
        if draw(st.sampled_from([False, False, True])):
            given = [f"'{each}': {CATEGORIES[each]}" for each in which] + [MORE] * ("c" in which)
            encoder = encoder.replace("(", f"({{{', '.join(given)}}}, ")
        return f"(compose.{names} | preprocessing.{encoder})"

    numbers = draw(st.sampled_from(NUMBERS))
    for each in draw(st.lists(st.sampled_from(["StandardScaler()", "MinMaxScaler()"]), max_size=2)):
        numbers += f" | preprocessing.{each}"
    branches = [f"({numbers})"]
    if draw(st.booleans()):
        branches.append(hot("Discard('a', 'b')"))
    else:
        rest = draw(st.sampled_from(["Select('d', 'e')", "Discard('a', 'b', 'c')"]))
        branches += [hot("Select('c')", "c"), hot(rest, "de")]
    which = draw(st.sampled_from(["all", "all", "all", "hot"]))
    branches = [hot("Discard('a', 'b')")] if which == "hot" else draw(st.permutations(branches))
    return f"({' + '.join(branches)}) | " if len(branches) > 1 else f"{branches[0][1:-1]} | "


@st.composite
def tables(draw: Any, *, missing: bool) -> Table:
    """Numbers, text and truths; categories that come again, or nearly always new ones."""
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    numbers = rng.normal(size=(count, 2)) * 10.0 ** rng.choice([0, 2], size=2)
    many = draw(st.sampled_from([2, 5, 40]))
    others: dict[str, list[Any]] = {
        "c": [f"v{n}" for n in rng.integers(many, size=count)],
        "d": [bool(n) for n in rng.integers(2, size=count)],
        "e": [["x", "y", "é", "", "a_b"][n] for n in rng.integers(5, size=count)],
    }
    if missing:
        numbers[rng.random(count) < 0.1, 0] = np.nan
        for name, values in others.items():
            others[name] = [None if rng.random() < 0.2 else value for value in values]
    if draw(st.sampled_from([False, False, True])):
        others["c"][count * 2 // 3] = 2.5  # is left to river, and so is what came with it
    return Table(LAYOUT, numbers, others)


def made(text: str, task: str) -> tuple[Any, Engine]:
    model = read_recipe(text, task).build()
    engine = engine_for(model, LAYOUT, task)
    assert not isinstance(engine, str | None), engine
    return model, engine


def stream(data: Any, task: str) -> tuple[str, Table, list[Any], Any]:
    steps = data.draw(unions())
    last = data.draw(recipes(task))
    text = steps + last[last.index("linear_model") :]
    xs = data.draw(tables(missing="Select" not in steps))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    total = np.nansum(xs.numbers, axis=1) + np.array([len(str(c)) for c in xs.others["c"]]) + rng.normal(size=len(xs))
    ys = (total > np.median(total)).tolist() if task == "binary" else total.tolist()
    weights = data.draw(st.sampled_from([None, rng.choice([0.0, 1.0, 0.3], size=len(xs)).tolist()]))
    return text, xs, ys, weights


@pytest.mark.parametrize("cells", [compiled_union.CELLS_MAX, 1])
@pytest.mark.parametrize("task", ["binary", "regression"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_nothing_tells_a_compiled_model_of_categories_from_rivers(task: str, cells: int, data: Any) -> None:
    """In batches of any size, at once or in parts, with river taking over here and there, and pickles in between."""
    text, xs, ys, weights = stream(data, task)
    model, engine = made(text, task)
    plain = copy.deepcopy(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_union, "CELLS_MAX", cells)
        patch.setattr(compiled_union, "EVENTS_MIN", 64 if cells > 1 else 3)
        for start, stop in pairwise(data.draw(cuts(len(xs)))):
            part, labels = xs[start:stop], ys[start:stop]
            ws = None if weights is None else weights[start:stop]
            try:
                expected = bare(plain, part, labels, ws)
            except RAISED:
                assert engine.run(part, labels, ws) is None
                return
            found = engine.run(part, labels, ws)
            if found is None or data.draw(st.booleans()):
                engine.store(model)
                if found is None:
                    bare(model, part, labels, ws)
                    assert "MinMax" in text or 2.5 in xs.others["c"] or not finite([*expected, *numbers_of(plain)])
                assert bits(model) == bits(plain)
                model = pickle.loads(pickle.dumps(model))
                plain = pickle.loads(pickle.dumps(plain))
                engine = made(text, task)[1]
                engine.load(model)
            if found is not None:
                assert bits(found.tolist()) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)


def finite(numbers: list[float]) -> bool:
    return all(map(math.isfinite, numbers))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_nor_where_labels_come_later(data: Any) -> None:
    text, xs, ys, weights = stream(data, "binary")
    odd = "MinMax" in text or 2.5 in xs.others["c"]
    follows_river(*made(text, "binary"), "binary", (xs, ys, weights), in_parts(data, len(xs)), lambda _: odd)


MODEL = "linear_model.LogisticRegression()"
ENCODED = "(compose.Select('c') | preprocessing.OneHotEncoder())"
SCALES = "(compose.Select('a') | preprocessing.StandardScaler())"


def given(values: str, feature: str = "d") -> str:
    return f"(compose.Select('d') | preprocessing.OneHotEncoder({{'{feature}': {values}}}))"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        (f"({SCALES} + {ENCODED})", None),
        ("compose.Discard('a', 'b') | preprocessing.OneHotEncoder()", None),
        ("preprocessing.OneHotEncoder()", "OneHotEncoder of numbers is not compiled (a, b)"),
        (f"({SCALES} + {given('{True, False}')})", None),
        (f"({SCALES} + {given('{1}')})", "categories that are neither text nor truths"),
        (f"({SCALES} + {given('[True]')})", "categories that are no sets by feature"),
        (f"({SCALES} + {given('{True, ' + repr('True') + '}')})", "categories that share a name"),
        (f"({SCALES} + {given('{True}', 'e')})", "categories, but none of d, is not compiled"),
        (f"({SCALES} + {given(repr({str(n) for n in range(1025)}))})", "up to 1024 of them, not 1025"),
        (f"({SCALES} + compose.Select('c'))", "features that are no numbers are not compiled (c)"),
        (f"({SCALES} + compose.Select('a', 'b'))", "a union with a feature in two of its branches is not compiled"),
        (f"({SCALES} + {ENCODED}) | {SCALED}".removesuffix(" | "), "steps between a union and the model"),
        (f"({SCALES} + (compose.Select('b') | preprocessing.Normalizer()))", "Normalizer is not compiled"),
        (f"({SCALES} + (compose.Select('z') | preprocessing.OneHotEncoder()))", "Select of what is no feature"),
    ],
)
def test_which_unions_are_compiled_is_told(steps: str, why: str | None) -> None:
    found = hindrance(read_recipe(f"{steps} | {MODEL}", "binary").build(), LAYOUT, "binary")
    assert found is None if why is None else why in str(found)


def test_too_many_categories_are_left_to_river() -> None:
    _, engine = made(f"{ENCODED} | {MODEL}", "binary")
    count = COLUMNS_MAX + 1
    others = {"c": [f"v{n}" for n in range(count)], "d": [True] * count, "e": ["x"] * count}
    xs = Table(LAYOUT, np.ones((count, 2)), others)
    assert engine.run(xs[1:], [True] * (count - 1), None) is not None
    assert engine.run(xs[:1], [True], None) is None


@pytest.mark.parametrize("c", [["1", 1], [True, "True"], [1.0, "x"], [("x",), "x"]])
def test_categories_that_are_not_told_apart_by_their_names_are_left_to_river(c: list[Any]) -> None:
    _, engine = made(f"{ENCODED} | {MODEL}", "binary")
    xs = Table(LAYOUT, np.ones((2, 2)), {"c": c, "d": [True, None], "e": ["x", "y"]})
    assert engine.run(xs, [True, False], None) is None


@pytest.mark.parametrize("hot", HOT)
def test_a_part_that_is_left_to_river_takes_the_parts_before_it_along(hot: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(compiled_union, "CELLS_MAX", 1)
    monkeypatch.setattr(compiled_union, "EVENTS_MIN", 4)
    model, engine = made(f"({SCALES} + (compose.Select('c', 'e') | preprocessing.{hot})) | {MODEL}", "binary")
    plain = copy.deepcopy(model)
    others: dict[str, list[Any]] = {"c": [f"v{n // 3}" for n in range(40)], "d": [True] * 40, "e": ["x", "y"] * 20}
    others["c"][35] = 2.5
    xs = Table(LAYOUT, np.random.default_rng(1).normal(size=(40, 2)), others)
    ys = [n % 3 == 0 for n in range(40)]
    for start, stop in ((0, 10), (10, 40)):
        found = engine.run(xs[start:stop], ys[start:stop], None)
        assert (found is None) == (stop == 40)
        if found is not None:
            assert bits(found.tolist()) == bits(bare(plain, xs[start:stop], ys[start:stop], None))
    engine.store(model)
    assert bits(model) == bits(plain)
    found = engine.run(xs[10:30], ys[10:30], None)
    assert found is not None
    assert bits(found.tolist()) == bits(bare(plain, xs[10:30], ys[10:30], None))
    engine.store(model)
    assert bits(model) == bits(plain)
