"""Who runs a model, and in what way its events come, tells nobody anything where labels come later, either.

As `test_engine_switches`: random recipes and streams, whose labels come after random delays, with their events or from
a log of their own, some never; in rows and in columns, in batches of any size, sealed, restored and killed on the way.
What comes of it must equal a loop over river, in which a list is searched for what is due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

from learners import LabelPolicy, Learner, Turn, Weights, read_recipe
from learners.compiled import hindrance
from learners.table import Layout, Table
from tests.bits import bits
from tests.laws.test_engine_switches import METRICS, Bare, Story, check_version, river_of, stories, take
from tests.learners.test_compiled import RAISED

HALF_LIFE = 10.0
pytestmark = pytest.mark.usefixtures("compiled_code")


@dataclass(frozen=True)
class Times:
    """When each event is asked, and when its label comes (None: never); `fades`: old labels weigh less.

    `joined`: labels have a log of their own.
    """

    moments: list[int]
    dues: list[int | None]
    fades: bool
    joined: bool


@st.composite
def times(draw: Any, story: Story) -> Times:
    count = len(story.xs)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    moments = np.cumsum(rng.choice(draw(st.sampled_from([(1,), (0, 1, 4), (0, 0, 9)])), size=count))
    mean = draw(st.sampled_from([0, 1, 12, 60]))
    delays = rng.poisson(mean, size=count) if draw(st.booleans()) else np.full(count, mean)
    never = rng.random(size=count) < draw(st.sampled_from([0.0, 0.2]))
    dues = [None if gone else int(due) for gone, due in zip(never, moments + delays, strict=True)]
    fades = "linear_model" in story.text and story.task != "multiclass" and draw(st.booleans())
    return Times(moments.tolist(), dues, fades, draw(st.booleans()))


@dataclass
class Loop(Bare):
    """The loop where labels come later. `waiting` has (due, place, when asked, answer)."""

    times: Times = field(kw_only=True)
    waiting: list[tuple[int | None, int, int, Any]] = field(default_factory=list)

    def go(self, place: int, *, told: bool) -> None:
        """Ask an event; or hear its label, where that has a log of its own."""
        now = self.times.moments[place]
        if told:
            self.reveal([each for each in self.waiting if each[1] == place])
            return
        due = [each for each in self.waiting if each[0] is not None and each[0] <= now and not self.times.joined]
        self.reveal(sorted(due, key=lambda each: (each[0], each[1])))
        answer = self.ask(self.story.xs[place])
        self.answers.append(answer)
        self.waiting.append((self.times.dues[place], place, now, answer))

    def reveal(self, due: Sequence[tuple[int | None, int, int, Any]]) -> None:
        for each in due:
            known, place, asked, answer = each
            assert known is not None
            self.waiting.remove(each)
            weight = self.story.weights[place]
            if self.times.fades:
                weight = (1.0 if weight is None else weight) * 0.5 ** (max(0.0, float(known - asked)) / HALF_LIFE)
            self.teach(self.story.xs[place], self.story.ys[place], weight)
            self.score(self.story.ys[place], answer)


Happening = tuple[int, bool]
"""The place of an event, and whether it is its label that comes."""


def happenings(times: Times) -> list[Happening]:
    """What comes, in the order in which it comes: events, and their labels, if these have a log of their own."""
    asked = [(moment, 1, place) for place, moment in enumerate(times.moments)]
    told = [(due, 2, place) for place, due in enumerate(times.dues) if due is not None and times.joined]
    return [(place, kind == 2) for _, kind, place in sorted(asked + told)]


class Teller:
    """Feeds one learner as the story goes; `came` is what came since its version."""

    def __init__(self, story: Story, times: Times, draw: Any) -> None:
        self.story, self.times, self.draw = story, times, draw
        self.layout = Layout(story.features, story.features)
        self.learner = Learner.new(
            read_recipe(story.text, story.task),
            features=story.features,
            metrics=METRICS[story.task],
            window=story.window,
            labels=LabelPolicy(),
            joined=times.joined,
            weights=Weights("w" if story.weighted else None, HALF_LIFE if times.fades else None),
        )
        self.version = self.learner.seal()
        self.came: list[Any] = []
        self.compiled = False

    def learn(self, part: Sequence[Happening]) -> None:
        """Let it take a batch, in rows or in columns."""
        columns = self.draw(st.sampled_from(["columns", "columns", "rows"])) == "columns"
        if self.times.joined:
            self.learner.take_turns([self._turn(*each) for each in part], self.layout if columns else None)
        else:
            places = [place for place, _ in part]
            xs: Any = [self.story.xs[place] for place in places]
            ys = [None if self.times.dues[place] is None else self.story.ys[place] for place in places]
            moments, dues = ([column[place] for place in places] for column in (self.times.moments, self.times.dues))
            self.learner.test_then_train(Table.of(self.layout, xs) if columns else xs, ys, moments, dues)
        self.compiled = self.compiled or self.learner._running._ahead

    def _turn(self, place: int, told: bool) -> Turn:  # noqa: FBT001 - as it comes
        if told:
            known = self.times.dues[place]
            assert known is not None
            return Turn(known, str(place), None, self.story.ys[place])
        return Turn(self.times.moments[place], str(place), self.story.xs[place])

    def again(self, part: Sequence[Any]) -> None:
        """Be killed: go on from the last version, and learn what came since in other batches."""
        self.learner = Learner.restore(self.version.state, self.version.golden)
        size = self.draw(st.sampled_from([1, 5, 1000]))
        for start in range(0, len(part), size):
            self.learn(part[start : start + size])

    def seal(self) -> Any:
        self.version, self.came = self.learner.seal(), []
        return self.version


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(story=stories(), data=st.data())
def test_a_story_with_labels_to_come_ends_as_a_bare_loop_does(story: Story, data: Any) -> None:
    its = data.draw(times(story))
    loop, teller, start = Loop(story, river_of(story.text), times=its), Teller(story, its, data.draw), 0
    every = happenings(its)
    try:
        for place, told in every:
            loop.go(place, told=told)
    except RAISED:
        reject()
    loop = Loop(story, river_of(story.text), times=its)
    while start < len(every):
        part = every[start : start + data.draw(st.sampled_from([1, 3, 8, 20, 90]))]
        teller.learn(part)
        teller.came += part
        for place, told in part:
            loop.go(place, told=told)
        start += len(part)
        for turn in data.draw(st.lists(st.sampled_from(["seal", "restore", "kill", "look"]), max_size=2)):
            take(turn, teller, loop)  # type: ignore[arg-type]
    event(f"compiled: {teller.compiled}")
    assert hindrance(river_of(story.text), teller.layout, story.task) is None or not teller.compiled
    check_waiting(teller.learner, loop)
    check_version(teller.seal(), loop)
    assert bits(teller.learner.model) == bits(loop.model)


def check_waiting(learner: Learner, loop: Loop) -> None:
    """What is pending, with what was answered: a label, and a number or probabilities (None: not finite)."""
    pending = learner._parts.pending
    assert pending is not None
    assert len(pending) == len(loop.waiting)
    for entry, (_, place, _, answer) in zip(map(pending.entry, pending.entries), loop.waiting, strict=True):
        assert entry is not None
        assert bits(entry.x) == bits(loop.story.xs[place])
        kept, numbers = entry.answers[1], answer if isinstance(answer, dict) else {None: answer}
        if "LogLoss" not in loop.metrics and loop.story.task != "regression":
            assert kept is None
        elif numbers and all(map(math.isfinite, numbers.values())):
            assert bits(kept) == bits(answer)
