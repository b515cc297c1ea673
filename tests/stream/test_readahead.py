"""Reading ahead: what two processes read by turns is what one reads, in the same order; whatever goes wrong is told."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Self

import pytest

from learners.table import Column, Table
from store.entries import Change, Entry
from store.offsets import Offsets
from store.types import Position
from stream.backtest import journey, received, spawned
from stream.backtest.course import lay_out
from stream.backtest.range import Wishes
from stream.backtest.readahead import ReadAhead
from stream.backtest.reader import HUNGRY, Errand
from stream.backtest.reading import Reading
from stream.backtest.stretch import Course
from stream.backtest.whatif import WhatIf
from stream.commands.backtesting import opened_anyway
from stream.config import Config
from stream.errors import LogMismatch, LogUnreachable
from stream.feed import Feed
from stream.forked import CAN_FORK
from stream.gate import Verdicts
from stream.sources import open_feed
from tests.stream.test_backtest import LINEAR, SHORT, play, train
from tests.stream.test_backtest import plain as same_as
from tests.world import World

BEGIN_S_MAX = 120.0
COUNT = 50_000
ENTRIES: tuple[int, list[Entry]] = (0, [])
ADDED = Change(1, 1, "suspect", None, "ann", "odd", datetime(2026, 1, 1, tzinfo=UTC))


Begin = Callable[[Errand, int], ReadAhead]


class Silent:
    def advance(self, events: int) -> None:
        """See `Hear`."""

    def keep(self, place: int, states: Any) -> None:
        """See `Hear`."""


def write(path: Path, count: int) -> None:
    """Write events, every thousandth of which is at fault."""
    source = random.Random(4)
    with path.open("w", encoding="utf-8") as out:
        for at in range(count):
            event = {"a": source.gauss(0, 1), "b": source.gauss(0, 1), "y": source.random() < 0.5}
            out.write("{\n" if at % 1000 == 7 else json.dumps(event) + "\n")


@pytest.fixture(params=["spawned", "forked"])
def begin(request: pytest.FixtureRequest) -> Begin:
    """Return what reads ahead: in a process that is spawned, or in a copy of this one."""
    if request.param == "forked" and not CAN_FORK:
        pytest.skip("forks are for Linux")
    return partial(ReadAhead, fork=request.param == "forked")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def laid_out(world: World) -> Iterator[tuple[Config, Course, Feed]]:
    """A course of several stretches over a file that nobody has trained on."""
    world.configure(log="file:events.jsonl", learner=LINEAR, more=SHORT)
    write(world.folder / "events.jsonl", COUNT)
    with (
        opened_anyway(world.config) as (config, model),
        closing(open_feed(config, until_end=True, group="test")) as feed,
    ):
        course = lay_out(model, feed, config, Wishes())
        assert course is not None
        assert len(course.stretches) >= 3
        yield config, course, feed


def plain(read: Iterable[Verdicts]) -> dict[str, list[Any]]:
    """Return all that is learned, counted or told of a stretch, as plain values: however it came in batches."""
    found: dict[str, list[Any]] = {"events": [], "held": [], "read": []}
    for verdicts in read:
        assert isinstance(verdicts.xs, Table)
        assert isinstance(verdicts.ys, Column)
        found["events"] += zip(verdicts.places(), verdicts.xs, verdicts.ys, strict=True)
        found["held"] += ((each.offset, each.reason, each.detail, each.raw) for each in verdicts.held)
        found["read"] += ((span.partition, offset) for span in verdicts.batch.spans for offset in span.offsets)
    return found


def alone(config: Config, course: Course) -> list[dict[str, list[Any]]]:
    with closing(open_feed(config, until_end=True, group="test")) as feed:
        reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
        return [plain(reading.stretch(stretch)) for stretch in course.stretches]


def by_rows(read: Iterable[Verdicts]) -> list[Any]:
    """Return all that is told of a stretch in rows."""
    found = []
    for verdicts in read:
        assert isinstance(verdicts.xs, list)
        assert isinstance(verdicts.ys, list)
        found += [*zip(verdicts.places(), map(typed, verdicts.xs), map(repr, verdicts.ys), strict=True)]
        found += [(each.offset, each.reason, each.detail, each.raw) for each in verdicts.held]
    return sorted(found, key=repr)


def typed(x: dict[str, Any]) -> list[Any]:
    """Return an example with the order of its features and the types of their values."""
    return [(name, type(value), repr(value)) for name, value in x.items()]


def begun(ahead: ReadAhead) -> None:
    """Wait until the other process has read something."""
    deadline = time.monotonic() + BEGIN_S_MAX
    while not ahead.waiting:
        assert time.monotonic() < deadline, "it does not begin"
        time.sleep(0.01)


class Patient(ReadAhead):
    """Waits until the other process has begun, so that it reads all."""

    def __enter__(self) -> Self:
        super().__enter__()
        begun(self)
        return self


def test_two_read_what_one_reads(laid_out: tuple[Config, Course, Feed], begin: Begin) -> None:
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    found = []
    with begin(Errand(config, course, ENTRIES, "test"), 0) as ahead:
        for place in range(len(course.stretches)):
            found.append(plain(ahead.stretch(place, reading, Silent())))
            if place == 0:
                begun(ahead)
    assert found == alone(config, course)
    assert sum(len(stretch["held"]) for stretch in found) == COUNT / 1000
    assert sum(len(stretch["read"]) for stretch in found) == COUNT


def test_who_has_nothing_to_do_judges_records_and_who_has_does_not(
    laid_out: tuple[Config, Course, Feed], begin: Begin
) -> None:
    """What the other process sends before anything is taken are records; then it judges; when all is taken, records."""
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    with begin(Errand(config, course, ENTRIES, "test"), 0) as ahead:
        begun(ahead)
        assert not ahead._is_mine(0)
        settle(ahead)
        sent = list(ahead._batches(Silent()))
        forms = [isinstance(each, Verdicts) for each in sent]
        assert forms[:HUNGRY] == [False] * HUNGRY
        assert all(forms[HUNGRY:])
        assert len(forms) > HUNGRY
        found = plain(reading.judged(course.stretches[0], sent))
    assert found == alone(config, course)[0]


def test_records_are_not_judged_here_where_they_are_asked_for_more_than_their_bytes(
    laid_out: tuple[Config, Course, Feed], begin: Begin
) -> None:
    config, course, _ = laid_out
    for errand in (
        Errand(config, course, ENTRIES, "test", columns=False),
        Errand(config, course, (1, [Entry(1, "events", {"key": "nobody"}, Offsets(), {}, (ADDED,))]), "test"),
    ):
        with begin(errand, 0) as ahead:
            begun(ahead)
            assert not ahead._is_mine(0)
            assert all(isinstance(each, Verdicts) for each in ahead._batches(Silent()))


def test_ends_of_stretches_are_taken_like_batches(laid_out: tuple[Config, Course, Feed], begin: Begin) -> None:
    """Else the other process would take its own count for what waits here, and never find anybody idle again."""
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    with begin(Errand(config, course, ENTRIES, "test"), 0) as ahead:
        begun(ahead)
        batches = sum(len(list(ahead.stretch(place, reading, Silent()))) for place in range(len(course.stretches)))
        assert ahead._taken.value == batches + len(course.stretches)


def settle(ahead: ReadAhead) -> None:
    """Wait until the other process has read all that it may."""
    before = -1
    while ahead.waiting != before:
        before = ahead.waiting
        time.sleep(0.5)


def test_a_process_that_is_killed_is_told(
    laid_out: tuple[Config, Course, Feed], monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    monkeypatch.setattr(received, "BATCHES_MAX", 1)
    monkeypatch.setattr(spawned, "PIPE_BYTES", 1 << 16)  # less than there is to read
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    with begin(Errand(config, course, ENTRIES, "test"), 0) as ahead:
        begun(ahead)
        ahead.process.kill()
        read = chain.from_iterable(ahead.stretch(place, reading, Silent()) for place in range(len(course.stretches)))
        with pytest.raises(LogUnreachable, match="without a word") as told:
            list(read)  # what was on its way still comes
    assert "--workers 1" in told.value.hint


def test_what_goes_wrong_there_is_raised_here(laid_out: tuple[Config, Course, Feed], begin: Begin) -> None:
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    at = course.stretches[1].position
    other = Position({topic: replace(cursors, identity="another") for topic, cursors in at.topics.items()})
    rest = (replace(stretch, position=other) for stretch in course.stretches[1:])
    changed = replace(course, stretches=(course.stretches[0], *rest))
    with begin(Errand(config, changed, ENTRIES, "test"), 0) as ahead:
        list(ahead.stretch(0, reading, Silent()))
        begun(ahead)
        with pytest.raises(LogMismatch):
            list(ahead.stretch(1, reading, Silent()))


def test_until_the_other_has_begun_this_one_reads(laid_out: tuple[Config, Course, Feed], begin: Begin) -> None:
    """It fails as it begins: nothing was taken by it, and nothing is missing."""
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf(), columns=True)
    source = config.source.model_copy(update={"log": "file:nowhere.jsonl"})
    elsewhere = config.model_copy(update={"source": source})
    with begin(Errand(elsewhere, course, ENTRIES, "test"), 0) as ahead:
        begun(ahead)  # with an error, which nobody looks at
        found = [plain(ahead.stretch(place, reading, Silent())) for place in range(len(course.stretches))]
    assert found == alone(config, course)


def test_rows_come_as_rows(laid_out: tuple[Config, Course, Feed], begin: Begin) -> None:
    config, course, feed = laid_out
    reading = Reading(course, feed, config, ENTRIES, WhatIf())
    found = []
    with begin(Errand(config, course, ENTRIES, "test", columns=False), 0) as ahead:
        begun(ahead)
        for place in range(len(course.stretches)):
            assert not ahead._is_mine(place)
            found.append(by_rows(ahead.stretch(place, reading, Silent())))
    with closing(open_feed(config, until_end=True, group="test")) as again:
        reading = Reading(course, again, config, ENTRIES, WhatIf())
        assert found == [by_rows(reading.stretch(stretch)) for stretch in course.stretches]
    assert sum(map(len, found)) == COUNT


@pytest.mark.parametrize("learner", [LINEAR, "tree.HoeffdingTreeClassifier()"])
def test_a_backtest_that_reads_ahead_replays_live(world: World, monkeypatch: pytest.MonkeyPatch, learner: str) -> None:
    monkeypatch.setattr(journey, "COLUMNS_TO_READ_AHEAD", 0)
    monkeypatch.setattr(journey, "ROWS_TO_READ_AHEAD", 0)
    monkeypatch.setattr(journey, "ReadAhead", Patient)
    more = SHORT.replace("300", "2000")
    world.configure(log="file:events.jsonl", learner=learner, more=more)
    write(world.folder / "events.jsonl", COUNT)
    train(world)
    one, two = play(world, workers=1), play(world, workers=2)
    assert one.replays_live
    assert two.replays_live
    assert same_as(two) == same_as(one)
    assert two.outcomes[0].held == one.outcomes[0].held == COUNT / 1000
