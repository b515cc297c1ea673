"""The steps of a pipeline before its last, gone through once for all the pipelines that begin with them.

What unsupervised transformers make of events depends on nothing that comes after them: pipelines with the same first
steps, that see the same events, each with its label, have the same scaled features. How: `learners.steps`.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import length_hint
from typing import Any, NoReturn

from river import base, compose

from learners.calls import paired
from learners.errors import LearnFailed
from learners.identity import identify
from learners.parts import Parts
from learners.predictor import Predictor
from learners.steps import Seen, go, is_plain, leaves


@dataclass(slots=True)
class Prefix:
    """The first steps of one pipeline, shared by those that `join`.

    `identity` is the same only for equal steps that have learned the same: a model that goes on from a version shares
    nothing with one that begins.
    """

    steps: Mapping[str, Any]
    identity: str

    @classmethod
    def of(cls, parts: Parts) -> Prefix | None:
        """Return the first steps of a learner's model; None where it has none, or another order of calls may be seen.

        That is where labels come later, where events have weights, where unsupervised parts learn when asked, and where
        a copy of the model is made on the way.
        """
        model = parts.model
        plain = parts.pending is None and parts.static_since is None and not parts.weights and not parts.at_question
        if not plain or parts.board.rivals.static is not None or type(model) is not compose.Pipeline:
            return None
        *first, last = model.steps.values()
        if not first or not all(map(is_plain, first)) or not isinstance(last, base.Classifier | base.Regressor):
            return None
        if not type(last).__module__.startswith("river."):
            return None  # it may change what it is given
        if len({id(step) for step in leaves(first)}) < len(list(leaves(first))):
            return None  # one of them is there twice
        steps = dict(list(model.steps.items())[:-1])
        learned = hashlib.sha256(b"".join(map(pickle.dumps, first))).hexdigest()
        return cls(steps, "|".join([*map(identify, first), learned]))

    def join(self, parts: Parts) -> Ahead:
        """Let a pipeline that begins with the same steps, in the same state, have these; it is asked by what is given.

        The learner must then be given what the steps make of events before it is given the events.
        """
        parts.model.steps.update(self.steps)
        parts.model._plan = None  # noqa: SLF001 - it has the old steps; river builds it anew
        return Ahead(parts)

    def go(self, xs: Sequence[dict[str, Any]]) -> Seen:
        """Let the steps learn the next events; return what they make of each, up to the first at which one raises."""
        return go(self.steps.values(), Seen.of(xs))


class Ahead:
    """A learner whose model's first steps have gone ahead: only its last step is asked and taught."""

    def __init__(self, parts: Parts) -> None:
        last = parts.model[-1]
        self._ask = Predictor(last, parts.recipe.task, probabilities=parts.probabilities).ask
        self._learn = last.learn_one
        self._asked: Iterator[Any] = iter(())
        self._learned: Iterator[Any] = iter(())

    def see(self, seen: Seen) -> None:
        """Take the next events."""
        asked = seen.asked if seen.raised is None else chain(seen.asked, map(_raise, (seen.raised,)))
        self._asked, self._learned = iter(asked), iter(seen.learned)

    def predict_then_learn(self, ys: Sequence[Any], first: int) -> list[Any]:
        """Return the raw answers to the next events: see `rounds.predict_then_learn`."""
        raw: list[Any] = []
        keep, feed = raw.append, iter(ys)
        ask, learn = paired(self._ask, self._learn)
        try:
            for y, asked, learned in zip(feed, self._asked, self._learned, strict=False):
                keep(ask(asked))
                learn(learned, y)
        except Exception as error:  # the model may be the user's own, and raise anything
            raise LearnFailed(first + len(ys) - length_hint(feed) - 1, error) from error
        return raw


def _raise(error: Exception) -> NoReturn:
    raise error
