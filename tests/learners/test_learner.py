from __future__ import annotations

import math
import pickle
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import base, proba, tree

from learners import Learner, LearnFailed, Recipe, StateError, read_recipe
from learners.golden import read, written
from learners.outputs import Block, Digest, Outputs
from learners.state import dump, load
from learners.ways import insertion_order
from tests.learners.streams import columns, labels

NAIVE = "naive_bayes.GaussianNB()"


class Spy(base.Classifier):
    """Writes down how it was called; knows a label only after it learned it."""

    calls: ClassVar[list[tuple[Any, ...]]] = []

    def learn_one(self, x: dict[str, Any], y: Any) -> None:
        if x.get("a") == "poison":
            raise ZeroDivisionError("learn")
        Spy.calls.append(("learn", x["a"], y))

    def predict_one(self, x: dict[str, Any], **_: Any) -> Any:
        if x.get("a") == "bad question":
            raise KeyError("predict")
        assert set(x) == {"a"}, "the label is among the features"
        Spy.calls.append(("predict", x["a"]))
        return None


def spying(window: int = 3) -> Learner:
    Spy.calls.clear()
    recipe = read_recipe("tests.learners.test_learner:Spy", "binary")
    return Learner.new(recipe, features=["a"], metrics=["Accuracy"], window=window)


def test_every_event_is_predicted_before_it_is_learned() -> None:
    learner = spying()
    learner.test_then_train([{"a": i} for i in range(10)], [True] * 10)
    assert Spy.calls == [call for i in range(10) for call in (("predict", i), ("learn", i, True))]
    assert learner.learned == learner.details()["outputs"]["absent"] == 10
    assert set(learner.scores()["Accuracy"].values()) == {None}


@pytest.mark.parametrize(("bad", "cause"), [("poison", ZeroDivisionError), ("bad question", KeyError)])
@pytest.mark.parametrize("place", [0, 2, 3, 7])
def test_a_model_that_raises_names_the_event(bad: str, cause: type[Exception], place: int) -> None:
    learner = spying()
    with pytest.raises(LearnFailed) as raised:
        learner.test_then_train([{"a": bad if i == place else i} for i in range(8)], [True] * 8)
    assert raised.value.index == place
    assert isinstance(raised.value.cause, cause)


def new(
    text: str = NAIVE, task: Any = "multiclass", window: int = 50, metrics: tuple[str, ...] = ("Accuracy",)
) -> Learner:
    return Learner.new(read_recipe(text, task), features=["a", "b", "c"], metrics=metrics, window=window)


def test_prediction_takes_features_in_order_and_drops_unknown_keys() -> None:
    learner, xs = new("tree.HoeffdingTreeClassifier(grace_period=20)"), columns(200)
    learner.test_then_train(xs, labels(xs))
    for x in xs[:20]:
        turned = {"zzz": 1, **dict(reversed(x.items()))}
        assert learner.predict_one(turned) == learner.predict_one(x)
    assert sum(learner.predict_one(xs[0]).probabilities.values()) == pytest.approx(1)  # type: ignore[union-attr]
    assert learner.learned == 200


def test_seal_begins_anew_and_the_lineage_goes_on() -> None:
    learner, xs = new(window=40), columns(300)
    ys = labels(xs)
    learner.test_then_train(xs[:100], ys[:100])
    first = learner.seal()
    assert [point.learned for point in first.points] == [40, 80]
    assert learner.scores()["Accuracy"]["since_last"] is None
    learner.test_then_train(xs[100:], ys[100:])
    second = learner.seal()
    assert [point.learned for point in second.points] == [120, 160, 200, 240, 280]
    assert second.learned == 300
    assert second.digest != first.digest
    restored = Learner.restore(first.state, first.golden)
    restored.test_then_train(xs[100:], ys[100:])
    assert replace(restored.seal(), state=b"") == replace(second, state=b"")
    assert (restored.recipe.text, restored.features, restored.metrics, restored.window) == (
        NAIVE,
        ("a", "b", "c"),
        ("Accuracy",),
        40,
    )


