"""The report in a real browser without a network: what the store has is drawn, and text from outside stays text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from store import ModelStore, Store
from stream.report.figures import Figure
from stream.report.gather import Report, gather
from stream.report.page import _embedded, render
from stream.report.page import drawn as figures_of
from stream.report.series import panels
from tests.store.values import genesis
from tests.stream.pages import PHONE, Opens, check, drawn
from tests.stream.telling import EVIL, told_store

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MODEL_LIGHT = "rgb(13, 106, 115)"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModelStore, Report]]:
    store, model = told_store(tmp_path_factory.mktemp("telling"))
    yield model, gather(model, "head", now=NOW)
    store.close()


@pytest.fixture
def opens(opens_page: Opens) -> Opens:
    """Open a report's page, drawn."""
    return lambda report, **how: opens_page(render(report, get_plotlyjs()), **how)


def figures(report: Report) -> dict[str, Figure]:
    return figures_of(report, panels(report))


def test_every_plot_is_drawn_with_the_store_s_values(told: tuple[ModelStore, Report], opens: Opens) -> None:
    model, report = told
    page = opens(report)
    assert page.evaluate("Number(document.documentElement.dataset.drawn)") == len(figures(report))
    points = [point for _, point in model.points(model.head()[0].version)]
    for number, (metric, span) in enumerate((("Accuracy", "cumulative"), ("ROCAUC", "window"))):
        for axis in ("events", "time"):
            plot = drawn(page, f"score-{number}-{axis}")
            assert plot["width"] > 300
            assert plot["height"] > 200
            assert max(length for stroke, length in plot["lines"] if stroke == MODEL_LIGHT) > 300
            (bold,) = [trace for trace in plot["data"] if trace.get("name") == metric]
            assert bold["y"] == [point.scores[metric][span] for point in points]
            if axis == "events":
                assert bold["x"] == [point.events for point in points]
            assert plot["points"] == len(report.line) + len(report.moves)
            assert plot["shapes"] == len(report.moves)
    names = {trace.get("name") for trace in drawn(page, "score-0-events")["data"]}
    assert {"NoChange", "Prior", "Static", "window", "faded", "band", "left behind", "versions", "moves"} <= names
    assert "event time (UTC)" in drawn(page, "score-0-time")["texts"]
    assert drawn(page, "delay")["bars"] == 9
    carriers = sorted(report.details["slices"]["carrier"].values(), key=lambda found: -found["events"])
    slices = drawn(page, "slice-0")
    assert slices["data"][-1]["x"] == [found["scores"]["Accuracy"]["cumulative"] for found in carriers]
    assert slices["points"] == 2 * len(carriers) + 1
    assert {"NoChange", "Prior", "Static"} <= set(drawn(page, "against")["texts"])
    assert drawn(page, "history")["points"] == len(report.versions) + len(report.moves)


def test_the_tables_say_what_the_store_has(told: tuple[ModelStore, Report], opens: Opens) -> None:
    model, report = told
    page = opens(report)
    words = page.inner_text("body")
    head = model.head()[0]
    assert page.inner_text(".tile .number >> nth=0") == f"{head.proof.scores['Accuracy']['cumulative']:.4f}"
    for expected in (
        "Better than NoChange: over the same 38,840 events, the difference in Accuracy is 0.1960, between 0.1880 and",
        "Worse than Prior",
        "No verdict against Static yet",
        f"{head.accounts.read:,} read = {head.accounts.learned:,} learned + {head.accounts.held:,} held",
        "39,700 events asked: 38,840 labels came (97.8 %), 540 are pending, 320 expired (0.8 %)",
        "Unsupervised parts, such as a scaler, learn when the question is asked.",
        "3 missing, 1 not finite",
        "garbage since ten past three",
        "skipped on purpose",
    ):
        assert expected in words.replace("\u00a0", " "), expected
    cells = page.locator(".matrix td[class]").all_inner_texts()
    assert [cell.split()[0] for cell in cells if "%" in cell] == ["30,120", "1,404", "2,006", "5,310"]
    reasons = page.locator("#events code").all_inner_texts()
    assert reasons == [holds.reason for holds in model.holds(head.version)]
    assert page.locator("#history table >> nth=0").locator("tbody tr").count() == len(model.moves_by_hand())


def test_text_from_outside_stays_text(told: tuple[ModelStore, Report], opens: Opens) -> None:
    _, report = told
    page = opens(report)
    assert page.inner_text("h1") == report.model == f"flights {EVIL}"
    assert page.evaluate("[window.evil, document.images.length, document.scripts.length]") == [None, 0, 3]
    assert EVIL in page.inner_text("#history table >> nth=0")
    assert any(EVIL[:10] in text for text in drawn(page, "slice-0")["texts"])
    flag = page.locator("#plot-score-0-events .scatterlayer .trace.scatter").last.locator("path.point").first
    flag.scroll_into_view_if_needed()
    box = flag.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_selector("#plot-score-0-events .hoverlayer text")
    shown = page.text_content("#plot-score-0-events .hoverlayer") or ""
    for part in (
        "rewind: head from version 20",
        "ann",
        "2026-03-01",
        "the sensor lied",
        "onerror",
        "</script>",
        "&amp;",
    ):
        assert part in shown
    assert page.locator(".hoverlayer b, .hoverlayer img, .hoverlayer script").count() == 0


