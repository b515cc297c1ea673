"""What a backtest found, as frames: the leaderboard, scores, the series of scores, and what was answered."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from learners import Point, read_metrics
from learners.intervals import Bounded
from store.types import Scores
from stream.backtest.asked import Found
from stream.backtest.frame import Frame, framed
from stream.backtest.leaderboard import Gap, leaderboard, went_on
from stream.backtest.trial import SPANS, Outcome
from stream.report.told import instant

POINTS_FEW = 20
STEPS = 200
"""Places of a curve that has few points of its own; its first twentieth, which leaps, is left out."""

NO_GAP = Gap(0.0, None, None, None)


def board_frame(found: Found) -> Frame:
    """Return the leaderboard: a candidate a line, best first.

    `difference`, `low` and `high` are what it has more than the leader in what is compared (`told.columns`).
    """
    board = leaderboard(found)
    names = ["place", "candidate", "learner", *board.spans, "difference", "low", "high", "regret"]
    names += ["learned", "held", "pending", "expired", "seconds", "state_bytes", "error"]
    lines = []
    for place, line in enumerate(board.lines, 1):
        assert line.outcome is not None
        assert line.number is not None
        gap = line.gap or (NO_GAP if line.leads else Gap(math.nan, None, None, None))
        learner, out = found.candidates[line.number].learner, line.outcome
        lines.append(
            (
                *(place, line.name, learner, *line.scores.values()),
                *(_number(gap.difference), gap.low, gap.high, line.regret),
                *(out.learned, out.held, out.accounts[1], out.expired),
                *(round(out.seconds, 3), out.state_bytes or None, out.error),
            )
        )
    return framed(names, lines)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def scores_frame(found: Found) -> Frame:
    """Return the scores at the end: a line for each metric of each candidate, and of each baseline."""
    board = leaderboard(found)
    scored = [(line.name, False, line.outcome.scores) for line in board.lines if line.outcome is not None]
    first = found.outcomes.get(0)
    if first is not None:
        scored += [(name, True, scores) for name, scores in first.baselines.items()]
    spans = [span for span in SPANS if any(span in each for _, _, scores in scored for each in scores.values())]
    lines = [
        (name, baseline, metric, *(values.get(span) for span in spans))
        for name, baseline, scores in scored
        for metric, values in scores.items()
    ]
    return framed(["candidate", "baseline", "metric", *spans], lines)


def points_frame(found: Found) -> Frame:
    """Return the series: a line for each candidate and baseline after every `window` events, metrics side by side.

    `events` are those learned in the range; `clock` is the event time then, where labels come later.
    """
    board = leaderboard(found)
    drawn = [(line.name, False, series(found, line.outcome)) for line in board.lines if line.outcome is not None]
    first = found.outcomes.get(0)
    points = [] if first is None or went_on(first) else series(found, first)
    drawn += [
        (name, True, [(events, point.baselines.get(name, {}), point) for events, _, point in points])
        for name in (first.baselines if first is not None and points else ())
    ]
    scored = [(metric, span) for metric in board.spans for span in ("cumulative", "window", "faded")]
    names = [f"{metric}_{span}" for metric, span in scored]
    lines = [
        (
            *(name, baseline, events, None if point.clock_us is None else instant(point.clock_us)),
            *(scores.get(metric, {}).get(span) for metric, span in scored),
        )
        for name, baseline, each in drawn
        for events, scores, point in each
    ]
    return _filled(framed(["candidate", "baseline", "events", "clock", *names], lines), "clock", *names)


def _filled(frame: Frame, *names: str) -> Frame:
    """Leave out those of these columns that have no value."""
    empty = {name for name in names if all(value is None for value in frame.columns[name])}
    return Frame({name: column for name, column in frame.columns.items() if name not in empty})


def series(found: Found, outcome: Outcome) -> list[tuple[int, Scores, Point]]:
    """Return (events learned in the range, scores, point) of each point.

    A learner that went on from a version has the scores of its whole life in its points: of what is compared they are
    made anew from the values of the range, of the others only the window is left.
    """
    begun = outcome.accounts[0] - outcome.learned
    if not begun or not outcome.points:
        return [(point.learned, point.scores, point) for point in outcome.points]
    metric = leaderboard(found).metric
    means = (
        {} if metric is None else _means(found, outcome, metric, [point.learned - begun for point in outcome.points])
    )
    return [
        (
            point.learned - begun,
            {
                name: {**values, "cumulative": means.get(point.learned - begun) if name == metric else None}
                for name, values in point.scores.items()
            },
            point,
        )
        for point in outcome.points
    ]


def curve(found: Found, outcome: Outcome, metric: str, span: str) -> list[tuple[int, float]]:
    """Return (events learned in the range, value) along a metric.

    Of what is compared it is made from the values of single events, where there are few points.
    """
    board = leaderboard(found)
    points = [(events, scores[metric].get(span)) for events, scores, _ in series(found, outcome)]
    many = len(outcome.values)
    if metric == board.metric and len(points) < POINTS_FEW and many:
        places = sorted({many * step // STEPS for step in range(STEPS // 20, STEPS + 1)} - {0})
        points = [*_means(found, outcome, metric, places).items()]
    return [(events, value) for events, value in points if value is not None]


def _means(found: Found, outcome: Outcome, metric: str, places: Sequence[int]) -> dict[int, float | None]:
    """Return the value of a metric after so many events of the range, from the values of single events."""
    (of,) = read_metrics([metric], found.recipes[0].task)
    told = Bounded(of, math.inf).told
    scored = ~np.isnan(outcome.values)
    totals, counts = np.cumsum(np.where(scored, outcome.values, 0.0)), np.cumsum(scored)
    ends = {place: min(place, len(counts)) - 1 for place in places}
    return {
        place: told(float(totals[at] / counts[at])) if at >= 0 and counts[at] else None for place, at in ends.items()
    }


def predictions_frame(found: Found) -> Frame:
    """Return what each candidate answered, where it was kept: an event a line, in the order in which labels came.

    `y_pred` is None where there was no answer. `probability` is that of the positive label; of several, the predicted.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("candidate", "event", "y", "y_pred", "probability")}
    binary = found.recipes[0].task == "binary"
    for number, outcome in found.outcomes.items():
        answers = outcome.answers
        if answers is None:
            continue
        numbers = answers.numbers or [None] * len(answers.ys)
        columns["candidate"] += [found.candidates[number].name] * len(answers.ys)
        columns["event"] += range(1, len(answers.ys) + 1)
        columns["y"] += answers.ys
        columns["y_pred"] += answers.labels
        columns["probability"] += [
            each.get(True if binary else label) if isinstance(each, Mapping) else None
            for each, label in zip(numbers, answers.labels, strict=True)
        ]
    found_columns = {name: _of_one_type(column) for name, column in columns.items()}
    return _filled(Frame(found_columns), "probability")


def _of_one_type(column: list[Any]) -> list[Any]:
    """Return a column that any frame takes: of values of several types, numbers or texts."""
    types = {type(value) for value in column if value is not None}
    if len(types) <= 1:
        return column
    of = float if types == {int, float} else str
    return [None if value is None else of(value) for value in column]
