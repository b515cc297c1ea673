"""The board: all that is told of a model's predictions so far, beside those of the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from learners.baselines import Baseline, baselines
from learners.confusion import confusion_table
from learners.contest import Contest
from learners.metrics import Metric
from learners.outputs import Outputs
from learners.progressive import Scores, Tally
from learners.recipe import Task
from learners.slices import SLICES_MAX, FieldSlices


@dataclass(frozen=True, slots=True)
class Rules:
    """How a model is scored: by which metrics, over how many events, with which fading factor (None: none).

    `slices` are the fields by whose values scores are given too, for at most `slices_max` values each. `bounds` are
    those of losses, by metric.
    """

    metrics: tuple[Metric, ...]
    window: int
    task: Task
    fading: float | None = None
    slices: tuple[str, ...] = ()
    slices_max: int = SLICES_MAX
    bounds: Mapping[str, float] = field(default_factory=dict)

    def tally(self, *, counted: bool = False) -> Tally:
        """Return the scores of one predictor, of nothing yet; `counted`: with counts of pairs in any case."""
        binary, counted = self.task == "binary", counted and self.task != "regression"
        return Tally(self.metrics, self.window, binary=binary, fading=self.fading, counted=counted)


class Board:
    """Scores of the model and of its baselines, and unusable answers since the model was new.

    `absent` counts answers of None or without any probability, `not_finite` those of NaN or infinity.
    """

    def __init__(self, rules: Rules, *, probabilities: bool) -> None:
        self.tally = rules.tally(counted=True)
        self.baselines: dict[str, tuple[Baseline, Tally]] = {
            name: (baseline, rules.tally())
            for name, baseline in baselines(rules.task, probabilities=probabilities).items()
        }
        self.contest = Contest(rules.metrics, rules.bounds, weighted=False)
        self.contest.enter_model(self.tally)
        for name, (_, tally) in self.baselines.items():
            self.contest.enter(name, tally)
        self.slices = [FieldSlices(name, rules.slices_max, rules.window) for name in rules.slices]
        self.absent = 0
        self.not_finite = 0

    def ask(self, outputs: Outputs) -> None:
        """Count what cannot be used of the answers to some events, when they were given."""
        self.absent += outputs.absent
        self.not_finite += outputs.not_finite

    def score(
        self, xs: Sequence[Mapping[str, Any]], ys: Sequence[Any], outputs: Outputs, beside: Sequence[Outputs]
    ) -> None:
        """Score answers by their labels, in order; `beside` are those of the baselines. Not beyond a score point."""
        columns = self.tally.add(ys, outputs)
        for each in self.slices:
            each.add(xs, self.tally.scores, columns)
        others = {
            name: tally.add(ys, answers)
            for (name, (_, tally)), answers in zip(self.baselines.items(), beside, strict=True)
        }
        self.contest.add(columns, others)

    def scores(self) -> Scores:
        """Return the scores of the model now."""
        return self.contest.with_ends(self.tally.values())

    def baseline_scores(self) -> dict[str, Scores]:
        """Return the scores of the baselines now."""
        return {name: self.contest.with_ends(tally.values(), name) for name, (_, tally) in self.baselines.items()}

    def details(self) -> dict[str, Any]:
        """Return what else is known of the predictions, as plain values: the same before and after JSON."""
        details: dict[str, Any] = {"outputs": {"absent": self.absent, "not_finite": self.not_finite}}
        if self.tally.pairs is not None:
            pairs = self.tally.pairs
            details["confusion"] = confusion_table(pairs.total.counts, pairs.counts_in_window())
        if self.slices:
            details["slices"] = {each.name: each.values(self.tally.names, self.tally.scores) for each in self.slices}
        details["intervals"] = self.contest.intervals()
        details["against"] = self.contest.against(list(self.baselines))
        return details

    def renew(self) -> None:
        """Begin a new version: what is counted since the last one begins anew."""
        for tally in (self.tally, *(tally for _, tally in self.baselines.values())):
            tally.renew()
