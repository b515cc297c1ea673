"""What to look at, in which order: from the score series, or from the versions that a person names, to an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

from learners import Judgement, Probe, goodness_of, metric_of
from store.types import ScorePoint
from stream.bisect.bench import PROBE_MIN, Bench, Walk
from stream.bisect.curve import Curve, Stretch, survey
from stream.bisect.hunt import Found, Hunt
from stream.bisect.search import first_bad
from stream.bisect.suspects import suspects
from stream.errors import ConfigError

SUSPECTS_MAX = 24
"""So many stretches of the score series are looked at: a short one as a whole, since a score may fall late."""

HUNTS_MAX = 3
"""So many of them, the worst, are searched for the events that did it."""

HUNT_SHARE_MIN = 0.5
"""One that is not half as bad as the worst is not."""

PROBE_MAX = 1_000
"""More events would make judging slower, and hardly any state better known."""

CELL_MAX = 20_000
"""Cells with more events are looked at more closely before the search: its events are in memory."""


@dataclass(frozen=True, slots=True)
class Question:
    """By which metric; the value at which a state is bad (None: noticeably worse than before); how many events to ask.

    `good` and `bad` are places that a person named.
    """

    metric: str
    threshold: float | None
    window: int
    good: int | None
    bad: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, or why nothing was.

    States were judged on the last `probe` labeled events before the place `good`; `first` and `worst` are what the
    model was worth there, and at its worst after.
    """

    found: Found | None
    why: str | None = None
    good: int | None = None
    probe: int = 0
    first: Judgement | None = None
    worst: Judgement | None = None


def find(bench: Bench, question: Question, points: Sequence[ScorePoint]) -> Answer:
    """Find the events that made the model worse. `points` are the score series of the course.

    Raises `ConfigError` where there is nothing to judge by, `LogLost` when the log no longer has the events.
    """
    window = min(question.window, PROBE_MAX)
    limit = _limit(bench, question)
    if question.good is None:
        stretches = _suspected(bench, question, points)
        curves = survey(bench, stretches, question.metric, window)
    else:
        stretch, probe = _between(bench, question, window, limit)
        curves = survey(bench, [stretch], question.metric, window, probe)
    if not curves:
        raise _nothing_to_judge_by()
    fallen = [curve for curve in curves if _falls(curve, limit)]
    if not fallen:
        return _nothing_fell(curves, question)
    return _hunt(bench, question, fallen, limit)


def _limit(bench: Bench, question: Question) -> float | None:
    if question.threshold is None:
        return None
    return goodness_of(metric_of(question.metric, bench.course.task), question.threshold)


def _suspected(bench: Bench, question: Question, points: Sequence[ScorePoint]) -> list[Stretch]:
    """Return the stretches in which the score series gets worse: each from a window before the fall to one after."""
    stop = bench.course.stop if question.bad is None else question.bad
    series = [point for point in points if point.scores and point.events <= stop]
    name = question.metric if series and question.metric in series[0].scores else next(iter(series[0].scores), "")
    metric = metric_of(name, bench.course.task)
    values = [goodness_of(metric, point.scores[name].get("window")) for point in series]
    ends = [point.events for point in series]
    if not ends:
        raise ConfigError(
            "expected points in the score series to see where the model became worse, found none",
            "name two versions: --good V and --bad V; `tidemark log` lists them",
        )
    found = [
        Stretch(ends[max(0, start - 2)], ends[min(start + 1, len(ends) - 1)])
        for start in suspects(values, SUSPECTS_MAX)
    ]
    if len(ends) < 4 or question.bad is not None:  # noqa: PLR2004 - two windows before a fall, one in it, one after
        found.append(Stretch(ends[max(0, len(ends) - 3)], stop))
    return [stretch for stretch in found if stretch.good < stretch.bad]


