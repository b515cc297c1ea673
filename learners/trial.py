"""Trials: whether copies of a model still answer what it could, and go on doing so when they learn.

Ruin may be latent: a scaler whose mean is 1e200 answers, until it has learned the next two events. So a copy learns
some events again that the model has learned before (lessons). One of them may be what ruined it, and would ruin any
model: only a model that most lessons break, each of them alone, is ruined.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from learners.parts import Parts
from learners.pending import Entry
from learners.predictor import Predictor
from learners.state import dump, load
from learners.witnesses import Broken, X, asked, in_words, is_sound

REPEATS = 3
"""So often a lesson that is tried alone is learned: latent ruin may need more than one event to show."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Tries copies of the model of one learner. A state is the bytes of a model."""

    parts: Parts

    def state(self, model: Any = None) -> bytes:
        """Return the state of a model, else of the learner's own, as it is now."""
        return dump({"model": self.parts.model if model is None else model})

    def copy(self, state: bytes) -> Any:
        """Return a model in this state."""
        return load(state)["model"]

    def predictor(self, model: Any) -> Predictor:
        """Return what asks a model."""
        return Predictor(model, self.parts.recipe.task, probabilities=self.parts.probabilities)

    def broken(
        self, state: bytes, witnesses: Sequence[X], lessons: Sequence[Entry], probes: Sequence[X] = ()
    ) -> Broken | None:
        """Return what a model cannot answer, or can no longer when it has learned; None if it is sound.

        Witnesses must be answered. Probes only after a lesson, if they were answered before it.
        """
        model = self.copy(state)
        predictor = self.predictor(model)
        for x in witnesses:
            if not is_sound(answer := asked(predictor, x), predictor):
                return Broken(x, in_words(answer))
        probes = [*witnesses, *probes]
        if self.taught(model, lessons, probes) is None:
            return None
        found = [self.taught(self.copy(state), [lesson] * REPEATS, probes) for lesson in lessons]
        broken = [each for each in found if each is not None]
        return broken[0] if 2 * len(broken) > len(lessons) else None

    def taught(self, model: Any, lessons: Iterable[Entry], probes: Iterable[X]) -> Broken | None:
        """Teach a model lessons; return what it answered before, and cannot any more. It is changed: give a copy."""
        predictor = self.predictor(model)
        answered = [x for x in probes if is_sound(asked(predictor, x), predictor)]
        learn = replace(self.parts, model=model).learn_alone
        with self.parts.learning():
            for entry in lessons:
                try:
                    predictor.ask(dict(entry.x))
                    learn(replace(entry, x=dict(entry.x)))
                except Exception as error:  # noqa: BLE001 - the model may be the user's own, and raise anything
                    return Broken(entry.x, in_words(error), taught=True)
        for x in answered:
            if not is_sound(answer := asked(predictor, x), predictor):
                return Broken(x, in_words(answer), taught=True)
        return None

    def answer(self, state: bytes, x: X) -> str:
        """Return what a model in this state answers, in words."""
        return in_words(asked(self.predictor(self.copy(state)), x))
