"""The board: all that is told of a model's predictions so far, beside those of the baselines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from learners.baselines import baselines
from learners.confusion import confusion_table
from learners.contest import Contest
from learners.judged import Judged, Listener, cut
from learners.metrics import Metric
from learners.outputs import Outputs
from learners.pending import Entry
from learners.points import Series
from learners.progressive import Scores, Tally
from learners.recipe import Task
from learners.rivals import Rivals
from learners.slices import SLICES_MAX, FieldSlices
from learners.static import NAME, Static
from learners.sums import Columns, Sum
from learners.sweep import fits, sweep
from learners.table import Column
from learners.weights import UNWEIGHTED, Weights, age_of


@dataclass(frozen=True, slots=True)
class Rules:
    """How a model is scored: by which metrics, over how many events, with which fading factor (None: none).

    `slices` are the fields by whose values scores are given too, for at most `slices_max` values each. `bounds` are
    those of losses, by metric. `static_after`: so many learned events, and a copy of the model is frozen beside it.
    `weights` say what each event counts for.
    """

    metrics: tuple[Metric, ...]
    window: int
    task: Task
    fading: float | None = None
    slices: tuple[str, ...] = ()
    slices_max: int = SLICES_MAX
    bounds: Mapping[str, float] = field(default_factory=dict)
    static_after: int | None = None
    weights: Weights = UNWEIGHTED

    def tally(self, *, counted: bool = False, begun: int = 0) -> Tally:
        """Return the scores of one predictor, of nothing yet, after `begun` events.

        `counted`: with counts of pairs in any case.
        """
        return Tally(
            self.metrics,
            self.window,
            binary=self.task == "binary",
            fading=self.fading,
            counted=counted and self.task != "regression",
            weighted=bool(self.weights),
            begun=begun,
        )


class Board:
    """Scores of the model and of its baselines, and unusable answers since the model was new.

    `absent` counts answers of None or without any probability, `not_finite` those of NaN or infinity. The `listener` is
    not saved.
    """

    listener: Listener | None = None

    def __init__(self, rules: Rules, *, probabilities: bool, alone: bool = False) -> None:
        """`alone`: without baselines."""
        self.rules = rules
        self.tally = rules.tally(counted=True)
        beside = {} if alone else baselines(rules.task, probabilities=probabilities)
        after = rules.static_after
        self.rivals = Rivals(
            {name: (baseline, rules.tally()) for name, baseline in beside.items()},
            None if after is None else Static(after, rules.task, probabilities=probabilities),
            numbers=probabilities or rules.task == "regression",
        )
        self.contest = Contest(rules.metrics, rules.bounds, weighted=bool(rules.weights))
        self.contest.enter_model(self.tally)
        for name, tally in self.rivals.tallies.items():
            self.contest.enter(name, tally)
        self.slices = [FieldSlices(name, rules.slices_max, rules.window) for name in rules.slices]
        self.absent = 0
        self.not_finite = 0

    def ask(self, outputs: Outputs) -> None:
        """Count what cannot be used of the answers to some events, when they were given."""
        self.absent += outputs.absent
        self.not_finite += outputs.not_finite

    def room(self, learned: int) -> int:
        """Return how many events may be scored in one go: up to a score point, or to where the static copy is made."""
        room, static = self.rules.window - learned % self.rules.window, self.rivals.static
        return room if static is None or learned >= static.after else min(room, static.after - learned)

    def reach(self, learned: int) -> None:
        """Begin to score the static copy, if it was made after so many events."""
        static = self.rivals.static
        if static is not None and learned == static.after:
            static.tally = self.rules.tally(begun=learned)
            self.contest.enter(NAME, static.tally, learned)

    def score(
        self,
        xs: Sequence[Mapping[str, Any]],
        ys: Sequence[Any],
        outputs: Outputs,
        beside: Sequence[Outputs],
        ages: Sequence[float] = (),
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Score answers by their labels, in order; `beside` are those of the rivals. There is `room` for them.

        Where labels come later, `ages` are the times from question to label in microseconds, and `numbers` those in
        which they were asked.
        """
        weights = self.rules.weights.column(xs, ages) if self.rules.weights else None
        columns = self.take(xs, ys, outputs, beside, weights)
        if self.listener is not None:
            named = dict(zip(self.rivals.tallies, beside, strict=True))
            self.listener(Judged(xs, ys, outputs, named, weights, columns, numbers))

    def score_all(
        self,
        xs: Sequence[Mapping[str, Any]],
        ys: Sequence[Any],
        outputs: Outputs,
        learned: int,
        reached: Callable[[int, Series | None], None],
    ) -> None:
        """Score answers by their labels, in order, and let the rivals answer: any number of events, whatever `room`.

        `learned` events had been judged before. `reached` is called with how many events were judged since: at each
        score point, where a static copy begins, and at the end; or only then, with the points up to there. What is
        given as arrays is scored as arrays.
        """
        start = 0
        while start < len(ys):
            part = slice(start, self._uniform(ys, start, learned))
            whole = part == slice(0, len(ys))
            events = (xs, ys, outputs) if whole else (xs[part], ys[part], outputs.part(part))
            learned = self._score_uniform(*events, learned, reached)
            start = part.stop

    def _uniform(self, ys: Sequence[Any], start: int, learned: int) -> int:
        """Return up to where the same rivals answer from `start` on, all in arrays or all one by one."""
        cold, static = self.rivals.cold(ys[start:]), self.rivals.static
        stop = start + cold if cold else len(ys)
        return stop if static is None or learned >= static.after else min(stop, start + static.after - learned)

    def _score_uniform(
        self,
        xs: Sequence[Mapping[str, Any]],
        ys: Sequence[Any],
        outputs: Outputs,
        learned: int,
        reached: Callable[[int, Series | None], None],
    ) -> int:
        """Make the columns of all events at once, and take them in by stretches; return how many are judged then."""
        tallies = self.rivals.tallies
        beside = dict(zip(tallies, self.rivals.answer(xs, ys), strict=True))
        weights = self.rules.weights.column(xs) if self.rules.weights else None
        columns = self.tally.columns(ys, outputs, weights)
        others = {name: tally.columns(ys, beside[name], weights) for name, tally in tallies.items()}
        series, start, before = self._sweep(columns, others, learned), 0, learned
        while start < len(ys) and (series is None or self.listener is not None):
            stop = min(len(ys), start + self.room(learned))
            part = slice(start, stop)
            if series is None:
                sides = {name: cut(other, part) for name, other in others.items()}
                self._take(xs[part] if self.slices else xs, cut(columns, part), sides)
            if self.listener is not None:
                self.listener(Judged(xs, ys, outputs, beside, weights, columns, None).part(part))
            learned += stop - start
            if series is None:
                reached(stop - start, None)
            start = stop
        if series is not None:
            reached(len(ys), series)
        return before + len(ys)

    def _sweep(
        self, columns: Sequence[Columns], others: Mapping[str, Sequence[Columns]], learned: int
    ) -> Series | None:
        """Take in a whole batch at once; return what is told at its score points. None: it is not taken in."""
        rules = self.rules
        plain = rules.task == "binary" and rules.fading is None and rules.static_after is None
        if not plain or self.slices or rules.weights or not fits(self.tally):
            return None
        tallies = {"": self.tally, **self.rivals.tallies}
        return sweep(tallies, self.contest, {"": columns, **others}, learned, rules.window)

    def take(
        self,
        xs: Sequence[Mapping[str, Any]],
        ys: Sequence[Any],
        outputs: Outputs,
        beside: Sequence[Outputs],
        weights: Sequence[float] | None,
    ) -> list[Columns]:
        """Take events into all scores; return the columns that each score of the model made of them."""
        columns = self.tally.columns(ys, outputs, weights)
        others = {
            name: tally.columns(ys, answers, weights)
            for (name, tally), answers in zip(self.rivals.tallies.items(), beside, strict=True)
        }
        self._take(xs, columns, others)
        return columns

    def _take(
        self, xs: Sequence[Mapping[str, Any]], columns: Sequence[Columns], others: Mapping[str, Sequence[Columns]]
    ) -> None:
        self.tally.take(columns)
        for each in self.slices:
            each.add(xs, self.tally.scores, columns)
        for name, tally in self.rivals.tallies.items():
            tally.take(others[name])
        self.contest.add(columns, others)

    def apart(self) -> Board:
        """Return a board of nothing yet, with the same rules and baselines, which answer elsewhere; none is static."""
        board = Board(replace(self.rules, static_after=None), probabilities=False, alone=True)
        board.rivals.baselines = {
            name: (baseline, self.rules.tally()) for name, (baseline, _) in self.rivals.baselines.items()
        }
        for name, tally in board.rivals.tallies.items():
            board.contest.enter(name, tally)
        return board

    def score_revealed(self, entries: Sequence[Entry]) -> None:
        """Score what was answered before, now that the labels have come. There is `room` for them."""
        xs, ys = [entry.x for entry in entries], [entry.y for entry in entries]
        ages = [age_of(entry) for entry in entries] if self.rules.weights.half_life else []
        outputs, *beside = self.rivals.answered(entries)
        columns = [each.in_columns() for each in beside]
        numbers = [entry.number for entry in entries]
        self.score(xs, Column.of(ys), outputs.in_columns(), columns, ages, numbers)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "listener"}

    def scores(self) -> Scores:
        """Return the scores of the model now."""
        return self.contest.with_ends(self.tally.values())

    def baseline_scores(self) -> dict[str, Scores]:
        """Return the scores of the rivals now."""
        return {name: self.contest.with_ends(tally.values(), name) for name, tally in self.rivals.tallies.items()}

    def details(self) -> dict[str, Any]:
        """Return what else is known of the predictions, as plain values: the same before and after JSON."""
        details: dict[str, Any] = {"outputs": {"absent": self.absent, "not_finite": self.not_finite}}
        if self.tally.pairs is not None:
            pairs = self.tally.pairs
            details["confusion"] = confusion_table(pairs.total.counts, pairs.counts_in_window())
        if self.slices:
            details["slices"] = {each.name: each.values(self.tally.names, self.tally.scores) for each in self.slices}
        details["intervals"] = self.contest.intervals()
        details["against"] = self.contest.against(list(self.rivals.tallies))
        return details

    def renew(self) -> list[list[Sum]]:
        """Begin a new version: what is counted since the last one begins anew. Return what it was, for `recall`."""
        return [tally.renew() for tally in self._tallies]

    def recall(self, since: Sequence[Sequence[Sum]]) -> None:
        """Have the scores from before `renew`, in a copy of the board that was made right after."""
        for tally, each in zip(self._tallies, since, strict=True):
            tally.recall(each)

    @property
    def _tallies(self) -> list[Tally]:
        return [self.tally, *self.rivals.tallies.values()]
