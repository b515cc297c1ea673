"""What a learner is made of, and what it gives to a version."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from river import compose

from learners.baselines import Baseline
from learners.golden import INPUTS_MAX
from learners.pending import Pending
from learners.progressive import Scores, Tally
from learners.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Point:
    """The scores after `learned` events: one point of the series."""

    learned: int
    scores: Scores
    baselines: Mapping[str, Scores]


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a version keeps: the learner's bytes, and what its segment predicted and scored.

    `digest` is the sha256 of the segment's predictions, `golden` a text that `Learner.restore` checks.
    """

    state: bytes
    learned: int
    digest: str
    golden: str
    scores: Scores
    baselines: Mapping[str, Scores]
    points: tuple[Point, ...]


@dataclass(slots=True)
class Parts:
    """All that is saved. `learned` counts events of the whole lineage, `absent` and `not_finite` unusable answers."""

    recipe: Recipe
    features: tuple[str, ...]
    metrics: tuple[str, ...]
    window: int
    model: Any
    probabilities: bool
    tally: Tally
    baselines: dict[str, tuple[Baseline, Tally]]
    learned: int = 0
    last_point: int = 0
    absent: int = 0
    not_finite: int = 0
    inputs: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=INPUTS_MAX))
    pending: Pending | None = None
    at_question: bool = False

    def learning(self) -> AbstractContextManager[Any]:
        """Return the context in which events are asked and learned."""
        return compose.learn_during_predict() if self.at_question else nullcontext()
