"""The doubt about one learner's model: whether it still answers what it could, and who ruined it if not.

All that is asked here is asked of copies: an answer may cost a model random numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from learners.errors import LearnFailed
from learners.lessons import LESSONS_MAX, Lessons, read_lessons
from learners.outputs import Outputs
from learners.parts import Parts
from learners.pending import Entry
from learners.tape import Culprit, Tape
from learners.trial import Trial
from learners.witnesses import Broken, Witnesses, X

Ask = Callable[[Any], Any]


class Doubt:
    """Belongs to a learner. `mute`: none of the last answers was finite, it is time to ask for a `ruin`."""

    def __init__(self, parts: Parts, golden: str | None, settle: Callable[[], None]) -> None:
        """`settle` is called before the model of the parts is looked at."""
        self._parts = parts
        self._settle = settle
        self._trial = Trial(parts)
        self._witnesses = Witnesses() if golden is None else Witnesses.of(golden)
        self._lessons = deque(read_lessons(parts.lessons), maxlen=LESSONS_MAX)
        self._tape: Tape | None = None
        self.mute = False

    def calls(self, ask: Ask, learn: Callable[[Any, Any], Any]) -> tuple[Ask, Callable[[Any, Any], Any]]:
        """Return how the model is asked and taught, where each event has its label."""
        return (ask, learn) if self._tape is None else (self._tape.asking(ask), self._tape.learning(learn))

    def calls_later(self, ask: Ask, learn: Callable[[Entry], Any]) -> tuple[Ask, Callable[[Entry], Any]]:
        """Return how the model is asked and taught, where labels come later."""
        return (ask, learn) if self._tape is None else (self._tape.asking(ask), self._tape.revealing(learn))

    def take(self, xs: Sequence[Mapping[str, Any]], outputs: Outputs) -> None:
        """Take in what was answered. Call it where nothing learns."""
        self._witnesses.take(xs, outputs)
        if xs:
            self.mute = outputs.not_finite == len(xs)
        if self._tape is not None:
            self._tape.look(self._witnesses.xs)

    def learned(self, entries: Sequence[Entry]) -> None:
        """Take in what was learned, in order."""
        self._lessons.extend(entries[-LESSONS_MAX:])

    def lessons(self) -> Lessons:
        """Return what was learned last, as it is kept."""
        return Lessons(self._lessons)

    def ruin(self) -> Broken | None:
        """Return an input that the model could answer and no longer can, None if it is sound. Raises StateError."""
        self._settle()
        return self._trial.broken(self._trial.state(), self._witnesses.xs, self._lessons)

    @property
    def witnessed(self) -> bool:
        """Whether there is an input that the model could answer when the last version was made."""
        return bool(self._witnesses.old)

    def witness(self, golden: str) -> None:
        """Let the golden inputs of another version bear witness."""
        self._witnesses = Witnesses.of(golden)

    def renew(self) -> tuple[list[X], list[Entry]]:
        """Begin anew, and return the witnesses and lessons so far, for who proves what the learner is now.

        The golden inputs of that are to come: `sealed`.
        """
        witnesses = self._witnesses
        self._witnesses = Witnesses(witnesses.old)
        return witnesses.xs, list(self._lessons)

    def sealed(self, inputs: Sequence[X]) -> None:
        """Go on from the golden inputs of the version that was made since `renew`: those answered soundly."""
        self._witnesses.old = list(inputs) or self._witnesses.old

    def record(self, asked: int) -> None:
        """Note from here on what the model is asked and taught; `asked` is the number of the next event."""
        self._settle()
        self._tape = Tape(self._parts, asked, self._lessons)

    def culprit(self, failed: LearnFailed | None = None) -> Culprit | None:
        """Return who ruined the model since `record`, None if it is sound; `failed`: what came of the last call."""
        assert self._tape is not None, "culprit after record"
        return self._tape.culprit(self._witnesses.xs, None if failed is None else failed.cause)

    @property
    def recording(self) -> bool:
        """Whether it is noted what the model is asked and taught."""
        return self._tape is not None

    @property
    def ruined(self) -> bool:
        """Whether the model was found ruined since `record`, without being asked for."""
        return self._tape is not None and self._tape.ruined
