"""Events in columns are the same events as in rows."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from learners.table import Column, Layout, Table

FEATURES = ("a", "colour", "b", "wet")
LAYOUT = Layout(FEATURES, ("a", "b"))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = {"a": NUMBERS, "colour": st.text(min_size=1), "b": NUMBERS, "wet": st.booleans()}


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    row = st.fixed_dictionaries({}, optional=VALUES)
    found = draw(st.lists(row, max_size=8))
    return [{name: x[name] for name in FEATURES if name in x} for x in found]


@given(rows(), st.data())
def test_a_table_is_a_sequence_of_the_very_rows(xs: list[dict[str, Any]], data: st.DataObject) -> None:
    table = Table.of(LAYOUT, xs)
    assert list(table) == [table[place] for place in range(len(xs))] == xs
    assert [list(x.items()) for x in table] == [list(x.items()) for x in xs]  # the order of the features, too
    assert pickle.loads(pickle.dumps(table)) == xs
    start, stop = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    assert list(table[start:stop]) == xs[start:stop]
    places = data.draw(st.lists(st.integers(0, len(xs) - 1))) if xs else []
    assert list(table.take(places)) == [xs[place] for place in places]
    assert list(Table.join([table[:start], table[start:]])) == xs


def test_a_column_is_a_sequence_of_python_values() -> None:
    column = Column(np.array([True, False, True]))
    assert [type(value) for value in (*column, column[0])] == [bool] * 4
    assert (column[1:], list(column.take([0, 2])), column[-1]) == ([False, True], [True, True], True)
    assert type(pickle.loads(pickle.dumps(column))) is list
