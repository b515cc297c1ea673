"""Scores of a whole batch at once, with the points of the series in it, where all is in arrays. The same bits.

Stretch by stretch, each point of the series costs dozens of small calls. Here one call sums up a measure of all
predictors, and notes its sums wherever a point is; all points are made of these at once, as a table of numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from learners import sweep_kernel
from learners.bulk import compiled
from learners.confidence import parts_of_boundary
from learners.contest import Contest
from learners.metrics import OF_FOUR, PLAIN_MEANS
from learners.points import Series
from learners.progressive import CountScore, Score, Tally
from learners.spans import BOOL_PAIRS, four_of
from learners.sums import Columns
from learners.table import Column

LEAST = 1024
"""Fewer events are not worth it."""

SPANS = ("cumulative", "window", "since_last", "low", "high")

Values = dict[str, np.ndarray]
"""What one predictor has at the points: by metric, of shape (points, 3) the value of each span, or (points, 2) the ends
of an interval."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Where in a batch stretches end: at each point of the series, of which there are `points`, and at its end.

    `before` events came since the last point when the batch begins, `tail` when it ends.
    """

    ends: np.ndarray
    points: int
    before: int
    tail: int

    @classmethod
    def of(cls, events: int, learned: int, window: int) -> Marks:
        """Return those of a batch, after so many learned events.

        >>> marks = Marks.of(25, learned=98, window=10)
        >>> marks.ends.tolist(), marks.points, marks.before, marks.tail
        ([2, 12, 22, 25], 3, 8, 3)
        """
        ends = [*range(window - learned % window, events + 1, window)]
        last = ends[-1] if ends else 0
        whole = ends if last == events else [*ends, events]
        return cls(np.array(whole, dtype=np.int64), len(ends), learned % window, (learned + events) % window)


def fits(tally: Tally) -> bool:
    """Tell whether all that is asked for can be summed up so: metrics of two classes, counted or means of losses."""
    return all(
        metric.name in (OF_FOUR if isinstance(score, CountScore) else PLAIN_MEANS)
        for score in tally.scores
        for metric in score.measure.metrics
    )


def sweep(
    tallies: Mapping[str, Tally], contest: Contest, columns: Mapping[str, Sequence[Columns]], learned: int, window: int
) -> Series | None:
    """Score a batch; return what is told at each point in it.

    `tallies` are theirs by name, the model's first, and `columns` what the scores of each made of the batch. `learned`
    events were scored before. None, with nothing done, where it cannot be done so.
    """
    every = list(columns.values())
    events = len(every[0][0][0])
    alike = len(set(map(len, every))) == 1  # a model's pairs are counted even where no metric is of them
    if events < LEAST or not alike or not compiled() or not _in_arrays(every):
        return None
    marks = Marks.of(events, learned, window)
    sums: list[_Counted | _Averaged] = []
    for place in range(len(every[0])):
        scores: list[Any] = [tally.scores[place] for tally in tallies.values()]
        made = _Counted if isinstance(scores[0], CountScore) else _Averaged
        sums.append(made(scores, [each[place] for each in every], marks))
    contest.settle()
    bounds = [_Bounded(contest, place, list(tallies), every, marks) for place in range(len(contest.bounded))]
    if not all(each.fits for each in (*sums, *bounds)):
        return None
    values, ends = _together(sums, len(tallies)), _together(bounds, len(tallies))
    names = [(name, tuple([(metric, SPANS) for metric in each.names])) for name, each in tallies.items()]
    names[0] = ("", names[0][1])  # the model's
    missing, table, place = [], [], 0
    for number, (_, metrics) in enumerate(names):
        for metric, _ in metrics:
            table.append(values[number][metric])
            if metric in ends[number]:
                table.append(ends[number][metric])
            else:
                missing += [place + 3, place + 4]
            place += len(SPANS)
    points = learned + marks.ends[: marks.points]
    return Series(points.tolist(), (tuple(names), tuple(missing)), np.concatenate(table, axis=1))


def _together(taken: Sequence[_Counted | _Averaged | _Bounded], predictors: int) -> list[Values]:
    """Return what all have for each predictor."""
    found: list[Values] = [{} for _ in range(predictors)]
    for each in taken:
        for known, more in zip(found, each.take(), strict=True):
            known.update(more)
    return found


def _in_arrays(every: Sequence[Sequence[Columns]]) -> bool:
    columns = [column for each in every for columns in each for column in columns]
    return all(isinstance(column, Column) and column.array.dtype.char in "?d" for column in columns)


class _Counted:
    """Counts of pairs of booleans: those of each predictor's labels with the same ys."""

    def __init__(self, scores: Sequence[CountScore], columns: Sequence[Columns], marks: Marks) -> None:
        self._scores, self._columns, self._marks = scores, columns, marks
        self.fits = all(array.dtype == bool for each in columns for array in map(_array, each)) and all(
            each.stretch_events % each.window == marks.before and tuple(each.total.counts)[:4] == BOOL_PAIRS
            for each in scores
        )

    def take(self) -> list[Values]:
        """Add the counts to the scores; return their values."""
        marks, ys = self._marks, _array(self._columns[0][0])
        labels = np.array([_array(each[1]) for each in self._columns])
        for each in self._scores:
            if each.stretch_events == each.window:
                each.stretch = each.measure.sum()
        before = [[four_of(each.counts) for each in (it.total, it.stretch, it.since)] for it in self._scores]
        state = np.array(before, dtype=np.int64)
        out = np.empty((len(labels), len(OF_FOUR), len(marks.ends), 3))
        sweep_kernel.counts(ys, labels, marks.ends, state, out)
        for score, found, columns in zip(self._scores, state.tolist(), self._columns, strict=True):
            if len(marks.ends) > 1:
                score.stretch = score.measure.sum()
            score.stretch_events = marks.tail or score.window
            for its, four in zip((score.total, score.stretch, score.since), found, strict=True):
                its.counts.update(zip(BOOL_PAIRS, four, strict=True))
            score.recent.add(*columns)
        places = [(name, OF_FOUR.index(name)) for name in (each.name for each in self._scores[0].measure.metrics)]
        return [{name: its[place, : marks.points] for name, place in places} for its in out]


