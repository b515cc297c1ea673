"""The rivals of a model: the baselines that look at no feature, and a static copy of it. Their answers and scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from learners.baselines import Answer, Baseline, answers, outputs_of
from learners.outputs import Outputs
from learners.pending import Entry
from learners.progressive import Tally
from learners.rounds import Round
from learners.static import NAME, Static

UNANSWERED: Answer = (None, None)


class Rivals:
    """Answer every event that the model is asked. The static one comes last, once it is there."""

    def __init__(self, baselines: Mapping[str, tuple[Baseline, Tally]], static: Static | None) -> None:
        self.baselines = dict(baselines)
        self.static = static

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
            found.append(self.static.outputs(xs))
        return found

    def answer_ahead(self, part: Round, learned: int) -> None:
        """Give what was asked in a round the answers of each, knowing the labels that had been revealed by then.

        They are judged when the labels come. `learned` events had been judged before the round.
        """
        ys = [entry.y for entry in part.revealed]
        given = [answers(baseline, ys) for baseline, _ in self.baselines.values()]
        columns = [map(answer.__getitem__, part.before) for answer in given]
        for entry, beside in zip(part.asked, zip(*columns, strict=True), strict=True):
            entry.answers = beside
        if self.static is None or self.static.model is None:
            return
        after = self.static.after - learned
        asked = [entry for entry, count in zip(part.asked, part.before, strict=True) if count >= after]
        for entry, answer in zip(asked, self.static.answers([entry.x for entry in asked]), strict=True):
            entry.answers = (*entry.answers, answer)

    def answered(self, entries: Iterable[Entry]) -> list[Outputs]:
        """Return what each answered to events whose labels have come."""
        given = [entry.answers for entry in entries]
        found = [outputs_of([each[place] for each in given]) for place in range(len(self.baselines))]
        if self.static is not None and self.static.tally is not None:
            place = len(self.baselines)
            found.append(outputs_of([each[place] if len(each) > place else UNANSWERED for each in given]))
        return found