def test_points_are_recorded_once() -> None:
    learner, xs = new(window=10), columns(25)
    learner.test_then_train(xs, labels(xs))
    learner.point()
    learner.point()
    sealed = learner.seal()
    learner.point()
    assert [point.learned for point in sealed.points] == [10, 20, 25]
    assert learner.seal().points == ()
    assert set(sealed.points[0].baselines) == {"NoChange", "Prior"}


def test_an_altered_weight_is_found_by_the_golden_predictions() -> None:
    learner, xs = new("linear_model.LogisticRegression()", "binary"), columns(100)
    learner.test_then_train(xs, [x["a"] > 0 for x in xs])
    sealed = learner.seal()
    parts = load(sealed.state)
    weights = parts["parts"].model._weights
    weights["a"] = math.nextafter(weights["a"], math.inf)
    weights["a"] += 1e-9
    with pytest.raises(StateError, match="golden prediction 0 differs") as raised:
        Learner.restore(dump({"parts": parts["parts"]}), sealed.golden)
    assert raised.value.hint
    assert Learner.restore(sealed.state, sealed.golden).learned == 100


@pytest.mark.parametrize(
    "state", [b"", b"no pickle", pickle.dumps(1), pickle.dumps({"tidemark.learner": 99}), pickle.dumps({})]
)
def test_bytes_that_are_no_learner_are_refused(state: bytes) -> None:
    with pytest.raises(StateError) as raised:
        Learner.restore(state)
    assert raised.value.hint


def test_truncated_bytes_are_refused() -> None:
    state = new().seal().state
    for stop in range(0, len(state) - 1, 97):
        with pytest.raises(StateError):
            Learner.restore(state[:stop])


@pytest.mark.parametrize("golden", ["", "{}", "[]", '{"inputs":[1],"answers":[]}', '{"inputs":[[]],"answers":[]}'])
def test_golden_text_that_cannot_be_read_is_refused(golden: str) -> None:
    with pytest.raises(StateError):
        Learner.restore(new().seal().state, golden)


@given(
    st.one_of(
        st.floats(allow_nan=False),
        st.booleans(),
        st.integers(),
        st.text(),
        st.none(),
        st.datetimes(),
        st.dates(),
        st.times(),
        st.timedeltas(),
    )
)
def test_values_are_written_exactly(value: Any) -> None:
    back = read(written(value))
    assert back == value
    assert type(back) is type(value)


def test_golden_values_keep_zones_and_signs() -> None:
    moment = datetime(2013, 1, 1, 5, tzinfo=UTC) + timedelta(microseconds=7)
    assert read(written(moment)) == moment
    assert math.copysign(1, read(written(-0.0))) == -1


def test_states_are_small_and_equal_runs_give_equal_bytes() -> None:
    xs = columns(2000)
    ys = labels(xs)
    learner = new("tree.HoeffdingTreeClassifier(grace_period=50)")
    learner.test_then_train(xs, ys)
    plain = len(pickle.dumps(learner._parts.model, protocol=5))
    assert len(dump({"model": learner._parts.model})) * 6 < plain
    sealed = learner.seal()
    again = new("tree.HoeffdingTreeClassifier(grace_period=50)")
    again.test_then_train(xs, ys)
    assert again.seal().state == sealed.state


def test_seeded_distributions_keep_their_generators() -> None:
    seeded, unseeded = proba.Gaussian(seed=3), proba.Gaussian()
    expected = pickle.loads(pickle.dumps(seeded)).sample()
    parts = load(dump({"seeded": seeded, "unseeded": unseeded, "tree": tree.HoeffdingTreeClassifier()}))
    assert parts["seeded"].sample() == expected
    assert 0.0 <= parts["unseeded"]._rng.random() < 1.0
    assert len(dump({"a": unseeded})) < 600


class Holder:
    def __init__(self, names: set[Any]) -> None:
        self.names = names


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.text("abcdef_", min_size=1, max_size=6), st.integers(0, 10**9)),
        min_size=2,
        max_size=40,
        unique=True,
    )
)
def test_sets_iterate_after_a_restore_as_before(names: list[Any]) -> None:
    before = Holder(set())
    for name in names:
        before.names.add(name)
    after = load(dump({"holder": before}))["holder"]
    assert list(after.names) == list(before.names)


