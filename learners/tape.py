"""The tape: what a model was asked and taught since it was last known to be sound, so that who ruined it can be found.

For a learner that reads again what ruined another one: it costs a copy of the model for every OPERATIONS_MAX.

An event has the number in which it was asked since the model was new: 0 is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from learners.lessons import LESSONS_MAX
from learners.parts import Parts
from learners.pending import Entry
from learners.trial import Trial
from learners.witnesses import Broken, X, is_sound

OPERATIONS_MAX = 4096
"""So many are kept; then, if the model is still sound, they are forgotten. One round may bring as many more."""


@dataclass(frozen=True, slots=True)
class Culprit:
    """The event that ruined the model, by its number, and how; `cause` is what the model raised on it, if it did."""

    number: int
    detail: str
    cause: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Operation:
    """The event with this number was asked (`x`, and what was answered), or learned (`entry`)."""

    number: int
    entry: Entry | None
    x: X | None = None
    answer: Any = None


class Tape:
    """Notes what is done with one learner's model. `asked` is the number of the next event that is asked.

    `lessons` are the last that were learned before: they are innocent.
    """

    def __init__(self, parts: Parts, asked: int, lessons: Sequence[Entry]) -> None:
        self._parts = parts
        self._trial = Trial(parts)
        self._asked = asked
        self._taught = parts.learned
        self._before = self._trial.state()
        self._lessons = list(lessons)
        self._operations: list[_Operation] = []
        self._under_way: int | None = None
        self.ruined = False

    def asking(self, ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return what asks as `ask` does."""

        def ask_and_note(x: X) -> Any:
            number = self._under_way = self._asked
            self._asked += 1
            kept = dict(x)
            answer = ask(x)
            self._note(_Operation(number, None, kept, answer))
            return answer

        return ask_and_note

    def learning(self, learn: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return what learns as `learn` does, where each event has its label."""

        def learn_and_note(x: X, y: Any) -> None:
            number = self._under_way = self._taught
            self._taught += 1
            entry = Entry(dict(x), y)
            learn(x, y)
            self._note(_Operation(number, entry))

        return learn_and_note

    def revealing(self, learn: Callable[[Entry], Any]) -> Callable[[Entry], Any]:
        """Return what learns as `learn` does, where labels come later."""

        def learn_and_note(entry: Entry) -> None:
            self._under_way = entry.number
            kept = replace(entry, x=dict(entry.x))
            learn(entry)
            self._note(_Operation(entry.number, kept))

        return learn_and_note

    def _note(self, operation: _Operation) -> None:
        self._under_way = None
        if not self.ruined:
            self._operations.append(operation)

    def look(self, witnesses: Sequence[X]) -> None:
        """Forget what was noted if the model is sound. Looks only where there is much; call it where nothing learns."""
        if len(self._operations) < OPERATIONS_MAX or self.ruined:
            return
        state, lessons = self._trial.state(), self._innocent
        self.ruined = self._trial.broken(state, witnesses, lessons) is not None
        if not self.ruined:
            self._before, self._lessons, self._operations = state, self._learned(), []

    def culprit(self, witnesses: Sequence[X], cause: Exception | None) -> Culprit | None:
        """Return who ruined the model; None if it is sound. `cause`: what it raised just now.

        What it raised on may be innocent: if it had been ruined before, somebody else is to blame.
        """
        after = self._run(self._before, self._operations)
        broken = self._trial.broken(after, witnesses, self._innocent)
        if broken is not None:
            return self._find(broken)
        if cause is None or self._under_way is None:
            return None
        return Culprit(self._under_way, repr(cause), cause)

    def _learned(self) -> list[Entry]:
        """Return the last that were learned."""
        learned = [each.entry for each in self._operations if each.entry is not None]
        return [*self._lessons, *learned][-LESSONS_MAX:]

    @property
    def _innocent(self) -> list[Entry]:
        """Lessons from before; where there are none, since nothing was learned before, the last ones."""
        return self._lessons or self._learned()

    def _find(self, broken: Broken) -> Culprit:
        """Return the event that the model was sound before, and not after, by halving."""
        sound, ruined, state = 0, len(self._operations), self._before
        answered = max((place for place in range(ruined) if self._was_answered(place, broken.x)), default=-1)
        while ruined - sound > 1:
            middle = (sound + ruined) // 2
            reached = self._run(state, self._operations[sound:middle])
            if self._broken(reached, broken, asked=middle > answered):
                ruined = middle
            else:
                sound, state = middle, reached
        operation = self._operations[sound]
        after = self._run(state, [operation])
        found = self._broken(after, broken, asked=ruined > answered) or broken
        done = "asked" if operation.entry is None else "learned"
        before = self._trial.answer(state, found.x)
        return Culprit(operation.number, f"when this event had been {done}, {found.in_words()}; before, {before}")

    def _broken(self, state: bytes, broken: Broken, *, asked: bool) -> Broken | None:
        """Try a state; what was broken in the end must be answered only if it had been asked by then."""
        must = [broken.x] if asked and not broken.taught else []
        return self._trial.broken(state, must, self._innocent, [broken.x])

    def _was_answered(self, place: int, x: X) -> bool:
        operation = self._operations[place]
        return operation.x == x and is_sound(operation.answer, self._trial.predictor(self._parts.model))

    def _run(self, state: bytes, operations: list[_Operation]) -> bytes:
        """Return the state after some operations, which raised nothing when they were noted."""
        model = self._trial.copy(state)
        ask, learn = self._trial.predictor(model).ask, replace(self._parts, model=model).learn_alone
        with self._parts.learning():
            for each in operations:
                if each.entry is not None:
                    learn(replace(each.entry, x=dict(each.entry.x)))
                else:
                    ask(dict(each.x or {}))
        return self._trial.state(model)
