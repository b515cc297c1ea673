"""Which of two is better on the same events, in words: what the store's test says, and no more than it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from store.types import Proof, Scores
from stream.report.told import score

SpanName = Literal["cumulative", "window"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The model against one baseline. `better` names it; None where the test cannot tell, or there is none.

    `difference` is of the mean loss (or score) that the test is about, with its confidence sequence [low, high].
    """

    baseline: str
    words: str
    better: str | None = None
    metric: str | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    events: int | None = None


def judge(proof: Proof) -> tuple[Verdict, ...]:
    """Return a verdict for each baseline, in the order in which they are kept."""
    against: Mapping[str, Any] = proof.details.get("against", {})
    names = dict.fromkeys([*proof.baselines, *against])
    return tuple(
        _tested(name, against[name]) if name in against else _untested(name, proof.scores, proof.baselines[name])
        for name in names
    )


def _tested(name: str, found: Mapping[str, Any]) -> Verdict:
    keys = ("better", "metric", "difference", "low", "high", "level", "events")
    known = {key: found.get(key) for key in keys}
    return Verdict(baseline=name, words=_words(name, known, found.get("why")), **known)


def _words(name: str, found: Mapping[str, Any], why: str | None) -> str:
    if found["difference"] is None or found["low"] is None or found["high"] is None:
        return f"Not tested against {name}: {why or 'too few events'}."
    metric, low, high = found["metric"], *sorted((abs(found["low"]), abs(found["high"])))
    over = f"over the same {found['events']:,} events" if found["events"] else "over the same events"
    level = f"{100 * (found['level'] or 0.95):g} %"
    if found["better"] is None:
        return (
            f"No verdict against {name} yet: {over}, the difference in {metric} may be anything from "
            f"{score(found['low'])} to {score(found['high'])} ({level} confidence sequence)."
        )
    which = f"Better than {name}" if found["better"] == "model" else f"Worse than {name}"
    return (
        f"{which}: {over}, the difference in {metric} is {score(abs(found['difference']))}, between {score(low)} "
        f"and {score(high)} ({level} confidence sequence)."
    )


def _untested(name: str, scores: Scores, baseline: Scores) -> Verdict:
    for metric, found in scores.items():
        spans: tuple[SpanName, ...] = ("cumulative", "window")
        for span in spans:
            ours, its = found.get(span), baseline.get(metric, {}).get(span)
            if ours is not None and its is not None:
                both = f"{metric} {score(ours)} and {score(its)} ({span})"
                words = f"Against {name}: {both}; no test of the difference is kept."
                return Verdict(baseline=name, words=words, metric=metric, difference=ours - its)
    return Verdict(baseline=name, words=f"Against {name}: nothing scored yet.")
