"""Models that are ruined by an event: who did it is found and held, and the model is as if it had never come.

The oracle is a bare river loop over the events without the culprits.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, optim, preprocessing, tree

from learners import Learner
from stream.draft import new_version
from stream.segment import OpenSegment
from tests.world import World

SCALED = "preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01))"
BARE = "linear_model.LinearRegression(optimizer=optim.SGD(0.01), clip_gradient=1e300)"
HUGE = "[gate]\nbound = 1e300\n[validation]\nmetrics = ['MAE']\n[snapshots]\nevery_events = {every}\n"


def stream(count: int, seed: int = 1) -> list[dict[str, Any]]:
    source = random.Random(seed)
    made = []
    for number in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        made.append({"a": a, "b": b, "y": 2 * a + b + source.gauss(0, 0.1), "number": float(number % 50)})
    return made


def poisoned(events: list[dict[str, Any]], places: Iterable[int], value: float = 1e200) -> list[dict[str, Any]]:
    """Return the events with a poisoned one put in at each place (of the result)."""
    events = list(events)
    for place in sorted(places):
        events.insert(place, {"a": value, "b": 1.0, "y": 1.0, "number": 1.0})
    return events


def loop(model: Any, events: Iterable[dict[str, Any]], names: Collection[str] = ("a", "b", "number")) -> Any:
    """Return the model, and the mean absolute error, after a bare loop of river."""
    errors = []
    for event in events:
        x = {name: event[name] for name in names}
        errors.append(abs(model.predict_one(x) - event["y"]))
        model.learn_one(x, event["y"])
    return model, sum(errors) / len(errors)


def same(world: World, model: Any, error: float) -> None:
    """Assert that head's model answers as the bare one does, bit for bit."""
    store = world.open()
    head, _ = store.head()
    learner = Learner.restore(store.payload(head.version), head.proof.golden)
    for event in stream(50, seed=9):
        x = {name: event[name] for name in ("a", "b", "number")}
        assert learner.predict_one(x).y_pred == model.predict_one(x)
    assert head.proof.scores["MAE"]["cumulative"] == pytest.approx(error, rel=1e-12)


def models() -> dict[str, tuple[str, Any]]:
    return {
        "scaled": (SCALED, preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(0.01))),
        "bare": (BARE, linear_model.LinearRegression(optimizer=optim.SGD(0.01), clip_gradient=1e300)),
        "tree": ("tree.HoeffdingTreeRegressor()", tree.HoeffdingTreeRegressor()),
    }


def made_of(recipe: str, folder: Path, events: list[Any], more: str = HUGE.format(every=300)) -> World:
    world = World(folder)
    world.write_events("events.jsonl", events)
    world.configure(log="file:events.jsonl", task="regression", learner=recipe, more=more)
    return world


def check(world: World, places: list[int], good: int) -> None:
    """Assert that exactly these events are held, as suspects, and that all versions can be verified."""
    head = world.json("show", "head")
    assert head["events"] == {
        "read": good + len(places),
        "learned": good,
        "held": len(places),
        "pending": 0,
        "expired": 0,
    }
    held = world.open().held()
    assert [each.offset for each in held] == places
    assert {(each.kind, each.reason) for each in held} <= {
        ("suspect", "learner_tainted"),
        ("suspect", "learner_raised"),
    }
    assert all(each["equal"] for each in world.json("verify", "all"))


@pytest.mark.parametrize("name", models())
def test_what_ruins_a_model_is_held_and_leaves_no_trace(tmp_path: Path, name: str) -> None:
    """In the middle, as the last before a version, several in a row, as the last of all."""
    recipe, model = models()[name]
    places = [168, 299, 500, 501, 502, 503, 606]
    good = stream(600)
    world = made_of(recipe, tmp_path, poisoned(good, places, 1e155 if name == "tree" else 1e200))
    world.train()
    check(world, places, 600)
    same(world, *loop(model, good))


def test_the_first_event_of_all_may_be_the_culprit(tmp_path: Path) -> None:
    recipe, model = models()["scaled"]
    good = stream(400)
    world = made_of(recipe, tmp_path, poisoned(good, [0, 1]), HUGE.format(every=50_000))
    world.train()
    check(world, [0, 1], 400)
    same(world, *loop(model, good))


LATER = '[labels]\nmoment = "known_at"\n'
APART = '[labels]\nlog = "file:labels.jsonl"\nmoment = "known_at"\n'


def delayed(count: int, long: Collection[int], short: Collection[int]) -> list[dict[str, Any]]:
    """Return events whose labels come 1 to 9 events later; of poisoned ones 300 or 3 events later."""
    source, made = random.Random(4), stream(count)
    for number, event in enumerate(made):
        wait = 10 * source.randrange(1, 10) + 1
        if number in long or number in short:
            event["a"], wait = 1e200, 3001 if number in long else 31
        event.update({"id": f"e{number}", "at": 10 * number, "known_at": 10 * number + wait})
    return made


