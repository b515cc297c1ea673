"""Details of versions through the whole house: kept, shown, proved, the same after a restart."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.world import ELEC2, World

LABELS = '[labels]\nmoment = "known_at"'
VALIDATION = (
    '[validation]\nmetrics = ["Accuracy", "LogLoss"]\nwindow = 100\nfading = 0.99\n[snapshots]\nevery_events = 300'
)


def events(count: int, seed: int) -> list[dict[str, Any]]:
    source, made = random.Random(seed), []
    for number in range(count):
        a, b = source.gauss(0, 1), source.gauss(0, 1)
        known = number + source.choice([0, 1, 5, 50])
        made.append({"at": number, "a": a, "b": b, "known_at": known, "y": a + source.gauss(0, 0.4) > b})
    return made


def world_of(
    folder: Path, made: list[Any], more: str = "", validation: str = VALIDATION, learner: str = ELEC2
) -> World:
    world = World(folder)
    world.write_events("events.jsonl", made)
    ignored = "" if more else 'ignore = ["known_at"]\n'
    world.configure(log="file:events.jsonl", learner=learner, more=f'moment = "at"\n{ignored}{more}\n{validation}')
    return world


@pytest.mark.parametrize("more", ["", LABELS])
def test_details_are_kept_shown_and_proved(tmp_path: Path, more: str) -> None:
    made = events(1000, 1)
    calm, stopped = world_of(tmp_path / "calm", made, more), world_of(tmp_path / "stopped", made[:450], more)
    for world in (calm, stopped):
        world.train()
    stopped.write_events("events.jsonl", made)
    stopped.train()
    shown = calm.json("show", "head")
    learned, confusion = shown["events"]["learned"], shown["details"]["confusion"]
    restarted = stopped.json("show", "head")
    for key in ("details", "events"):
        assert restarted[key] == shown[key]
    for metric in ("Accuracy", "LogLoss"):
        for span in ("cumulative", "window", "faded"):
            assert restarted["scores"][metric][span] == shown["scores"][metric][span]
    assert sum(map(sum, confusion["counts"])) == learned
    assert sum(map(sum, confusion["window"])) == 100
    right = confusion["counts"][0][0] + confusion["counts"][1][1]
    assert shown["scores"]["Accuracy"]["cumulative"] == right / learned
    assert shown["details"]["outputs"] == {"absent": 0, "not_finite": 0}
    assert 0 < shown["scores"]["LogLoss"]["faded"] < 1
    for world in (calm, stopped):
        assert {each["equal"] for each in world.json("verify", "all")} == {True}
    points = calm.json("scores")
    assert [point["events"] for point in points[:3]] == [100, 200, 300]
    assert all(set(point["baselines"]) == {"NoChange", "Prior"} for point in points)
    assert all((point["clock_us"] is not None) == bool(more) for point in points)
    told = calm.run("show", "head").stdout
    assert "faded" in told
    assert "confusion" in told
    assert "Accuracy faded" in calm.run("scores").stdout


def test_details_that_were_altered_are_seen(tmp_path: Path) -> None:
    world = world_of(tmp_path, events(700, 2))
    world.train()
    with sqlite3.connect(tmp_path / "tidemark.db") as connection:
        (text,) = connection.execute("SELECT details FROM versions WHERE version = 2").fetchone()
        details = json.loads(text)
        details["confusion"]["counts"][0][0] += 1
        connection.execute("UPDATE versions SET details = ? WHERE version = 2", (json.dumps(details),))
    connection.close()
    found = world.json("verify", "2", code=1)
    assert (found["equal"], found["why"]) == (False, "the details differ")


def test_fading_may_not_change_once_something_was_learned(tmp_path: Path) -> None:
    made = events(300, 3)
    world = world_of(tmp_path, made)
    world.train()
    for other in ("fading = 0.9", ""):
        world_of(tmp_path, made, validation=VALIDATION.replace("fading = 0.99", other))
        assert "validation.fading" in world.run("train", "--until-end", code=2).stderr


SLICED = VALIDATION.replace("fading", 'slices = ["carrier"]\nslices_max = 3\nfading')
DISCARDING = "compose.Discard('carrier') | preprocessing.StandardScaler() | linear_model.LogisticRegression()"


@pytest.mark.parametrize("more", ["", LABELS])
def test_slices_are_kept_shown_and_proved(tmp_path: Path, more: str) -> None:
    made = events(700, 6)
    for number, event in enumerate(made):
        if number % 5:
            event["carrier"] = "ABCDEFG"[number % 7]
    world = world_of(tmp_path, made, more, SLICED, DISCARDING)
    world.train("--close")
    shown = world.json("show", "head")
    slices = shown["details"]["slices"]["carrier"]
    assert len(slices) == 5
    if not more:
        assert list(slices) == ["(missing)", "B", "C", "D", "(other)"]
        assert slices["(missing)"]["events"] == 140
    assert sum(each["events"] for each in slices.values()) == 700
    assert sum(each["window"] for each in slices.values()) == 100
    right = sum(each["events"] * each["scores"]["Accuracy"]["cumulative"] for each in slices.values())
    assert shown["scores"]["Accuracy"]["cumulative"] == pytest.approx(right / 700)
    assert {each["equal"] for each in world.json("verify", "all")} == {True}
    assert "slices by carrier" in world.run("show", "head").stdout
    world_of(tmp_path, made, more, SLICED.replace("= 3", "= 4"), DISCARDING)
    assert "validation.slices" in world.run("train", "--until-end", code=2).stderr


@pytest.mark.parametrize("declared", ["", "[schema]\na = { type = 'number' }\nb = { type = 'number' }\n"])
def test_slices_by_what_is_no_feature_are_refused(tmp_path: Path, declared: str) -> None:
    world = world_of(tmp_path, events(50, 7), validation=f"{declared}{SLICED}")
    told = world.run("train", "--until-end", code=2).stderr
    assert "expected features of the schema, which are" in told
    assert "found carrier" in told
    assert "compose.Discard" in told
    assert not (tmp_path / "tidemark.db").exists()


@pytest.mark.parametrize("wrong", ["0", "1", "1.5", "-0.1", '"much"', "nan"])
def test_a_factor_that_fades_nothing_or_all_is_refused(tmp_path: Path, wrong: str) -> None:
    world = world_of(tmp_path, events(10, 4), validation=f"[validation]\nfading = {wrong}")
    assert "validation.fading" in world.run("train", "--until-end", code=2).stderr


def test_a_factor_changed_before_anything_was_learned_makes_a_new_genesis(tmp_path: Path) -> None:
    made = [{**event, "a": "text"} for event in events(200, 5)]  # the model raises on each
    world = world_of(tmp_path, made)
    world.run("train", "--until-end", code=1)
    world_of(tmp_path, events(200, 5), validation=VALIDATION.replace("0.99", "0.9"))
    world.train()
    found = world.json("verify", "all")
    assert found[0]["equal"] is None
    assert {each["equal"] for each in found[1:]} == {True}
