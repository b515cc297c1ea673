"""Models that are asked and taught by a pair of calls: answers and all that they keep are river's, bit for bit.

River's own model is asked and taught event by event, by its own two calls.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from river import forest, metrics, tree

from learners import Learner, read_recipe
from learners.calls import paired
from learners.errors import LearnFailed
from learners.rounds import predict_then_learn
from tests.bits import bits
from tests.learners.streams import elec2

Calls = Callable[[Any], tuple[Any, Any]]
Events = list[tuple[dict[str, Any], Any]]

LEAVES = st.sampled_from(["'nba'", "'nba'", "'nb'", "'mc'"])
TREE = st.fixed_dictionaries(
    {"leaf_prediction": LEAVES, "grace_period": st.sampled_from([5, 20, 50])},
    optional={
        "max_depth": st.sampled_from([0, 1, 2]),
        "nb_threshold": st.sampled_from([0, 10]),
        "delta": st.sampled_from([0.01, 0.5]),
        "tau": st.sampled_from([0.05, 0.9]),
        "split_criterion": st.sampled_from(["'gini'", "'hellinger'"]),
        "nominal_attributes": st.sampled_from(["['c']", "['b', 'c']"]),
        "binary_split": st.just("True"),
        "remove_poor_attrs": st.just("True"),
        "merit_preprune": st.just("False"),
        "max_share_to_split": st.sampled_from([0.6, 1.0]),
        "max_size": st.sampled_from([0.001, 0.01, 0.05]),
        "stop_mem_management": st.just("True"),
    },
)
BAG = st.one_of(
    st.sampled_from(["BaggingClassifier({}, seed=1, n_models=3)", "ADWINBaggingClassifier({}, seed=2, n_models=3)"]),
    st.tuples(st.sampled_from(["0.002", "0.9"]), st.sampled_from(["bag", "wt", "subag"])).map(
        lambda each: f"LeveragingBaggingClassifier({{}}, 3, 2, {each[0]}, '{each[1]}', seed=3)"
    ),
)
FOREST = st.fixed_dictionaries(
    {"n_models": st.sampled_from([1, 2, 3]), "seed": st.integers(0, 9)},
    optional={
        "max_features": st.sampled_from(["None", "'log2'", "1", "0.6"]),
        "lambda_value": st.sampled_from([1, 6]),
        "disable_weighted_vote": st.just("True"),
        "drift_detector": st.sampled_from(["drift.NoDrift()", "drift.ADWIN(0.9, clock=1)", "drift.PageHinkley(5)"]),
        "warning_detector": st.sampled_from(
            ["drift.NoDrift()", "drift.ADWIN(0.99, clock=1)", "drift.DummyDriftDetector(seed=1)"]
        ),
    },
)
ADAPTIVE = st.fixed_dictionaries(
    {"seed": st.integers(0, 9), "drift_window_threshold": st.sampled_from([10, 300])},
    optional={
        "bootstrap_sampling": st.just("False"),
        "switch_significance": st.just("0.9"),
        "drift_detector": st.sampled_from(["drift.NoDrift()", "drift.ADWIN(0.9, clock=1)", "drift.PageHinkley(5)"]),
    },
)
KINDS = st.sampled_from(["numbers", "numbers", "categories", "lacking", "coarse", "odd", "empty"])


TREE_NAME, ADAPTIVE_NAME = "tree.HoeffdingTreeClassifier", "tree.HoeffdingAdaptiveTreeClassifier"


def text_of(several: dict[str, Any] | str | None, each: dict[str, Any]) -> str:
    """The recipe of a tree, of an adaptive one or a forest with these parameters, or of a bag."""
    name, given = TREE_NAME, each
    if isinstance(several, dict):
        name, given = "forest.ARFClassifier" if "n_models" in several else ADAPTIVE_NAME, each | several
    text = f"{name}({', '.join(f'{key}={value}' for key, value in given.items())})"
    return "ensemble." + several.format(text) if isinstance(several, str) else text


def stream(kind: str, labels: Sequence[Any], seed: int, count: int) -> Events:
    """Events whose label follows from x for a while, then from something else; in between all labels are one."""
    rng = random.Random(seed)
    events: Events = []
    for number in range(count):
        a, b, c = rng.gauss(0, 1), rng.random(), rng.choice("xyz")
        part = 4 * number // count
        place = int(a > 0) if part < 2 else int(b * 7) + (part == 3)
        y = labels[0] if rng.random() < 0.1 else labels[place % len(labels)]
        x: dict[str, Any] = {"a": a, "b": b, "c": rng.random(), "d": a - b}
        if kind == "categories":
            x |= {"c": c, "b": rng.choice("pq") if part < 3 else "new"}
        elif kind == "coarse":
            x |= {"a": float(6 + 2 * place + rng.randrange(-6, 4)), "b": float(rng.randrange(12))}  # splits at these
            x["c"] = float(rng.randrange(0 if y == labels[0] else 4, 12))
        elif kind == "lacking":
            x = {name: value for name, value in x.items() if rng.random() < 0.8}
        elif kind == "empty":
            x = x if number > count // 2 else {}
        elif kind == "odd":
            x |= {"b": rng.choice([0, True, 3, -0.0, 1e-300, 1e150, None]), "c": c if part else 0.5}
        events.append((x, y))
    return events


def ours(model: Any, events: Events, sizes: Iterator[int]) -> tuple[list[Any], BaseException | None]:
    """Answers by the pair, batch by batch, and what the model raised."""
    answers: list[Any] = []
    while events:
        part, size = [], next(sizes)
        part, events = events[:size], events[size:]
        xs, ys = [x for x, _ in part], [y for _, y in part]
        calls = paired(model.predict_proba_one, model.learn_one)
        assert calls[0] != model.predict_proba_one, "there is a pair"
        try:
            answers += predict_then_learn(*calls, xs, ys, 0)
        except LearnFailed as failed:
            return answers, failed.cause
    return answers, None


def rivers(model: Any, events: Events) -> tuple[list[Any], BaseException | None]:
    """Answers by river's calls, and what the model raised."""
    answers = []
    for x, y in events:
        try:
            answer = model.predict_proba_one(x)
            model.learn_one(x, y)
        except Exception as error:  # noqa: BLE001 - whatever river raises
            return answers, error
        answers.append(answer)
    return answers, None


