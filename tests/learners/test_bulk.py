"""Scores from arrays: equal to those of the very lists and dicts, and to river's, to the last bit."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import dummy, metrics, stats

from learners import bulk, losses
from learners.baselines import Mean, NoChange, Prior
from learners.board import Board, Rules
from learners.judged import Judged
from learners.metrics import OF_FOUR, fitting, read_metrics, values_of_counts
from learners.outputs import Digest, Outputs
from learners.points import Points, Series
from learners.probable import Probable
from learners.recipe import Task
from learners.state import dump, load
from learners.sweep import Marks, fits, sweep
from learners.table import Column, Layout, Table
from learners.weights import UNWEIGHTED, Weights

WINDOW = 7
BOUNDS = {"MAE": 3.0, "CrossEntropy": 36.0}
"""Of losses: those of classes cannot be beyond it, those of numbers can."""


def dicts(ps: Sequence[float]) -> list[dict[bool, float]]:
    """What river's LogisticRegression answers."""
    return [{False: 1.0 - p, True: p} for p in ps]


def answered(task: Task, raw: list[float], form: str) -> tuple[Outputs, list[Any]]:
    """The answers in one of both forms, and as the digest knows them."""
    array = np.array(raw, dtype=float)
    if task == "regression":
        return (Outputs.of_numbers(raw) if form == "rows" else Outputs.of_floats(array)), raw
    return (Outputs.of_probabilities(dicts(raw)) if form == "rows" else Outputs.of_positives(array)), raw


def column(ys: list[Any], form: str) -> Sequence[Any]:
    return ys if form == "rows" else Column(np.array(ys, dtype=bool if isinstance(ys[0], bool) else float))


class Life:
    """A board and a digest, in the order in which a learner uses them."""

    def __init__(
        self,
        task: Task,
        names: Sequence[str],
        fading: float | None = None,
        *,
        sliced: bool = False,
        weight: bool = False,
    ) -> None:
        self.task: Task = task
        rules = Rules(
            read_metrics(names, task),
            WINDOW,
            task,
            fading=fading,
            bounds={name: BOUNDS[name] for name in names if name in BOUNDS},
            slices=("n", "kind") if sliced else (),
            weights=Weights("w") if weight else UNWEIGHTED,
        )
        self.board = Board(rules, probabilities=task != "regression")
        self.digest = Digest()
        self.points: list[Any] = []
        self.heard: list[Any] = []
        self.board.listener = self.hear
        self.learned = 0

    def take(self, ys: list[Any], raw: list[float], form: str) -> None:
        if form == "columns":
            self.take_columns(column(ys, form), answered(self.task, raw, form)[0])
            return
        if form == "turned":
            outputs = answered(self.task, raw, "rows")[0]
            self.ask(outputs)
            turned = Column.of(ys), outputs.in_columns()
            self.board.score_all(self.features(len(ys)), *turned, self.learned, self.reached)
            return
        start = 0
        while start < len(ys):
            stop = min(len(ys), start + self.board.room(self.learned))
            labels = ys[start:stop]
            outputs, _ = answered(self.task, raw[start:stop], form)
            self.ask(outputs)
            self.board.score(self.features(len(labels)), labels, outputs, self.board.rivals.answer([], labels))
            self.reached(stop - start)
            start = stop

    def take_columns(self, ys: Sequence[Any], outputs: Outputs) -> None:
        self.ask(outputs)
        xs = Table.of(Layout(("n", "kind", "w"), ("n", "w")), self.features(len(ys)))
        self.board.score_all(xs, ys, outputs, self.learned, self.reached)

    def features(self, count: int) -> list[dict[str, Any]]:
        """Features of the next events: some are missing."""
        return [
            {
                name: value
                for name, value in (("n", i % 3 / 2), ("kind", "ab"[i % 2]), ("w", i % 4 / 2))
                if (i + ord(name[0])) % 5 or name == "w"
            }
            for i in range(self.learned, self.learned + count)
        ]

    def ask(self, outputs: Outputs) -> None:
        self.board.ask(outputs)
        if self.task == "regression":
            self.digest.add_numbers(outputs.raw)
        else:
            self.digest.add_probabilities(outputs)

    def reached(self, events: int, series: Series | None = None) -> None:
        self.learned += events
        if series is not None:
            points = Points()
            points.extend(series)
            self.points += [(each.scores, each.baselines) for each in points]
        elif self.learned % WINDOW == 0:
            self.points.append((self.board.scores(), self.board.baseline_scores()))

    def hear(self, judged: Judged) -> None:
        beside = [(each.labels, each.numbers) for each in judged.beside.values()]
        known = [judged.xs, judged.ys, judged.outputs.labels, judged.outputs.numbers, judged.weights or []]
        columns = [column for each in judged.columns for column in each]
        told = [*known, *columns, *(column for each in beside for column in each)]
        self.heard += zip(*[list(column) or [None] * len(judged.ys) for column in told], strict=True)

    def save_and_restore(self) -> None:
        self.board = load(dump({"board": self.board}))["board"]
        self.board.listener = self.hear
        self.board.renew()

    def all(self) -> Any:
        board = self.board
        told = (
            self.points,
            board.scores(),
            board.baseline_scores(),
            board.details(),
            self.digest.hexdigest(),
            self.heard,
        )
        return repr(told), dump({"board": board})