class _Averaged:
    """Means of losses: since ever, since the last version, and since the last point."""

    def __init__(self, scores: Sequence[Score], columns: Sequence[Columns], marks: Marks) -> None:
        self._scores, self._columns, self._marks = scores, columns, marks
        values = np.stack([_array(each[0]) for each in columns])
        self._state = np.array([[*_pair(each.total), *_pair(each.since), *self._lap(each)] for each in scores])
        self._out = np.empty((len(scores), len(marks.ends), sweep_kernel.MEANS))
        self.fits = values.dtype == float
        if self.fits:
            sweep_kernel.means(values, marks.ends, marks.points, self._state, self._out)
            self.fits = bool(np.isfinite(self._out).all())

    def _lap(self, score: Score) -> tuple[float, float]:
        """Return count and mean since the last point."""
        before, lap = self._marks.before, score.lap
        if lap is None or score.lap_events != before:
            lap = score.measure.sum()
            lap.add(score.recent.columns(1)[0][-before:] if before else [])
        return _pair(lap)

    def take(self) -> list[Values]:
        """Let the means be those at the end; return their values."""
        for score, state, columns in zip(self._scores, self._state.tolist(), self._columns, strict=True):
            score.lap, score.lap_events = score.measure.sum(), self._marks.tail
            for place, each in enumerate((score.total, score.since, score.lap)):
                if state[2 * place]:
                    _mean(each).n, _mean(each)._mean = state[2 * place : 2 * place + 2]  # noqa: SLF001 - river's
            score.recent.add(*columns)
        name = self._scores[0].measure.metrics[0].name
        return [{name: each} for each in self._out[:, : self._marks.points, [1, 5, 3]]]


class _Bounded:
    """Confidence sequences of one metric, and of the differences of the model from its rivals if it is the first."""

    def __init__(
        self, contest: Contest, place: int, names: Sequence[str], every: Sequence[Sequence[Columns]], marks: Marks
    ) -> None:
        assert contest.model is not None, "the model is in its contest"
        among = [contest.model, *(contest.others[name][0] for name in names[1:])]
        self._intervals = [each.intervals[place] for each in among]
        self._sequences = [each.sequence for each in self._intervals]
        if place == 0:
            self._sequences += [contest.others[name][1].sequence for name in names[1:]]
        of = self._intervals[0].of
        values = np.stack([of.values(each[among[0].places[place]]) for each in every]).astype(float)
        self._marks = marks
        self.fits = None not in self._sequences and not (values > of.most).any()
        if self.fits:
            state = [[each.n, each.total, each.spread] for each in self._sequences if each is not None]
            self._out = np.empty((len(state), len(marks.ends), 3))
            sweep_kernel.bounds(values, marks.ends, np.array(state, dtype=float), self._out)

    def take(self) -> list[Values]:
        """Let the sequences be those at the end; return the ends of the intervals."""
        for each, state in zip(self._sequences, self._out[:, -1].tolist(), strict=True):
            assert each is not None, "it fits"
            each.n, (each.total, each.spread) = int(state[0]), state[1:]
        for interval in self._intervals:
            interval.events += int(self._marks.ends[-1])
        of = self._intervals[0].of
        out = np.empty((len(self._intervals), self._marks.points, 2))
        sweep_kernel.ends(self._out, parts_of_boundary(of.most), out)
        return [{of.metric.name: each} for each in out]


def _array(column: Sequence[Any]) -> np.ndarray:
    assert isinstance(column, Column), "all is in arrays"
    return column.array


def _mean(found: Any) -> Any:
    """Return river's mean in a sum of losses."""
    return found.mean


def _pair(found: Any) -> tuple[float, float]:
    """Return its count and its mean."""
    return _mean(found).n, _mean(found)._mean  # noqa: SLF001 - where river keeps it