def loop_delayed(model: Any, made: list[dict[str, Any]], never: Collection[int]) -> tuple[Any, int]:
    """Return the model after a bare loop that learns each event when its label is due, and how many were learned."""
    due: list[tuple[int, int]] = []
    learned = 0
    for number, event in enumerate(made):
        for item in sorted(each for each in due if each[0] <= event["at"]):
            due.remove(item)
            model.learn_one({name: made[item[1]][name] for name in ("a", "b", "number")}, made[item[1]]["y"])
            learned += 1
        if number not in never:
            due.append((event["known_at"], number))
    return model, learned


def delayed_world(folder: Path, made: list[dict[str, Any]], way: str, now: int, every: int = 100) -> World:
    """Return a world that has come to a time; what is later is not in its logs yet."""
    world = World(folder)
    keys = ("id", "at", "a", "b", "number") if way == APART else tuple(made[0])
    world.write_events("events.jsonl", [{key: event[key] for key in keys} for event in made if event["at"] <= now])
    told = sorted((event for event in made if event["known_at"] <= now), key=lambda event: event["known_at"])
    world.write_events("labels.jsonl", [{key: event[key] for key in ("id", "y", "known_at")} for event in told])
    ignore = 'moment = "at"\nid = "id"\nignore = ["at", "known_at"]\n'
    world.configure(
        log="file:events.jsonl", task="regression", learner=SCALED, more=ignore + way + HUGE.format(every=every)
    )
    return world


@pytest.mark.parametrize("way", [LATER, APART], ids=["in the event", "in a log of their own"])
def test_a_pending_event_that_ruins_the_model_expires_unlearned(tmp_path: Path, way: str) -> None:
    """What was asked since head is held, what was pending in it struck out. Restarted in between; then rebuilt."""
    long, short = [100, 101, 250], [400, 620]
    made = delayed(700, long, short)
    delayed_world(tmp_path, made, way, now=2000).train()
    world = delayed_world(tmp_path, made, way, now=7000)
    world.train()
    head = world.json("show", "head")
    model, learned = loop_delayed(models()["scaled"][1], made, [*long, *short])
    assert head["events"]["read"] == 700
    assert head["events"]["learned"] == learned
    assert head["events"]["expired"] + head["events"]["held"] == 5
    assert head["events"]["pending"] == 700 - learned - 5
    held = world.open().held()
    assert [each.offset for each in held] == [*long, *short]
    assert {each.reason for each in held} == {"learner_tainted"}
    same(world, model, head["scores"]["MAE"]["cumulative"])
    assert all(each["equal"] for each in world.json("verify", "all"))
    assert head["events"]["expired"] >= 3
    world.run("quarantine", "add", "--offsets", "0:150-160", "--reason", "to see")
    world.run("rebuild", "--reason", "to see")
    rebuilt = world.json("show", "head")
    without = [event for number, event in enumerate(made) if not 150 <= number < 160]
    ruinous = [number for number, event in enumerate(without) if event["a"] == 1e200]
    model, learned = loop_delayed(models()["scaled"][1], without, ruinous)
    assert rebuilt["events"]["learned"] == learned
    same(world, model, rebuilt["scores"]["MAE"]["cumulative"])
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_revealing_what_is_pending_leaves_out_what_would_ruin_the_model(tmp_path: Path) -> None:
    made = delayed(300, [40, 250], [])
    world = delayed_world(tmp_path, made, LATER, now=3000, every=100)
    world.train("--close")
    head = world.json("show", "head")
    assert head["kind"] == "closing"
    assert head["events"] == {"read": 300, "learned": 298, "held": 0, "pending": 0, "expired": 2}
    assert [each.offset for each in world.open().held()] == [40, 250]
    assert all(each["equal"] for each in world.json("verify", "all"))


FACTORY = """
from river import linear_model, optim

class Odd(linear_model.LinearRegression):
    def __init__(self):
        super().__init__(optimizer=optim.SGD(0.01))
        self.seen = []

    def predict_one(self, x):
        if len(self.seen) > 3:
            raise KeyError("what it was taught some events ago")
        return float("nan") if x["number"] == {nan} else super().predict_one({{"a": min(x["a"], 1.0)}})

    def learn_one(self, x, y):
        if x["a"] == {hidden} or self.seen:
            self.seen.append(x)
        super().learn_one({{"a": min(x["a"], 1.0)}}, y)

def make():
    return Odd()
"""


def factory_world(folder: Path, events: list[Any], name: str, nan: float = -1, hidden: float = -1) -> World:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(FACTORY.format(nan=nan, hidden=hidden))
    return made_of(f"{name}:make", folder, events, HUGE.format(every=150))