STEPS = st.lists(
    st.tuples(
        st.integers(1, 20), st.sampled_from(["rows", "columns", "turned"]), st.sampled_from([False, False, True])
    ),
    min_size=1,
    max_size=12,
)
chances = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-15, 1 - 1e-16]), st.just(0.5))
odd = st.sampled_from([math.nan, math.inf, -math.inf, 1e308])
finite = st.one_of(st.floats(-1e3, 1e3), st.sampled_from([0.0, -1.0, 1.0, 1e200]))


def lives(
    task: Task, names: list[str], events: list[tuple[Any, float]], steps: Any, fading: float | None, **rules: bool
) -> Iterator[Any]:
    """What is told at the end: all in one form, and in steps of all forms; all are saved at the same places."""
    for forms in ("rows", "as asked", "columns", "turned"):
        life, start = Life(task, names, fading, **rules), 0
        while start < len(events):
            for count, form, save in steps:
                part = events[start : start + count]
                if part:
                    ys, raw = [y for y, _ in part], [p for _, p in part]
                    life.take(ys, raw, form if forms == "as asked" else forms)
                if save:
                    life.save_and_restore()
                start += count
        yield life.all()


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(st.tuples(st.booleans(), st.one_of(chances, chances, chances, odd)), max_size=60),
    steps=STEPS,
    fading=st.sampled_from([None, 0.9]),
)
def test_binary_scores_of_arrays_are_those_of_rows(events: Any, steps: Any, fading: float | None) -> None:
    names = ["Accuracy", "F1", "Precision", "Recall", "LogLoss", "CrossEntropy", "ROCAUC", "MCC", "BalancedAccuracy"]
    rows, mixed, arrays, turned = lives("binary", names, events, steps, fading)
    assert rows == mixed
    assert rows == arrays
    assert rows == turned


@settings(max_examples=40, deadline=None)
@given(
    events=st.lists(st.tuples(finite, st.one_of(finite, finite, odd)), max_size=60),
    steps=STEPS,
    fading=st.sampled_from([None, 0.9]),
)
def test_scores_of_numbers_in_arrays_are_those_of_rows(events: Any, steps: Any, fading: float | None) -> None:
    rows, mixed, arrays, turned = lives("regression", list(fitting("regression")), events, steps, fading)
    assert rows == mixed
    assert rows == arrays
    assert rows == turned


@settings(max_examples=20, deadline=None)
@given(
    events=st.lists(st.tuples(st.booleans(), st.one_of(chances, odd)), min_size=20, max_size=60),
    steps=STEPS,
    sliced=st.booleans(),
    weight=st.booleans(),
)
def test_slices_and_weights_of_arrays_are_those_of_rows(events: Any, steps: Any, sliced: bool, weight: bool) -> None:  # noqa: FBT001
    names = ["Accuracy", "F1", "LogLoss", "ROCAUC"]
    rows, mixed, arrays, turned = lives("binary", names, events, steps, None, sliced=sliced, weight=weight)
    assert rows == mixed
    assert rows == arrays
    assert rows == turned


def cumulative(task: Task, names: list[str], ys: list[Any], raw: list[float]) -> dict[str, float | None]:
    life = Life(task, names)
    life.take(ys, raw, "columns")
    assert isinstance(life.board.tally.scores[0].recent.pieces[-1][0], Column)
    return {name: score["cumulative"] for name, score in life.board.scores().items()}