def test_the_page_s_policy_lets_nothing_out(
    told: tuple[ModelStore, Report], opens: Opens, asked: list[str], complaints: list[str]
) -> None:
    """Should a text ever get out of its place, no script of its runs and nothing is asked of the network."""
    page = opens(replace(told[1], details={}))
    policy = page.get_attribute("meta[http-equiv]", "content") or ""
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    refused = page.evaluate(
        """async () => {
            const refused = [];
            const twice = new Promise(done => document.addEventListener("securitypolicyviolation", event => {
                refused.push(event.effectiveDirective);
                if (refused.length == 2) done();
            }));
            document.body.insertAdjacentHTML("beforeend",
                "<img src='http://elsewhere.test/x'><b onclick='window.evil = 1'>x</b>");
            document.body.lastElementChild.click();
            await twice;
            return refused.sort();
        }"""
    )
    assert refused == ["img-src", "script-src-attr"]
    assert page.evaluate("window.evil") is None
    assert len(complaints) == len(refused)
    complaints.clear()
    assert asked.pop() == "http://elsewhere.test/x"  # so what is asked for is seen here, also where it is refused


def test_light_dark_and_the_width_of_a_phone(told: tuple[ModelStore, Report], opens: Opens) -> None:
    page = opens(told[1], viewport=PHONE, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for name in figures(told[1]):
        assert drawn(page, name)["width"] <= PHONE["width"], name

    def colors() -> tuple[str, set[str]]:
        paper: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return paper, {stroke for stroke, _ in drawn(page, "score-0-events")["lines"]}

    dark_paper, dark_strokes = colors()
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "color => [...document.querySelectorAll('path.js-line')].some(e => e.style.stroke == color)",
        arg=MODEL_LIGHT,
    )
    light_paper, light_strokes = colors()
    assert light_paper != dark_paper
    assert MODEL_LIGHT not in dark_strokes
    assert not {stroke for stroke in dark_strokes & light_strokes if not stroke.startswith("rgba")}


def test_a_baseline_far_off_is_named_and_shown_when_asked(told: tuple[ModelStore, Report], opens: Opens) -> None:
    far = {"Accuracy": {"cumulative": -7.5, "window": None}}
    points = tuple(replace(point, baselines={**point.baselines, "NoChange": far}) for point in told[1].points)
    page = opens(replace(told[1], points=points))
    assert "NoChange far outside" in page.inner_text("#scores h3 >> nth=0")
    assert "outside" not in page.inner_text("#scores h3 >> nth=1")
    lowest = "document.getElementById('plot-score-0-events').layout.yaxis.range[0]"
    assert page.evaluate(lowest) > 0.5
    page.dblclick("#plot-score-0-events .nsewdrag >> nth=0")
    page.wait_for_function(f"{lowest} < -7.5")


def test_a_model_that_learned_nothing_has_a_page(model_of_genesis: ModelStore, opens: Opens) -> None:
    report = gather(model_of_genesis, 1, now=NOW)
    page = opens(report)
    assert page.locator("#scores, #slices, #confusion, #labels").count() == 0
    said = page.inner_text("footer")
    for section in ("scores over time", "slices", "confusion matrix", "label health", "held events", "moves"):
        assert section in said
    assert "0 read = 0 learned" in page.inner_text("#events")


@pytest.fixture
def model_of_genesis(tmp_path: Path) -> Iterator[ModelStore]:
    with Store.open(f"sqlite:///{tmp_path}/store.db", create=True) as store:
        model = store.model("new")
        model.create(genesis(), config={}, who="ann")
        yield model


def test_marks_stand_at_the_event_time_of_the_last_point_before(told: tuple[ModelStore, Report]) -> None:
    drawn_over_time = figures(told[1])["score-0-time"]["data"]
    (flags,) = [trace for trace in drawn_over_time if trace.get("name") == "moves"]
    expected = []
    for moved in told[1].moves:
        clocks = [point.clock_us or 0 for point in told[1].points if point.events <= moved.new_events]
        expected.append(datetime.fromtimestamp(max(clocks) / 1e6, UTC).replace(tzinfo=None))
    assert [datetime.fromisoformat(x) for x in flags["x"]] == expected


def test_no_text_in_the_data_ends_its_element() -> None:
    values = {"a": {"alt": f"{EVIL} \u2028"}}
    assert json.loads(_embedded(values)) == values
    assert not set("<>&\u2028") & set(_embedded(values))


def test_plotly_knows_every_setting_of_every_plot(told: tuple[ModelStore, Report]) -> None:
    """Its own validation, which the page does without."""
    for figure in figures(told[1]).values():
        assert check(figure) == figure["data"]
    with pytest.raises(ValueError, match="colour"):
        check({"data": [{"type": "scatter", "line": {"colour": "red"}}], "layout": {}})


def test_many_points_are_thinned_and_the_last_is_kept(told: tuple[ModelStore, Report]) -> None:
    one = told[1].points[-1]
    many = tuple(replace(one, events=events) for events in range(1, 20_001))
    trace = next(
        trace
        for trace in figures(replace(told[1], points=many))["score-0-events"]["data"]
        if trace.get("name") == "Accuracy"
    )
    assert len(trace["x"]) <= 601
    assert (trace["x"][0], trace["x"][-1]) == (1, 20_000)
