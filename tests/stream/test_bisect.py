"""Bisect finds the events that made a model worse, in few replays, and says so when there are none."""

from __future__ import annotations

import gzip
import json
import math
import random
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.bisect.search import asks_max, first_bad, nearest_good
from stream.bisect.suspects import suspects
from tests.world import World

LEARNER = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
SOFTMAX = "preprocessing.StandardScaler() | linear_model.SoftmaxRegression(optimizer=optim.SGD(0.05))"
EVENTS = 2750
WINDOW = 250


@given(st.integers(1, 5000), st.data())
def test_the_first_bad_place_is_found_within_the_bound(places: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, places))
    asked: list[int] = []

    def is_bad(place: int) -> bool:
        asked.append(place)
        return place >= first

    assert first_bad(0, places, is_bad) == first
    assert len(asked) <= math.ceil(math.log2(places)) == asks_max(places)
    assert 0 < min(asked, default=1) <= max(asked, default=1) < places or not asked


@given(st.integers(0, 5000), st.integers(1, 100), st.data())
def test_the_nearest_good_place_is_found_both_ways(places: int, step: int, data: st.DataObject) -> None:
    nearest = data.draw(st.integers(1, places + 1))
    for way in (1, -1):
        asked: list[int] = []

        def is_good(place: int, way: int = way, asked: list[int] = asked) -> bool:
            asked.append(place)
            return way * (place - 7) >= nearest

        found = nearest_good(7, 7 + way * places, step, is_good)
        assert found == (7 + way * nearest if nearest <= places else None)
        distance = min(nearest, places)
        assert len(asked) <= 4 + math.log2(1 + distance / step) + math.log2(2 * (step + distance))
        assert all(1 <= way * (place - 7) <= places for place in asked)


def test_a_fall_of_a_series_is_suspected_where_it_begins() -> None:
    source = random.Random(3)
    level = [0.8 + source.gauss(0, 0.01) for _ in range(60)]
    assert suspects([*level[:40], *(value - 0.1 for value in level[40:])], 1) == [40]
    assert suspects([*level[:30], 0.6, *level[31:]], 1) == [30]
    assert suspects([*level[:30], -math.inf, *level[31:]], 1) == [30]
    assert suspects([0.8], 5) == []


Event = dict[str, Any]


def binary(count: int = EVENTS, seed: int = 1) -> Iterator[Event]:
    source = random.Random(seed)
    for number in range(count):
        a, b, c = (source.gauss(0, 1) for _ in range(3))
        yield {"n": number, "a": a, "b": b, "c": c, "y": 2 * a + b + source.gauss(0, 0.3) > 0}


def poison(place: int, **values: Any) -> Callable[[int, Event], Event]:
    return lambda number, event: {**event, **values} if number == place else event


def flip(start: int, stop: int, where: Callable[[Event], bool] = lambda event: True) -> Callable[[int, Event], Event]:
    def change(number: int, event: Event) -> Event:
        return {**event, "y": not event["y"]} if start <= number < stop and where(event) else event

    return change


def make(
    folder: Path,
    change: Callable[[int, Event], Event],
    events: Iterator[Event] | None = None,
    *,
    partitions: int = 1,
    learner: str = LEARNER,
    metrics: str = '"Accuracy"',
    more: str = "",
    every: int | None = None,
    **options: Any,
) -> World:
    """Train a model on a stream with something changed in it."""
    world = World(folder)
    made = [change(number, event) for number, event in enumerate(binary() if events is None else events)]
    for partition in range(partitions):
        world.write_events(f"topic/{partition}.jsonl", made[partition::partitions])
    snapshots = "" if every is None else f"[snapshots]\nevery_events = {every}\n"
    world.configure(
        log="file:topic",
        learner=learner,
        more=f'ignore = ["n"]\n{more}\n[validation]\nmetrics = [{metrics}]\nwindow = {WINDOW}\n{snapshots}',
        **options,
    )
    world.train()
    return world


def offsets(found: Mapping[str, Any]) -> list[tuple[int, int, int]]:
    return [(each["partition"], each["start"], each["stop"]) for each in found["found"]["offsets"]]


def check(world: World, *options: str) -> Any:
    """Bisect, and expect that nothing but the log of runs changed."""
    store = world.open()
    before = store.head(), store.moves(), [version.version for version in store.versions()]
    found = world.json("bisect", *options)
    assert (store.head(), store.moves(), [version.version for version in store.versions()]) == before
    assert store.runs()[-1].command == "bisect"
    assert store.runs()[-1].result["replays"] == found["replays"]
    return found