def test_the_search_for_an_order_is_bounded() -> None:
    shrunk = set(range(0, 100_000, 7))
    for number in list(shrunk):
        if len(shrunk) > 30:
            shrunk.discard(number)
    order, tries = insertion_order(shrunk, 50)
    assert order is None
    assert tries <= 50


probabilities = st.lists(
    st.dictionaries(st.sampled_from([False, True, "a", "b"]), st.floats(0, 1), max_size=3), max_size=12
)


@given(probabilities, st.lists(st.integers(1, 5), min_size=1))
def test_the_digest_does_not_depend_on_batches(raw: list[dict[Any, float]], sizes: list[int]) -> None:
    whole, pieces = Digest(), Digest()
    whole.add_probabilities(Outputs.of_probabilities(raw))
    start = 0
    while start < len(raw):
        stop = start + sizes[start % len(sizes)]
        pieces.add_probabilities(Outputs.of_probabilities(raw[start:stop]))
        start = stop
    assert whole.hexdigest() == pieces.hexdigest()


@given(st.lists(st.one_of(st.floats(), st.none(), st.integers()), max_size=12), st.integers(1, 4))
def test_the_digest_of_numbers_does_not_depend_on_batches(raw: list[Any], size: int) -> None:
    whole, pieces = Digest(), Digest()
    whole.add_numbers(raw)
    for start in range(0, len(raw), size):
        pieces.add_numbers(raw[start : start + size])
    assert whole.hexdigest() == pieces.hexdigest()


def test_the_digest_sees_every_bit_and_every_place() -> None:
    def digest(raw: list[Any]) -> str:
        made = Digest()
        made.add_numbers(raw)
        return made.hexdigest()

    lists = [
        [],
        [0.0],
        [-0.0],
        [None],
        [None, 0.0],
        [0.0, None],
        [math.nextafter(0.0, 1)],
        [0.0, 0.0],
        [1.0, 2.0],
        [2.0, 1.0],
    ]
    assert len({digest(raw) for raw in lists}) == len(lists)

    def of_probabilities(raw: list[Any]) -> str:
        made = Digest()
        made.add_probabilities(Outputs.of_probabilities(raw))
        return made.hexdigest()

    dicts: list[list[Any]] = [
        [{}],
        [{True: 1.0}],
        [{False: 1.0}],
        [{True: 0.5, False: 0.5}],
        [{True: 0.4, False: 0.6}],
        [{"True": 1.0}],
        [{}, {}],
    ]
    assert len({of_probabilities(raw) for raw in dicts}) == len(dicts)


@given(
    st.lists(
        st.permutations(["a", "b", "c"]).flatmap(
            lambda k: st.tuples(
                st.just(k), st.lists(st.sampled_from([0.0, 0.1, 0.5, math.nan]), min_size=3, max_size=3)
            )
        ),
        min_size=1,
        max_size=6,
    )
)
def test_labels_are_those_of_river(drawn: list[Any]) -> None:
    raw = [dict(zip(keys, values, strict=True)) for keys, values in drawn]
    expected = [max(p, key=p.get) for p in raw]  # type: ignore[arg-type]
    assert Outputs.of_probabilities(raw).labels == expected
    assert Block.of(raw) is not None


def test_recipes_are_values() -> None:
    recipe = read_recipe(NAIVE, "multiclass")
    assert recipe == Recipe(recipe.text, recipe.task, recipe.identity)
    assert pickle.loads(pickle.dumps(recipe)) == recipe


def test_random_batches_change_nothing() -> None:
    xs = columns(150)
    ys = labels(xs)
    whole = new(metrics=("Accuracy", "CrossEntropy"))
    whole.test_then_train(xs, ys)
    expected = whole.seal()
    rng = random.Random(5)
    for _ in range(5):
        learner, start = new(metrics=("Accuracy", "CrossEntropy")), 0
        while start < len(xs):
            stop = start + rng.randint(1, 60)
            learner.test_then_train(xs[start:stop], ys[start:stop])
            start = stop
        assert learner.seal() == expected
