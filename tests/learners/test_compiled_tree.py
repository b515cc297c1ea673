"""A compiled Hoeffding tree equals river's bit for bit: probabilities in their order, and all that it keeps."""

from __future__ import annotations

import copy
import csv
import gzip
import math
import pickle
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from river import compose, tree

from learners.compiled import Engine, Lending, engine_for, hindrance
from learners.compiled import tree as compiled_tree
from learners.deferred import Deferred
from learners.recipe import read_recipe
from learners.state import capture, load
from learners.table import Column, Layout, Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, SCALES, cuts, layout, made
from tests.learners.test_compiled_bayes import dicts
from tests.learners.test_compiled_later import follows_river, in_parts

pytestmark = pytest.mark.usefixtures("compiled_code")

STEPS = [
    "",
    "",
    "",
    "preprocessing.StandardScaler() | ",
    "preprocessing.MinMaxScaler() | preprocessing.StandardScaler(with_std=False) | ",
    "compose.Select('f0') | ",
]
LABELS: list[Sequence[Any]] = [(True, False), (True, False), "abc", range(12), ("x",), (-1, 7)]
OPTIONS = {
    "grace_period": ["5", "12", "40"],
    "max_depth": ["None", "None", "0", "1", "3"],
    "split_criterion": ["'info_gain'", "'gini'", "'hellinger'"],
    "delta": ["1e-7", "0.01", "0.5", "1"],
    "tau": ["0.05", "0.3", "1"],
    "leaf_prediction": ["'nba'", "'nb'", "'mc'"],
    "nb_threshold": ["0", "0", "25"],
    "splitter": ["None", "tree.splitter.GaussianSplitter(3)"],
    "binary_split": ["False", "True"],
    "min_branch_fraction": ["0.01", "0.3"],
    "max_share_to_split": ["0.99", "0.8"],
    "stop_mem_management": ["False", "True"],
    "merit_preprune": ["True", "True", "False"],
}


@st.composite
def recipes(draw: Any) -> str:
    """Notation of a tree with options of any kind, perhaps behind other steps."""
    options = [f"{name}={draw(st.sampled_from(values))}" for name, values in OPTIONS.items() if draw(st.booleans())]
    return f"{draw(st.sampled_from(STEPS))}tree.HoeffdingTreeClassifier({', '.join(options)})"


