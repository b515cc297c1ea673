"""How a backtest is told in the terminal. Expected numbers are counted by hand, from a pattern of labels."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learners import read_recipe
from learners.metrics import read_metrics
from learners.verdict import compare
from stream.backtest import told
from stream.backtest.asked import Found
from stream.backtest.candidates import Candidate
from stream.backtest.leaderboard import leaderboard
from stream.backtest.trial import Outcome
from tests.world import World

PRIOR = "dummy.PriorClassifier()"
NO_CHANGE = "dummy.NoChangeClassifier()"
FAILS = """
from river import dummy

class Fails(dummy.PriorClassifier):
    def predict_proba_one(self, x):
        if x["a"] == 50:
            raise ValueError("fifty is too much")
        return super().predict_proba_one(x)

def build():
    return Fails()
"""


def pattern(events: int) -> list[dict[str, Any]]:
    """Three of four labels are true. But for the first event, prior is right on three of four, no-change on two."""
    return [{"a": number, "y": number % 4 != 3} for number in range(events)]


def test_the_leaderboard_the_verdict_and_the_check_in_the_terminal(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", pattern(400))
    (tmp_path / "mine.py").write_text(FAILS, encoding="utf-8")
    every = "[validation]\nmetrics = ['F1', 'Accuracy']\n[snapshots]\nevery_events = 100"
    world.configure(log="file:events.jsonl", learner=PRIOR, more=every)
    world.train()
    asked = ("--learner", "prior = live", "--learner", f"none = {NO_CHANGE}", "--learner", "bad = mine:build")
    lines = world.run("backtest", *asked, "--workers", "1").stdout.splitlines()
    assert lines[0] == "400 events: events[0] 0 to 400, untrained at first"
    assert " ".join(lines[1].split()) == "candidate Accuracy to the leader regret F1 learned took state"
    table = {line.split()[0]: line.split() for line in lines[2:7]}
    assert [*table] == ["prior", "none", "bad", "NoChange", "Prior"]
    assert table["prior"][1:4] == [f"{299 / 399:.4f}", "leads", "0"]
    assert table["none"][1:3] == [f"{200 / 399:.4f}", f"{-99 / 399:.4f}"]
    assert table["none"][6] == "99"
    assert "failed" in table["bad"]
    assert table["Prior"][1:3] == [f"{299 / 399:.4f}", "baseline"]
    low, high = float(table["none"][3][1:]), float(table["none"][5][:-1])
    assert low < -99 / 399 < high < 0
    assert lines[7].startswith("failed: bad: the model raised at partition 0, offset 50: ")
    assert lines[8:] == [
        "prior is better than none (by Accuracy on 399 events, all pairs at once, at every look (95 %))",
        f"at this end alone, had it been fixed beforehand: McNemar (Holm), prior against none p = {2 * 0.5**99:.2g}",
        "replays live: equal (the predictions and scores of 4 versions over 400 events)",
    ]


def test_a_spreadsheet_gets_a_line_a_candidate_and_a_line_a_point(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", pattern(400))
    world.configure(log="file:events.jsonl", learner=PRIOR, more="[validation]\nmetrics = ['Accuracy']\nwindow = 100")
    asked = ("backtest", "--learner", f"none = {NO_CHANGE}", "--learner", "live")
    assert "expected --csv or --json, found both" in world.run(*asked, "--csv", "--json", code=2).stderr
    absent = world.run(*asked, "--points", "absent/series.csv", code=2).stderr
    assert "expected a file that can be written, found --points absent/series.csv" in absent
    lines = [*csv.DictReader(world.run(*asked, "--csv", "--points", "series.csv").stdout.splitlines())]
    assert [(line["place"], line["candidate"], line["learner"]) for line in lines] == [
        ("1", "live", PRIOR),
        ("2", "none", NO_CHANGE),
    ]
    assert [float(line["Accuracy"]) for line in lines] == [299 / 399, 200 / 399]
    assert [float(line["difference"]) for line in lines] == [0, pytest.approx(-99 / 399)]
    assert [float(line["regret"]) for line in lines] == [0, 99]
    assert [(line["learned"], line["error"]) for line in lines] == [("400", "")] * 2
    with (tmp_path / "series.csv").open(encoding="utf-8") as file:
        series = [*csv.DictReader(file)]
    of_live = [line for line in series if line["candidate"] == "live"]
    assert [line["events"] for line in of_live] == ["100", "200", "300", "400"]
    assert [float(line["Accuracy_cumulative"]) for line in of_live] == [
        (events * 3 // 4 - 1) / (events - 1) for events in (100, 200, 300, 400)
    ]
    assert {line["candidate"] for line in series if line["baseline"] == "True"} == {"NoChange", "Prior"}


def test_the_series_of_a_learner_that_goes_on_from_a_version_is_of_the_range_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", pattern(400))
    more = "[validation]\nmetrics = ['Accuracy', 'F1']\nwindow = 50\n[snapshots]\nevery_events = 100"
    world.configure(log="file:events.jsonl", learner=PRIOR, more=more)
    world.train()
    lines = world.run("backtest", "--start", "3", "--points", "series.csv").stdout.splitlines()
    assert lines[0] == "200 events: events[0] 200 to 400, the live learner from version 3 on"
    assert [line.split("  ")[0] for line in lines[3:5]] == ["NoChange", "Prior"]
    scores = world.json("backtest", "--start", "3")["baselines"]["NoChange"]
    ys = [event["y"] for event in pattern(400)]
    assert scores["Accuracy"]["cumulative"] == sum(a == b for a, b in itertools.pairwise(ys[199:])) / 200
    with (tmp_path / "series.csv").open(encoding="utf-8") as file:
        series = [*csv.DictReader(file)]
    assert {line["candidate"] for line in series} == {"live"}
    rights = [number % 4 != 3 for number in range(200, 400)]
    assert [(int(line["events"]), float(line["Accuracy_cumulative"])) for line in series] == [
        (events, sum(rights[:events]) / events) for events in (50, 100, 150, 200)
    ]
    assert "F1_window" in series[0]
    assert "F1_cumulative" not in series[0]


def test_what_was_changed_stands_in_the_first_line(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", pattern(40))
    world.configure(log="file:events.jsonl", learner=PRIOR)
    line = world.run("backtest", "--skip-range", "0..8", "--shift", "a=+2").stdout.splitlines()[0]
    assert line.startswith("32 events: events[0] 0 to 40, untrained at first; skip ")
    assert line.endswith("; shift a by +2")
    told = world.run("backtest", "--learner", f"none = {NO_CHANGE}", "--save").stdout.splitlines()[-1]
    assert told.startswith("saved beside head: none as version ")


def test_a_backtest_of_what_was_never_live_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", pattern(40))
    world.configure(log="file:events.jsonl", learner=PRIOR)
    lines = world.run("backtest", "--to", "20").stdout.splitlines()
    assert lines[0] == "20 events: events[0] 0 to 20, untrained at first"
    assert lines[-1] == "replays live: cannot tell: the range was never trained live"
    assert not any("distinguishable" in line or "better" in line for line in lines)


def test_an_empty_log_has_nothing_to_backtest(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write_events("events.jsonl", [])
    world.configure(log="file:events.jsonl", learner=PRIOR)
    assert world.run("backtest").stdout == "nothing to backtest: the log has no event\n"


def found_of(
    values: Mapping[str, Sequence[float] | str], metric: str, bounds: Mapping[str, float], *others: str
) -> Found:
    """Return what a backtest would find whose candidates had these values (Accuracy: right; else losses) or errors."""
    task = "binary" if metric == "Accuracy" else "regression"
    arrays = {name: np.array([] if isinstance(each, str) else each, float) for name, each in values.items()}
    outcomes = {
        number: Outcome(
            number=number,
            read=len(arrays[name]),
            held=0,
            learned=len(arrays[name]),
            scores={
                each: {"cumulative": float(arrays[name].mean()) if each == metric and arrays[name].size else None}
                for each in (metric, *others)
            },
            baselines={},
            points=(),
            details={},
            values=arrays[name],
            seconds=1.0,
            state_bytes=10,
            error=found if isinstance(found, str) else None,
        )
        for number, (name, found) in enumerate(values.items())
    }
    whole = {name: arrays[name] for name, found in values.items() if not isinstance(found, str)}
    verdict = compare(whole, read_metrics([metric], task)[0], bounds) if whole else None
    recipe = read_recipe(PRIOR, "binary")
    candidates = [Candidate(name, PRIOR) for name in values]
    return Found(None, candidates, [recipe] * len(values), outcomes, verdict, None, "never")


def test_losses_ascend_and_what_failed_is_last() -> None:
    values: dict[str, Sequence[float] | str] = {
        "late": [0.5] * 900,
        "lost": "it raised",
        "good": [0.25] * 900,
        "same": [0.25, 0.25 + 1e-6] * 450,
    }
    found = found_of(values, "MAE", {"MAE": 1.0}, "R2")
    board = leaderboard(found)
    assert [line.name for line in board.lines] == ["good", "same", "late", "lost"]
    assert told.columns(board)[:3] == ("candidate", "MAE", "to the leader")
    cells = {cells[0]: cells for cells in told.table(board)}
    assert cells["good"][2:4] == ("leads", "0")
    assert cells["late"][2].startswith("+0.2500 (")
    assert cells["late"][3] == "225"
    assert told.below(board) == ["failed: lost: it raised"]
    said = told.verdict(found.verdict, board)
    assert said[0].startswith("good is better than late; not distinguishable from same (by MAE on 900 events")
    assert said[1].startswith("at this end alone, had it been fixed beforehand: Diebold-Mariano (Holm), good against ")


def test_nobody_is_best_where_the_leader_cannot_be_told_from_anybody() -> None:
    found = found_of({"a": [1, 0] * 50, "b": [0, 1] * 50, "c": [1, 0, 0, 1] * 25}, "Accuracy", {})
    said = told.verdict(found.verdict, leaderboard(found))
    assert said[0].startswith("no candidate is distinguishable from the best, a (by Accuracy on 100 events")


def test_without_a_bound_the_reason_is_told() -> None:
    found = found_of({"a": [1.0] * 50, "b": [2.0] * 50}, "MAE", {})
    said = told.verdict(found.verdict, leaderboard(found))
    assert said[0].startswith("no candidate is distinguishable from the best, a (")
    assert said[1] == "no interval: no bound of its loss is declared: set MAE in [validation.bounds]"
    assert told.table(leaderboard(found))[1][2] == "+1.0000"


def test_rmse_is_compared_as_mse_and_says_so() -> None:
    found = found_of({"a": [9.0] * 50, "b": [4.0] * 50}, "RMSE", {"RMSE": 5.0})
    board = leaderboard(found)
    assert (board.metric, board.compared) == ("RMSE", "MSE")
    assert told.columns(board)[1:3] == ("RMSE", "to the leader (MSE)")
    assert [line.name for line in board.lines] == ["b", "a"]


def test_a_long_list_is_cut_with_a_word() -> None:
    found = found_of({f"c{number:03}": [1] * number + [0] * (100 - number) for number in range(100)}, "Accuracy", {})
    board = leaderboard(found)
    assert len(board.lines) == 100
    shown = told.table(board)
    assert [cells[0] for cells in shown] == [f"c{number:03}" for number in range(99, 69, -1)]
    assert told.below(board) == ["(and 70 more: --json and --csv have all)"]
    assert "c091 and " in told.verdict(found.verdict, board)[0]


@pytest.mark.parametrize(("metric", "best"), [("R2", "b"), ("MAE", "a")])
def test_without_a_verdict_the_first_metric_sorts(metric: str, best: str) -> None:
    found = found_of({"a": [1.0] * 9, "b": [2.0] * 9}, "MAE", {})
    outcomes = {
        number: Outcome(
            **{
                **{name: getattr(outcome, name) for name in Outcome.__slots__},
                "scores": {metric: {"cumulative": outcome.scores["MAE"]["cumulative"]}},
            }
        )
        for number, outcome in found.outcomes.items()
    }
    recipe = read_recipe("linear_model.LinearRegression()", "regression")
    board = leaderboard(Found(None, found.candidates, [recipe] * 2, outcomes, None, None, "never"))
    assert board.lines[0].name == best
    assert told.verdict(None, board)[0].startswith("no verdict: none of the metrics is a mean of one value an event")
