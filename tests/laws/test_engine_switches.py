"""Who runs a model, and in what way its events come, tells nobody anything: a story in which all of it changes.

Random recipes, some of them compiled, learn random streams: in rows and in columns, in batches of any size, asked in
between, sealed, restored, and killed (thrown away, restored from the last version, and what came since is read again).
An event at which river raises is found as the trainer finds it, and left out. What comes of it must equal a loop over
river that is written by hand: every answer (by its digest), every score, and all that the model keeps.
"""

from __future__ import annotations

import hashlib
import math
import pickle
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st
from river import compose, linear_model, metrics, naive_bayes, optim, preprocessing, tree

from learners import Learner, LearnFailed, Weights, read_recipe
from learners.compiled import hindrance
from learners.golden import INPUTS_MAX
from learners.outputs import most_probable
from learners.parts import Sealed
from learners.table import Column, Layout, Table
from tests.bits import bits
from tests.learners.test_compiled import RAISED, recipes

NAMES = {
    each.__name__.rpartition(".")[2]: each for each in (compose, linear_model, naive_bayes, optim, preprocessing, tree)
}
SCALED = "preprocessing.StandardScaler() | "
OTHERS = {
    "binary": [
        "tree.HoeffdingTreeClassifier(grace_period=20, max_depth=9)",
        "naive_bayes.GaussianNB()",
        f"{SCALED}preprocessing.Normalizer() | linear_model.LogisticRegression(optim.FTRLProximal())",
        "linear_model.LogisticRegression(optim.Momentum())",
        f"((compose.Discard('a') | {SCALED[:-3]}) + preprocessing.MinMaxScaler()) | linear_model.LogisticRegression()",
    ],
    "regression": [
        "tree.HoeffdingTreeRegressor(grace_period=20, max_depth=9)",
        "linear_model.LinearRegression(optim.RMSProp())",
    ],
    "multiclass": [
        "naive_bayes.GaussianNB()",
        "naive_bayes.GaussianNB()",
        "tree.HoeffdingTreeClassifier(grace_period=20, max_depth=9)",
        f"{SCALED}linear_model.SoftmaxRegression()",
    ],
}
STEPS = [
    "preprocessing.MinMaxScaler() | ",
    SCALED,
    f"{SCALED}preprocessing.MinMaxScaler() | ",
    "preprocessing.MinMaxScaler() | preprocessing.StandardScaler(with_std=False) | ",
    "compose.Select('f0') | ",
    f"compose.Discard('f0', 'f7') | {SCALED}",
    "compose.Select('f1', 'f0') | preprocessing.MinMaxScaler() | ",
    f"compose.Select('f1', 'f0') | {SCALED}",
    f"compose.Select('f2', 'f0', 'f1') | {SCALED}{SCALED}",
]
"""What may come before a model; a selection needs its features in most events."""

METRICS = {"binary": ["Accuracy", "LogLoss"], "multiclass": ["Accuracy"], "regression": ["MAE"]}
ODD = [0.0, -0.0, 1.0, -1.0, 1e-300, 5e-324, 0.1, 2.0**53 + 2, 1e15, -1e15, 3.0, 3.0]
HUGE = [1e160, -1e200, math.inf, 1e308]
pytestmark = pytest.mark.usefixtures("compiled_code")


@dataclass(frozen=True)
class Story:
    """What is learned, and from which events. If they are weighted, the feature `w` tells how much each counts."""

    task: Any
    text: str
    features: tuple[str, ...]
    xs: list[dict[str, float]]
    ys: list[Any]
    weighted: bool
    window: int

    @property
    def weights(self) -> list[float | None]:
        return [x["w"] if self.weighted else None for x in self.xs]


