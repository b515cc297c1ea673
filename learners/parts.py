"""What a learner is made of, and what it gives to a version."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from river import compose

from learners.board import Board
from learners.calls import paired
from learners.golden import INPUTS_MAX
from learners.health import Health
from learners.pending import Entry, Pending
from learners.points import Point
from learners.progressive import Scores
from learners.recipe import Recipe
from learners.static import NAME
from learners.weights import UNWEIGHTED, Weights, age_of


@dataclass(frozen=True, slots=True)
class Ended:
    """What a segment predicted and scored, when it ends: see `Sealed`."""

    digest: str
    scores: Scores
    baselines: Mapping[str, Scores]
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a version keeps: the learner's bytes, and what its segment predicted and scored.

    `digest` is the sha256 of the segment's predictions, `golden` a text that `Learner.restore` checks. `details` are
    plain values: "outputs": {"absent", "not_finite"}; for classes "confusion": {"labels", "counts", "window"}; if asked
    for "slices": {field: {value: {"events", "window", "scores"}}}; where labels come later "labels": {"asked",
    "learned", "expired", "pending", "late", "clock_us", "delay"}, with "records" (the account of the labels) where they
    have a log of their own; "static": {"of", "since_learned", "events"}: of the model while it is static, else of the
    rival "Static": how many events had been learned before, how many were judged since, and of the rival "absent";
    "intervals": {metric: {"low", "high", "level", "why"}}; "against": {rival: {"metric", "difference", "low", "high",
    "level", "better", "events", "why"}}, where better is "model", the rival, or None.

    `ruin` tells what the model can no longer answer though it could, None if it is sound: do not keep such a version.
    """

    state: bytes
    learned: int
    digest: str
    golden: str
    scores: Scores
    baselines: Mapping[str, Scores]
    points: Sequence[Point]
    details: Mapping[str, Any]
    ruin: str | None = None


@dataclass(slots=True)
class Parts:
    """All that is saved. `learned` counts events of the whole lineage: their label came, and they were judged.

    `static_since` is the count from which on the model is static: it is asked and judged, and learns nothing. `weights`
    say what each event counts for when it is learned. `lessons` are the last events learned, when it was saved.
    `beside` is kept for whoever feeds the learner, as plain values.
    """

    recipe: Recipe
    features: tuple[str, ...]
    metrics: tuple[str, ...]
    window: int
    model: Any
    probabilities: bool
    board: Board
    learned: int = 0
    last_point: int = 0
    inputs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=INPUTS_MAX))
    pending: Pending | None = None
    at_question: bool = False
    static_since: int | None = None
    health: Health = field(default_factory=Health)
    weights: Weights = UNWEIGHTED
    lessons: Iterable[str] = ()
    beside: dict[str, Any] = field(default_factory=dict)

    def learning(self) -> AbstractContextManager[Any]:
        """Return the context in which events are asked and learned."""
        at_question = self.at_question and self.static_since is None
        return compose.learn_during_predict() if at_question else nullcontext()

    @property
    def learn(self) -> Callable[..., Any]:
        """What is done with an event whose label has come; nothing while the model is static."""
        learn, static = self._learn, self.board.rivals.static
        return learn if static is None else static.copying(self.model, learn, self.learned)

    def calls_later(self, ask: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], Callable[[Entry], Any]]:
        """Return how the model is asked, and what is done with a pending event when its label comes."""
        ask, learn = paired(ask, self.learn, remember=False)
        return ask, self._with_age(learn)

    @property
    def learn_alone(self) -> Callable[[Entry], Any]:
        """What the model does with an event, and nobody beside it."""
        return self._with_age(self._learn)

    @property
    def _learn(self) -> Callable[..., Any]:
        if self.static_since is not None:
            return _learn_nothing
        return self._learn_weighted if self.weights else self.model.learn_one

    def _with_age(self, learn: Callable[..., Any]) -> Callable[[Entry], Any]:
        if self.weights.half_life is None:
            return lambda entry: learn(entry.x, entry.y)
        return lambda entry: learn(entry.x, entry.y, age_of(entry))

    def _learn_weighted(self, x: Any, y: Any, age: float = 0.0) -> None:
        """Learn an event by its weight. One that weighs nothing is not learned: some models would divide by zero."""
        if weight := self.weights.of(x, age):
            self.model.learn_one(x, y, w=weight)

    def details(self) -> dict[str, Any]:
        """Return what is known of the predictions beside scores, as plain values."""
        details, static = self.board.details(), self.board.rivals.static
        if self.static_since is not None:
            details["static"] = self._stale("model", self.static_since)
        elif static is not None and static.tally is not None:
            details["static"] = {**self._stale(NAME, static.after), "absent": static.absent}
        return details | self.labels()

    def labels(self) -> dict[str, Any]:
        """Return the part of the details that tells of pending labels, if there are any."""
        return {} if self.pending is None else {"labels": self.pending.account() | self.health.details()}

    def _stale(self, who: str, since: int) -> dict[str, Any]:
        return {"of": who, "since_learned": since, "events": self.learned - since}


def _learn_nothing(*event: Any) -> None:
    del event
