"""A model that is asked about an event, then taught it: what was found when it was asked is remembered until then.

Invariant: answers and state are river's, bit for bit, as long as nobody else teaches the model in between.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")

PLAIN = frozenset({bool, int, float, str, type(None)})
"""Labels of which a deep copy is the label itself: river's trees copy theirs. With another, river goes on alone."""


class Pair(ABC, Generic[Found]):
    """Asks and teaches one model. `remember`: nobody else teaches it between a question and the label of that event."""

    def __init__(self, model: Any, *, remember: bool) -> None:
        self._model = model
        self._remember = remember
        self._plain = True
        self._x: Any = None
        self._found: Found | None = None

    def ask(self, x: Any) -> Any:
        """Do as `predict_proba_one`."""
        self._x = None
        if not self._plain:
            return self._model.predict_proba_one(x)
        answer, found = self._ask(x)
        if self._remember:
            self._x, self._found = x, found
        return answer

    def learn(self, x: Any, y: Any) -> None:
        """Do as `learn_one`."""
        found, self._x = self._found if x is self._x else None, None
        self._plain = self._plain and type(y) in PLAIN
        if self._plain:
            self._learn(x, y, found)
        else:
            self._model.learn_one(x, y)

    @abstractmethod
    def _ask(self, x: Any) -> tuple[Any, Found | None]:
        """Return what `predict_proba_one` does, with what was found on the way."""

    @abstractmethod
    def _learn(self, x: Any, y: Any, found: Found | None) -> None:
        """Do as `learn_one`, with what was found when the model was asked about x; None if it was not asked last."""
