"""How objects are pickled: what comes back is what a plain pickle brings back, and was so in the moment of writing."""

from __future__ import annotations

import functools
import pickle
import random
from collections import OrderedDict, defaultdict
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pytest
from river import ensemble, forest, naive_bayes, preprocessing, proba, stats, tree
from river.utils import VectorDict

from learners import Learner
from learners.recipe import read_recipe
from learners.state import FORMAT_KEY, FORMAT_WHOLE, capture, dump, load
from learners.table import Column, Layout, Table
from tests.bits import bits
from tests.learners.streams import columns, labels

METRICS = ("Accuracy", "LogLoss", "ROCAUC")
LINEAR = "preprocessing.StandardScaler() | linear_model.LogisticRegression()"
TREE = "tree.HoeffdingTreeClassifier(grace_period=50)"


def back(value: Any) -> Any:
    return load(dump({"value": value}))["value"]


MODELS = {
    "tree": tree.HoeffdingTreeClassifier(grace_period=20),
    "adaptive tree": tree.HoeffdingAdaptiveTreeClassifier(grace_period=20, seed=1),
    "forest": forest.ARFClassifier(n_models=3, seed=1),
    "bayes": preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
    "bagging": ensemble.BaggingClassifier(tree.ExtremelyFastDecisionTreeClassifier(grace_period=20), 3, seed=1),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_come_back_as_they_were(name: str) -> None:
    model, xs = MODELS[name].clone(), columns(700)
    for x, y in zip(xs[:600], labels(xs), strict=False):
        model.learn_one(x, y)
    ours = back(back(model))
    assert bits(ours) == bits(model)
    for x, y in zip(xs[600:], labels(xs)[600:], strict=True):
        assert ours.predict_proba_one(x) == model.predict_proba_one(x)
        ours.learn_one(x, y)
        model.learn_one(x, y)
    assert bits(ours) == bits(model)
    assert dump({"model": ours}) == dump({"model": back(ours)})


class Listed(list[int]):
    """A list with attributes."""


class Slotted:
    __slots__ = ("__dict__", "a")


class Stateful:
    def __getstate__(self) -> dict[str, Any]:
        return {"b": vars(self).get("a", 0) + 1}


class Arguments:
    def __new__(cls, a: int) -> Self:
        made = object.__new__(cls)
        made.a = a  # type: ignore[attr-defined]
        return made

    def __getnewargs__(self) -> tuple[int]:
        return (vars(self)["a"],)


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


def objects() -> list[Any]:
    listed, slotted, stateful, vector = Listed([1, 2]), Slotted(), Stateful(), VectorDict({"a": 1.0})
    listed.more, slotted.a, slotted.b, stateful.a = {3}, 4, 5, 6  # type: ignore[attr-defined]
    held = WithMeta()
    held.kind, held.empty = WithMeta, WithMeta()  # type: ignore[attr-defined]
    ordered = OrderedDict(a=1)
    return [
        *(
            listed,
            slotted,
            stateful,
            Arguments(7),
            held,
            vector,
            ordered,
            defaultdict(list, {"a": [1]}),
            Meta,
            WithMeta,
        ),
        *(np.arange(3.0), np.float64(0.5), complex(1, 2), {1, 2}, frozenset({3})),
        *(stats.Quantile(0.5), stats.EWMean(), 2**70, "text", b"bytes", (1, (2,)), None, range(3), Ellipsis),
    ]


@pytest.mark.parametrize("place", range(len(objects())))
def test_any_object_comes_back_as_from_a_plain_pickle(place: int) -> None:
    value = objects()[place]
    plain, ours = pickle.loads(pickle.dumps(value, 5)), back(value)
    assert type(ours) is type(plain)
    assert pickle.dumps(ours, 5) == pickle.dumps(plain, 5)
    assert dump({"value": value}) == dump({"value": value})  # not changed by being written


def test_what_makes_its_dictionary_when_it_is_looked_at_is_written_the_same_each_time() -> None:
    partial = functools.partial(int, base=2)
    assert dump({"partial": partial}) == dump({"partial": partial})
    assert back(partial)("101") == 5


class Spread(stats.Var):
    """Another one, with the same attributes."""


def gaussian() -> Any:
    made: Any = proba.Gaussian()
    for value in (1.5, -0.0, 7.25):
        made.update(value)
    return made


def test_gaussians_are_as_small_as_their_numbers() -> None:
    many = [gaussian() for _ in range(100)]
    assert len(dump({"many": many})) < 100 * 60
    assert [bits(each) for each in back(many)] == [bits(each) for each in many]


def test_distributions_leave_out_generators_that_nobody_seeded() -> None:
    assert len(dump({"a": proba.Multinomial()})) < 600
    assert len(dump({"a": proba.Multinomial(seed=1)})) > 2000


def test_a_gaussian_whose_parts_others_know_keeps_them_one() -> None:
    shared, twice, other = gaussian(), gaussian(), gaussian()
    _, _, var = dump({"a": shared}), dump({"b": twice}), shared._var
    mean = other._var.mean
    ours = back([shared, var, other, mean, twice, twice])
    assert ours[0]._var is ours[1]
    assert ours[2]._var.mean is ours[3]
    assert ours[4] is ours[5]


def test_a_gaussian_that_is_not_as_river_makes_it_keeps_what_it_has() -> None:
    named, seeded, odd, less, other = gaussian(), gaussian(), gaussian(), gaussian(), gaussian()
    named.name, seeded.seed, seeded._rng, odd._var = "a", 3, random.Random(3), stats.EWVar()
    del less._var._S
    other._var.__class__ = Spread
    ours = back([named, seeded, odd, less, other])
    assert ours[0].name == "a"
    assert ours[1].sample() == pickle.loads(pickle.dumps(seeded)).sample()
    assert type(ours[4]._var) is Spread
    assert type(ours[2]._var) is stats.EWVar
    assert vars(ours[3]._var).keys() == {"ddof", "mean"}


def trained(text: str, xs: Any, ys: Any) -> Learner:
    recipe = read_recipe(text, "binary")
    learner = Learner.new(recipe, features=["a", "b", "c"], metrics=METRICS, window=40)
    learner.test_then_train(xs, ys)
    return learner


def in_columns(xs: list[dict[str, Any]]) -> Table:
    return Table(Layout(("a", "b", "c"), ("a", "b", "c")), np.array([[*x.values()] for x in xs]), {})


@pytest.mark.parametrize("text", [LINEAR, TREE])
@pytest.mark.parametrize("form", ["rows", "columns"])
def test_what_was_written_is_the_learner_of_that_moment_however_late_it_is_proved(
    text: str, form: str, compiled_code: None
) -> None:
    del compiled_code
    rows, answers = columns(400), [x["a"] > 0 for x in columns(400)]
    xs: Any = in_columns(rows) if form == "columns" else rows
    ys: Any = Column(np.array(answers)) if form == "columns" else answers
    learner, twin = (trained(text, xs[:250], ys[:250]) for _ in range(2))
    written, sealed = learner.write(), twin.seal()
    for start in range(250, 400, 50):
        learner.test_then_train(xs[start : start + 50], ys[start : start + 50])
    proved = written.proved()
    assert proved == sealed
    assert Learner.restore(proved.state, proved.golden).scores() == {
        metric: {**scores, "since_last": None} for metric, scores in sealed.scores.items()
    }


def test_bytes_from_before_anything_was_put_apart_are_read() -> None:
    xs = columns(300)
    learner = trained(TREE, xs[:200], [x["a"] > 0 for x in xs[:200]])
    sealed = learner.seal()
    parts = replace(learner.parts, lessons=list(learner.parts.lessons), pending=None)
    old = b"".join(pickle.dumps(each, 5) for each in ({FORMAT_KEY: FORMAT_WHOLE}, {"parts": parts}, ()))
    again, now = Learner.restore(old, sealed.golden), Learner.restore(sealed.state, sealed.golden)
    for each in (again, now):
        each.test_then_train(xs[200:], [x["a"] > 0 for x in xs[200:]])
    assert again.seal() == now.seal()


def test_what_is_put_apart_does_not_change_any_more() -> None:
    xs = columns(100)
    learner = trained(LINEAR, xs, [x["a"] > 0 for x in xs])
    captured, before = capture({"board": learner.parts.board}), dump({"board": learner.parts.board})
    learner.test_then_train(xs, [x["a"] > 0 for x in xs])
    assert captured.written() == captured.written() == before != dump({"board": learner.parts.board})
    assert len(captured.apart) >= 3