def _between(bench: Bench, question: Question, window: int, limit: float | None) -> tuple[Stretch, Probe]:
    """Return the two neighbours among the stored versions between which the model became worse, and what to ask.

    To judge a stored version is no replay.
    """
    course = bench.course
    assert question.good is not None, "a person named it"
    stop = course.stop if question.bad is None else question.bad
    if not question.good < stop:
        raise ConfigError(
            "expected a good version that learned less than the bad one, found none",
            "both must be in one lineage; `tidemark log` lists versions",
        )
    walk = Walk(bench, question.good, window)
    walk.go(question.good)
    probe = walk.probe(question.metric)
    if probe is None:
        raise _nothing_to_judge_by()
    values = {question.good: bench.judge(probe, walk.mark().state).goodness}
    stored = {course.places[number]: number for number in range(len(course.places)) if course.versions[number].blob}
    places = [question.good, *(place for place in sorted(stored) if question.good < place <= stop)]
    if places[-1] != stop or len(places) <= 2:  # noqa: PLR2004 - the good one and the bad one
        return Stretch(question.good, stop), probe

    def goodness(place: int) -> float:
        if place not in values:
            values[place] = bench.judge(probe, course.mark(stored[place]).state).goodness
        return values[place]

    line = (goodness(places[0]) + goodness(places[-1])) / 2 if limit is None else limit
    if goodness(places[-1]) > line:
        return Stretch(question.good, stop), probe
    at = first_bad(0, len(places) - 1, lambda number: goodness(places[number]) <= line)
    return Stretch(places[at - 1], places[at]), probe


def _falls(curve: Curve, limit: float | None) -> bool:
    if limit is None:
        return curve.worse
    return curve.found[0].goodness >= limit and curve.crossing(limit) is not None


def _hunt(bench: Bench, question: Question, fallen: list[Curve], limit: float | None) -> Answer:
    """Search the falls that made the model the worst, on the past and on what came; first what very few events brought.

    The first that is certain is the answer; else that of the worst fall.
    """
    suspected = []
    for curve in fallen:
        hunt = Hunt(bench, _closer(bench, question, curve), limit)
        suspected.append((curve.steepest()[1] + hunt.gain(), curve, hunt))
    suspected.sort(key=itemgetter(0), reverse=True)
    least = HUNT_SHARE_MIN * suspected[0][0]
    worst = [each for each in suspected[:HUNTS_MAX] if each is suspected[0] or each[0] >= least]
    looks = {id(hunt): hunt.look() for _, _, hunt in worst}
    worst.sort(key=lambda each: -looks[id(each[2])] if each[2].sharp else math.inf)
    answers: list[Answer] = []
    for _, curve, hunt in worst:
        found = hunt.run()
        why = None if found else "the events that made it worse were asked before the version that was thought good"
        answers.append(_answer(question, curve, found=found, why=why))
        if found is not None and found.certain:
            return answers[-1]
    return next((answer for answer in answers if answer.found and answer.found.healed), answers[0])


def _closer(bench: Bench, question: Question, curve: Curve) -> Curve:
    """Return a curve whose cells are short enough to be searched."""
    while max(b - a for a, b in pairwise(curve.places)) > CELL_MAX:
        at = curve.steepest()[0]
        stretch = Stretch(curve.places[max(0, at - 3)], curve.places[min(at + 1, len(curve.places) - 1)])
        (curve,) = survey(bench, [stretch], question.metric, question.window, curve.probe)
    return curve


def _answer(question: Question, curve: Curve, found: Found | None = None, why: str | None = None) -> Answer:
    good = curve.places[0] if question.good is None else question.good
    return Answer(found, why, good, len(curve.probe.xs), curve.good, _worst(curve))


def _worst(curve: Curve) -> Judgement:
    return min(curve.found, key=lambda each: each.goodness)


def _nothing_fell(curves: list[Curve], question: Question) -> Answer:
    """Say that no state is bad."""
    curve = max(curves, key=lambda each: each.good.goodness - _worst(each).goodness)
    if question.threshold is None:
        why = "no state is noticeably worse than the one before"
    else:
        why = f"no state that was better than {question.threshold:g} before became worse than that"
    return _answer(question, curve, why=why)


def _nothing_to_judge_by() -> ConfigError:
    return ConfigError(
        f"expected at least {PROBE_MIN} labeled events before the good version to judge states by, found fewer",
        "name a version that has learned some: --good V; `tidemark log` lists them",
    )
