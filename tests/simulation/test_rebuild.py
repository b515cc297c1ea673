"""A rebuilt model equals one that never saw the events: any stream, any quarantine, killed and rolled back anywhere."""

from __future__ import annotations

import itertools
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from store import Store
from tests.simulation.oracle import KINDS
from tests.simulation.story import WHERES, Ask, Story
from tests.world import World

# So many stories of each model; STORIES=40 tells ten times as many.
EXAMPLES = int(os.environ.get("STORIES", "4"))
NUMBER = st.integers(0, 99)
NOTHING = Ask()
TENTHS = st.none() | st.integers(0, 12)


@dataclass(frozen=True)
class Act:
    """Something that may happen, with its numbers."""

    name: str
    numbers: tuple[int, ...] = ()
    ask: Ask = NOTHING


@dataclass(frozen=True)
class Step:
    """An act; killed after so many writes; another act amid it, at so many batches."""

    act: Act
    kill: int | None = None
    amid: tuple[int, Act] | None = None


OFFSETS = st.lists(st.tuples(NUMBER, NUMBER, st.integers(0, 12)), min_size=1, max_size=2).map(tuple)
WHERE = st.sampled_from(list(WHERES))
ASKS = st.one_of(
    st.builds(Ask, OFFSETS),
    st.builds(Ask, where=WHERE),
    st.builds(Ask, since=TENTHS, until=TENTHS, where=st.none() | WHERE),
    st.builds(Ask, OFFSETS, TENTHS, TENTHS, st.none() | WHERE),
)
GROW = st.builds(Act, st.just("grow"), st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5)))
ADD = st.builds(Act, st.just("add"), st.tuples(NUMBER), ASKS)
BACK = st.builds(Act, st.sampled_from(["rewind", "skip", "undo", "rewind", "skip"]), st.tuples(NUMBER))
RELEASE = st.builds(Act, st.sampled_from(["late", "rewrite"]), st.tuples(NUMBER))
MORE = st.builds(Act, st.just("grow and train"), st.tuples(st.integers(1, 9)))
CONFIRM = st.builds(Act, st.just("confirm"), st.tuples(NUMBER))
SMALL = st.one_of(GROW, ADD, ADD, BACK, RELEASE, RELEASE, MORE, MORE, CONFIRM, st.just(Act("rebuild")))
LARGE = st.sampled_from([Act("train"), Act("train"), Act("rebuild"), Act("rebuild"), Act("close")])
KILL = st.sampled_from([None, None, None, 0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 22])
AMID = st.one_of(st.none(), st.tuples(st.sampled_from([0, 0, 1, 1, 2, 3, 4, 6, 9]), SMALL))
ANY = st.one_of(
    st.builds(Step, ADD), st.builds(Step, SMALL, st.sampled_from([None] * 4 + [0, 1, 5])), st.builds(Step, BACK)
)
WORK = st.builds(Step, LARGE, KILL, AMID)
STEPS = st.tuples(  # a list of any steps is a dull story, most of the time
    st.builds(Step, ADD), ANY, WORK, st.builds(Step, MORE), ANY, WORK, st.builds(Step, RELEASE), ANY, WORK
)


def doing(story: Story, act: Act) -> Callable[[], None]:
    number = act.numbers[0] if act.numbers else 0

    def grow_and_train() -> None:
        story.grow([number])
        story.train()

    acts: dict[str, Callable[[], None]] = {
        "grow": lambda: story.grow(list(act.numbers)),
        "grow and train": grow_and_train,
        "train": story.train,
        "close": lambda: story.train(close=True),
        "add": lambda: story.add(act.ask, labels=number % 4 == 0, confirmed=number % 2 == 0),
        "late": lambda: story.release(number, "late"),
        "rewrite": lambda: story.release(number, "rewrite"),
        "confirm": lambda: story.confirm(number),
        "rewind": lambda: story.roll_back(number, "rewind"),
        "skip": lambda: story.roll_back(number, "skip"),
        "undo": lambda: story.roll_back(number, "undo"),
        "rebuild": story.rebuild,
        "ahead": story.run_ahead,
        "wait": story.wait,
    }
    return acts[act.name]


numbers = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('stories')}/store.db", create=True) as opened:
        yield opened


