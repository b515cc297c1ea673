"""Labels that come later, against river's own simulation, and where it has no words for it (labels that never come, a
timeout) against a plain loop over river's model and metric: scores of the model and of its baselines, to 1e-12."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import compose, dummy, evaluate, linear_model, metrics, naive_bayes, optim, preprocessing, stats, tree

from learners import LabelPolicy, Learner, read_recipe
from learners.recipe import Task
from tests.learners.streams import columns, elec2, labels, phishing

LOGISTIC = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
RECIPES: dict[str, tuple[Task, str, Any, Any]] = {
    "logistic": (
        "binary",
        LOGISTIC,
        lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05)),
        lambda: metrics.Accuracy() + metrics.LogLoss(),
    ),
    "tree": (
        "multiclass",
        "tree.HoeffdingTreeClassifier(grace_period=20)",
        lambda: tree.HoeffdingTreeClassifier(grace_period=20),
        lambda: metrics.Accuracy() + metrics.MacroF1(),
    ),
    "scaled bayes": (
        "multiclass",
        "preprocessing.StandardScaler() | naive_bayes.GaussianNB()",
        lambda: preprocessing.StandardScaler() | naive_bayes.GaussianNB(),
        lambda: metrics.Accuracy() + metrics.MacroF1(),
    ),
    "linear": (
        "regression",
        "preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01))",
        lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01)),
        lambda: metrics.MAE() + metrics.RMSE(),
    ),
}
RIVALS: dict[Task, dict[str, Any]] = {
    "binary": {"NoChange": dummy.NoChangeClassifier, "Prior": dummy.PriorClassifier},
    "multiclass": {"NoChange": dummy.NoChangeClassifier, "Prior": dummy.PriorClassifier},
    "regression": {"Mean": lambda: dummy.StatisticRegressor(stats.Mean())},
}
DELAYS = st.one_of(
    st.just([0]),
    st.integers(1, 30).map(lambda delay: [delay]),
    st.lists(st.integers(0, 40), min_size=1, max_size=200),
    st.lists(st.sampled_from([0, 0, 1, 1000]), min_size=1, max_size=200),
)
STEPS = st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=1, max_size=60)
SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=8)

Event = tuple[dict[str, Any], Any, int, int | None]
"""Features, label (None: it never comes), when it is asked, and when its label is known."""


def events_of(task: Task, count: int, seed: int, steps: Sequence[int], delays: Sequence[int]) -> list[Event]:
    """Return a stream: times and delays as given, over and over."""
    xs, now, made = columns(count, seed), 0, []
    ys = labels(xs)
    for i, x in enumerate(xs):
        now += steps[i % len(steps)]
        y = {"binary": ys[i] == "low", "multiclass": ys[i], "regression": 2.0 + x["a"] - x["c"]}[task]
        made.append((x, y, now, now + delays[i % len(delays)]))
    return made


def learner_of(name: str, xs: Sequence[Any], *, at_question: bool = False, **policy: Any) -> Learner:
    task, recipe, _, metric = RECIPES[name]
    return Learner.new(
        read_recipe(recipe, task),
        features=list(xs[0]),
        metrics=[type(each).__name__ for each in metric()],
        window=25,
        labels=LabelPolicy(**policy),
        at_question=at_question,
    )


def feed(learner: Learner, events: Sequence[Event], sizes: Sequence[int]) -> Learner:
    """Let it take the events in batches of these sizes, over and over, and restore it between them now and then."""
    start = turn = 0
    while start < len(events):
        part = events[start : start + sizes[turn % len(sizes)]]
        xs, ys, moments, dues = zip(*part, strict=True)
        learner.test_then_train([dict(x) for x in xs], ys, moments, dues)
        start, turn = start + len(part), turn + 1
        if turn % 5 == 0:
            sealed = learner.seal()
            learner = Learner.restore(sealed.state, sealed.golden)
    return learner


def river_says(model: Any, metric: Any, events: Sequence[Event]) -> list[float]:
    """Return the metrics that river's simulation comes to; the features have no time in them, as ours have none."""
    moments = iter([moment for _, _, moment, _ in events])
    delays = iter([due - moment for _, _, moment, due in events if due is not None])
    evaluate.progressive_val_score(
        [(x, y) for x, y, _, _ in events],
        model,
        metric,
        moment=lambda _: next(moments),
        delay=lambda *_: next(delays),
    )
    return list(metric.get())


def assert_scores(learner: Learner, name: str, expected: dict[str, list[float]]) -> None:
    found = {"model": learner.scores(), **learner.baseline_scores()}
    for who, values in expected.items():
        cumulative = [score["cumulative"] for score in found[who].values()]
        assert [value or 0.0 for value in cumulative] == pytest.approx(values, abs=1e-12), (name, who)


