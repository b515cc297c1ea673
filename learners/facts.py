"""What can be read of a learner without asking its model."""

from __future__ import annotations

from typing import Any

from learners.parts import Parts
from learners.progressive import Scores
from learners.recipe import Recipe
from learners.running import Running


class Facts:
    """The facts about a learner that is made of these parts, and whose model is run so."""

    def __init__(self, parts: Parts, running: Running) -> None:
        self._parts = parts
        self._running = running

    @property
    def why_river(self) -> str | None:
        """Why river runs the model on events in columns after all, once that is known."""
        return self._running.why

    @property
    def lends(self) -> bool:
        """Whether its model takes no time to write down, however large it is."""
        return self._running.lends

    @property
    def will_lend(self) -> bool:
        """Whether `lends` is to be expected, now or once its model is compiled."""
        return self._running.lends or self._running.will_lend

    @property
    def away(self) -> bool:
        """Whether river had the last batch as an exception, and `lends` will be true again after the next."""
        return self._running.away

    @property
    def recipe(self) -> Recipe:
        """The recipe that the model was built from."""
        return self._parts.recipe

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, in the order in which the model sees them."""
        return self._parts.features

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics, in the order in which they were asked for."""
        return self._parts.metrics

    @property
    def window(self) -> int:
        """Events of the windowed scores, and from one score point to the next."""
        return self._parts.window

    @property
    def learned(self) -> int:
        """Events learned since the model was new; while it was static, those that it would have learned."""
        return self._parts.learned

    @property
    def static(self) -> bool:
        """Whether the model is static: it is asked and judged as ever, and learns nothing."""
        return self._parts.static_since is not None

    @property
    def exclusive(self) -> bool:
        """Whether it is proved only where nobody asks a model: see `Written`."""
        return self._parts.at_question and not self.static

    @property
    def asked(self) -> int:
        """Events asked since the model was new: the number of the next one."""
        return self.learned if self._parts.pending is None else self._parts.pending.asked

    @property
    def pending(self) -> int:
        """Events that were predicted, and whose label has not come."""
        return 0 if self._parts.pending is None else len(self._parts.pending)

    @property
    def expired(self) -> int:
        """Events whose label never came, since the model was new."""
        return 0 if self._parts.pending is None else self._parts.pending.expired

    @property
    def beside(self) -> dict[str, Any]:
        """What is saved, restored and rolled back with the learner, which never looks at it: plain values."""
        return self._parts.beside

    @property
    def struck(self) -> tuple[int, ...]:
        """The numbers of the events that were struck out, since the model was new."""
        return () if self._parts.pending is None else self._parts.pending.struck

    def scores(self) -> Scores:
        """Return {metric: {"cumulative", "window", "since_last", "low", "high"}} now, and "faded" if asked for.

        None is undefined; low and high are an interval of the cumulative value.
        """
        return self._parts.board.scores()

    def baseline_scores(self) -> dict[str, Scores]:
        """Return {baseline: scores}: NoChange, and Prior (Mean for a regression)."""
        return self._parts.board.baseline_scores()

    def details(self) -> dict[str, Any]:
        """Return what else is known of the predictions, as plain values: see `Sealed`."""
        return self._parts.details()
