"""Tables of the report's page that are more than the store's values: many labels, verdicts in words, what is absent."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from store import Proof
from stream.report import sections
from stream.report.gather import Report, gather
from stream.report.verdicts import judge
from tests.stream.telling import told_store


@pytest.fixture
def report(tmp_path: Path) -> Report:
    store, model = told_store(tmp_path)
    with store:
        return gather(model, "head", now=datetime(2026, 3, 2, tzinfo=UTC))


def test_of_many_labels_the_rest_becomes_one(report: Report) -> None:
    source = random.Random(3)
    labels = [f"l{index}" for index in range(30)]
    counts = [[source.randrange(50) for _ in labels] for _ in labels]
    many = replace(report, details={"confusion": {"labels": labels, "counts": counts}})
    lines = sections.confusion(many)
    of_label = dict(zip(labels, map(sum, counts), strict=True))
    most = sorted(labels, key=lambda label: -of_label[label])[:11]
    assert [name for name, _, _ in lines] == [*most, "(all others)"]
    assert [events for _, _, events in lines[:-1]] == [of_label[label] for label in most]
    assert sum(cell.events for _, cells, _ in lines for cell in cells) == sum(of_label.values())
    for row, label in enumerate(most):
        cells = lines[row][1]
        by_label = counts[labels.index(label)]
        assert [cell.events for cell in cells[:-1]] == [by_label[labels.index(each)] for each in most]
        assert [cell.right for cell in cells] == [column == row for column in range(12)]
        assert cells[row].share == pytest.approx(by_label[labels.index(label)] / of_label[label])


def test_the_window_s_share_is_of_the_window_s_line(report: Report) -> None:
    few = {"confusion": {"labels": ["a", "b"], "counts": [[6, 2], [1, 1]], "window": [[1, 3], [0, 0]]}}
    (_, cells, _), (_, none, _) = sections.confusion(replace(report, details=few))
    assert [(cell.window, cell.of_window) for cell in cells] == [(1, 4), (3, 4)]
    assert [(cell.window, cell.of_window) for cell in none] == [(0, 0), (0, 0)]


def against(**found: object) -> Proof:
    known = {"metric": "MAE", "difference": -3.0, "low": -4.0, "high": -2.0, "level": 0.95, "events": 9, "why": None}
    return Proof("", "[]", {}, {"Mean": {}}, {"against": {"Mean": {**known, **found}}})


def test_a_verdict_says_what_the_test_says() -> None:
    (better,) = judge(against(better="model"))
    assert better.words.startswith(
        "Better than Mean: over the same 9 events, the difference in MAE is 3.0000, between 2."
    )
    (worse,) = judge(against(better="Mean", difference=3.0, low=2.0, high=4.0))
    assert worse.words.startswith("Worse than Mean")
    (none,) = judge(against(better=None, low=-1.0, high=2.0))
    assert none.words.startswith("No verdict against Mean yet")
    assert "-1.0000 to 2.0000" in none.words
    (untested,) = judge(
        against(better=None, difference=None, low=None, high=None, events=0, why="a loss beyond its bound")
    )
    assert untested.words == "Not tested against Mean: a loss beyond its bound."


def test_what_is_not_in_the_page_says_why(report: Report) -> None:
    assert sections.absent(report) == []
    bare = replace(report, details={}, held=(), moves=(), points=())
    assert [section for section, _ in sections.absent(bare)] == [
        "scores over time", "confusion matrix", "slices", "label health", "held events", "moves", "missing outputs",
    ]  # fmt: skip
    assert ("label health", "labels come with their events") in sections.absent(bare)
    later = replace(bare, settings={**bare.settings, "labels": {"moment": "at"}})
    assert ("label health", "this version keeps none") in sections.absent(later)