@pytest.mark.parametrize("seed", range(2))
def test_binary_scores_of_arrays_are_those_of_river_event_by_event(seed: int) -> None:
    rng = random.Random(seed)
    ps = [1 / (1 + math.exp(-rng.gauss(0, 4))) for _ in range(2_000)]
    ys = [rng.random() < p for p in ps]
    names = [name for name in fitting("binary") if name != "ROCAUC"]
    found = cumulative("binary", names, ys, ps)
    for name in names:
        metric = getattr(metrics, name)()
        for y, p in zip(ys, dicts(ps), strict=True):
            metric.update(y, max(p, key=p.__getitem__) if metric.requires_labels else p)
        assert found[name] == metric.get(), name


@pytest.mark.parametrize("seed", range(2))
def test_scores_of_numbers_in_arrays_are_those_of_river_event_by_event(seed: int) -> None:
    rng = random.Random(seed)
    ys = [abs(rng.gauss(0, 10)) for _ in range(2_000)]
    raw = [y * rng.uniform(0.5, 2) for y in ys]
    names = list(fitting("regression"))
    found = cumulative("regression", names, ys, raw)
    for name in names:
        metric = getattr(metrics, name)()
        for y, p in zip(ys, raw, strict=True):
            metric.update(y, p)
        assert found[name] == metric.get(), name


@pytest.mark.parametrize("form", ["rows", "columns"])
@pytest.mark.parametrize("steps", [(1,), (7,), (6, 1), (13, 1), (3,), (5, 9), (14,)])
def test_the_window_is_of_the_last_events_whenever_it_is_read(form: str, steps: tuple[int, ...]) -> None:
    rng = random.Random(7)
    ys, raw = [rng.uniform(0, 10) for _ in range(70)], [rng.uniform(0, 10) for _ in range(70)]
    life, names = Life("regression", ["MAE", "RMSE", "R2", "RMSLE"]), ["MAE", "RMSE", "R2", "RMSLE"]
    while life.learned < len(ys):
        stop = min(len(ys), life.learned + steps[life.learned % len(steps)])
        life.take(ys[life.learned : stop], raw[life.learned : stop], form)
        found, first = life.board.scores(), max(0, stop - WINDOW)
        for name in names:
            metric = getattr(metrics, name)()
            for y, p in zip(ys[first:stop], raw[first:stop], strict=True):
                metric.update(y, p)
            assert found[name]["window"] == metric.get()


@pytest.mark.parametrize("name", list(OF_FOUR))
def test_values_of_four_counts_are_those_of_river(name: str) -> None:
    rng = random.Random(name)
    for _ in range(2_000):
        tn, fp, fn, tp = (rng.choice([0, 1, rng.randrange(10), rng.randrange(10**6)]) for _ in range(4))
        counts = {(False, False): tn, (False, True): fp, (True, False): fn, (True, True): tp, (True, None): 2}
        matrix: Any = metrics.ConfusionMatrix()
        for pair in [pair for pair in counts if pair[1] is not None and counts[pair]]:
            matrix.update(*pair, w=float(counts[pair]))
        expected = getattr(metrics, name)(cm=matrix).get() if tn + fp + fn + tp else None
        assert values_of_counts(read_metrics([name], "binary"), counts) == {name: expected}


def test_other_labels_are_left_to_river() -> None:
    four: Any = dict.fromkeys([(False, False), (False, True), (True, False), (True, True)], 1)
    asked = read_metrics(["Accuracy", "Recall"], "binary")
    assert values_of_counts(asked, {**four, (True, "odd"): 4}) == {"Accuracy": 2 / 8, "Recall": 1 / 6}
    assert values_of_counts(asked, {("odd", "odd"): 4, **four}) == {"Accuracy": 6 / 8, "Recall": 1 / 2}


def test_logarithms_and_squares_are_those_of_python() -> None:
    """Numpy's differ: else there would be no loops."""
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.random(50_000), 10 ** (-15 * rng.random(50_000))])
    out = np.empty_like(values)
    bulk.minus_logs(values, out)
    assert out.tolist() == [-math.log(value) for value in values.tolist()]
    values = rng.normal(size=100_000) * 10 ** rng.uniform(-5, 5, 100_000)
    bulk.powers(values, 2.0, out)
    assert out.tolist() == [value**2 for value in values.tolist()]
    assert (values * values).tolist() != out.tolist()


def test_what_a_loop_is_not_compiled_for_is_left_to_python(compiled_code: None) -> None:
    assert bulk.compiled()
    values = np.arange(6.0)
    for odd in (values[::2], values[::2].astype(np.float32), values[::2].astype(int)):
        assert repr(bulk.fold(0.0, 0.0, odd)) == "(3.0, 2.0)"


