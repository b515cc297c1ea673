"""First steps that have gone ahead: nothing of a learner's life tells that they did."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from river import compose

from learners import Learner, LearnFailed, read_recipe
from learners.prefix import Prefix
from learners.steps import Seen

FEATURES = ("a", "b", "c", "d", "s")

LAST = "linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
NUMBERS = "compose.Discard('s')"

SHARED = {
    "scaler": f"{NUMBERS} | preprocessing.StandardScaler() | {LAST}",
    "several": f"{NUMBERS} | preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | {LAST}",
    "normalizer": f"{NUMBERS} | preprocessing.Normalizer() | preprocessing.MaxAbsScaler() | {LAST}",
    "discard": "compose.Discard('s', 'c') | preprocessing.StandardScaler() | naive_bayes.GaussianNB()",
    "hasher": f"preprocessing.FeatureHasher(n_features=8, seed=3) | preprocessing.StandardScaler() | {LAST}",
    "one hot": f"compose.SelectType(str) | preprocessing.OneHotEncoder(drop_zeros=True) | {LAST}",
    "polynomial": f"{NUMBERS} | preprocessing.StandardScaler() | feature_extraction.PolynomialExtender() | {LAST}",
    "draws": f"{NUMBERS} | preprocessing.SparseRandomProjector(n_components=3, seed=7) | {LAST}",
    "variance": f"{NUMBERS} | feature_selection.VarianceThreshold(0.5, min_samples=20) | {LAST}",
    "union": f"({NUMBERS} + (compose.SelectType(str) | preprocessing.OneHotEncoder())) | {LAST}",
    "scaler in a union": f"(({NUMBERS} | preprocessing.StandardScaler()) + "
    f"(compose.SelectType(str) | preprocessing.OneHotEncoder()) + compose.Discard('s', 'b')) | {LAST}",
    "union of scalers": f"{NUMBERS} | (preprocessing.StandardScaler() + (compose.Discard('c') | "
    f"preprocessing.MinMaxScaler())) | preprocessing.StandardScaler() | {LAST}",
    "selection later": f"{NUMBERS} | preprocessing.StandardScaler() | compose.Discard('b') | "
    f"preprocessing.StandardScaler() | {LAST}",
    "inner pipeline last": f"compose.Pipeline(('x', {NUMBERS}), "
    f"('y', compose.Pipeline(preprocessing.StandardScaler(), {LAST})))",
    "inner pipeline first": f"compose.Pipeline(('x', compose.Pipeline({NUMBERS}, preprocessing.StandardScaler())), "
    f"('y', preprocessing.MinMaxScaler()), ('z', {LAST}))",
    "tree": f"{NUMBERS} | preprocessing.StandardScaler() | tree.HoeffdingTreeClassifier(grace_period=40)",
    "neighbours": f"{NUMBERS} | preprocessing.StandardScaler() | "
    "neighbors.KNNClassifier(n_neighbors=3, engine=neighbors.LazySearch(60))",
}

WITH_TEXT = ("discard", "hasher", "one hot", "union", "scaler in a union")

APART = {
    "no first step": LAST,
    "supervised": f"feature_extraction.TargetAgg(by='s', how=stats.Mean()) | {LAST}",
    "supervised behind another": f"preprocessing.StandardScaler() | "
    f"feature_extraction.TargetAgg(by='s', how=stats.Mean()) | {LAST}",
    "supervised in a union": f"({NUMBERS} + feature_extraction.TargetAgg(by='s', how=stats.Mean())) | {LAST}",
    "draws in a pipeline in a union": f"(({NUMBERS} | feature_selection.PoissonInclusion(p=0.2, seed=4)) + "
    f"preprocessing.StandardScaler()) | {LAST}",
    "renamed in a pipeline": f"compose.Pipeline(('x', compose.Pipeline({NUMBERS}, compose.Renamer({{'a': 'z'}}))), "
    f"('y', {LAST}))",
    "product": f"(compose.Select('a') * compose.Select('b')) | {LAST}",
    "draws when it transforms": f"feature_selection.PoissonInclusion(p=0.2, seed=4) | {LAST}",
}

REGRESSION = {
    "linear": f"{NUMBERS} | preprocessing.StandardScaler() | linear_model.LinearRegression()",
    "tree": f"{NUMBERS} | preprocessing.MinMaxScaler() | tree.HoeffdingTreeRegressor(grace_period=40)",
    "target scaled": f"{NUMBERS} | preprocessing.StandardScaler() | "
    "preprocessing.TargetStandardScaler(regressor=linear_model.LinearRegression())",
}

Events = tuple[list[dict[str, Any]], list[Any]]


def stream(task: str = "binary", count: int = 400) -> Events:
    """Numbers and text; now and then something is missing, and a word comes that never came."""
    draw = random.Random(task)
    xs: list[dict[str, Any]] = []
    ys: list[Any] = []
    for n in range(count):
        x: dict[str, Any] = {name: draw.gauss(index, 1 + index) for index, name in enumerate("abcd")}
        x["s"] = f"w{draw.randrange(3 + n // 100)}"
        total = x["a"] + 0.3 * x["b"] - 0.2 * x["c"] + draw.gauss(0, 0.5)
        ys.append(
            {"binary": total > 0, "multiclass": ("low", "mid", "high")[(total > -1) + (total > 1)]}.get(task, total)
        )
        if draw.random() < 0.1:
            del x[draw.choice("abcds")]
        xs.append(x)
    return xs, ys


def numbers(events: Events) -> Events:
    """Without the text."""
    return [{name: value for name, value in x.items() if name != "s"} for x in events[0]], events[1]


def made(text: str, task: Any = "binary", metrics: Sequence[str] | None = None, **making: Any) -> Learner:
    standard = {"binary": ("Accuracy", "LogLoss"), "multiclass": ("Accuracy", "MacroF1"), "regression": ("MAE", "RMSE")}
    recipe = read_recipe(text, task)
    return Learner.new(recipe, features=FEATURES, metrics=metrics or standard[task], window=50, **making)


def taught(learner: Learner, events: Events, size: int = 500) -> Learner:
    """Teach it plainly."""
    xs, ys = events
    for start in range(0, len(xs), size):
        learner.test_then_train([dict(x) for x in xs[start : start + size]], ys[start : start + size])
    return learner


def go_ahead(learners: Sequence[Learner], events: Events, size: int) -> None:
    """Let the first steps go ahead, once for all of them."""
    prefix = Prefix.of(learners[0].parts)
    assert prefix is not None
    for learner in learners:
        learner.ahead = prefix.join(learner.parts)
    xs, ys = events
    for start in range(0, len(xs), size):
        seen = prefix.go([dict(x) for x in xs[start : start + size]])
        for learner in learners:
            assert learner.ahead is not None
            learner.ahead.see(seen)
            learner.test_then_train(xs[start : start + size], ys[start : start + size])


def assert_same(ahead: Learner, plain: Learner, rest: Events) -> None:
    """Compare all that is known of them, and what they do from here on, when they are restored as well."""
    assert ahead.scores() == plain.scores()
    assert ahead.baseline_scores() == plain.baseline_scores()
    assert ahead.details() == plain.details()
    sealed, expected = ahead.seal(), plain.seal()
    assert (sealed.digest, sealed.golden, sealed.points) == (expected.digest, expected.golden, expected.points)
    assert (sealed.scores, sealed.details, sealed.ruin) == (expected.scores, expected.details, None)
    assert ahead.predict_many(rest[0]) == plain.predict_many(rest[0])
    lives = [Learner.restore(each.state, each.golden) for each in (sealed, expected)]
    found = [taught(life, rest).seal() for life in lives]
    assert found[0].digest == found[1].digest
    assert found[0].scores == found[1].scores


def parted(events: Events, at: int = 300) -> tuple[Events, Events]:
    xs, ys = events
    return (xs[:at], ys[:at]), (xs[at:], ys[at:])


@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("name", SHARED)
def test_nothing_tells_that_first_steps_went_ahead(name: str, size: int) -> None:
    events, rest = parted(stream() if name in WITH_TEXT else numbers(stream()))
    ahead = made(SHARED[name])
    go_ahead([ahead], events, size)
    assert_same(ahead, taught(made(SHARED[name]), events), rest)


@pytest.mark.parametrize("name", REGRESSION)
def test_numbers_are_predicted_as_ever(name: str) -> None:
    events, rest = parted(numbers(stream("regression")))
    ahead = made(REGRESSION[name], "regression")
    go_ahead([ahead], events, 7)
    assert_same(ahead, taught(made(REGRESSION[name], "regression"), events), rest)


@pytest.mark.parametrize("metrics", [("Accuracy",), ("Accuracy", "CrossEntropy")])
def test_many_classes_are_predicted_as_ever(metrics: Sequence[str]) -> None:
    text = f"{NUMBERS} | preprocessing.StandardScaler() | naive_bayes.GaussianNB()"
    events, rest = parted(numbers(stream("multiclass")))
    ahead = made(text, "multiclass", metrics)
    go_ahead([ahead], events, 7)
    assert_same(ahead, taught(made(text, "multiclass", metrics), events), rest)


@pytest.mark.parametrize("size", [1, 500])
def test_several_share_first_steps(size: int) -> None:
    first = f"{NUMBERS} | preprocessing.StandardScaler() | "
    lasts = (
        LAST,
        "linear_model.LogisticRegression(optimizer=optim.Adam(0.01))",
        "naive_bayes.GaussianNB()",
        "neighbors.KNNClassifier(n_neighbors=3, engine=neighbors.LazySearch(60))",
        "multiclass.OneVsRestClassifier(linear_model.LogisticRegression())",
    )
    events, rest = parted(numbers(stream()))
    several = [made(first + last) for last in lasts]
    go_ahead(several, events, size)
    for learner, last in zip(several, lasts, strict=True):
        assert_same(learner, taught(made(first + last), events), rest)


@pytest.mark.parametrize("name", APART)
def test_others_are_left_alone(name: str) -> None:
    assert Prefix.of(made(APART[name]).parts) is None


def test_code_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine_prefix.py").write_text(
        "from river import compose, linear_model, preprocessing\n"
        "class Mine(preprocessing.StandardScaler):\n    pass\n"
        "def twice(x):\n    return {k: 2 * v for k, v in x.items()}\n"
        "def function():\n    return compose.FuncTransformer(twice) | linear_model.LogisticRegression()\n"
        "def there_twice():\n    one = preprocessing.StandardScaler()\n"
        "    return compose.Pipeline(('x', one), ('y', one), linear_model.LogisticRegression())\n"
        "def own():\n    return Mine() | linear_model.LogisticRegression()\n",
        encoding="utf-8",
    )
    for name in ("function", "own", "there_twice"):
        recipe = read_recipe(f"mine_prefix:{name}", "binary", search_path=tmp_path)
        assert Prefix.of(Learner.new(recipe, features=("a",), metrics=("Accuracy",), window=50).parts) is None


def test_another_order_of_calls_is_left_alone() -> None:
    text = SHARED["scaler"]
    assert Prefix.of(made(text, at_question=True).parts) is None
    assert Prefix.of(made(text, static_after=10).parts) is None
    static = made(text)
    static.switch(static=True)
    assert Prefix.of(static.parts) is None


def test_only_equal_steps_are_the_same() -> None:
    """By what they are, by how they are set, and by what they have learned."""

    def identity(text: str, events: Events = ([], [])) -> str:
        prefix = Prefix.of(taught(made(text), events).parts)
        assert prefix is not None
        return prefix.identity

    xs, ys = numbers(stream(count=5))
    plain, other = (
        f"preprocessing.StandardScaler() | {LAST}",
        "preprocessing.StandardScaler() | naive_bayes.GaussianNB()",
    )
    spelled = f"preprocessing.StandardScaler(with_std=True) | {LAST}"
    assert identity(plain) == identity(other) == identity(spelled)
    assert identity(plain) != identity(f"preprocessing.StandardScaler(with_std=False) | {LAST}")
    assert identity(plain, (xs, ys)) == identity(other, (xs, ys))
    assert identity(plain, (xs, ys)) != identity(plain), "they have learned something"
    assert identity(plain, (xs, ys)) != identity(plain, (xs[:4], ys[:4]))


WRONG = [
    ("text", f"{NUMBERS} | preprocessing.StandardScaler() | {LAST}", {"a": "text"}),
    ("in a later step", f"{NUMBERS} | preprocessing.StandardScaler() | compose.Select('a', 'b') | {LAST}", {"b": 0.0}),
    ("nothing to select", f"compose.Select('a', 'b') | preprocessing.StandardScaler() | {LAST}", {}),
]


@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize(("text", "wrong"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG])
def test_what_a_first_step_raises_is_told_at_its_event(text: str, wrong: dict[str, Any], size: int) -> None:
    """With the scores that a learner has that was taught plainly, in the same batches."""
    (xs, ys), _ = parted(numbers(stream()), 130)
    xs = [{"a": 0.0, "b": 0.0, **x} for x in xs]
    xs[117] = wrong
    plain, ahead = made(text), made(text)
    with pytest.raises(LearnFailed) as expected:
        taught(plain, (xs, ys), size)
    with pytest.raises(LearnFailed) as found:
        go_ahead([ahead], (xs, ys), size)
    assert found.value.index == expected.value.index == 117 % size
    assert str(found.value) == str(expected.value)
    assert ahead.scores() == plain.scores()
    assert ahead.learned == plain.learned


def test_the_first_event_at_which_any_step_raises_is_told() -> None:
    """The second step raises at the second event, the first step at the third, the last step at the first."""
    learner = made(f"preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | {LAST}")
    prefix = Prefix.of(learner.parts)
    assert prefix is not None
    xs = [{"a": 1.0}, {"a": 2.0}, {"a": 3.0}]
    for step, value in zip(prefix.steps.values(), (3.0, 1.0), strict=True):
        step.learn_one = _raising(step.learn_one, value)
    seen = prefix.go(xs)
    assert (len(seen.asked), len(seen.learned)) == (1, 1)
    assert str(seen.raised) == "at 1.0"


def _raising(learn: Any, value: float) -> Any:
    def learn_one(x: Any) -> None:
        if x["a"] == value:
            raise ValueError(f"at {x['a']}")
        learn(x)

    return learn_one


def test_what_is_seen_is_what_river_makes_of_events() -> None:
    """Asked: transformed before it was learned; learned: each step after it has learned, as a river pipeline does."""
    learner = made(f"preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | {LAST}")
    prefix = Prefix.of(learner.parts)
    assert prefix is not None
    xs, _ = numbers(stream(count=30))
    bare = read_recipe(f"preprocessing.StandardScaler() | preprocessing.MinMaxScaler() | {LAST}", "binary").build()
    assert isinstance(bare, compose.Pipeline)
    asked, learned = [], []
    for x in xs:
        asked.append(bare._transform_one(dict(x))[0])
        bare.learn_one(dict(x), y=True)
        learned.append(bare._transform_one(dict(x))[0])
    assert repr(prefix.go([dict(x) for x in xs])) == repr(Seen(asked, learned))