def test_a_model_that_answers_odd_events_with_nan_is_not_ruined(tmp_path: Path) -> None:
    """Not even where versions are due by then, and all of a batch, or the last eight, are such events."""
    events = stream(400)
    for number in (0, 7, 149, *range(285, 300), *range(320, 330)):
        events[number]["number"] = 77.0
    world = factory_world(tmp_path, events, "odd", nan=77.0)
    world.train()
    check(world, [], 400)
    assert world.json("show", "head")["details"]["outputs"]["not_finite"] == 28


@pytest.mark.parametrize("places", [[230, 231], [149]], ids=["in a row", "before a save"])
def test_the_event_that_a_model_raises_on_may_be_innocent(tmp_path: Path, places: list[int]) -> None:
    """The model learns it without a word, and raises whatever it is asked, some events later."""
    good = stream(300)
    one = factory_world(tmp_path / "one", poisoned(good, places, 50.0), "hiding", hidden=50.0)
    other = factory_world(tmp_path / "other", good, "hiding", hidden=50.0)
    one.train()
    other.train()
    check(one, places, 300)
    ours, theirs = (world.json("show", "head")["scores"]["MAE"]["cumulative"] for world in (one, other))
    assert ours == theirs


def test_partitions_and_a_restart_in_between(tmp_path: Path) -> None:
    first, second = stream(300, 1), stream(300, 2)
    world = World(tmp_path)
    world.write_events("events/0.jsonl", poisoned(first, [20, 150])[:120])
    world.write_events("events/1.jsonl", poisoned(second, [90])[:60])
    world.configure(log="file:events", task="regression", learner=SCALED, more=HUGE.format(every=1000))
    world.train()
    world.write_events("events/0.jsonl", poisoned(first, [20, 150]))
    world.write_events("events/1.jsonl", poisoned(second, [90]))
    world.train()
    head = world.json("show", "head")
    assert head["events"] == {"read": 603, "learned": 600, "held": 3, "pending": 0, "expired": 0}
    assert [(each.partition, each.offset) for each in world.open().held()] == [(0, 20), (0, 150), (1, 90)]
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_recipe_that_explodes_by_itself_ends_with_words(tmp_path: Path) -> None:
    events = [{**event, "a": 1e6 * event["a"]} for event in stream(500)]
    world = made_of("linear_model.LinearRegression(clip_gradient=1e300)", tmp_path, events)
    done = world.run("train", "--until-end", code=1)
    assert "ruined by them" in done.stderr
    assert "StandardScaler" in done.stderr


def test_a_head_that_an_older_program_saved_ruined_blames_no_good_event(tmp_path: Path) -> None:
    good = stream(300)
    world = made_of(SCALED, tmp_path, good[:200])
    world.train()
    store = world.open()
    head, ref = store.head()
    learner = Learner.restore(store.payload(head.version))
    learner.test_then_train([{"a": 1e200, "b": 1.0, "number": 1.0}] * 20, [1.0] * 20)
    segment = OpenSegment.after(("events",), head)
    segment.count(learner)
    sealed = learner.seal()
    proof = replace(head.proof, golden=sealed.golden, digest=sealed.digest)
    new = new_version(Learner.restore(store.payload(head.version)), segment, head.run, head.config_hash, "ruined")
    store.save(replace(new, state=sealed.state, proof=proof, accounts=head.accounts), ref=ref, who="an older program")
    world.write_events("events.jsonl", good)
    done = world.run("train", "--until-end", code=1)
    assert f"version {head.version + 1}, head, is ruined" in done.stderr
    assert f"tidemark rollback {head.version} --rewind" in done.stderr
    assert world.open().held() == []
    world.run("rollback", str(head.version), "--rewind", "--reason", "ruined")
    world.train()
    same(world, *loop(models()["scaled"][1], good))


def test_a_rebuild_holds_what_ruins_the_model_only_now(tmp_path: Path) -> None:
    """The gate had held it, and lets it pass today."""
    good, places = stream(600), [168, 299, 500]
    world = made_of(SCALED, tmp_path, poisoned(good, places), HUGE.format(every=300).replace("1e300", "1e15"))
    world.train()
    assert {each.reason for each in world.open().held()} == {"beyond_bound"}
    text = world.config.read_text()
    world.config.write_text(text.replace("1e15", "1e300"))
    world.run("quarantine", "add", "--offsets", "0:100-110", "--reason", "to see")
    world.run("rebuild", "--reason", "to see")
    held = world.open().held()
    assert [each.offset for each in held if each.reason == "learner_tainted"] == places
    same(world, *loop(models()["scaled"][1], good[:100] + good[110:]))
    assert all(each["equal"] for each in world.json("verify", "all"))
