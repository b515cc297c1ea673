"""What may come before a model that is compiled: selections, scalers, encoders, unions of them; and what may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from river import compose, preprocessing

from learners.table import Layout

SELECTIONS = {compose.Select, compose.Discard}

JOINS = {compose.TransformerUnion, preprocessing.OneHotEncoder, preprocessing.FeatureHasher}
"""Where one of these is, what comes to the model comes by branches."""

WORDS = {str, bool}
"""Categories of these types are told apart by `==` as their names are."""

COLUMNS_MAX = 1024
"""With more categories than these, river's dicts of the few that an event has cost less than columns of all."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Part of a union, or the steps before a model: selected features, then scalers (`ahead`), or one encoder.

    `hot` is the name of a OneHotEncoder, `hashed` that of a FeatureHasher; `light`: one with a key for each
    feature of an event at most, without zeros. `part` is the name of the branch in the
    union, None where there is none. The others are those of `Found`.
    """

    part: str | None
    names: tuple[str, ...]
    selected: str | None
    whole: bool
    ahead: tuple[str, ...]
    hot: str | None = None
    hashed: str | None = None
    light: bool = False


def branched(steps: Sequence[tuple[str | None, Any]], layout: Layout) -> tuple[tuple[Branch, ...], str | None] | str:
    """Return the branches of the steps before a model, in the order of their keys, and the name of the union, if any.

    River's union has its last keys first.
    """
    union, first = steps[0]
    parts: dict[str | None, Any] = {None: dict(steps)}
    if type(first) is compose.TransformerUnion:
        if len(steps) > 1:
            return "steps between a union and the model are not compiled"
        parts = {name: named_steps(part) for name, part in reversed(first.transformers.items())}
    branches = [_branch(name, part, layout) for name, part in parts.items()]
    found = tuple([each for each in branches if isinstance(each, Branch)])
    for wrong in branches:
        if isinstance(wrong, str):
            return wrong
    hot, hashed = [each for each in found if each.hot], [each for each in found if each.hashed]
    if len(hashed) > 1 or (hashed and not all(each.light for each in hot)):
        return f"a union of FeatureHasher and {'OneHotEncoder with zeros' if hot else 'another'} is not compiled"
    for alike in (hot, [each for each in found if not each.hot and not each.hashed]):
        names = [name for each in alike for name in each.names]
        if len(set(names)) < len(names):
            return "a union with a feature in two of its branches is not compiled"
    return found, None if None in parts else union


def named_steps(part: Any) -> Mapping[str, Any]:
    """Return the steps of a pipeline by their names; a part that is none is its one step."""
    steps: Mapping[str, Any] = part.steps if type(part) is compose.Pipeline else {type(part).__name__: part}
    return steps


def branch_steps(model: Any, union: str | None, branch: Branch) -> Mapping[str, Any]:
    """Return the steps of a branch, by their names."""
    return model.steps if branch.part is None else named_steps(model.steps[union].transformers[branch.part])


def chosen(first: Any, layout: Layout) -> tuple[str, ...]:
    """Return the features that come to what follows a first step, in the order of their keys.

    >>> chosen(compose.Discard("b"), Layout(("a", "b", "c"), ("a", "c")))
    ('a', 'c')
    """
    if type(first) is compose.Select:
        names: tuple[str, ...] = tuple(first.keys)  # type: ignore[arg-type] # those of features
        return names
    gone = first.keys if type(first) is compose.Discard else ()
    return tuple([name for name in layout.features if name not in gone])


def wrong_steps(first: list[tuple[str | None, Any]]) -> str | None:
    """Say which step before a model is not compiled."""
    for place, (_, step) in enumerate(first):
        name = type(step).__name__
        if type(step) in SELECTIONS:
            if place > 0:
                return f"{name} is compiled only as the first step"
        elif type(step) not in {preprocessing.StandardScaler, preprocessing.MinMaxScaler}:
            return f"{name} is not compiled"
        elif step.window_size is not None:
            return f"{name} with a window_size is not compiled"
    return None


def wrong_features(first: Any, layout: Layout) -> str | None:
    """Say which features that come to what follows a first step are no numbers."""
    others = [name for name in chosen(first, layout) if name in layout.others]
    if wrong := _unknown(first, layout):
        return wrong
    return f"features that are no numbers are not compiled ({', '.join(others)})" if others else None


def _unknown(first: Any, layout: Layout) -> str | None:
    unknown = [name for name in chosen(first, layout) if name not in layout.features]
    return f"Select of what is no feature is not compiled ({', '.join(sorted(map(str, unknown)))})" if unknown else None


def _branch(part: str | None, steps: Mapping[Any, Any], layout: Layout) -> Branch | str:
    """Return a branch, or why it is not compiled."""
    (first_name, first), *_ = steps.items()
    (last_name, last) = list(steps.items())[-1]
    hot, hashed = type(last) is preprocessing.OneHotEncoder, type(last) is preprocessing.FeatureHasher
    before = [(name, step) for name, step in steps.items() if not (hot or hashed) or step is not last]
    ahead = tuple([name for name, step in before if type(step) not in SELECTIONS])
    if (hot or hashed) and ahead:
        return f"scalers ahead of {type(last).__name__} are not compiled"
    wrong = wrong_steps(before)
    if wrong is None:
        wrong = _unknown(first, layout) if hot or hashed else wrong_features(first, layout)
    if wrong is None and (hot or hashed):
        wrong = _wrong_hot(last, chosen(first, layout), layout) if hot else _wrong_hasher(last)
    selected = first_name if type(first) in SELECTIONS else None
    return wrong or Branch(
        part, chosen(first, layout), selected, type(first) is compose.Select, ahead,
        hot=last_name if hot else None, hashed=last_name if hashed else None,
        light=hot and last.drop_zeros and not last.drop_first,
    )  # fmt: skip


def _wrong_hot(encoder: Any, names: Sequence[str], layout: Layout) -> str | None:
    if numbers := [name for name in names if name in layout.numbers]:
        return f"OneHotEncoder of numbers is not compiled ({', '.join(numbers)})"
    return None if encoder.categories is None else _wrong_categories(encoder.categories, names)


def _wrong_hasher(hasher: Any) -> str | None:
    many = hasher.n_features
    return None if type(many) is int and many > 0 else f"FeatureHasher with n_features = {many!r} is not compiled"


def _wrong_categories(categories: Any, names: Sequence[str]) -> str | None:
    """Say what is wrong with categories that are given beforehand. River raises at a feature that has none."""
    name = "OneHotEncoder with categories"
    if type(categories) is not dict or not set(map(type, categories.values())) <= {set, frozenset}:
        return f"{name} that are no sets by feature is not compiled"
    every = [(feature, value) for feature, values in categories.items() for value in values]
    if not {type(value) for _, value in every} <= WORDS:
        return f"{name} that are neither text nor truths is not compiled"
    if len({f"{feature}_{value}" for feature, value in every}) < len(every):
        return f"{name} that share a name is not compiled"
    if len(every) > COLUMNS_MAX:
        return f"{name} is compiled up to {COLUMNS_MAX} of them, not {len(every)}"
    without = [each for each in names if each not in categories]
    return f"{name}, but none of {', '.join(without)}, is not compiled" if without else None