@st.composite
def stories(draw: Any) -> Story:
    task = draw(st.sampled_from(["binary", "binary", "regression", "multiclass"]))
    linear = recipes(task) if task != "multiclass" else st.nothing()
    text = draw(st.one_of(linear, linear, linear, st.sampled_from(OTHERS[task])))
    if draw(st.booleans()):
        text = draw(st.sampled_from(STEPS)) + text.removeprefix(SCALED)
    width, count = draw(st.integers(3 if "Select" in text else 1, 6)), draw(st.integers(1, 90))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scales = 10.0 ** rng.choice(draw(st.sampled_from([(0,), (0, 1, 2), (-9, 9)])), size=width)
    numbers = rng.normal(size=(count, width)) * scales + rng.normal(size=width)
    if draw(st.booleans()):
        numbers = np.round(numbers)
    missing = draw(st.sampled_from([0.0, 0.0, 0.3]))
    odd, huge = draw(st.sampled_from([(0.0, 0.0), (0.1, 0.0), (0.1, 0.01)]))
    missing = missing if "Select" not in text else draw(st.sampled_from([0.0, 0.01]))
    for share, values in ((odd, ODD), (huge, HUGE), (missing, [math.nan])):
        which = rng.random(size=numbers.shape) < share
        numbers[which] = rng.choice(values, size=int(which.sum()))
    late = rng.random(size=width) < draw(st.sampled_from([0.0, 0.0 if "Select" in text else 0.5]))
    numbers[: count // 2, late] = math.nan
    names = [f"f{n}" for n in range(width)]
    xs = [{name: value for name, value in zip(names, row, strict=True) if value == value} for row in numbers.tolist()]  # noqa: PLR0124
    weighted = "linear_model" in text and task != "multiclass" and draw(st.booleans())
    if weighted:
        names.append("w")
        xs = [{**x, "w": float(w)} for x, w in zip(xs, rng.choice([0.0, 1.0, 0.3, 7.0], size=count), strict=True)]
    total = np.nan_to_num(np.array([sum(x.values()) for x in xs])) + rng.normal(size=count)
    ys: list[Any] = (np.clip(total, -1e6, 1e6) / 10.0 ** draw(st.integers(0, 3))).tolist()
    if task == "binary":
        ys = (total > np.median(total)).tolist()
    elif task == "multiclass":
        labels = draw(st.sampled_from([("a", "b", "c"), (1, 2, 3)]))
        ys = [labels[int(abs(y)) % 3] for y in ys]
    elif draw(st.booleans()):
        ys = [round(y) for y in ys]  # whole numbers, as a model's user may give them
    return Story(task, text, tuple(names), xs, ys, weighted, draw(st.sampled_from([7, 40])))


@dataclass
class Bare:
    """The loop: river's model and metrics, one event after the other. `answers` are those since the last version."""

    story: Story
    model: Any
    kept: Any = None
    answers: list[Any] = field(default_factory=list)
    learned: int = 0

    def __post_init__(self) -> None:
        self.metrics = {name: getattr(metrics, name)() for name in METRICS[self.story.task]}

    def learn(self, x: Mapping[str, float], y: Any, w: float | None) -> None:
        """Predict, score, learn."""
        answer = self.ask(x)
        self.teach(x, y, w)
        self.answers.append(answer)
        self.score(y, answer)

    def teach(self, x: Mapping[str, float], y: Any, w: float | None) -> None:
        if w is None:
            self.model.learn_one(x, y)
        elif w != 0:
            self.model.learn_one(x, y, w=w)
        self.learned += 1

    def score(self, y: Any, answer: Any) -> None:
        if self.story.task == "regression":
            if math.isfinite(answer):
                for metric in self.metrics.values():
                    metric.update(y, answer)
            return
        label = most_probable(answer)
        if label is not None:
            self.metrics["Accuracy"].update(y, label)
        if answer and all(map(math.isfinite, answer.values())) and "LogLoss" in self.metrics:
            self.metrics["LogLoss"].update(y, answer)

    def ask(self, x: Mapping[str, float]) -> Any:
        return self.model.predict_one(x) if self.story.task == "regression" else self.model.predict_proba_one(x)

    def digest(self) -> str:
        """Return the sha256 of the answers: labels (none are hashed here), classes and numbers apart."""
        classes, numbers = hashlib.sha256(), hashlib.sha256()
        for answer in self.answers:
            if self.story.task == "regression":
                classes.update(b"\0")
                numbers.update(array("d", [answer]))
                continue
            known = tuple(sorted(answer, key=repr))
            classes.update(hashlib.sha256(repr(known).encode()).digest()[:8])
            numbers.update(array("d", [answer[label] for label in known]))
        columns = (hashlib.sha256(), classes, numbers)
        return hashlib.sha256(b"".join(column.digest() for column in columns)).hexdigest()

    def scores(self) -> dict[str, float | None]:
        return {name: metric.get() for name, metric in self.metrics.items()}


def river_of(text: str) -> Any:
    """Return the model that the notation is Python for."""
    return eval(text, dict(NAMES))


def good_ones(story: Story) -> list[bool]:
    """Tell of each event whether river learns it, if those at which it raises are left out."""
    model, good = river_of(story.text), []
    for x, y, w in zip(story.xs, story.ys, story.weights, strict=True):
        kept, bare = pickle.dumps(model), Bare(story, model)
        try:
            bare.learn(x, y, w)
        except RAISED:
            model = pickle.loads(kept)
        good.append(bare.learned == 1)
        if good[-1]:
            try:
                for each in story.xs[max(0, len(good) - 2 * INPUTS_MAX) : len(good)]:
                    bare.ask(each)  # a version is asked about its last events when it is made
            except RAISED:
                reject()
    return good


class Teller:
    """Feeds one learner as the story goes; `came` are the places of the events that are learned since its version."""

    def __init__(self, story: Story, draw: Callable[[Any], Any]) -> None:
        self.story, self.draw = story, draw
        self.layout = Layout(story.features, story.features)
        self.learner = Learner.new(
            read_recipe(story.text, story.task),
            features=story.features,
            metrics=METRICS[story.task],
            window=story.window,
            weights=Weights("w" if story.weighted else None),
        )
        self.version = self.learner.seal()
        self.came: list[int] = []
        self.compiled = False

    def learn(self, places: Sequence[int]) -> None:
        """Learn events in one batch, in rows or in columns. Raises LearnFailed."""
        xs: Any = [self.story.xs[place] for place in places]
        ys: Any = [self.story.ys[place] for place in places]
        if self.draw(st.sampled_from(["columns", "columns", "rows"])) == "columns":
            xs = Table.of(self.layout, xs)
            if {type(y) for y in ys} in ({bool}, {float}):
                ys = Column(np.array(ys))
        self.learner.test_then_train(xs, ys)
        self.compiled = self.compiled or self.learner._running._ahead

    def again(self, places: Sequence[int]) -> None:
        """Be killed: go on from the last version, and learn what came since in other batches."""
        self.learner = Learner.restore(self.version.state, self.version.golden)
        size = self.draw(st.sampled_from([1, 5, 1000]))
        for start in range(0, len(places), size):
            self.learn(places[start : start + size])

    def seal(self) -> Sealed:
        self.version, self.came = self.learner.seal(), []
        return self.version


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(story=stories(), data=st.data())
def test_a_story_of_switches_and_kills_ends_as_a_bare_loop_does(story: Story, data: Any) -> None:
    good, bare = good_ones(story), Bare(story, river_of(story.text))
    teller, place = Teller(story, data.draw), 0
    while place < len(good):
        batch = range(place, min(len(good), place + data.draw(st.sampled_from([1, 3, 8, 20, 90]))))
        fine = [each for each in batch if good[each]]
        if len(fine) == len(batch):
            teller.learn(batch)
        else:
            with pytest.raises(LearnFailed):
                teller.learn(batch)
            teller.again([*teller.came, *fine])
        teller.came += fine
        for each in fine:
            bare.learn(story.xs[each], story.ys[each], story.weights[each])
        place = batch.stop
        for turn in data.draw(st.lists(st.sampled_from(["ask", "seal", "restore", "kill", "look"]), max_size=2)):
            take(turn, teller, bare)
    event(f"compiled: {teller.compiled}")
    is_compiled = hindrance(river_of(story.text), teller.layout, story.task) is None
    assert is_compiled or not teller.compiled
    check_version(teller.seal(), bare)
    assert bits(teller.learner.model) == bits(bare.model)


def take(turn: str, teller: Teller, bare: Bare) -> None:
    """Let something happen that must change nothing."""
    if turn == "ask" and teller.came:
        x = teller.story.xs[teller.came[-1]]
        (found,) = teller.learner.predict_many([x])
        assert bits(found.y_pred if teller.story.task == "regression" else found.probabilities) == bits(bare.ask(x))
    elif turn == "kill":
        teller.again(teller.came)
    elif turn == "look":
        assert bits(teller.learner.parts.model) == bits(bare.model)
    elif turn in ("seal", "restore"):
        check_version(teller.seal(), bare)
        if turn == "restore":
            teller.learner = Learner.restore(teller.version.state, teller.version.golden)


def check_version(sealed: Sealed, bare: Bare) -> None:
    """Compare a version with the loop, and begin the next one."""
    assert sealed.digest == bare.digest()
    assert sealed.learned == bare.learned
    for name, value in bare.scores().items():
        found = sealed.scores[name]["cumulative"]
        assert found == value if found is not None else not bare_scored(bare, name), name
    bare.answers.clear()


def bare_scored(bare: Bare, name: str) -> bool:
    """Tell whether a metric had anything to score."""
    metric = bare.metrics[name]
    return bool(getattr(metric, "cm", metric).__dict__.get("n_samples", getattr(metric, "n", 0)))
