"""The command report: what it gathers is what the store has; what it writes, prints and refuses."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from stream.commands import reporting
from stream.errors import ConfigError
from tests.stream.test_commands import stream
from tests.world import World

ROOT = Path(__file__).parents[2]
WINDOWED = '[validation]\nmetrics = ["Accuracy", "ROCAUC"]\nwindow = 100\n[snapshots]\nevery_events = 300'


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Versions 1 to 5; a rewind to 3, then 6 and 7; champion promoted to 6; two events held."""
    world = World(tmp_path_factory.mktemp("moved"))
    lines = stream(1000)
    lines[10:10] = [b"garbage"]
    lines[700:700] = [b'{"a": 1e999}']
    world.write_events("events.jsonl", lines)
    world.configure(log="file:events.jsonl", more=WINDOWED)
    world.train()
    world.run("rollback", "3", "--reason", "the <b>sensor</b> lied")
    world.train()
    world.run("promote", "6", "--reason", "it is good")
    return world


@pytest.fixture(scope="module")
def told(moved: World) -> Any:
    return moved.json("report")


def test_what_is_gathered_is_what_other_commands_show(moved: World, told: Any) -> None:
    shown = moved.json("show", "head")
    for key in ("version", "kind", "scores", "baselines", "events", "environment", "config_hash", "recipe", "schema"):
        assert told[key] == shown[key], key
    assert told["events"] == {"read": 1002, "learned": 1000, "held": 2, "pending": 0, "expired": 0}
    points = moved.json("scores")
    assert [{key: point[key] for key in points[0]} for point in told["points"]] == points
    log = moved.json("log")
    assert [(each["version"], each["parent"], each["learned"]) for each in told["versions"]] == [
        (each["version"], each["parent"], each["learned"]) for each in log
    ]
    assert told["refs"] == {"champion": 6, "head": 7}
    assert told["line"] == [1, 2, 3, 6, 7]
    assert [(held["reason"], held["events"]) for held in told["held"]] == [("not_finite", 1), ("not_json", 1)]


def test_moves_by_hand_are_told_saves_are_not(moved: World, told: Any) -> None:
    logged = [move for move in reversed(moved.json("log", "--moves")) if move["kind"] in ("rewind", "promote")]
    assert [(move["kind"], move["old"], move["new"], move["why"]) for move in told["moves"]] == [
        (move["kind"], move["old"], move["new"], move["why"]) for move in logged
    ]
    (rewind, _) = told["moves"]
    learned = {each["version"]: each["learned"] for each in moved.json("log")}
    assert (rewind["old_events"], rewind["new_events"]) == (learned[5], learned[3])


def test_points_left_behind_stand_apart(moved: World, told: Any) -> None:
    (branch,) = told["beside"]
    assert {point["version"] for point in branch} == {4, 5}
    assert [point["events"] for point in branch] == [each["events"] for each in moved.json("scores", "5")][
        -len(branch) :
    ]


def test_an_older_version_has_its_own_report(moved: World) -> None:
    older = moved.json("report", "v2")
    assert (older["version"], older["line"]) == (2, [1, 2])
    assert older["points"] == [point for point in moved.json("report")["points"] if point["version"] == 2]


def test_the_page_is_written_and_the_main_numbers_told(moved: World, told: Any) -> None:
    done = moved.run("report")
    page = moved.folder / "report.html"
    assert "written: report.html" in done.stdout
    for expected in (
        f"{told['scores']['Accuracy']['cumulative']:.4f}",
        "read 1,002 = learned 1,000 + held 2",
        "rewind",
    ):
        assert expected in done.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [path.name for path in moved.folder.iterdir() if "html" in path.name] == ["report.html"]


def test_json_alone_writes_no_file_and_needs_no_extra(moved: World, tmp_path: Path) -> None:
    (moved.folder / "report.html").unlink(missing_ok=True)
    moved.json("report")
    assert not (moved.folder / "report.html").exists()
    assert moved.json("report", "-o", str(tmp_path / "page.html"))["version"] == 7
    assert (tmp_path / "page.html").stat().st_size > 1_000_000


def test_a_file_that_cannot_be_written_is_named(moved: World) -> None:
    done = moved.run("report", "-o", "nowhere/page.html", code=1)
    assert "nowhere/page.html" in done.stderr
    assert "-o" in done.stderr
    assert moved.run("report", "99", code=2).stderr.startswith("error: ")


def test_a_missing_extra_says_how_to_install_it(moved: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "plotly" else found(name, *more)
    )
    with pytest.raises(ConfigError, match="plotly") as raised:
        reporting.report(moved.config, "head", output=moved.folder / "report.html", as_json=False)
    assert "pip install 'tidemark[report]'" in raised.value.hint


def test_what_the_page_is_made_of_is_packed_with_the_program(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {f"stream/report/page.{kind}" for kind in ("html", "css", "js")} <= packed