@pytest.mark.parametrize("every", [None, 500])
def test_one_poisoned_event_is_found(tmp_path: Path, every: int | None) -> None:
    place = random.Random(every or 1).randrange(1000, 2300)
    world = make(tmp_path, poison(place, a=1e14), every=every)
    found = check(world)
    assert offsets(found) == [(0, place, place + 1)]
    assert (found["good"]["after"], found["found"]["events"]) == (place, 1)
    assert found["good"]["value"] > 0.9
    assert found["bad"]["value"] < 0.8
    assert found["found"]["healed"] > 0.9
    assert found["replays"] <= 12
    (example,) = found["found"]["examples"]
    assert (example["partition"], example["offset"], json.loads(example["raw"])["a"]) == (0, place, 1e14)
    words = shlex.split(found["found"]["command"])
    assert words[:5] == ["tidemark", "quarantine", "add", "--offsets", f"0:{place}-{place + 1}"]
    assert words[5] == "--reason"
    if every is None:
        text = world.run("bisect").stdout
        assert f"topic[0] at offset {place:,}" in text
        assert f"--offsets 0:{place}-{place + 1}" in text


def test_flipped_labels_are_found_as_a_range(tmp_path: Path) -> None:
    world = make(tmp_path, flip(1400, 1900))
    found = check(world)
    ((partition, start, stop),) = offsets(found)
    assert partition == 0
    assert 1390 <= start <= 1480
    assert 1820 <= stop <= 1920
    assert found["found"]["events"] == stop - start
    assert found["bad"]["value"] < 0.5
    assert found["found"]["healed"] > 0.85


def test_in_two_partitions_only_the_stretch_of_one_is_named(tmp_path: Path) -> None:
    world = make(tmp_path, poison(2001, b=-1e12, a=1e12), partitions=2)
    assert offsets(check(world)) == [(1, 1000, 1001)]
    folder = tmp_path / "burst"
    world = make(folder, flip(1400, 2000, lambda event: event["n"] % 2 == 1), partitions=2)
    assert {partition for partition, _, _ in offsets(check(world))} == {1}


def test_the_worth_of_a_state_is_that_of_a_bare_river_loop(tmp_path: Path) -> None:
    """Good, bad and healed, by river's own classes, learned and asked without any of our code."""
    from river import linear_model, metrics, optim, preprocessing  # noqa: PLC0415

    place = 1745
    found = check(make(tmp_path, poison(place, a=1e14)))
    events = [poison(place, a=1e14)(number, event) for number, event in enumerate(binary())]
    begin = found["probe"]["before"]

    def worth(*ranges: range) -> float:
        model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
        for number in (number for each in ranges for number in each):
            event = events[number]
            model.learn_one({key: event[key] for key in "abc"}, event["y"])
        metric = metrics.Accuracy()
        for event in events[begin - WINDOW : begin]:
            metric.update(event["y"], model.predict_one({key: event[key] for key in "abc"}))
        return metric.get()

    assert found["good"]["value"] == worth(range(place))
    assert found["bad"]["value"] == worth(range(found["bad"]["after"]))
    assert found["found"]["healed"] == worth(range(place), range(place + 1, found["bad"]["after"]))


def three_classes() -> Iterator[Event]:
    source = random.Random(5)
    for number in range(EVENTS):
        y = source.choice("xyz")
        yield {"n": number, "a": source.gauss("xyz".index(y), 0.4), "b": source.gauss(0, 1), "y": y}


def numbers() -> Iterator[Event]:
    for event in binary():
        yield {**event, "y": 3 * event["a"] - event["b"] + 10}


def test_a_multiclass_model(tmp_path: Path) -> None:
    change = poison(1777, a=1e9)
    world = make(tmp_path, change, three_classes(), task="multiclass", learner=SOFTMAX)
    assert offsets(check(world)) == [(0, 1777, 1778)]


def test_a_regression(tmp_path: Path) -> None:
    learner = "preprocessing.StandardScaler() | linear_model.LinearRegression(intercept_lr=0.1)"
    world = make(tmp_path, poison(2001, a=-1e12), numbers(), task="regression", learner=learner, metrics='"MAE"')
    assert offsets(check(world)) == [(0, 2001, 2002)]


def test_a_model_that_answers_nothing_any_more(tmp_path: Path) -> None:
    """Weights that are not finite."""
    learner = "linear_model.LinearRegression(optimizer=optim.SGD(0.01))"
    world = make(tmp_path, poison(1222, a=1e15), numbers(), task="regression", learner=learner, metrics='"MAE"')
    found = check(world)
    assert offsets(found) == [(0, 1222, 1223)]