def assert_as_in_river(name: str, events: Sequence[Event], sizes: Sequence[int], *, at_question: bool) -> Learner:
    """Check the learner against river's simulation, all labels revealed at the end."""
    task, _, build, metric = RECIPES[name]
    learner = feed(learner_of(name, [x for x, *_ in events], at_question=at_question), events, sizes)
    learner.close()
    assert (learner.learned, learner.pending, learner.expired) == (len(events), 0, 0)
    with compose.learn_during_predict() if at_question else nullcontext():
        expected = {"model": river_says(build(), metric(), events)}
    for who, rival in RIVALS[task].items():
        expected[who] = river_says(rival(), metric(), events)
    assert_scores(learner, name, expected)
    return learner


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), steps=STEPS, delays=DELAYS, sizes=SIZES, at_question=st.booleans())
@pytest.mark.parametrize("name", RECIPES)
def test_generated_streams(
    name: str, seed: int, steps: list[int], delays: list[int], sizes: list[int], *, at_question: bool
) -> None:
    events = events_of(RECIPES[name][0], 150, seed, steps, delays)
    assert_as_in_river(name, events, sizes, at_question=at_question)


def real_events(xs: Sequence[dict[str, float]], ys: Sequence[bool], delay: str) -> list[Event]:
    source = random.Random(1)
    draw = {
        "none": lambda: 0,
        "equal": lambda: 1000,
        "random": lambda: source.choice([0, 1, 30, source.randint(0, 5000)]),
    }
    return [(x, y, i, i + draw[delay]()) for i, (x, y) in enumerate(zip(xs, ys, strict=True))]


@pytest.mark.parametrize("at_question", [False, True])
@pytest.mark.parametrize("delay", ["none", "equal", "random"])
@pytest.mark.parametrize("data", ["elec2", "phishing"])
def test_real_streams(data: str, delay: str, *, at_question: bool) -> None:
    _, xs, ys = {"elec2": elec2, "phishing": phishing}[data]()
    events = real_events(xs[:4000], ys[:4000], delay)
    assert_as_in_river("logistic", events, [500], at_question=at_question)


def test_a_delay_makes_a_difference() -> None:
    """Else the tests above would show nothing."""
    _, xs, ys = elec2()
    scores = []
    for delay in ("none", "equal"):
        learner = feed(learner_of("logistic", xs), real_events(xs[:4000], ys[:4000], delay), [500])
        scores.append(learner.scores()["Accuracy"]["cumulative"])
    assert scores[0] != scores[1]


class Plain:
    """What should happen to a stream, said plainly: a list of questions that is searched for what is due."""

    def __init__(self, build: Any, metric: Any, timeout: int | None, default: Any, most: int) -> None:
        self.model, self.metric = build(), metric()
        self.timeout, self.default, self.most = timeout, default, most
        self.waiting: list[tuple[int | None, int, Any, Any, Any]] = []
        self.learned = self.expired = 0

    def reveal(self, now: float) -> None:
        due = [item for item in self.waiting if item[0] is not None and item[0] <= now]
        for item in sorted(due, key=lambda item: (item[0], item[1])):
            self.waiting.remove(item)
            _, _, x, y, y_pred = item
            if y is None:
                self.expired += 1
                continue
            self.metric.update(y, y_pred)
            self.model.learn_one(x, y)
            self.learned += 1

    def ask(self, number: int, event: Event) -> None:
        x, y, moment, due = event
        self.reveal(moment)
        y_pred = self.model.predict_proba_one(x)
        if self.timeout is not None and (y is None or due is None or due > moment + self.timeout):
            y, due = self.default, moment + self.timeout
        elif y is None:
            due = None
        self.waiting.append((due, number, x, y, y_pred))
        if len(self.waiting) > self.most:
            self.waiting.remove(min(self.waiting, key=lambda item: item[1]))
            self.expired += 1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    steps=STEPS,
    delays=st.lists(st.integers(0, 12), min_size=3, max_size=40),
    sizes=SIZES,
    never=st.lists(st.booleans(), min_size=1, max_size=30),
    timeout=st.one_of(st.none(), st.integers(1, 12)),
    default=st.one_of(st.none(), st.booleans()),
    most=st.sampled_from([1, 7, 10**6]),
)
def test_labels_that_never_come(
    seed: int,
    steps: list[int],
    delays: list[int],
    sizes: list[int],
    never: list[bool],
    timeout: int | None,
    default: Any,
    most: int,
) -> None:
    default = None if timeout is None else default
    events: list[Event] = []
    for i, (x, y, moment, due) in enumerate(events_of("binary", 150, seed, steps, delays)):
        gone = never[i % len(never)]
        events.append((x, None if gone else y, moment, None if gone and i % 2 else due))
    _, _, build, _ = RECIPES["logistic"]
    plain = Plain(build, metrics.LogLoss, timeout, default, most)
    for number, event in enumerate(events):
        plain.ask(number, event)
    fresh = learner_of("logistic", [x for x, *_ in events], timeout=timeout, default=default, pending_max=most)
    learner = feed(fresh, events, sizes)
    assert_as_plain(learner, plain)
    learner.close()
    plain.reveal(float("inf"))
    unknown = sum(y is None for _, _, _, y, _ in plain.waiting)
    assert learner.learned == plain.learned
    assert learner.pending + learner.expired == unknown + plain.expired
    assert learner.scores()["LogLoss"]["cumulative"] == (
        None if not plain.learned else pytest.approx(plain.metric.get(), abs=1e-12)
    )


def assert_as_plain(learner: Learner, plain: Plain) -> None:
    assert (learner.learned, learner.expired, learner.pending) == (plain.learned, plain.expired, len(plain.waiting))
    expected = pytest.approx(plain.metric.get(), abs=1e-12) if plain.learned else None
    assert learner.scores()["LogLoss"]["cumulative"] == expected