@st.composite
def streams(draw: Any) -> tuple[Table, list[Any], list[float] | None]:
    """Numbers, of which labels tell something; some missing, some huge, some that come late; weights or none."""
    width, count = draw(st.integers(1, 5)), draw(st.sampled_from([30, 300, 300, 900]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    numbers = rng.normal(size=(count, width))
    labels = draw(st.sampled_from(LABELS))
    kinds = (np.abs(numbers.sum(axis=1)) + rng.exponential(0.2, size=count)).astype(int) % len(labels)
    kinds[: count // 2] = np.minimum(kinds[: count // 2], draw(st.integers(0, len(labels) - 1)))
    numbers *= 10.0 ** rng.choice(draw(SCALES), size=width)
    if draw(st.booleans()):
        numbers = np.round(numbers, draw(st.integers(0, 1)))
    numbers[rng.random(numbers.shape) < draw(st.sampled_from([0.0, 0.0, 0.1, 0.9]))] = math.nan
    numbers[: count // 2, rng.random(width) < draw(st.sampled_from([0.0, 0.0, 0.5]))] = math.nan
    weights = rng.choice([0.0, 1.0, 0.3, 7.0], size=count).tolist() if draw(st.booleans()) else None
    return Table(layout(width), numbers, {}), [labels[kind] for kind in kinds], weights


def bare(model: Any, xs: Any, ys: list[Any], weights: list[float] | None) -> list[dict[Any, float]]:
    """What river does, event by event."""
    answers = []
    for place, (x, y) in enumerate(zip(xs, ys, strict=True)):
        answers.append(model.predict_proba_one(x))
        if weights is None:
            model.learn_one(x, y)
        elif weights[place]:
            model.learn_one(x, y, w=weights[place])
    return answers


def tree_of(model: Any) -> Any:
    return model[-1] if isinstance(model, compose.Pipeline) else model


@settings(max_examples=120, deadline=None)
@given(text=recipes(), stream=streams(), data=st.data())
def test_nothing_tells_a_compiled_tree_from_rivers(text: str, stream: Any, data: Any) -> None:
    """In batches of any size, with river taking over here and there, and pickles in between."""
    table, ys, weights = stream
    model, engine = made(text, table.numbers.shape[1], "multiclass")
    plain = copy.deepcopy(model)
    for start, stop in pairwise(data.draw(cuts(len(table)))):
        xs, labels, ws = table[start:stop], ys[start:stop], None if weights is None else weights[start:stop]
        before = bits(model)
        try:
            expected = bare(plain, xs, labels, ws)
        except RAISED:
            assert engine.run(xs, labels, ws) is None
            engine.store(model)
            assert bits(model) == before
            return
        found = engine.run(xs, labels, ws)
        event(f"found: {found is not None}")
        if found is None:
            engine.store(model)
            assert bits(model) == before
            bare(model, xs, labels, ws)
            assert bits(model) == bits(plain)
            engine.load(model)
            assert np.nanmax(np.abs(table.numbers), initial=0.0) > 1e50 or "MinMax" in text
        else:
            assert bits(dicts(engine, found)) == bits(expected)
        turn = data.draw(st.sampled_from(["none", "ask", "store", "pickle", "river"]))
        if turn == "ask" and (asked := engine.ask(xs)) is not None:
            assert bits(dicts(engine, asked)) == bits([plain.predict_proba_one(x) for x in xs])
        engine.store(model)
        assert bits(model) == bits(plain)
        if turn in ("pickle", "river"):
            model = pickle.loads(pickle.dumps(model))
            engine = made(text, table.numbers.shape[1], "multiclass")[1]
            if turn == "river":
                bare(model, xs[:7], labels[:7], None if ws is None else ws[:7])
                bare(plain, xs[:7], labels[:7], None if ws is None else ws[:7])
            engine.load(model)
    event(f"branches: {min(tree_of(plain).n_branches or 0, 5)}")


@settings(max_examples=60, deadline=None)
@given(text=recipes(), stream=streams(), data=st.data())
def test_nor_where_labels_come_later(text: str, stream: Any, data: Any) -> None:
    xs, pair = stream[0], made(text, stream[0].numbers.shape[1], "multiclass")
    odd = bool(np.nanmax(np.abs(xs.numbers), initial=0.0) > 1e50) or "MinMax" in text
    follows_river(*pair, "multiclass", stream, in_parts(data, len(xs)), lambda _: odd)


def deep(count: int, seed: int) -> tuple[Table, list[bool]]:
    """Events of which a tree becomes large."""
    rng = np.random.default_rng(seed)
    numbers = rng.random(size=(count, 4))
    ys = (np.floor(numbers[:, 0] * 4) + np.floor(numbers[:, 1] * 3)) % 2 == (numbers[:, 2] > 0.3)
    return Table(layout(4), numbers, {}), (ys ^ (rng.random(count) < 0.02)).tolist()


@pytest.mark.parametrize("leaves", ["nba", "nb", "mc"])
@pytest.mark.parametrize("steps", list(dict.fromkeys(STEPS)))
def test_a_large_tree_is_the_same(steps: str, leaves: str) -> None:
    text = f"{steps}tree.HoeffdingTreeClassifier(20, delta=0.05, tau=0.1, leaf_prediction='{leaves}')"
    (table, ys), (model, engine) = deep(4000, 3), made(text, 4, "binary")
    table.numbers[::50, 1:] = math.nan
    table.numbers[0] = 0.5  # a MinMaxScaler knows nothing of a feature that comes first
    plain = copy.deepcopy(model)
    for each in (model, plain):
        bare(each, table[:1], ys[:1], None)
    engine.load(model)
    for start, stop in pairwise([1, 5, 1000, 4000]):
        found = engine.run(table[start:stop], ys[start:stop], None)
        assert found is not None
        assert bits(dicts(engine, found)) == bits(bare(plain, table[start:stop], ys[start:stop], None))
        engine.store(model)
        assert bits(model) == bits(plain)
    assert tree_of(plain).n_branches > 7 or "Select" in steps


def test_what_comes_to_nothing_changes_nothing() -> None:
    """A batch with splits, and at its end what river does: the tree is what it was before."""
    (table, ys), (model, engine) = deep(4000, 5), made("tree.HoeffdingTreeClassifier(20, tau=0.3)", 4, "binary")
    plain = copy.deepcopy(model)
    assert engine.run(table[:1000], ys[:1000], None) is not None
    bare(plain, table[:1000], ys[:1000], None)
    leaves = tree_of(plain).n_leaves
    table.numbers[-1] = 1e300  # its square is not finite
    for _ in range(2):
        assert engine.run(table[1000:], [*ys[1000:3999], "new"], None) is None
        assert engine.run(table[1000:], ys[1000:], None) is None
    engine.store(model)
    assert bits(model) == bits(plain)
    assert list(engine.classes) == [False, True]
    assert engine.run(table[1000:3999], ys[1000:3999], None) is not None
    bare(plain, table[1000:3999], ys[1000:3999], None)
    assert leaves + 5 < tree_of(plain).n_leaves
    engine.store(model)
    assert bits(model) == bits(plain)


def test_leaves_that_were_put_to_sleep_wake_at_a_split() -> None:
    """As they are where memory was short once."""
    (table, ys), (model, engine) = deep(3000, 5), made("tree.HoeffdingTreeClassifier(20, tau=0.3)", 4, "binary")
    bare(model, table[:1000], ys[:1000], None)
    for leaf in [*model._root.iter_leaves()][:3]:
        leaf.deactivate()
    model._n_active_leaves, model._n_inactive_leaves = model._n_active_leaves - 3, 3
    plain = copy.deepcopy(model)
    engine.load(model)
    for start, stop in pairwise([1000, 1005, 1200, 3000]):
        table.numbers[stop - 1] = 1e300
        assert engine.run(table[start:stop], ys[start:stop], None) is None
        found = engine.run(table[start : stop - 1], ys[start : stop - 1], None)
        assert found is not None
        assert bits(dicts(engine, found)) == bits(bare(plain, table[start : stop - 1], ys[start : stop - 1], None))
        engine.store(model)
        assert bits(model) == bits(plain)
    assert plain.n_inactive_leaves == 0


@pytest.mark.parametrize("steps", ["", "preprocessing.StandardScaler() | "])
def test_what_a_tree_was_is_built_later(steps: str) -> None:
    """In bytes that are written later, whatever the engine learns meanwhile; the model itself stays behind."""
    (table, ys), (model, engine) = deep(3000, 5), made(f"{steps}tree.HoeffdingTreeClassifier(20, tau=0.3)", 4, "binary")
    assert isinstance(engine, Lending)
    assert engine.lend(model) is None
    plain, written = copy.deepcopy(model), []
    for start, stop in pairwise([0, 1000, 1500, 3000]):
        assert engine.run(table[start:stop], ys[start:stop], None) is not None
        bare(plain, table[start:stop], ys[start:stop], None)
        lent, expected = engine.lend(model), bits(plain)
        assert lent is not None
        captured = capture({"model": Deferred(model, *lent)})
        assert captured.written() == captured.written()
        if stop == 1500:
            engine.store(model)
            assert bits(model) == expected
        if stop < 3000:
            assert engine.run(table[stop : stop + 500], [*ys[stop : stop + 499], "new"], None) is None
            other = made(f"{steps}tree.HoeffdingTreeClassifier(20, tau=0.3)", 4, "binary")[1]
            other.load(load(captured.written())["model"])
            assert other.run(table[stop : stop + 500], ys[stop : stop + 500], None) is not None
        written.append((captured, expected))
    for captured, expected in written:
        assert bits(load(captured.written())["model"]) == expected
    assert tree_of(model).n_leaves < tree_of(plain).n_leaves
    engine.store(model)
    assert bits(model) == bits(plain)


def test_a_tree_that_is_large_is_written_at_once(monkeypatch: Any) -> None:
    (table, ys), (model, engine) = deep(100, 5), made("tree.HoeffdingTreeClassifier()", 4, "binary")
    assert isinstance(engine, Lending)
    monkeypatch.setattr(compiled_tree, "LENT_MAX", 10)
    assert engine.run(table, ys, None) is not None
    assert engine.lend(model) is None


def test_river_measures_its_memory_itself() -> None:
    (table, ys), (model, engine) = deep(200, 5), made("tree.HoeffdingTreeClassifier()", 4, "binary")
    model._train_weight_seen_by_model = 999_900.0
    engine.load(model)
    assert engine.run(table, ys, None) is None
    assert engine.run(table[:99], ys[:99], None) is not None
    assert engine.run(table[99:100], ys[99:100], None) is None
    engine.store(model)
    bare(model, table[99:100], ys[99:100], None)
    assert model._active_leaf_size_estimate > 0
    engine.load(model)
    assert engine.run(table[100:], ys[100:], None) is not None


def test_a_tree_that_may_be_too_large_is_left_to_river() -> None:
    (table, ys), (model, engine) = deep(2000, 5), made("tree.HoeffdingTreeClassifier(20, tau=0.3)", 4, "binary")
    model._active_leaf_size_estimate = model._max_byte_size / 3
    engine.load(model)
    assert engine.run(table[:20], ys[:20], None) is not None
    assert engine.run(table, ys, None) is None
    model._active_leaf_size_estimate *= 4
    engine.load(model)
    assert engine.run(table[:20], ys[:20], None) is None


ELEC2 = Path(__file__).parents[3] / "shared" / "data" / "elec2.csv.gz"


@pytest.mark.skipif(not ELEC2.exists(), reason="the published streams are not here")
@pytest.mark.parametrize("options", ["", "50, max_depth=4, split_criterion='gini'"])
def test_elec2_makes_the_same_tree(options: str) -> None:
    with gzip.open(ELEC2, "rt") as file:
        rows = list(csv.reader(file))[:20_001]
    names = tuple(name for name in rows[0] if name != "class")
    numbers = np.array([[float(v) for name, v in zip(rows[0], row, strict=True) if name in names] for row in rows[1:]])
    ys = np.array([row[rows[0].index("class")] == "UP" for row in rows[1:]])
    model = read_recipe(f"tree.HoeffdingTreeClassifier({options})", "binary").build()
    engine = engine_for(model, Layout(names, names), "binary")
    assert not isinstance(engine, str)
    assert engine is not None
    plain, table = copy.deepcopy(model), Table(Layout(names, names), numbers, {})
    for start in range(0, len(ys), 500):
        found = engine.run(table[start : start + 500], Column(ys[start : start + 500]), None)
        assert found is not None
        expected = bare(plain, table[start : start + 500], ys[start : start + 500].tolist(), None)
        assert bits(dicts(engine, found)) == bits(expected)
    engine.store(model)
    assert bits(model) == bits(plain)


@pytest.mark.parametrize("ys", [[1.5, 2.5], [None, "a"], [0, True], ["a"], Column(np.array([1.0, 2.0]))])
def test_labels_of_another_type_are_left_to_river(ys: Any) -> None:
    engine: Engine = made("tree.HoeffdingTreeClassifier()", 2, "multiclass")[1]
    assert engine.run(Table(layout(2), np.ones((2, 2)), {}), ys, None) is None


@pytest.mark.parametrize("weights", [[1, 1.0], [1.0, -1.0], [math.nan, 1.0], [1.0]])
def test_odd_weights_are_left_to_river(weights: list[Any]) -> None:
    _, engine = made("tree.HoeffdingTreeClassifier()", 2, "binary")
    assert engine.run(Table(layout(2), np.ones((2, 2)), {}), [True, False], weights) is None


def test_a_tree_that_has_learned_whole_numbers_is_left_to_river() -> None:
    (table, ys), (model, engine) = deep(100, 5), made("tree.HoeffdingTreeClassifier()", 4, "binary")
    model.learn_one({"f0": 1}, y=True)
    engine.load(model)
    assert engine.run(table, ys, None) is None


def test_a_tree_behind_a_union_is_left_to_river() -> None:
    model = read_recipe("preprocessing.OneHotEncoder() | tree.HoeffdingTreeClassifier()", "binary").build()
    assert "union" in str(hindrance(model, Layout(("a",), ()), "binary"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("splitter=tree.splitter.HistogramSplitter()", "the splitter HistogramSplitter"),
        ("nominal_attributes=['b', 'x']", "nominal_attributes is not compiled (b)"),
        ("nominal_attributes=['x']", None),
        ("remove_poor_attrs=True", None),
        ("remove_poor_attrs=True, leaf_prediction='mc'", "remove_poor_attrs"),
        ("memory_estimate_period=500", "memory_estimate_period = 500"),
        ("delta=2", "delta = 2"),
        ("splitter=tree.splitter.GaussianSplitter(0)", "splitter.n_splits = 0"),
    ],
)
def test_which_trees_are_compiled_is_told(options: str, why: str | None) -> None:
    model = read_recipe(f"tree.HoeffdingTreeClassifier({options})", "binary").build()
    found = hindrance(model, Layout(("a", "b"), ("a", "b")), "binary")
    assert found is None if why is None else why in str(found)
    assert type(model) is tree.HoeffdingTreeClassifier
