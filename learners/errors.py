"""What can go wrong in learning: one base, each with what to do about it."""

from __future__ import annotations

from typing import ClassVar

RAISED_BY_MODELS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What constructors, factories and unpickling of models raise; river does not name its errors."""


class LearnerError(Exception):
    """Base of the package's errors: the text says what was expected and found, `hint` what to do.

    >>> LearnerError("no such thing", hint="try another").hint
    'try another'
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


class RecipeError(LearnerError):
    """A recipe that is not river's notation, names what river does not have, or does not fit the task."""

    exit_code = 2


class UnseededRecipe(RecipeError):
    """A recipe with a random part that has no seed: its versions could never be proved or rebuilt."""


class MetricError(LearnerError):
    """A metric that river does not have, or that does not fit the task or the model."""

    exit_code = 2


class StateError(LearnerError):
    """Bytes that do not restore, or that restore to a learner with other golden predictions."""


class LearnFailed(LearnerError):
    """The model raised while it predicted or learned. The learner is tainted: restore it, skip the event, go on.

    `index` is the event's place in the batch (0 is the first), `cause` what the model raised. It is None when the model
    raised on the label of an event of an older batch, which had been pending.
    """

    def __init__(self, index: int | None, cause: Exception) -> None:
        where = "on a label that had been pending" if index is None else f"at event {index} of the batch"
        super().__init__(
            f"the model raised {type(cause).__name__} {where}: {cause}",
            hint="a model that raised may have learned half the event: restore the last version and hold the event",
        )
        self.index = index
        self.cause = cause
