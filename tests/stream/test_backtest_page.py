"""The page of a backtest in a real browser. Expected numbers are counted by hand, from a pattern of labels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.stream.pages import PHONE, Opens, check, drawn
from tests.stream.telling import EVIL
from tests.world import World, clean_up

PRIOR = "dummy.PriorClassifier()"
NO_CHANGE = "dummy.NoChangeClassifier()"
EVENTS = 2_000
FAILS = f"""
from river import dummy

class Fails(dummy.PriorClassifier):
    def predict_proba_one(self, x):
        if x["a"] == 50:
            raise ValueError({EVIL!r})
        return super().predict_proba_one(x)

def build():
    return Fails()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three of four labels are true; of one slice, all. But for the first event, prior is right on three of four."""
    folder = tmp_path_factory.mktemp("backtest")
    world = World(folder)
    world.write_events(
        "events.jsonl",
        ({"a": n, "of": f"{EVIL} {n % 2}", "y": n % 4 != 3} for n in range(EVENTS)),
    )
    (folder / "mine.py").write_text(FAILS, encoding="utf-8")
    every = "[validation]\nmetrics = ['Accuracy', 'LogLoss']\nwindow = 100\nslices = ['of']"
    every += "\n[snapshots]\nevery_events = 500"
    world.configure(log="file:events.jsonl", learner=PRIOR, more=every)
    world.train()
    asked = ("--learner", "prior = live", "--learner", f"none = {NO_CHANGE}", "--learner", "bad = mine:build")
    world.run("backtest", *asked, "--workers", "1", "--report", "page.html")
    clean_up()
    return world


@pytest.fixture
def html(world: World) -> str:
    return (world.folder / "page.html").read_text(encoding="utf-8")


def figures(html: str) -> dict[str, Any]:
    (embedded,) = re.findall(r'<script type="application/json" id="figures">(.*?)</script>', html, re.DOTALL)
    found: dict[str, Any] = json.loads(embedded)
    return found


def test_its_plots_are_drawn_with_the_numbers_that_are_counted_by_hand(html: str, opens_page: Opens) -> None:
    page = opens_page(html)
    assert page.evaluate("Number(document.documentElement.dataset.drawn)") == 4
    scores = drawn(page, "score-0")
    (prior,) = [trace for trace in scores["data"] if trace["name"] == "prior"]
    events = [*range(100, EVENTS + 1, 100)]
    assert prior["x"] == events
    assert prior["y"] == [(3 * n // 4 - 1) / (n - 1) for n in events]
    names = {trace["name"] for trace in scores["data"]}
    assert names >= {"prior", "none", "NoChange", "Prior"}
    (against,) = drawn(page, "differences")["data"]
    assert against["x"] == [pytest.approx(-(EVENTS // 4 - 1) / (EVENTS - 1))]
    assert against["error_x"]["array"][0] > 0
    slices = drawn(page, "slice-0")
    (of_prior,) = [trace for trace in slices["data"] if trace["name"] == "prior"]
    assert sorted(of_prior["x"]) == [0.5, 1.0]
    assert any(EVIL[:10] in text for text in slices["texts"])


def test_its_words_and_tables_say_what_was_found(world: World, html: str, opens_page: Opens) -> None:
    page = opens_page(html)
    words = page.inner_text("body").replace("\u00a0", " ")
    rows = page.locator("#leaderboard tbody tr").all_inner_texts()
    assert [row.split()[0] for row in rows] == ["prior", "none", "bad", "bad:", "NoChange", "Prior"]
    right = EVENTS * 3 // 4 - 1
    assert rows[0].split()[1] == page.inner_text(".tile .number >> nth=0") == f"{right / (EVENTS - 1):.4f}"
    assert f"{EVENTS // 4 - 1}" in rows[1].split()
    assert EVIL in rows[3]
    for expected in (
        f"prior is better than none (by Accuracy on {EVENTS - 1:,} events",
        f"replays live: equal (the predictions and scores of 4 versions over {EVENTS:,} events)",
        f"offsets 0 to {EVENTS:,}, the last not included",
        "mine:build",
        "every candidate untrained",
    ):
        assert expected in words, expected
    cells = page.locator("#confusion .matrix >> nth=0").locator("td[class]").all_inner_texts()
    counted = [cell.split()[0] for cell in cells if "%" in cell]
    assert counted == ["0", f"{EVENTS // 4}", "0", f"{right:,}"]


def test_text_from_outside_stays_text(world: World, html: str, opens_page: Opens) -> None:
    page = opens_page(html)
    assert page.inner_text("h1") == world.name
    assert page.evaluate("[window.evil, document.images.length, document.scripts.length]") == [None, 0, 3]
    assert (page.get_attribute("meta[http-equiv]", "content") or "").startswith(
        "default-src 'none'; script-src 'sha256-"
    )


def test_light_dark_and_the_width_of_a_phone(html: str, opens_page: Opens) -> None:
    page = opens_page(html, viewport=PHONE, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    def strokes() -> list[str]:  # the one that failed has no point
        return [stroke for stroke, _ in drawn(page, "score-0")["lines"]]

    dark = strokes()
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "was => [...document.querySelectorAll('#plot-score-0 path.js-line')].every(e => !was.includes(e.style.stroke))",
        arg=dark,
    )
    assert len({*dark}) == len({*strokes()}) == 3  # two candidates, and the baselines


def test_plotly_knows_every_setting_of_every_plot(html: str) -> None:
    found = figures(html)
    assert {*found} == {"differences", "score-0", "score-1", "slice-0"}
    for figure in found.values():
        assert check(figure) == figure["data"]


def test_few_points_are_filled_in_from_the_values_of_events(world: World, opens_page: Opens, tmp_path: Path) -> None:
    text = world.config.read_text(encoding="utf-8").replace("window = 100", "window = 1000")
    fresh = World(tmp_path)
    fresh.write_events("events.jsonl", ({"a": n, "of": "x", "y": n % 4 != 3} for n in range(400)))
    fresh.config.write_text(text, encoding="utf-8")
    fresh.run("backtest", "--report", "page.html")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    (live,) = [trace for trace in figures(html)["score-0"]["data"] if trace["name"] == "live"]
    rights = [n > 0 and n % 4 != 3 for n in range(400)]
    assert len(live["x"]) > 150
    assert live["y"] == pytest.approx([sum(rights[:n]) / (n - 1) for n in live["x"]])
    page = opens_page(html)
    assert "cannot tell: the range was never trained live" in page.inner_text("#verdict")
    assert page.locator("#plot-differences").count() == 0


def test_an_empty_log_has_a_page(opens_page: Opens, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [])
    world.configure(log="file:events.jsonl", learner=PRIOR)
    world.run("backtest", "--report", "page.html")
    page = opens_page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "nothing to backtest: the log has no event" in page.inner_text("header")
    assert page.locator("#leaderboard, #scores, #slices, #confusion").count() == 0
