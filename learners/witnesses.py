"""Witnesses: inputs that a model could answer. A model that can no longer answer one of them is ruined.

An answer is sound unless it is not finite. A model that never answered an input soundly is not ruined by being asked it
again: an odd input bears no witness.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.golden import INPUTS_MAX, sound_inputs
from learners.outputs import Outputs
from learners.predictor import Predictor

X = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """An input that was answered soundly once; and what it is answered with now, in words.

    `taught`: only when the model has learned once more what it had learned before.
    """

    x: X
    answer: str
    taught: bool = False

    def in_words(self) -> str:
        """Return it as text.

        >>> Broken({"a": 1}, "nan").in_words()
        'the model answers nan to an input that it could answer: a=1'
        """
        inputs = ", ".join(f"{name}={value!r}" for name, value in self.x.items())
        again = ", once it learns again what it had learned," if self.taught else ""
        return f"the model{again} answers {self.answer} to an input that it could answer: {inputs}"


class Witnesses:
    """Some inputs: `old` ones that were answered when the last version was made, and those answered last.

    While there are no old ones, the first that are answered take their place.
    """

    def __init__(self, old: Iterable[X] = ()) -> None:
        self.old = list(old)
        self.last: deque[X] = deque(maxlen=INPUTS_MAX)

    @classmethod
    def of(cls, golden: str) -> Witnesses:
        """Return those of the golden inputs of a version that were answered soundly."""
        return cls(sound_inputs(golden))

    def take(self, xs: Sequence[X], outputs: Outputs) -> None:
        """Take in the last inputs that were asked, of those that were answered. They must not change any more."""
        if outputs.not_finite:
            numbers = outputs.numbers or outputs.labels
            xs = [x for x, number in zip(xs, numbers, strict=True) if number is not None]
        if len(self.old) < INPUTS_MAX and not self.last:
            self.old += [dict(x) for x in xs[: INPUTS_MAX - len(self.old)]]
        self.last.extend([dict(x) for x in xs[-INPUTS_MAX:]])

    @property
    def xs(self) -> list[X]:
        """All of them."""
        return [*self.old, *self.last]


def asked(predictor: Predictor, x: X) -> Any:
    """Return a model's raw answer, or what it raised."""
    try:
        return predictor.ask(dict(x))
    except Exception as error:  # noqa: BLE001 - the model may be the user's own, and raise anything
        return error


def is_sound(answer: Any, predictor: Predictor) -> bool:
    """Tell whether a raw answer is one, and finite; none at all is sound, too."""
    try:
        return not isinstance(answer, Exception) and not predictor.outputs([answer]).not_finite
    except Exception:  # noqa: BLE001 - the model may be the user's own, and answer anything
        return False


def in_words(answer: Any) -> str:
    """Return an answer as text.

    >>> in_words(float("nan")), in_words(KeyError("a"))
    ('nan', "an error: KeyError('a')")
    """
    return f"an error: {answer!r}" if isinstance(answer, Exception) else repr(answer)