@contextmanager
def begun(store: Store, name: str, partitions: int, later: str, every: int, seed: int) -> Iterator[Story]:
    """Give a story with a model that has learned a little."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        world = World(Path(folder), f"m{next(numbers)}")
        story = Story(world, store, KINDS[name], partitions, later, random.Random(seed), patch)
        story.begin(name, every)
        story.grow([30 // partitions])
        story.live(story.train, kill=None, amid=None)
        yield story


def tell(store: Store, name: str, steps: Sequence[Step], say: Callable[[str], object] = print, **drawn: Any) -> None:
    """Let the steps happen, and check all that must be so, after each and at the end."""
    with begun(store, name, **drawn) as story:
        for number, step in enumerate(steps):
            say(f"step {number}: {step}")
            amid = None if step.amid is None else (step.amid[0], doing(story, step.amid[1]))
            story.live(doing(story, step.act), kill=step.kill, amid=amid)
            story.check()
        say("settling")
        model = story.settle()
        story.check(recomputed=True)
        story.check_settled(model)


SENSOR = Act("add", (3,), Ask(where="s == 's1'"))
FIRST = Act("add", (3,), Ask(offsets=((0, 3, 9),)))
SECOND = Act("add", (3,), Ask(offsets=((0, 8, 9),)))
BEYOND = Act("add", (3,), Ask(offsets=((0, 28, 20),)))
MORE_COMES, TRAIN, REBUILD = Act("grow and train", (20,)), Act("train"), Act("rebuild")
LATE, REWRITE = (Act(name, (0,)) for name in ("late", "rewrite"))
TALES: dict[str, list[Act | Step]] = {
    "what an open entry held after it was made is learned late": [SENSOR, REBUILD, MORE_COMES, LATE, TRAIN],
    "what an open entry held after it was made is rewritten": [SENSOR, REBUILD, MORE_COMES, REWRITE, TRAIN],
    "offsets that were not in the log yet are learned late": [BEYOND, MORE_COMES, LATE, TRAIN],
    "offsets that were not in the log yet are rewritten": [BEYOND, MORE_COMES, REWRITE, TRAIN],
    "late, then rewritten: the last word counts": [FIRST, SECOND, REBUILD, LATE, TRAIN, REWRITE, TRAIN],
    "rewritten, then late: the last word counts": [FIRST, SECOND, REBUILD, REWRITE, TRAIN, LATE, TRAIN],
    "held again after it was learned late": [FIRST, REBUILD, LATE, TRAIN, SECOND, REBUILD, REWRITE, TRAIN],
    "a late run is rewound, and derived again": [FIRST, REBUILD, LATE, TRAIN, Act("rewind", (4,)), TRAIN],
    "a skip amid a rebuild stays skipped": [FIRST, Step(REBUILD, amid=(4, Act("skip", (2,)))), MORE_COMES],
    "head goes back to the base of a rebuild, which was rebuilt itself": [
        *(FIRST, REBUILD, MORE_COMES, Act("add", (3,), Ask(offsets=((0, 22, 3),)))),
        *(Step(REBUILD, amid=(3, Act("rewind", (4,)))), MORE_COMES),
    ],
    "a trainer goes on amid a rebuild": [FIRST, Step(REBUILD, amid=(2, MORE_COMES)), MORE_COMES],
    "what was too far ahead stays held": [Act("ahead"), TRAIN, FIRST, Act("wait"), REBUILD, MORE_COMES],
    "a skip before a rebuild stays skipped": [Act("skip", (1,)), MORE_COMES, FIRST, REBUILD, MORE_COMES],
}


@pytest.mark.parametrize("tale", TALES)
def test_a_tale(store: Store, tale: str) -> None:
    steps = [Step(step) if isinstance(step, Act) else step for step in TALES[tale]]
    later = "moment" if Act("wait") in TALES[tale] else ""
    tell(store, "logistic", steps, partitions=1, later=later, every=5, seed=3)


def test_a_trainer_obeys_from_its_next_batch(store: Store) -> None:
    with begun(store, "logistic", partitions=1, later="", every=5, seed=3) as story:
        story.live(
            doing(story, MORE_COMES), kill=None, amid=(0, doing(story, BEYOND))
        )  # after five; it looks after five more
        story.check()
        order = story.order(story.model, story.model.head()[0].version)
        learned = {offset for _, (_, _, offset) in order}
        assert learned & set(range(30, 40))
        assert not learned & set(range(40, 48))


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    partitions=st.integers(1, 3),
    later=st.sampled_from(["", "", "moment", "log"]),
    every=st.integers(5, 20),
    seed=st.integers(0, 10**6),
    steps=STEPS,
)
@pytest.mark.parametrize("name", KINDS)
def test_a_rebuilt_model_never_saw_the_events(store: Store, name: str, **drawn: Any) -> None:
    tell(store, name, **drawn, say=note)
