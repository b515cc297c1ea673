"""Steps that go through many events at a time: what they make of each, and all that they keep, is river's, bit for bit.

River's own pipeline is asked and taught event by event; a last step writes down what it is given.
"""

from __future__ import annotations

import math
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st
from river import base, compose, preprocessing

from learners import read_recipe
from learners.steps import Seen, go, is_plain
from tests.bits import bits

Xs = list[dict[str, Any]]

LAST = "linear_model.LogisticRegression()"
LEAVES = [
    "preprocessing.StandardScaler()",
    "preprocessing.StandardScaler()",
    "preprocessing.StandardScaler(with_std=False)",
    "preprocessing.StandardScaler(window_size=3)",
    "preprocessing.MinMaxScaler()",
    "preprocessing.Normalizer()",
    "preprocessing.OneHotEncoder()",
    "preprocessing.FeatureHasher(n_features=4, seed=1)",
    "feature_selection.VarianceThreshold(0.5, min_samples=3)",
    "compose.Select('b')",
    "compose.Discard('s', 'c c')",
    "compose.SelectType(float)",
    "compose.SelectType(str)",
]
STEPS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda several: st.sampled_from([f"({' | '.join(several)})", f"({' + '.join(several)})"])
    ),
    max_leaves=5,
)
NUMBER = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([0.0, -0.0, 1.0, 1e-200, 1e200, 1e308, math.inf, math.nan]))
ODD = st.one_of(NUMBER, NUMBER, st.sampled_from([1, True, 10**20]))
WHOLE = st.fixed_dictionaries({"a": NUMBER, "b": NUMBER, "c c": st.just(0.5)})
LACKING = st.dictionaries(st.sampled_from(["a", "b", "c c", "d"]), ODD, max_size=4)
TEXT = st.fixed_dictionaries({"a": NUMBER, "s": st.sampled_from("xyz"), "b": NUMBER})


class Listener(base.Classifier):
    """A last step that keeps what it is given."""

    def __init__(self) -> None:
        self.asked: Xs = []
        self.learned: Xs = []

    def predict_one(self, x: dict[Any, Any], **_: Any) -> None:
        """Keep what is asked."""
        self.asked.append(dict(x))

    def learn_one(self, x: dict[Any, Any], y: Any) -> None:
        """Keep what is learned."""
        del y
        self.learned.append(dict(x))


def river_of(text: str) -> tuple[compose.Pipeline, Listener]:
    """River's pipeline of these first steps, and what listens at its end."""
    *first, _ = steps_of(text)
    return compose.Pipeline(*first, listener := Listener()), listener


def steps_of(text: str) -> list[Any]:
    return list(read_recipe(f"{text} | {LAST}", "binary").build().steps.values())


def told(model: compose.Pipeline, batch: Xs, listener: Listener) -> Seen:
    """What a last step is given, up to where one raises."""
    listener.asked.clear()
    listener.learned.clear()
    for x in batch:
        try:
            model.predict_one(x)
            model.learn_one(x, True)
        except Exception as error:  # noqa: BLE001 - whatever river raises
            return Seen(listener.asked[: len(listener.learned)], listener.learned, error)
    return Seen(listener.asked, listener.learned)


@settings(max_examples=300, deadline=None)
@given(
    text=STEPS,
    batches=st.lists(
        st.one_of(
            st.lists(WHOLE, max_size=9),
            st.lists(WHOLE, max_size=9),
            st.lists(st.one_of(WHOLE, LACKING), max_size=5),
            st.lists(st.one_of(TEXT, TEXT, TEXT, LACKING), max_size=5),
        ),
        max_size=5,
    ),
)
def test_steps_do_as_river_in_every_bit(text: str, batches: list[Xs]) -> None:
    river, listener = river_of(text)
    *ours, _ = steps_of(text)
    if not all(map(is_plain, ours)):
        return
    for batch in batches:
        given = [dict(x) for x in batch]
        found, expected = go(ours, Seen.of(given)), told(river, [dict(x) for x in batch], listener)
        assert repr((found.asked, found.learned)) == repr((expected.asked, expected.learned))
        assert repr(given) == repr(batch), "what is given stays as it is"
        assert (found.raised is None) == (expected.raised is None)
        if found.raised is not None:
            event("river raises")
            return
        if "nan" in repr((batch, expected)):
            event("no number")  # its sign, and its place in a set, differ in river alone, too
            return
    event("goes through")
    assert bits(ours) == bits(list(river.steps.values())[:-1])


@settings(max_examples=200, deadline=None)
@given(batches=st.lists(st.lists(st.one_of(WHOLE, WHOLE, LACKING), max_size=9), max_size=9), known=st.booleans())
def test_a_scaler_does_as_river_in_every_bit(batches: list[Xs], known: bool) -> None:  # noqa: FBT001
    """Whether batches are whole, lack something, or have other numbers; whether it has learned, or begins."""
    river, ours = preprocessing.StandardScaler(), preprocessing.StandardScaler()
    if known:  # a variance that is negative: roots are complex then
        for each in (river, ours):
            each.counts.update({"b": 3, "a": 7})
            each.means.update({"b": 2.5, "a": -1.0})
            each.vars.update({"b": -0.25, "a": 4.0})
    for batch in batches:
        asked, learned = [], []
        for x in batch:
            asked.append(river.transform_one(x))
            river.learn_one(x)
            learned.append(river.transform_one(x))
        assert repr(go([ours], Seen.of([dict(x) for x in batch]))) == repr(Seen(asked, learned))
        if "nan" in repr(learned):
            return  # as above
    assert bits(ours) == bits(river)