def test_loops_are_the_same_compiled_and_not(compiled_code: None) -> None:
    rng = np.random.default_rng(2)
    values, others, ys = rng.random(1_000), rng.random(1_000), rng.random(1_000) < 0.5
    fields = (
        (bulk.fold, (2.0, 0.5, values)),
        (bulk.fold, (2.0, 0.5, ys)),
        (bulk.squares_of, (2.0, 0.5, 0.25, 0.125, values, others)),
        (bulk.bound, (0, 0.0, 0.0, np.where(ys, np.nan, values))),
        (bulk.bound, (3, 1.0, 0.5, ys)),
        (bulk.bound_differences, (3, 1.0, 0.5, values, np.where(ys, np.nan, others))),
        (bulk.bound_differences, (3, 1.0, 0.5, ys, others < 0.5)),
        (bulk.count_trues, (ys, others < 0.5)),
        (bulk.fold_thrice, (0.0, 0.0, 3.0, 0.5, 1.0, 0.25, values)),
        (bulk.fold_thrice, (0.0, 0.0, 3.0, 0.5, 1.0, 0.25, ys)),
        (bulk.means, (2.0, 0.5, values, np.empty(1_000))),
        (bulk.minus_logs, (values, np.empty(1_000))),
        (bulk.log_losses, (ys, values, 1e-15, 1 - 1e-15, np.empty(1_000))),
        (bulk.powers, (values, 2.0, np.empty(1_000))),
    )
    for loop, arguments in fields:
        mine, theirs = copy.deepcopy(arguments), copy.deepcopy(arguments)
        assert repr(loop(*mine)) == repr(loop.as_python(*theirs))  # no number of numpy either
        assert all(np.array_equal(each, other, equal_nan=True) for each, other in zip(mine, theirs, strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.booleans(), max_size=60), st.integers(1, 9), st.booleans())
def test_baselines_of_booleans_in_arrays_equal_river(ys: list[bool], size: int, probabilities: bool) -> None:  # noqa: FBT001
    ours: Any
    for ours, river in (
        (NoChange(probabilities=probabilities), dummy.NoChangeClassifier()),
        (Prior(probabilities=probabilities), dummy.PriorClassifier()),
    ):
        labels, expected = [], []
        for y in ys:
            labels.append(river.predict_one({}))
            expected.append(river.predict_proba_one({}) or None)
            river.learn_one({}, y)
        pieces = [Column(np.array(ys[start : start + size])) for start in range(0, len(ys), size)]
        outputs = [ours.predict_then_learn(piece) for piece in pieces]
        assert [repr(label) for output in outputs for label in output.labels] == list(map(repr, labels))
        if probabilities:
            assert [p for output in outputs for p in output.numbers] == expected
        assert ours.now()[0] == river.predict_one({})


@given(st.lists(finite, max_size=40), st.integers(1, 9))
def test_baselines_of_numbers_in_arrays_equal_river(ys: list[float], size: int) -> None:
    river, ours, last = dummy.StatisticRegressor(stats.Mean()), Mean(), NoChange(probabilities=False, numbers=True)
    expected = []
    for y in ys:
        expected.append(river.predict_one({}))
        river.learn_one({}, y)
    pieces = [Column(np.array(ys[start : start + size])) for start in range(0, len(ys), size)]
    assert [p for piece in pieces for p in ours.predict_then_learn(piece).labels] == expected
    assert [p for piece in pieces for p in last.predict_then_learn(piece).numbers] == [None, *ys][: len(ys)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(chances, odd), max_size=20))
def test_answers_in_arrays_are_the_dicts(ps: list[float]) -> None:
    arrays, rows = Outputs.of_positives(np.array(ps, dtype=float)), Outputs.of_probabilities(dicts(ps))
    for name in ("labels", "numbers", "raw"):
        assert repr(list(getattr(arrays, name))) == repr(list(getattr(rows, name)))
    assert (arrays.absent, arrays.not_finite) == (rows.absent, rows.not_finite)


@pytest.mark.parametrize(
    "values", [[], [1.0, 2], [True, 1], [1.0, None], [np.float64(1.0)], ["a"], [1, 2], [True, 1.0]]
)
def test_what_an_array_would_not_hold_as_it_is_stays_as_it_is(values: list[Any]) -> None:
    assert Column.of(values) is values
    assert Outputs(values, values).in_columns() == Outputs(values, values)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), chances, chances), min_size=1, max_size=20))