def apart(model: Any, events: Events, delay: int, calls: Calls) -> list[Any]:
    """Answers where labels come later, some of them at once, and others teach the model, too; one answer at the end."""
    ask, learn = calls(model)
    answers, waiting = [], []
    for number, (x, y) in enumerate(events):
        answers.append(ask(x))
        waiting.append((x, y))
        while waiting and (len(waiting) > delay or number % 5 == 0):
            (model.learn_one if len(waiting) % 4 == 1 else learn)(*waiting.pop(number % len(waiting)))
    return [*answers, ask(events[0][0])]


def kept(model: Any) -> Any:
    """All that a model keeps, with where its generator is."""
    rng = getattr(model, "_rng", None)
    return bits(model), rng and rng.getstate()


def check(text: str, task: str, events: Events, sizes: Iterator[int]) -> Any:
    """Compare a model with river's, and return that."""
    river, model = (read_recipe(text, task).build() for _ in range(2))
    found, expected = ours(model, events, sizes), rivers(river, events)
    assert repr(found[1]) == repr(expected[1])
    if expected[1] is not None:
        event("river raises")
        return river
    assert repr(found[0]) == repr(expected[0]), "with the order of labels, and every digit"
    assert kept(model) == kept(river)
    return river


@settings(max_examples=80, deadline=None)
@given(
    several=st.none() | FOREST | ADAPTIVE | BAG,
    each=TREE,
    kind=KINDS,
    labels=st.sampled_from([(False, True), ("a", "b", "c"), (1, 2), (True,)]),
    seed=st.integers(0, 99),
    sizes=st.lists(st.sampled_from([1, 3, 50, 200]), min_size=1, max_size=5),
)
def test_a_pair_does_as_river_in_every_bit(
    several: dict[str, Any] | str | None,
    each: dict[str, Any],
    kind: str,
    labels: Sequence[Any],
    seed: int,
    sizes: list[int],
) -> None:
    text = text_of(several, each)
    task = "binary" if type(labels[0]) is bool else "multiclass"
    check(text, task, stream(kind, labels, seed, 400), iter(sizes * 400))


