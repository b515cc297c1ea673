from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from river import linear_model

from learners.errors import RecipeError, UnseededRecipe
from learners.recipe import Task, read_recipe


@pytest.mark.parametrize(
    ("one", "other", "task"),
    [
        (
            "linear_model.LinearRegression(optim.SGD(0.005))",
            "linear_model.LinearRegression(optimizer=optim.SGD(lr=0.005))",
            "regression",
        ),
        ("linear_model.LinearRegression()", "river.linear_model.LinearRegression(l2=0.0)", "regression"),
        ("linear_model.LinearRegression(l2=1e-3)", "linear_model.LinearRegression(l2=0.001)", "regression"),
        (
            "preprocessing.StandardScaler()|naive_bayes.GaussianNB()",
            "compose.Pipeline(('x', preprocessing.StandardScaler()), naive_bayes.GaussianNB())",
            "multiclass",
        ),
        (
            "compose.Select('a', 'b') | naive_bayes.GaussianNB()",
            "compose.Select('b','a') | naive_bayes.GaussianNB()",
            "binary",
        ),
        (
            "neighbors.KNNClassifier(engine=neighbors.LazySearch())",
            "neighbors.KNNClassifier(5, neighbors.LazySearch(50))",
            "binary",
        ),
    ],
)
def test_identity_does_not_depend_on_the_spelling(one: str, other: str, task: Task) -> None:
    assert read_recipe(one, task).identity == read_recipe(other, task).identity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("linear_model.LinearRegression(optim.SGD(0.005))", "linear_model.LinearRegression(optim.SGD(0.0050000001))"),
        ("linear_model.LinearRegression(optim.SGD(0.01))", "linear_model.LinearRegression(optim.Adam(0.01))"),
        ("linear_model.LinearRegression(l2=1)", "linear_model.LinearRegression(l1=1)"),
        ("tree.HoeffdingTreeRegressor()", "tree.HoeffdingTreeRegressor(grace_period=199)"),
        ("forest.ARFRegressor(seed=1)", "forest.ARFRegressor(seed=2)"),
        (
            "preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | linear_model.LinearRegression()",
            "preprocessing.MinMaxScaler() | preprocessing.StandardScaler() | linear_model.LinearRegression()",
        ),
    ],
)
def test_identity_tells_models_apart(one: str, other: str) -> None:
    assert read_recipe(one, "regression").identity != read_recipe(other, "regression").identity


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("neighbors.KNNClassifier()", "SWINN"),
        ("preprocessing.StandardScaler() | neighbors.KNNClassifier()", "SWINN"),
        ("neighbors.KNNClassifier(engine=neighbors.SWINN())", "SWINN"),
        ("forest.ARFClassifier()", "ARFClassifier"),
        ("forest.AMFClassifier()", "AMFClassifier"),
        ("tree.HoeffdingAdaptiveTreeClassifier()", "HoeffdingAdaptiveTreeClassifier"),
        ("ensemble.BaggingClassifier(linear_model.LogisticRegression())", "BaggingClassifier"),
        (
            "ensemble.BaggingClassifier(tree.HoeffdingAdaptiveTreeClassifier(), seed=1)",
            "HoeffdingAdaptiveTreeClassifier",
        ),
        ("drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), drift.KSWIN())", "KSWIN"),
        ("forest.ARFClassifier(seed=1, drift_detector=drift.KSWIN())", "KSWIN"),
        ("preprocessing.FeatureHasher() | linear_model.LogisticRegression()", "FeatureHasher"),
        ("linear_model.LogisticRegression(initializer=optim.initializers.Normal())", "Normal"),
        ("feature_extraction.RBFSampler() | linear_model.LogisticRegression()", "RBFSampler"),
        (
            "imblearn.RandomUnderSampler(linear_model.LogisticRegression(), {True: 0.5, False: 0.5})",
            "RandomUnderSampler",
        ),
    ],
)
def test_unseeded_parts_are_refused_and_named(text: str, part: str) -> None:
    with pytest.raises(UnseededRecipe, match=part) as raised:
        read_recipe(text, "binary")
    assert "seed" in raised.value.hint


@pytest.mark.parametrize(
    "text",
    [
        "neighbors.KNNClassifier(engine=neighbors.SWINN(seed=1))",
        "forest.ARFClassifier(seed=1)",
        "naive_bayes.GaussianNB()",  # holds unread generators in its distributions
        "drift.DriftRetrainingClassifier(naive_bayes.GaussianNB(), drift.KSWIN(seed=3))",
        "ensemble.BaggingClassifier(tree.HoeffdingAdaptiveTreeClassifier(seed=0), seed=0)",
    ],
)
def test_seeded_recipes_are_taken(text: str) -> None:
    assert read_recipe(text, "binary").build() is not read_recipe(text, "binary").build()


@pytest.mark.parametrize(
    ("text", "task", "expected"),
    [
        ("linear_model.LinearRegression()", "binary", "needs a classifier"),
        ("linear_model.LogisticRegression()", "regression", "needs a regressor"),
        ("linear_model.LogisticRegression()", "multiclass", "knows two"),
        ("preprocessing.StandardScaler()", "binary", "needs a classifier"),
        ("linear_model.LogisticRegression", "binary", "needs a classifier"),
        ("1", "binary", "needs a classifier"),
        ("'text'", "regression", "needs a regressor"),
        ("multioutput.ClassifierChain(linear_model.LogisticRegression())", "binary", "needs a classifier"),
        ("cluster.KMeans(seed=1)", "binary", "needs a classifier"),
    ],
)
def test_the_task_is_checked(text: str, task: Task, expected: str) -> None:
    with pytest.raises(RecipeError, match=expected) as raised:
        read_recipe(text, task)
    assert raised.value.hint


MODULE = """
import random
from river import linear_model, preprocessing

ONE = linear_model.LogisticRegression()

def good():
    return preprocessing.StandardScaler() | linear_model.LogisticRegression()

def same():
    return ONE

def raises():
    raise KeyError("no")

def takes(argument):
    return ONE

class Own(linear_model.LogisticRegression):
    def __init__(self):
        super().__init__()
        self.rng = random.Random()

class Seeded(Own):
    def __init__(self):
        super().__init__()
        self.rng = random.Random(3)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tidemark_factories.py").write_text(MODULE)
    monkeypatch.delitem(sys.modules, "tidemark_factories", raising=False)
    return tmp_path


def test_a_factory_is_called(module: Path) -> None:
    before = list(sys.path)
    recipe = read_recipe("tidemark_factories:good", "binary", module)
    assert isinstance(recipe.build()[-1], linear_model.LogisticRegression)
    assert recipe.source_hash == hashlib.sha256(MODULE.encode()).hexdigest()
    assert recipe.identity.endswith(recipe.source_hash)
    assert sys.path == before
    assert read_recipe("tidemark_factories:Seeded", "binary", module).build().rng.random() < 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("same", "same model twice"),
        ("raises", "KeyError"),
        ("takes", "TypeError"),
        ("missing", "AttributeError"),
        ("Own", "has no seed"),
    ],
)
def test_bad_factories_are_refused(module: Path, name: str, expected: str) -> None:
    with pytest.raises(RecipeError, match=expected):
        read_recipe(f"tidemark_factories:{name}", "binary", module)


def test_a_module_that_is_missing_is_refused() -> None:
    with pytest.raises(RecipeError, match="ModuleNotFoundError"):
        read_recipe("tidemark_no_such_module:make", "binary")