def test_probabilities_turned_into_arrays_are_those_of_the_dicts(answers: list[tuple[bool, float, float]]) -> None:
    raw = [{first: p, not first: q} for first, p, q in answers]
    for outputs in (Outputs.of_probabilities(raw), Outputs(Outputs.of_probabilities(raw).labels, raw)):
        turned = outputs.in_columns()
        assert isinstance(turned.labels, Column)
        assert isinstance(turned.numbers, Probable)
        assert (list(turned.labels), list(turned.numbers)) == (list(outputs.labels), raw)
    others = [*raw, {True: 1.0}], [*raw, None], [{**p, "other": 0.0} for p in raw]
    assert all(Outputs([], each).in_columns().numbers is each for each in others)


@settings(max_examples=40, deadline=None)
@given(st.permutations(["b", "a", "c"]), st.lists(st.tuples(*[st.one_of(chances, odd)] * 3), max_size=9))
def test_answers_in_a_table_are_the_dicts(classes: list[str], rows: list[tuple[float, ...]]) -> None:
    expected = Outputs.of_probabilities([dict(zip(classes, row, strict=True)) for row in rows])
    found = Outputs.of_table(classes, np.array(rows, dtype=float).reshape(len(rows), 3))
    digests = Digest(), Digest()
    for digest, outputs in zip(digests, (found, expected), strict=True):
        digest.add_probabilities(outputs)
    assert digests[0].hexdigest() == digests[1].hexdigest()
    for name in ("labels", "numbers", "raw"):
        assert repr(list(getattr(found, name))) == repr(list(getattr(expected, name)))
    assert (found.absent, found.not_finite) == (expected.absent, expected.not_finite)


def test_losses_that_are_not_finite_are_computed_one_by_one() -> None:
    ys, numbers = Column(np.array([1e308, 1.0])), Column(np.array([-1e308, 1.0]))
    assert losses.losses("MSE", ys, numbers) is None
    assert losses.losses("MAE", ys, numbers) is None


SWEPT = ["Recall", "Accuracy", "CrossEntropy", "F1", "LogLoss", "Precision"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(st.tuples(st.booleans(), st.one_of(*[chances] * 8, st.floats(1e-3, 0.999), odd)), max_size=90),
    steps=STEPS,
    names=st.lists(st.sampled_from(SWEPT), min_size=1, unique=True),
    bound=st.sampled_from([36.0, 1.5]),
)
def test_scores_of_a_whole_batch_are_those_of_rows(
    compiled_code: None,
    monkeypatch: pytest.MonkeyPatch,
    events: Any,
    steps: Any,
    names: list[str],
    bound: float,
) -> None:
    monkeypatch.setattr("learners.sweep.LEAST", 1)
    monkeypatch.setitem(BOUNDS, "CrossEntropy", bound)
    rows, mixed, arrays, turned = lives("binary", names, events, steps, None)
    assert rows == mixed
    assert rows == arrays
    assert rows == turned


def test_a_batch_with_points_is_taken_in_at_once(compiled_code: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one in which something is not known is not: nothing is done then."""
    found: list[Any] = []
    monkeypatch.setattr("learners.sweep.LEAST", 1)
    monkeypatch.setattr("learners.board.sweep", lambda *args: found.append(sweep(*args)) or found[-1])
    life = Life("binary", SWEPT)
    life.take([True, False, True], [0.5, 0.25, 0.75], "columns")  # baselines know no label before the third
    for _ in range(3):
        life.take([True, False] * 10, [0.75] * 20, "columns")
    assert [each and each.learned for each in found] == [None, [7, 14, 21], [28, 35, 42], [49, 56, 63]]
    assert [len(each) for each in (life.points, life.heard)] == [9, 63]
    life.take([True, False] * 10, [0.75, math.nan] * 10, "columns")
    assert found[-1] is None
    assert fits(life.board.tally)
    assert not fits(Life("binary", ["Accuracy", "MCC"]).board.tally)
    assert not fits(Life("binary", ["ROCAUC"]).board.tally)


def test_where_points_are() -> None:
    for window, learned, events in ((3, 0, 1), (3, 2, 1), (3, 5, 7), (5, 4, 30), (1, 0, 3)):
        marks = Marks.of(events, learned, window)
        points = [n - learned for n in range(learned + 1, learned + events + 1) if n % window == 0]
        assert marks.ends.tolist() == sorted({*points, events})
        assert (marks.points, marks.before, marks.tail) == (len(points), learned % window, (learned + events) % window)