@settings(max_examples=30, deadline=None)
@given(
    several=st.none() | FOREST | ADAPTIVE | BAG,
    each=TREE,
    kind=KINDS,
    seed=st.integers(0, 99),
    delay=st.integers(0, 30),
)
def test_labels_may_come_later(
    several: dict[str, Any] | str | None, each: dict[str, Any], kind: str, seed: int, delay: int
) -> None:
    text, events = text_of(several, each), stream(kind, (False, True), seed, 200)
    river, model = (read_recipe(text, "binary").build() for _ in range(2))
    try:
        expected = apart(river, events, delay, lambda model: (model.predict_proba_one, model.learn_one))
    except (TypeError, OverflowError):
        return  # no answer to compare with
    found = apart(model, events, delay, lambda model: paired(model.predict_proba_one, model.learn_one, remember=False))
    assert repr(found) == repr(expected)
    assert kept(model) == kept(river)


@pytest.mark.parametrize(
    "parameters",
    [
        "leaf_prediction='mc', remove_poor_attrs=True, grace_period=30, delta=0.5",
        "merit_preprune=False, grace_period=5",
        "grace_period=5, delta=0.9, tau=0.9",
        "grace_period=5, max_size=0.0, stop_mem_management=True",
    ],
)
@pytest.mark.parametrize("kind", ["numbers", "coarse", "categories", "empty"])
def test_splits_are_as_by_river(parameters: str, kind: str) -> None:
    for seed in range(2):
        check(f"{TREE_NAME}({parameters})", "binary", stream(kind, (False, True), seed, 600), iter([600]))


@pytest.mark.parametrize("option", ["nb", "nba"])
def test_alternate_trees_are_as_by_river(option: str) -> None:
    """Detectors that see drifts everywhere: trees grow beside branches, take their place, or are given up."""
    counts = [0, 0, 0]
    for seed in range(8):
        detector = "drift.ADWIN(0.9, clock=1)" if seed % 2 else "drift.ADWIN(0.5, clock=4)"
        text = (
            f"{ADAPTIVE_NAME}(leaf_prediction='{option}', grace_period={5 if seed % 2 else 50}, delta=0.5, "
            f"drift_window_threshold=5, switch_significance=0.9, drift_detector={detector}, seed={seed})"
        )
        river = check(text, "binary", stream("numbers", (False, True), seed, 600), iter([1, 7, 100] * 99))
        found = (river.n_alternate_trees, river.n_switch_alternate_trees, river.n_pruned_alternate_trees)
        counts = [before + more for before, more in zip(counts, found, strict=True)]
    assert all(counts)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("forest.ARFClassifier(seed=1)", 3000),
        ("tree.HoeffdingTreeClassifier()", 20_000),
        (f"{ADAPTIVE_NAME}(seed=1)", 10_000),
    ],
)
def test_elec2_is_as_by_river(text: str, count: int) -> None:
    _, xs, ys = elec2()
    check(text, "binary", list(zip(xs[:count], ys[:count], strict=True)), iter([1, 700, 20, 300] * 100))


