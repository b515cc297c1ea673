"""Reading out: what one process reads for several is what each would read; what goes wrong is told to all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from store.types import Position
from stream.backtest import executor
from stream.backtest.asked import Ask
from stream.backtest.course import lay_out
from stream.backtest.hear import Interrupted
from stream.backtest.journey import Journey
from stream.backtest.range import Wishes
from stream.backtest.reader import Errand
from stream.backtest.reading import Reading
from stream.backtest.readout import ReadOut
from stream.backtest.received import Received
from stream.backtest.several import Several
from stream.backtest.stretch import Course
from stream.backtest.whatif import WhatIf
from stream.commands.backtesting import opened_anyway
from stream.config import Config, read_config
from stream.errors import LogMismatch, LogUnreachable
from stream.runs import recorded
from stream.sources import open_feed
from tests.stream.test_backtest import BAYES, LINEAR, SHORT, play, train
from tests.stream.test_backtest import plain as same_as
from tests.stream.test_readahead import COUNT, ENTRIES, Silent, alone, by_rows, plain, write
from tests.world import World

ADAPTIVE = "tree.HoeffdingAdaptiveTreeClassifier(seed=1)"
NOTHING_LEARNED = "dummy.NoChangeClassifier()"


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.configure(log="file:events.jsonl", learner=LINEAR, more=SHORT.replace("300", "5000"))
    write(found.folder / "events.jsonl", COUNT)
    return found


@pytest.fixture
def laid_out(world: World) -> tuple[Config, Course]:
    """A course of several stretches over a file that nobody has trained on."""
    with (
        opened_anyway(world.config) as (config, model),
        closing(open_feed(config, until_end=True, group="test")) as feed,
    ):
        course = lay_out(model, feed, config, Wishes())
    assert course is not None
    assert len(course.stretches) >= 3
    return config, course


def heard(pipe: Any, config: Config, course: Course, *, columns: bool) -> list[Any]:
    """Return all that comes through a pipe, stretch by stretch."""
    told = plain if columns else by_rows
    with (
        closing(open_feed(config, until_end=True, group="test")) as feed,
        Received(pipe, course, columns=columns) as received,
    ):
        reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=columns)
        return [told(received.stretch(place, reading, Silent())) for place in range(len(course.stretches))]


def side_by_side(*works: Callable[[], Any]) -> list[Future[Any]]:
    """Carry all out at the same time; return them once they ended."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [pool.submit(work) for work in works]


def test_each_hears_what_it_would_have_read(laid_out: tuple[Config, Course]) -> None:
    config, course = laid_out
    with ReadOut(Errand(config, course, ENTRIES, "test"), 0, 3) as out:
        futures = side_by_side(
            lambda: heard(out.ends[0], config, course, columns=True),
            lambda: heard(out.ends[1], config, course, columns=True),
            lambda: heard(out.ends[2], config, course, columns=False),
        )
    one, two, rows = (future.result() for future in futures)
    assert one == two == alone(config, course)
    with closing(open_feed(config, until_end=True, group="test")) as feed:
        reading = Reading(course, feed, config, ENTRIES, WhatIf())
        assert rows == [by_rows(reading.stretch(stretch)) for stretch in course.stretches]


def test_what_goes_wrong_is_raised_by_each(laid_out: tuple[Config, Course]) -> None:
    config, course = laid_out
    at = course.stretches[1].position
    other = Position({topic: replace(cursors, identity="another") for topic, cursors in at.topics.items()})
    changed = replace(course, stretches=(course.stretches[0], replace(course.stretches[1], position=other)))
    with ReadOut(Errand(config, changed, ENTRIES, "test"), 0, 2) as out:
        listeners = [partial(heard, end, config, course, columns=True) for end in out.ends]
        assert [type(each.exception()) for each in side_by_side(*listeners)] == [LogMismatch] * 2


def test_a_reader_that_is_killed_is_told_to_each(laid_out: tuple[Config, Course]) -> None:
    config, course = laid_out
    with ReadOut(Errand(config, course, ENTRIES, "test"), 0, 2) as out:
        assert out.ends[0].poll(60)  # it has begun; more than the first batches is not in the pipes
        out._process.kill()
        listeners = [partial(heard, end, config, course, columns=True) for end in out.ends]
        assert [type(each.exception()) for each in side_by_side(*listeners)] == [LogUnreachable] * 2


class Counted(ReadOut):
    """Counts for how many it was begun."""

    listeners: list[int] = []  # noqa: RUF012 - of all

    def __init__(self, errand: Errand, first: int, listeners: int) -> None:
        self.listeners.append(listeners)
        super().__init__(errand, first, listeners)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    monkeypatch.setattr(executor, "ReadOut", Counted)
    monkeypatch.setattr(Counted, "listeners", [])
    return Counted.listeners


def test_one_reads_for_all_workers_in_rows_and_columns(world: World, begun: list[int]) -> None:
    train(world)
    learners = ["live", BAYES, ADAPTIVE]
    two = play(world, *learners, workers=2, until="20000")
    three = play(world, *learners, workers=3, until="20000")
    assert begun == [2, 3]
    one = play(world, *learners, workers=1, until="20000")
    assert one.replays_live
    assert same_as(three) == same_as(two) == same_as(one)
    assert begun == [2, 3]


def test_each_reads_for_itself_where_records_are_needed_or_changed(world: World, begun: list[int]) -> None:
    train(world)
    play(world, LINEAR, BAYES, workers=2, until="2000", save=True)
    play(world, LINEAR, BAYES, workers=2, until="2000", whatif=WhatIf(order="shuffle"))
    assert begun == []


class Ended:
    """Hears what journeys come to, and stops when the first has ended."""

    def __init__(self) -> None:
        self.ended: list[int] = []

    def advance(self, events: int) -> None:
        """See `Hear`."""
        if self.ended:
            raise Interrupted

    def keep(self, place: int, states: Any) -> None:
        """See `Hear`."""

    def end(self, outcomes: Any) -> None:
        """See `HearAll`."""
        self.ended += [each.number for each in outcomes]


def journeys(world: World, *learners: str) -> Iterator[Journey]:
    """Give a journey for each learner, along one course."""
    config, model = read_config(world.config), world.open()
    with recorded(model, config, "backtest", commit=False) as run:
        made = Several(config, model, Ask(learners=learners, wishes=Wishes(until="20000")), run)
        yield from made.parts[0].begin(len(learners), Silent())


def test_what_another_process_came_to_is_taken_while_this_one_learns(world: World) -> None:
    train(world)
    slow, quick = islice(journeys(world, "forest.ARFClassifier(seed=1)", NOTHING_LEARNED), 2)
    hear = Ended()
    with pytest.raises(Interrupted):
        executor.executor(2).run([slow, quick], hear)
    assert hear.ended == [1]
