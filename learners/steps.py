"""What unsupervised transformers make of events, each asked about and then learned: river's pipeline, a step at a time.

What it does, in its order, but for its own overhead: transform and ask; then learn, transform and learn. A step goes
through many events before the next does, since it knows of none. A StandardScaler is not called but computed with:
river's sums, operation by operation, on its own state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from river import base, compose, feature_selection, preprocessing

from learners.table import dicts

Xs = list[dict[str, Any]]

SELECTIONS = (compose.Select, compose.Discard, compose.SelectType)
"""Steps that learn nothing, and look at nothing but the event."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the next step of a pipeline sees of some events: when it is asked, and when it learns.

    Both are one list as long as no step has learned; lists must not be changed. `raised` is what a step before it
    raised at the event after these: whoever is asked for that raises it.
    """

    asked: Xs
    learned: Xs
    raised: Exception | None = None

    @classmethod
    def of(cls, xs: Sequence[dict[str, Any]]) -> Seen:
        """Return what the first step sees."""
        given = list(xs)
        return cls(given, given)


def go(steps: Iterable[Any], seen: Seen) -> Seen:
    """Let plain steps learn events, one step after the other; return what the next step sees of them."""
    for step in steps:
        seen = _go(step, seen)
    return seen


def is_plain(step: Any) -> bool:
    """Tell whether a step is one of river's own, learns from features alone, and changes only when it learns."""
    if type(step) in (compose.Pipeline, compose.TransformerUnion):
        return all(map(is_plain, _inside(step)))
    others = compose.TransformerUnion | compose.TransformerProduct | compose.Grouper | compose.FuncTransformer
    others |= feature_selection.PoissonInclusion  # it draws, and remembers, when it transforms
    others |= compose.Renamer  # it changes what it is given
    if not isinstance(step, base.Transformer) or isinstance(step, compose.Pipeline | others):
        return False
    return type(step).__module__.startswith("river.") and not step._supervised  # noqa: SLF001 - river's way to ask


def leaves(steps: Iterable[Any]) -> Iterator[Any]:
    """Give out steps, and instead of pipelines and unions the steps in them."""
    for step in steps:
        if type(step) in (compose.Pipeline, compose.TransformerUnion):
            yield from leaves(_inside(step))
        else:
            yield step


def _inside(step: Any) -> list[Any]:
    found = step.steps if type(step) is compose.Pipeline else step.transformers
    return list(found.values())


def _go(step: Any, seen: Seen) -> Seen:
    kind, new = type(step), seen.asked is seen.learned
    if kind is compose.Pipeline:
        return go(_inside(step), seen)
    if kind is compose.TransformerUnion:
        return _go_together(_inside(step), seen)
    if kind in SELECTIONS and new:
        return _select(step.transform_one, seen)
    if kind is preprocessing.StandardScaler and step.window_size is None and step.with_std:
        return _scale_columns(step, seen) or (_scale(step, seen) if new else _go_through(step, seen))
    return _go_through(step, seen)


def _go_through(step: Any, seen: Seen) -> Seen:
    """Let river transform, learn and transform, event by event."""
    transform, learn = step.transform_one, step.learn_one
    asked: Xs = []
    learned: Xs = []
    try:
        for question, x in zip(seen.asked, seen.learned, strict=True):
            before = transform(question)
            learn(x)
            learned.append(transform(x))
            asked.append(before)
    except Exception as error:  # noqa: BLE001 - the step may raise anything, at an event that it cannot take
        return Seen(asked, learned[: len(asked)], error)
    return Seen(asked, learned, seen.raised)


def _select(transform: Callable[[Any], Any], seen: Seen) -> Seen:
    """Do as `_go_through` with a selection that comes first: it is the same at both times."""
    made: Xs = []
    try:
        for x in seen.learned:
            made.append(transform(x))
    except Exception as error:  # noqa: BLE001 - as above
        return Seen(made, made, error)
    return Seen(made, made, seen.raised)


def _go_together(members: Sequence[Any], seen: Seen) -> Seen:
    """Let each of a union learn the events; put together what they make of each, as a TransformerUnion does."""
    made = [_go(member, seen) for member in reversed(members)]
    count = min(len(each.learned) for each in made)
    raised = next(each.raised for each in made if len(each.learned) == count)
    learned = _united([each.learned for each in made])
    if all(each.asked is each.learned for each in made):
        return Seen(learned, learned, raised)
    return Seen(_united([each.asked for each in made]), learned, raised)


def _united(parts: Sequence[Xs]) -> Xs:
    """Return one dict an event; what comes later goes before, up to where the shortest ends."""
    found: Xs = []
    for those in zip(*parts, strict=False):
        one: dict[str, Any] = {}
        for each in those:
            one.update(each)
        found.append(one)
    return found


def _scale(step: preprocessing.StandardScaler, seen: Seen) -> Seen:
    """Do as `_go_through` with a scaler that is the first to learn: river's sums, in one loop instead of three.

    Source: river.preprocessing.StandardScaler, `transform_one` and `learn_one`; the tests compare every bit.
    """
    counts, means, variances = step.counts, step.means, step.vars
    asked: Xs = []
    learned: Xs = []
    try:
        for x in seen.learned:
            before: dict[str, Any] = {}
            after: dict[str, Any] = {}
            for name, value in x.items():
                variance, mean = variances[name], means[name]
                before[name] = (value - mean) / variance**0.5 if variance else 0.0
                counts[name] = count = counts[name] + 1
                means[name] = now = mean + (value - mean) / count
                variances[name] = variance = variance + ((value - mean) * (value - now) - variance) / count
                after[name] = (value - now) / variance**0.5 if variance else 0.0
            asked.append(before)
            learned.append(after)
    except Exception as error:  # noqa: BLE001 - as above
        return Seen(asked, learned, error)
    return Seen(asked, learned, seen.raised)


def _scale_columns(step: Any, seen: Seen) -> Seen | None:
    """Do as `_go_through`, a feature after the other; None where events lack one, or where not all is float."""
    names = tuple(seen.learned[0]) if seen.learned else ()
    learned = _columns(names, seen.learned)
    asked = learned if seen.asked is seen.learned else _columns(names, seen.asked)
    if learned is None or asked is None:
        return None
    scaled = [_scale_column(step, *each) for each in zip(names, asked, learned, strict=True)]
    before, after = zip(*scaled, strict=True)
    return Seen(dicts(names, before), dicts(names, after), seen.raised)


def _columns(names: tuple[str, ...], xs: Xs) -> list[Sequence[float]] | None:
    """Return the values of each feature; None where there is none, or not all events have these, in floats."""
    if not names or set(map(type, xs)) != {dict} or set(map(tuple, xs)) != {names}:
        return None
    columns: list[Sequence[float]] = list(zip(*map(dict.values, xs), strict=True))
    return columns if all(set(map(type, values)) == {float} for values in columns) else None


def _scale_column(
    step: Any, name: str, asked: Sequence[float], learned: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Scale the values of one feature, each before it is learned and after: the operations of `_scale`."""
    variance, mean, count = step.vars[name], step.means[name], float(step.counts[name])
    root = variance**0.5
    before: list[float] = []
    after: list[float] = []
    ask, learn = before.append, after.append
    for question, value in zip(asked, learned, strict=True):
        ask((question - mean) / root if variance else 0.0)
        apart = value - mean
        count += 1.0
        mean += apart / count
        left = value - mean
        variance += (apart * left - variance) / count
        root = variance**0.5
        learn(left / root if variance else 0.0)
    step.vars[name], step.means[name] = variance, mean
    step.counts[name] += len(learned)
    return before, after