@pytest.mark.parametrize("name", ["tree.HoeffdingTreeClassifier", "forest.ARFClassifier"])
def test_sizes_are_estimated_when_river_does(name: str) -> None:
    """The estimate itself differs between two runs of river: it follows how Python lays out its objects."""
    events = stream("numbers", (False, True), 3, 300)
    text = f"{name}(memory_estimate_period=50{', seed=1' if 'ARF' in name else ''})"
    river, model = (read_recipe(text, "binary").build() for _ in range(2))
    assert repr(ours(model, events, iter([100] * 3))) == repr(rivers(river, events))
    found, expected = (
        [each._active_leaf_size_estimate > 0 for each in (given.data if "ARF" in name else [given])]
        for given in (model, river)
    )
    assert found == expected
    assert any(found)


@pytest.mark.parametrize("last", ["forest.ARFClassifier(n_models=3, seed=1)", "tree.HoeffdingTreeClassifier()"])
@pytest.mark.parametrize("first", ["", "preprocessing.StandardScaler() | ", "compose.Select('a', 'd') | "])
def test_a_learner_is_as_a_loop_by_hand(first: str, last: str) -> None:
    """Behind a scaler the tree is asked about other numbers than it is taught."""
    events = stream("numbers", (False, True), 5, 700)
    recipe = read_recipe(first + last, "binary")
    learner = Learner.new(recipe, features=("a", "b", "c", "d"), metrics=("Accuracy",), window=100)
    for start, stop in ((0, 1), (1, 450), (450, 700)):
        learner.test_then_train([x for x, _ in events[start:stop]], [y for _, y in events[start:stop]])
    river = recipe.build()
    rivers(river, events)
    assert kept(learner.model) == kept(river)


class Own(tree.HoeffdingTreeClassifier):
    """A tree of a user."""


class OwnSplitter(tree.splitter.GaussianSplitter):
    """An observer of a user."""


def refuse(*event: Any, **more: Any) -> None:
    """What a user puts in the place of a method."""
    raise AssertionError(event, more)


def changed(model: Any) -> Any:
    model.learn_one = refuse
    return model


@pytest.mark.parametrize(
    "model",
    [
        Own(),
        tree.HoeffdingTreeClassifier(splitter=OwnSplitter()),
        tree.HoeffdingTreeClassifier(splitter=tree.splitter.HistogramSplitter()),
        tree.ExtremelyFastDecisionTreeClassifier(),
        forest.ARFClassifier(seed=1, metric=metrics.LogLoss()),
        forest.ARFClassifier(seed=1, splitter=OwnSplitter()),
        changed(tree.HoeffdingTreeClassifier()),
    ],
)
def test_what_is_not_known_is_asked_and_taught_by_itself(model: Any) -> None:
    calls = (model.predict_proba_one, model.learn_one)
    assert paired(*calls) == calls


def test_there_is_no_pair_where_others_are_asked_or_labels_are_copied() -> None:
    model, other = tree.HoeffdingTreeClassifier(), tree.HoeffdingTreeClassifier()
    for ask, learn in (
        (model.predict_one, model.learn_one),
        (model.predict_proba_one, other.learn_one),
        (model.predict_proba_one, refuse),
    ):
        assert paired(ask, learn) == (ask, learn)
    model.learn_one({"a": 1.0}, (1, 2))
    assert paired(model.predict_proba_one, model.learn_one)[0] == model.predict_proba_one


class Label:
    """A label that is another when it is copied, and so never the one that river's trees find."""

    def __lt__(self, other: Any) -> bool:
        return id(self) < id(other)


def test_labels_that_river_copies_are_left_to_river() -> None:
    labels = [Label(), Label()]
    events = [(x, labels[y]) for x, y in stream("numbers", (0, 1), 1, 60)]
    river, model = tree.HoeffdingTreeClassifier(), tree.HoeffdingTreeClassifier()
    for start in range(0, 60, 20):
        xs, ys = zip(*events[start : start + 20], strict=True)
        predict_then_learn(*paired(model.predict_proba_one, model.learn_one), xs, ys, 0)
    rivers(river, events)
    found, expected = ([each._root._mc_correct_weight, each._root._nb_correct_weight] for each in (model, river))
    assert found == expected
