"""A static model, by real commands: it learns nothing, is judged on, and learns again; killed and rolled back."""

from __future__ import annotations

import heapq
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from river import linear_model, metrics, optim, preprocessing

from store import ModelStore
from tests.simulation import life
from tests.world import World, end, until

RECIPE = "preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))"
LABELS = '[labels]\nmoment = "known_at"'
FROZEN, THAWED, ALL = 1500, 2600, 3400


def events(count: int = ALL, seed: int = 1) -> list[dict[str, Any]]:
    """Return events whose labels turn round in the middle: a model that goes on learning is another one."""
    source, made = random.Random(seed), []
    for i in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        turned = 1 if i < count // 2 else -1
        made.append({"at": i, "known_at": i + source.choice([0, 1, 40, 300]), "a": a, "b": b, "y": a * turned > b})
    return made


def river_says(made: list[dict[str, Any]], *, delayed: bool) -> tuple[float, int]:
    """Return Accuracy and how many were judged: a bare loop that does not learn between FROZEN and THAWED."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.05))
    accuracy, waiting, judged = metrics.Accuracy(), list[Any](), 0
    for i, event in enumerate(made):
        x = {"a": event["a"], "b": event["b"]}
        due = event["known_at"] if delayed else -1
        while waiting and waiting[0][0] <= i:
            _, _, old, y, y_pred = heapq.heappop(waiting)
            accuracy.update(y, y_pred)
            judged += 1
            if not FROZEN <= i < THAWED:
                model.learn_one(old, y)
        heapq.heappush(waiting, (due, i, x, event["y"], model.predict_one(x)))
        if not delayed:
            _, _, old, y, y_pred = heapq.heappop(waiting)
            accuracy.update(y, y_pred)
            judged += 1
            if not FROZEN <= i < THAWED:
                model.learn_one(old, y)
    return accuracy.get(), judged


def configure(world: World, mode: str, *, delayed: bool = False) -> None:
    world.configure(
        log="file:events.jsonl",
        learner=RECIPE,
        model=f'mode = "{mode}"',
        more='moment = "at"\nignore = ["at", "known_at"]\n'
        f'{LABELS if delayed else ""}\n[validation]\nmetrics = ["Accuracy"]\nwindow = 100\n'
        "[snapshots]\nevery_events = 400",
    )


def live(world: World, made: list[Any], *, delayed: bool) -> None:
    """Train, go on static, go on dynamic."""
    for mode, stop in (("dynamic", FROZEN), ("static", THAWED), ("dynamic", ALL)):
        configure(world, mode, delayed=delayed)
        world.write_events("events.jsonl", made[:stop])
        world.train()


def kinds(model: ModelStore) -> list[str]:
    return [kind for kind, _ in itertools.groupby(version.kind for version in model.versions())]


@pytest.mark.parametrize("delayed", [False, True])
def test_a_model_is_frozen_and_thawed(tmp_path: Path, delayed: bool) -> None:  # noqa: FBT001
    world, made = World(tmp_path), events()
    live(world, made, delayed=delayed)
    model = world.open()
    assert kinds(model) == ["genesis", "save", "freeze", "save", "thaw", "save"]
    (frozen,) = [version for version in model.versions() if version.kind == "freeze"]
    (thawed,) = [version for version in model.versions() if version.kind == "thaw"]
    assert model.segment(frozen.version).runs == ()
    assert frozen.accounts.read == FROZEN
    static = model.version(thawed.version - 1)
    since = frozen.accounts.learned
    judged = static.accounts.learned - since
    assert static.proof.details["static"] == {"of": "model", "since_learned": since, "events": judged}
    assert judged > 900
    assert "static" not in thawed.proof.details
    shown = world.json("show", "head")
    accuracy, count = river_says(made, delayed=delayed)
    assert shown["events"]["learned"] == count
    assert shown["scores"]["Accuracy"]["cumulative"] == accuracy
    assert all(version.accounts.balanced for version in model.versions())
    assert [each["equal"] for each in world.json("verify", "all")] == [True] * len(model.versions())


def test_status_and_show_say_that_it_is_static(tmp_path: Path) -> None:
    world, made = World(tmp_path), events(800)
    configure(world, "dynamic")
    world.write_events("events.jsonl", made[:500])
    world.train()
    assert {key: world.json("status")[key] for key in ("mode", "static_since")} == {
        "mode": "dynamic",
        "static_since": None,
    }
    configure(world, "static")
    world.write_events("events.jsonl", made)
    world.train()
    assert {key: world.json("status")[key] for key in ("mode", "static_since")} == {
        "mode": "static",
        "static_since": 500,
    }
    assert "static_since     500" in world.run("status").stdout
    assert "static       since 500 events were learned; 300 were judged since" in world.run("show", "head").stdout
    again = world.json("show", "head")
    world.train()
    assert world.json("show", "head") == again  # a run that finds nothing to do makes no version


def test_rolled_back_before_the_freeze_it_is_frozen_there(tmp_path: Path) -> None:
    world, made = World(tmp_path), events()
    live(world, made, delayed=True)
    model = world.open()
    configure(world, "static", delayed=True)
    world.run("rollback", "3", "--rewind", "--reason", "it was better then")
    before = len(model.versions())
    world.train()
    frozen = model.versions()[before]
    assert (frozen.kind, frozen.parent, frozen.accounts.read) == ("freeze", 3, 800)
    head = model.head()[0]
    assert head.accounts.read == ALL
    assert head.proof.details["static"]["since_learned"] == frozen.accounts.learned
    world.train("--close")
    closed = model.head()[0]
    assert (closed.kind, closed.accounts.learned, closed.accounts.pending) == ("closing", ALL, 0)
    assert closed.proof.details["static"]["events"] == ALL - frozen.accounts.learned
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_bytes_of_a_freeze_come_back_by_replay(tmp_path: Path) -> None:
    world, made = World(tmp_path), events()
    live(world, made, delayed=True)
    model = world.open()
    world.run("expire", "--keep-last", "1")
    frozen = next(version for version in model.versions() if version.kind == "freeze")
    assert model.version(frozen.version + 1).blob is None
    world.run("rollback", str(frozen.version + 1), "--rewind")
    back = model.version("head")
    assert (back.version, back.blob is None) == (frozen.version + 1, False)
    configure(world, "static", delayed=True)
    world.train()
    assert model.head()[0].proof.details["static"]["since_learned"] == frozen.accounts.learned
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_a_running_trainer_freezes_where_head_was_moved(tmp_path: Path) -> None:
    world, made = World(tmp_path), events(1600)
    world.write_events("topic/0.jsonl", made)
    configure(world, "dynamic")
    settings = world.config.read_text().replace("file:events.jsonl", "file:topic")
    world.config.write_text(settings)
    world.train()
    world.config.write_text(settings.replace('"dynamic"', '"static"'))
    trainer, model = world.start("train"), world.open()
    try:
        first = until(lambda: next((v for v in model.versions() if v.kind == "freeze"), None), process=trainer)
        until(lambda: (beat := model.heartbeat()) is not None and beat.version == first.version, process=trainer)
        model.move("head", 2, kind="rewind", who="test", why="test")
        until(lambda: model.head()[0].accounts.read == 1600 and model.head()[0].parent != first.parent, process=trainer)
    finally:
        end(trainer)
    second = next(version for version in model.versions() if version.kind == "freeze" and version.parent == 2)
    assert second.version > first.version
    head = model.head()[0]
    assert head.proof.details["static"] == {"of": "model", "since_learned": 400, "events": 1200}
    assert all(each["equal"] for each in world.json("verify", "all"))


def test_killed_while_static_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    made = events(4000, seed=3)
    calm, killed = World(tmp_path / "calm"), World(tmp_path / "killed")
    for world in (calm, killed):
        world.folder.mkdir()
        configure(world, "dynamic", delayed=True)
        world.write_events("events.jsonl", made[:1000])
        world.train()
        configure(world, "static", delayed=True)
        world.write_events("events.jsonl", made)
    life.kill_often(killed.config, 6, seed=4, within_s=0.06)
    killed.train("--close")
    calm.train("--close")
    shown, clean = killed.json("show", "head"), calm.json("show", "head")
    assert (shown["events"], shown["details"]) == (clean["events"], clean["details"])
    for ours, theirs in (
        (shown["scores"], clean["scores"]),
        (shown["baselines"]["Prior"], clean["baselines"]["Prior"]),
    ):
        assert {**ours["Accuracy"], "since_last": 0} == {**theirs["Accuracy"], "since_last": 0}
    model = killed.open()
    assert sum(version.kind == "freeze" for version in model.lineage(model.head()[0].version)) == 1


def test_a_model_that_has_no_versions_cannot_be_static(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", events(50))
    configure(world, "static")
    done = world.run("train", "--until-end", code=2)
    assert "train it first" in done.stderr
    assert not (tmp_path / "tidemark.db").exists()


def test_the_static_rival_is_rolled_back_and_proved_as_all_else(tmp_path: Path) -> None:
    made = events()
    calm, rolled = World(tmp_path / "calm"), World(tmp_path / "rolled")
    for world in (calm, rolled):
        world.folder.mkdir()
        configure(world, "dynamic", delayed=True)
        text = world.config.read_text().replace("[validation]", "[validation]\nstatic_after = 700")
        world.config.write_text(text)
        world.write_events("events.jsonl", made)
        world.train()
    model = rolled.open()
    before, after = model.version(2), model.version(4)
    assert "Static" not in before.proof.baselines
    assert after.proof.details["static"]["since_learned"] == 700
    assert after.proof.details["static"]["events"] == after.accounts.learned - 700
    for target in ("4", "2", "3"):
        rolled.run("rollback", target, "--rewind")
        rolled.train()
    rolled.train("--close")
    calm.train("--close")
    shown, clean = rolled.json("show", "head"), calm.json("show", "head")
    assert (shown["events"], shown["details"]) == (clean["events"], clean["details"])
    assert (
        shown["baselines"]["Static"]["Accuracy"]["cumulative"] == clean["baselines"]["Static"]["Accuracy"]["cumulative"]
    )
    assert clean["details"]["against"]["Static"]["better"] == "model"  # the labels turned round, it did not learn that
    assert all(each["equal"] for each in rolled.json("verify", "all"))
    text = rolled.run("show", "head").stdout
    assert f"Static       since 700 events were learned; {ALL - 700:,} were judged since" in text
    assert "Better than Static: over the same" in text
    rolled.config.write_text(rolled.config.read_text().replace("= 700", "= 900"))
    assert "validation.static_after" in rolled.run("train", "--until-end", code=2).stderr
