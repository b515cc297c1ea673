"""The rivals of a model: the baselines that look at no feature, and a static copy of it. Their answers and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from learners.baselines import Baseline, answers
from learners.outputs import Outputs
from learners.pending import Entry
from learners.progressive import Tally
from learners.rounds import Round
from learners.static import NAME, Static
from learners.table import Column

WIDTH = 2
"""An answer that is kept until its label comes takes two places: a label, and its number or probabilities."""

UNANSWERED = (None,) * WIDTH


class Rivals:
    """Answer every event that the model is asked. The static one comes last, once it is there."""

    def __init__(
        self, baselines: Mapping[str, tuple[Baseline, Tally]], static: Static | None, *, numbers: bool
    ) -> None:
        """`numbers`: whether scores take more of an answer than its label."""
        self.baselines = dict(baselines)
        self.static = static
        self.numbers = numbers

    @property
    def tallies(self) -> dict[str, Tally]:
        """The scores of each."""
        found = {name: tally for name, (_, tally) in self.baselines.items()}
        if self.static is not None and self.static.tally is not None:
            found[NAME] = self.static.tally
        return found

    def answer(self, xs: Sequence[Mapping[str, Any]], ys: Sequence[Any]) -> list[Outputs]:
        """Return what each answers to events that have their labels, none of them beyond a copy that is to be made."""
        found = [baseline.predict_then_learn(ys) for baseline, _ in self.baselines.values()]
        if self.static is not None and self.static.tally is not None:
            found.append(self.static.outputs(xs).in_columns())
        return found

    def cold(self, ys: Sequence[Any]) -> int:
        """Return how many of these labels must be learned before baselines answer in arrays: until both have come."""
        if not isinstance(ys, Column) or not len(ys) or all(each.warm for each, _ in self.baselines.values()):
            return 0
        if ys.array.dtype != bool:
            return 1
        last = self.baselines["NoChange"][0].now()[0]
        others = np.flatnonzero(ys.array != (ys.array[0] if last is None else last))
        return min(len(ys), int(others[0]) + 2) if others.size else len(ys)

    def answer_ahead(self, part: Round, outputs: Outputs, learned: int) -> None:
        """Give what was asked in a round its answers: the model's `outputs`, then that of each rival.

        Rivals know the labels that had been revealed by then. All are judged when the labels come. `learned` events had
        been judged before the round.
        """
        ys = [entry.y for entry in part.revealed]
        columns: list[Iterable[Any]] = [*self._kept(outputs)]
        for baseline, _ in self.baselines.values():
            columns += [map(column.__getitem__, part.before) for column in answers(baseline, ys)]
        for entry, given in zip(part.asked, zip(*columns, strict=True), strict=True):
            entry.answers = given
        if self.static is None or self.static.model is None:
            return
        after = self.static.after - learned
        asked = [entry for entry, count in zip(part.asked, part.before, strict=True) if count >= after]
        given = self._kept(self.static.outputs([entry.x for entry in asked]))
        for entry, answer in zip(asked, zip(*given, strict=True), strict=True):
            entry.answers += answer

    def _kept(self, outputs: Outputs) -> tuple[Sequence[Any], Sequence[Any]]:
        """Return what is kept of answers: numbers only where scores take them."""
        return outputs.labels, outputs.numbers if self.numbers else [None] * len(outputs.labels)

    def answered(self, entries: Iterable[Entry]) -> list[Outputs]:
        """Return what was answered to events whose labels have come: by the model, then by each rival."""
        given = [entry.answers for entry in entries]
        width = WIDTH * (1 + len(self.tallies))
        if self.static is not None and self.static.tally is not None:
            given = [each if len(each) == width else each + UNANSWERED for each in given]
        columns = list(map(list, zip(*given, strict=False)))
        return [Outputs(columns[place], columns[place + 1]) for place in range(0, width, WIDTH)]
