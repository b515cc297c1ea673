"""Categories, one-hot, ahead of a GaussianNB: river's bits, to the order of keys, where labels come later too."""

from __future__ import annotations

import copy
import math
import pickle
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learners.compiled import union as compiled_union
from learners.compiled.branches import COLUMNS_MAX
from learners.table import Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, cuts
from tests.learners.test_compiled_bayes import LABELS, bare, dicts
from tests.learners.test_compiled_hot import ENCODED, LAYOUT, SCALES, made, tables, unions
from tests.learners.test_compiled_later import follows_river, in_parts

pytestmark = pytest.mark.usefixtures("compiled_code")
BAYES = "naive_bayes.GaussianNB()"


def stream(data: Any) -> tuple[str, Table, list[Any]]:
    steps = data.draw(unions())
    xs = data.draw(tables(missing="Select" not in steps))
    labels = data.draw(st.sampled_from(LABELS))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    kinds = rng.integers(len(labels), size=len(xs))
    kinds[: len(xs) // 2] = np.minimum(kinds[: len(xs) // 2], data.draw(st.integers(0, len(labels) - 1)))
    return steps + BAYES, xs, [labels[kind] for kind in kinds]


def odd(text: str, xs: Table, answers: list[Any]) -> bool:
    """Whether there is a reason for an engine to leave these events to river."""
    finite = all(math.isfinite(p) for answer in answers for p in answer.values())
    return "MinMax" in text or 2.5 in xs.others["c"] or not finite


@pytest.mark.parametrize("cells", [compiled_union.CELLS_MAX, 1])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_tells_a_compiled_bayes_of_categories_from_rivers(cells: int, data: Any) -> None:
    """In batches of any size, at once or in parts, with river taking over here and there, and pickles in between."""
    text, xs, ys = stream(data)
    model, engine = made(text, "multiclass")
    plain = copy.deepcopy(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled_union, "CELLS_MAX", cells)
        patch.setattr(compiled_union, "EVENTS_MIN", 64 if cells > 1 else 3)
        for start, stop in pairwise(data.draw(cuts(len(xs)))):
            part, labels = xs[start:stop], ys[start:stop]
            try:
                expected = bare(plain, part, labels)
            except RAISED:
                assert engine.run(part, labels, None) is None
                return
            found = engine.run(part, labels, None)
            assert found is not None or odd(text, xs, expected)
            if found is not None:
                assert bits(dicts(engine, found)) == bits(expected)
            if found is None or data.draw(st.booleans()):
                engine.store(model)
                if found is None:
                    bare(model, part, labels)
                assert bits(model) == bits(plain)
                model = pickle.loads(pickle.dumps(model))
                plain = pickle.loads(pickle.dumps(plain))
                engine = made(text, "multiclass")[1]
                engine.load(model)
                asked = engine.ask(part)
                if asked is not None:
                    assert bits(dicts(engine, asked)) == bits([plain.predict_proba_one(x) for x in part])
            elif data.draw(st.booleans()):
                engine.store(model)  # and it goes on
    engine.store(model)
    assert bits(model) == bits(plain)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_nor_where_labels_come_later(data: Any) -> None:
    text, xs, ys = stream(data)
    parts = in_parts(data, len(xs))
    follows_river(*made(text, "multiclass"), "multiclass", (xs, ys, None), parts, partial(odd, text, xs))


def test_a_part_that_is_left_to_river_takes_the_parts_before_it_along(monkeypatch: Any) -> None:
    monkeypatch.setattr(compiled_union, "CELLS_MAX", 1)
    monkeypatch.setattr(compiled_union, "EVENTS_MIN", 4)
    model, engine = made(f"({SCALES} + {ENCODED}) | {BAYES}", "multiclass")
    plain = copy.deepcopy(model)
    c: list[Any] = [f"v{n // 3}" for n in range(40)]
    xs = Table(LAYOUT, np.random.default_rng(1).normal(size=(40, 2)), {"c": c, "d": [True] * 40, "e": ["x"] * 40})
    ys = [n * n % 3 for n in range(40)]
    bad = xs[10:]
    bad.others["c"][20] = 2.5
    for part, labels in ((xs[:10], ys[:10]), (bad, ["new"] * 30), (xs[10:], ys[10:])):
        found = engine.run(part, labels, None)
        if part is bad:
            assert found is None
            continue
        assert found is not None
        assert bits(dicts(engine, found)) == bits(bare(plain, part, labels))
    engine.store(model)
    assert bits(model) == bits(plain)


def test_too_many_categories_are_left_to_river() -> None:
    _, engine = made(f"{ENCODED} | {BAYES}", "multiclass")
    count = COLUMNS_MAX + 1
    others = {"c": [f"v{n}" for n in range(count)], "d": [True] * count, "e": ["x"] * count}
    xs = Table(LAYOUT, np.ones((count, 2)), others)
    assert engine.run(xs[1:], ["a"] * (count - 1), None) is not None
    assert engine.run(xs[:1], ["a"], None) is None
