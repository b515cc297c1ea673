"""The steps of a pipeline before its last, gone through once for all the pipelines that begin with them.

What unsupervised transformers make of events depends on nothing that comes after them: pipelines with the same first
steps, that see the same events, each with its label, have the same scaled features. What river's pipeline does, in its
order, but for its own overhead: transform and ask, then learn, transform and learn. A StandardScaler that comes first
is not called but computed with (`_scale`): river's sums, operation by operation, on its own state.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import length_hint
from typing import Any, NoReturn

from river import base, compose, feature_selection, preprocessing

from learners.errors import LearnFailed
from learners.identity import identify
from learners.parts import Parts
from learners.predictor import Predictor
from learners.table import dicts


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
        if not first or not all(map(_is_plain, first)) or not isinstance(last, base.Classifier | base.Regressor):
            return None
        if not type(last).__module__.startswith("river."):
            return None  # it may change what it is given
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
        asked, learned, raised = list(xs), list(xs), None
        for number, step in enumerate(self.steps.values()):
            through = _scale if number == 0 and _is_plain_scaler(step) else _go_through
            try:
                through(step, asked, learned)
            except _RaisedError as error:
                raised = error.cause
                del asked[error.place :], learned[error.place :]
        return Seen(asked, learned, raised)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last step of a pipeline sees of some events: when it is asked, and when it learns.

    `raised` is what a step before it raised at the next event: whoever is asked for that raises it.
    """

    asked: list[dict[str, Any]]
    learned: list[dict[str, Any]]
    raised: Exception | None = None


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
        keep, ask, learn, feed = raw.append, self._ask, self._learn, iter(ys)
        try:
            for y, asked, learned in zip(feed, self._asked, self._learned, strict=False):
                keep(ask(asked))
                learn(learned, y)
        except Exception as error:  # the model may be the user's own, and raise anything
            raise LearnFailed(first + len(ys) - length_hint(feed) - 1, error) from error
        return raw


class _RaisedError(Exception):
    """A step raised at an event."""

    def __init__(self, place: int, cause: Exception) -> None:
        super().__init__(place, cause)
        self.place = place
        self.cause = cause


def _go_through(step: Any, asked: list[dict[str, Any]], learned: list[dict[str, Any]]) -> None:
    """Let a step learn events; put what it makes of each in its place."""
    transform, learn, place = step.transform_one, step.learn_one, 0
    try:
        for place, x in enumerate(learned):
            asked[place] = transform(asked[place])
            learn(x)
            learned[place] = transform(x)
    except Exception as error:  # the step may raise anything, at an event that it cannot take
        raise _RaisedError(place, error) from error


def _scale(step: preprocessing.StandardScaler, asked: list[dict[str, Any]], learned: list[dict[str, Any]]) -> None:
    """Do as `_go_through` with a first step that scales: river's sums, in one loop instead of three.

    Source: river.preprocessing.StandardScaler, `transform_one` and `learn_one`; the tests compare every bit.
    """
    if _scale_columns(step, asked, learned):
        return
    counts, means, variances, place = step.counts, step.means, step.vars, 0
    try:
        for place, x in enumerate(learned):
            before: dict[str, Any] = {}
            after: dict[str, Any] = {}
            for name, value in x.items():
                variance, mean = variances[name], means[name]
                before[name] = (value - mean) / variance**0.5 if variance else 0.0
                counts[name] = count = counts[name] + 1
                means[name] = now = mean + (value - mean) / count
                variances[name] = variance = variance + ((value - mean) * (value - now) - variance) / count
                after[name] = (value - now) / variance**0.5 if variance else 0.0
            asked[place], learned[place] = before, after
    except Exception as error:  # as above
        raise _RaisedError(place, error) from error


def _scale_columns(step: Any, asked: list[dict[str, Any]], learned: list[dict[str, Any]]) -> bool:
    """Do as `_scale`, a feature after the other; False where events lack one, or where not all is float."""
    names = tuple(learned[0]) if learned else ()
    if not names or set(map(tuple, learned)) != {names}:
        return False
    columns = list(zip(*map(dict.values, learned), strict=True))
    if any(set(map(type, values)) != {float} for values in columns):
        return False
    scaled = [_scale_column(step, name, values) for name, values in zip(names, columns, strict=True)]
    before, after = zip(*scaled, strict=True)
    asked[:], learned[:] = dicts(names, before), dicts(names, after)
    return True


def _scale_column(step: Any, name: str, values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Scale the values of one feature, each before and after it is learned: the operations of `_scale`."""
    variance, mean, count = step.vars[name], step.means[name], float(step.counts[name])
    root = variance**0.5
    before: list[float] = []
    after: list[float] = []
    ask, learn = before.append, after.append
    for value in values:
        apart = value - mean
        ask(apart / root if variance else 0.0)
        count += 1.0
        mean += apart / count
        left = value - mean
        variance += (apart * left - variance) / count
        root = variance**0.5
        learn(left / root if variance else 0.0)
    step.vars[name], step.means[name] = variance, mean
    step.counts[name] += len(values)
    return before, after


def _is_plain_scaler(step: Any) -> bool:
    """Tell whether a step scales by all that it has learned: whether `_scale` does as it does."""
    return type(step) is preprocessing.StandardScaler and step.window_size is None and step.with_std


def _raise(error: Exception) -> NoReturn:
    raise error


def _is_plain(step: Any) -> bool:
    """Tell whether a step is one of river's own, learns from features alone, and changes only when it learns."""
    others = compose.TransformerUnion | compose.TransformerProduct | compose.Grouper | compose.FuncTransformer
    others |= feature_selection.PoissonInclusion  # it draws, and remembers, when it transforms
    others |= compose.Renamer  # it changes what it is given
    if not isinstance(step, base.Transformer) or isinstance(step, others):
        return False
    return type(step).__module__.startswith("river.") and not step._supervised  # noqa: SLF001 - river's way to ask
