"""Where quarantined events and rebuilt versions are told: log, show, report and its page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stream.report.gather import gather
from stream.report.series import panels
from tests.stream.test_verify import lines
from tests.world import World

STANDS_FOR = {6: 3, 7: 4, 8: 5}
"""Versions 1 to 5 stand after 0, 300, 600, 900 and 1,000 events; what is quarantined lies after version 2."""
KEYS = ("entry", "status", "events", "held", "learned", "start", "stop")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Any]:
    """A world that was rebuilt, and the report of before."""
    world = World(tmp_path_factory.mktemp("suspects"))
    world.write_events("events.jsonl", lines(1_000, 1))
    world.configure(
        log="file:events.jsonl",
        more='[validation]\nmetrics = ["Accuracy"]\nwindow = 100\n[snapshots]\nevery_events = 300',
    )
    world.train()
    world.run("promote", "4", "--reason", "serves")
    world.run("quarantine", "add", "--offsets", "0:350-360", "--offsets", "0:650-655", "--reason", "a <b>sensor</b>")
    before = world.json("report")
    world.run("rebuild", "--protect", "--reason", "without it")
    return world, before


def test_a_report_tells_where_quarantined_events_lie(told: tuple[World, Any]) -> None:
    world, before = told
    assert [tuple(each[key] for key in KEYS) for each in before["quarantine"]] == [(1, "suspect", 15, 0, 15, 300, 900)]
    after = world.json("report")
    assert [tuple(each[key] for key in KEYS) for each in after["quarantine"]] == [(1, "suspect", 15, 15, 0, 300, 885)]
    assert [(move["kind"], move["ref"], move["old"], move["new"]) for move in after["moves"]] == [
        ("promote", "champion", None, 4),
        ("protect", "champion", 4, 2),
        ("rebuild", "head", 5, 8),
    ]
    assert {each["version"]: each["covers"] for each in after["versions"] if each["covers"]} == STANDS_FOR
    (clean,) = world.json("report", "2")["quarantine"]
    assert (clean["held"], clean["learned"], clean["start"], clean["stop"]) == (0, 0, None, None)


def test_the_plots_shade_them_and_flag_the_moves(told: tuple[World, Any]) -> None:
    world, _ = told
    (panel,) = panels(gather(world.open(), "head", now=datetime.now(UTC)))
    shapes = panel.figures["events"]["layout"]["shapes"]
    assert [(shape["x0"], shape["x1"]) for shape in shapes if shape["type"] == "rect"] == [(300, 885)]
    assert len([shape for shape in shapes if shape["type"] == "line"]) == 3
    (flags,) = [trace for trace in panel.figures["events"]["data"] if trace.get("name") == "moves"]
    assert len(set(flags["marker"]["symbol"])) == 3


def test_the_page_has_the_entries_and_the_rebuilt_versions(told: tuple[World, Any], tmp_path: Path) -> None:
    world, _ = told
    done = world.run("report", "-o", str(tmp_path / "page.html"))
    assert "offsets 0:350-360; offsets 0:650-655" in done.stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    for expected in ("<h3>Quarantine</h3>", "a &lt;b&gt;sensor&lt;/b&gt;", *(f"rebuilt {v}" for v in (3, 4, 5))):
        assert expected in page, expected


def test_log_and_show_tell_what_a_rebuilt_version_stands_for(told: tuple[World, Any]) -> None:
    world, _ = told
    assert {each["version"]: each["covers"] for each in world.json("log") if each["covers"]} == STANDS_FOR
    printed = world.run("log").stdout
    for version, covers in STANDS_FOR.items():
        assert f"rebuilt, stands for {covers}: " in next(
            line for line in printed.splitlines() if f"* {version} " in line
        )
        shown = world.json("show", str(version))
        assert (shown["covers"], shown["quarantine"]) == (covers, 1)
    assert "covers       3" in world.run("show", "6").stdout
    first = world.run("show", "2").stdout
    assert "covers" not in first
    assert "quarantine" not in first
