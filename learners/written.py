"""A learner written down: bytes that were taken in one moment, to be proved later, and elsewhere.

All that is asked here is asked of copies that are made from the bytes, so it may be done in another thread while the
learner goes on: except for what is `exclusive`.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from learners.golden import write_golden
from learners.parts import Parts, Sealed
from learners.pending import Entry
from learners.points import Point
from learners.state import Captured, load, sent, uncollected
from learners.sums import Sum
from learners.trial import Trial
from learners.witnesses import X, asked, is_sound


@dataclass(frozen=True, slots=True)
class Written:
    """A learner that was captured, renewed for its next segment, and what that does not have of its last one.

    `labels` is what the details tell of pending labels, `since` what was counted since the last version. `inputs` are
    to be golden, `witnesses` could be answered, `lessons` were learned last: the learner changes none of them any more.
    `exclusive`: the model learns when it is asked, by a switch that river has for the whole process; so it is proved
    only where nobody asks.
    """

    captured: Captured
    digest: str
    points: Sequence[Point]
    labels: Mapping[str, Any]
    since: Sequence[Sequence[Sum]]
    inputs: Sequence[Mapping[str, Any]]
    witnesses: Sequence[X]
    lessons: Sequence[Entry]
    exclusive: bool

    def sent(self) -> bytes:
        """Return it as bytes for another process of this code, except for its points: see `received`."""
        return sent(replace(self, points=()))

    @staticmethod
    def received(data: bytes) -> Written:
        """Return what was sent; proved, it is the same bytes as where it comes from."""
        written: Written = pickle.loads(data)  # noqa: S301 - a process of our own has sent it
        return written

    def proved(self) -> Sealed:
        """Load the bytes; return what a version keeps, with the golden predictions of a copy. Raises StateError.

        The collector would look at all of these copies, in one piece: whatever else there is to do would wait for it.
        """
        with uncollected():
            return self._proved()

    def _proved(self) -> Sealed:
        state = self.captured.written()
        parts: Parts = load(state)["parts"]
        trial = Trial(parts)
        predictor = trial.predictor(parts.model)
        parts.board.recall(self.since)
        return Sealed(
            state=state,
            learned=parts.learned,
            digest=self.digest,
            golden=write_golden(self.inputs, lambda x: predictor.predict_many(parts.features, [x])[0]),
            scores=parts.board.scores(),
            baselines=parts.board.baseline_scores(),
            points=self.points,
            details=parts.details() | dict(self.labels),
            ruin=self._ruin(trial, parts.model, state),
        )

    def _ruin(self, trial: Trial, copy: Any, state: bytes) -> str | None:
        """Return what a copy can no longer answer, though the model could, in words. The copy learns."""
        predictor = trial.predictor(copy)
        sound = all(is_sound(asked(predictor, x), predictor) for x in self.witnesses)
        if sound and trial.taught(copy, self.lessons, self.witnesses) is None:
            return None
        broken = trial.broken(trial.state(load(state)["parts"].model), self.witnesses, self.lessons)
        return None if broken is None else broken.in_words()