def test_labels_that_come_later(tmp_path: Path) -> None:
    """The poison is named by where it was asked, though the model was ruined when its label came."""
    events = ({**event, "at": event["n"], "known": event["n"] + 40} for event in binary())
    world = make(tmp_path, poison(1845, a=1e14), events, more='moment = "at"\n[labels]\nmoment = "known"\n')
    assert offsets(check(world)) == [(0, 1845, 1846)]


@pytest.mark.parametrize("every", [None, 5000])
def test_one_poisoned_event_among_45_312_is_found_within_20_replays(
    tmp_path: Path, shared_data: Path, every: int | None
) -> None:
    """With versions on the way, and with none but the first and the last."""
    place = random.Random(every or 2).randrange(2000, 44_000)
    lines = gzip.decompress((shared_data / "elec2.csv.gz").read_bytes()).decode().splitlines()
    column = lines[0].split(",").index("nswprice")
    cells = lines[place + 1].split(",")
    lines[place + 1] = ",".join([*cells[:column], "1e14", *cells[column + 1 :]])
    (tmp_path / "elec2.csv").write_text("\n".join(lines) + "\n")
    world = World(tmp_path)
    snapshots = "" if every is None else f"[snapshots]\nevery_events = {every}\n"
    world.configure(log="file:elec2.csv", target="class", model='positive = "UP"', more=snapshots)
    world.train()
    found = check(world)
    assert offsets(found) == [(0, place, place + 1)]
    assert found["replays"] <= 20
    assert found["found"]["healed"] > found["bad"]["value"] + 0.1


def test_versions_and_a_threshold_that_a_person_names(tmp_path: Path) -> None:
    world = make(tmp_path, poison(1700, a=1e14), every=400)
    versions = {version.version: version.accounts.learned for version in world.open().versions()}
    found = check(world, "--good", "4", "--bad", "8", "--threshold", "0.85", "--metric", "F1")
    assert (found["metric"], found["threshold"]) == ("F1", 0.85)
    assert found["probe"] == {"events": WINDOW, "before": versions[4]}
    assert offsets(found) == [(0, 1700, 1701)]
    assert found["replays"] <= 20
    assert check(world, "--bad", "7")["found"]["events"] == 1
    found = check(world, "--good", "6", "--bad", "8")  # both are ruined
    assert found["found"] is None
    found = check(world, "--threshold", "0.1")
    assert found["why"] == "no state that was better than 0.1 before became worse than that"


def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    world = make(tmp_path, lambda _, event: event, every=1000)
    assert "has learned some" in world.run("bisect", "--good", "1", code=2).stderr
    assert (
        "expected an ancestor of version 2, found version 3"
        in world.run("bisect", "--good", "3", "--bad", "2", code=2).stderr
    )
    assert "learned less than the bad one" in world.run("bisect", "--good", "2", "--bad", "2", code=2).stderr
    assert "no metric 'Acuracy'" in world.run("bisect", "--metric", "Acuracy", code=2).stderr


def test_labels_from_a_log_of_their_own(tmp_path: Path) -> None:
    world = World(tmp_path)
    events = [poison(1500, a=1e14)(number, event) for number, event in enumerate(binary(2500))]
    asked = [{"at": event["n"], **{key: value for key, value in event.items() if key != "y"}} for event in events]
    world.write_events("topic/0.jsonl", asked)
    world.write_events("labels.jsonl", [{"n": event["n"], "y": event["y"], "at": event["n"] + 30} for event in events])
    more = 'id = "n"\nmoment = "at"\n[labels]\nlog = "file:labels.jsonl"\nmoment = "at"\n'
    validation = f'[validation]\nmetrics = ["Accuracy"]\nwindow = {WINDOW}\n'
    schema = "[schema]\n" + "\n".join(f'{name} = {{ type = "number" }}' for name in "abc")
    world.configure(log="file:topic", learner=LEARNER, more=more + validation + schema)
    world.train()
    assert offsets(check(world)) == [(0, 1500, 1501)]


def test_the_command_that_it_prints_heals_the_model(tmp_path: Path) -> None:
    world = make(tmp_path, poison(1777, a=1e14), every=500)
    world.run(*shlex.split(check(world)["found"]["command"])[1:])
    world.run("rebuild")
    assert check(world)["found"] is None


def test_nothing_wrong(tmp_path: Path) -> None:
    world = make(tmp_path, lambda _, event: event)
    found = check(world)
    assert (found["found"], found["why"]) == (None, "no state is noticeably worse than the one before")
    assert "nothing found" in world.run("bisect").stdout
