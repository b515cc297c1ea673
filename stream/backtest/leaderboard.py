"""The leaderboard of a backtest: its candidates, best first, each with its distance to the leader."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.metrics import read_metrics
from store.types import Scores
from stream.backtest.asked import Found
from stream.backtest.trial import Outcome

Span = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gap:
    """What a candidate's value is less that of the leader, and its interval: None where there is none, `why` not."""

    difference: float
    low: float | None
    high: float | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A candidate, or a baseline (then there are only scores). `scores` are those that lines are compared by.

    `gap` is None for the leader; `regret` is the cumulative loss less that of the best. `number` is the candidate's.
    """

    name: str
    scores: Mapping[str, float | None]
    number: int | None = None
    gap: Gap | None = None
    regret: float | None = None
    outcome: Outcome | None = None
    leads: bool = False

    @property
    def error(self) -> str | None:
        """Why it came to no end; None if it did."""
        return None if self.outcome is None else self.outcome.error


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """`metric` is the name of the score that is compared, None where there is none; `spans` tells each score's span.

    `compared` is the unit of gaps and regrets: MSE where RMSE is compared. `lines` are sorted: the best first, what
    failed last.
    """

    metric: str | None
    compared: str | None
    spans: Span
    lines: Sequence[Line]
    baselines: Sequence[Line]


def leaderboard(found: Found) -> Leaderboard:
    """Return the leaderboard of what was found: by the regret of what is compared, else by the first metric."""
    verdict = found.verdict
    compared = None if verdict is None else verdict["metric"]
    scores_of = {number: outcome.scores for number, outcome in found.outcomes.items()}
    names = list(next(iter(scores_of.values()), {}))
    metric = "RMSE" if compared == "MSE" and "MSE" not in names else compared
    names.sort(key=lambda name: name != metric)
    spans = {name: _span(name, scores_of.values()) for name in names}
    lines = [_line(found, number, spans) for number in found.outcomes]
    place = _by_regret if compared is not None else _by_score(found, names)
    lines.sort(key=lambda line: (line.error is not None, *place(line), line.name))
    first = found.outcomes.get(0)
    others = {} if first is None else first.baselines
    more = " (up to the failure)" if first is not None and first.error else ""
    baselines = [Line(f"{name}{more}", _values(scores, spans)) for name, scores in others.items()]
    return Leaderboard(metric, compared, spans, lines, baselines)


def went_on(outcome: Outcome) -> bool:
    """Tell whether a learner went on from a version: then its points are of its whole life, all else of the range."""
    return outcome.accounts[0] > outcome.learned


def gaps(verdict: Mapping[str, Any]) -> dict[str, Gap]:
    """Return how far each candidate is from the leader: its value less the leader's.

    >>> pair = {"a": "x", "b": "y", "difference": 0.5, "low": 0.25, "high": 1.0, "why": None}
    >>> gaps({"leader": "x", "pairs": [pair]})
    {'y': Gap(difference=-0.5, low=-1.0, high=-0.25, why=None)}
    """
    leader, found = verdict["leader"], {}
    for pair in verdict["pairs"]:
        if leader not in {pair["a"], pair["b"]} or pair["difference"] is None:
            continue
        low, high, why = pair["low"], pair["high"], pair["why"]
        if pair["b"] == leader:
            found[pair["a"]] = Gap(pair["difference"], low, high, why)
        else:
            found[pair["b"]] = Gap(-pair["difference"], _minus(high), _minus(low), why)
    return found


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _span(name: str, scores: Any) -> str:
    """Return which span of a score is told: some exist over the window alone."""
    return "cumulative" if any(each.get(name, {}).get("cumulative") is not None for each in scores) else "window"


def _values(scores: Scores, spans: Span) -> dict[str, float | None]:
    return {name: scores.get(name, {}).get(span) for name, span in spans.items()}


def _line(found: Found, number: int, spans: Span) -> Line:
    name, outcome, verdict = found.candidates[number].name, found.outcomes[number], found.verdict
    values = _values(outcome.scores, spans)
    if verdict is None or name not in verdict["candidates"]:
        return Line(name, values, number, outcome=outcome)
    regret = verdict["candidates"][name]["regret"]
    return Line(name, values, number, gaps(verdict).get(name), regret, outcome, leads=name == verdict["leader"])


def _by_regret(line: Line) -> tuple[float, ...]:
    return (math.inf if line.regret is None else line.regret,)


def _by_score(found: Found, names: Sequence[str]) -> Any:
    """Return what sorts by the first metric, where nothing can be compared event by event."""
    if not names:
        return lambda _: ()
    sign = -1.0 if read_metrics(names[:1], found.recipes[0].task)[0].make().bigger_is_better else 1.0

    def place(line: Line) -> tuple[float, ...]:
        value = line.scores[names[0]]
        return (math.inf if value is None else sign * value,)

    return place
