"""Which river models are compiled, and why others are not. What it finds is plain values: no numba here.

A class is known by its very type: whoever derives from one may have changed anything.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from river import compose, linear_model, naive_bayes, optim, preprocessing

from learners.compiled import codes
from learners.compiled.inputs import WHOLE_MAX
from learners.table import Layout

LOSSES: dict[type, tuple[str, ...]] = {
    optim.losses.Log: ("weight_pos", "weight_neg"),
    optim.losses.Hinge: ("threshold",),
    optim.losses.BinaryFocalLoss: ("gamma", "beta"),
    optim.losses.Squared: (),
    optim.losses.Absolute: (),
    optim.losses.Cauchy: ("C",),
    optim.losses.EpsilonInsensitiveHinge: ("eps",),
    optim.losses.Quantile: ("alpha",),
    optim.losses.Huber: ("epsilon",),
    optim.losses.Poisson: (),
}
"""The losses that are compiled, in the order of their numbers in the kernel, with their parameters."""

OPTIMIZERS: dict[type, tuple[str, ...]] = {
    optim.SGD: (),
    optim.AdaGrad: ("eps",),
    optim.Adam: ("beta_1", "beta_2", "eps"),
    optim.FTRLProximal: ("alpha", "beta", "l1", "l2"),
}
"""The optimizers that are compiled, likewise."""

SELECTIONS = {compose.Select, compose.Discard}

SCHEDULERS = (optim.schedulers.Constant, optim.schedulers.InverseScaling, optim.schedulers.Optimal)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear model. Numbers of optimizer and loss are those of `codes`."""

    optimizer: int
    loss: int
    options: tuple[float, ...]
    losses: tuple[float, ...]
    optimizers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Branch:
    """Part of a union, or the steps before a model: selected features, then scalers (`ahead`) or an encoder (`hot`).

    `part` is its name in the union, None where there is none. The others are those of `Found`.
    """

    part: str | None
    names: tuple[str, ...]
    selected: str | None
    whole: bool
    ahead: tuple[str, ...]
    hot: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What was recognised: names of the steps of a pipeline, and the features that come to its model.

    `selected`: the step that selects or discards features; with `whole` river raises where one is missing. `ahead`:
    scalers that go ahead of the model. `scaler`: the one that a linear model has within, in the way `scaling` (see
    `codes`). `model` is None for a model that stands alone. `names` are in the order of the keys of what river's model
    is given. `linear` is None for a GaussianNB. Where there are encoders, what comes to the model comes by `branches`,
    in the order of their keys; `union` is the name of that step, if there is one.
    """

    names: tuple[str, ...]
    selected: str | None
    whole: bool
    ahead: tuple[str, ...]
    scaler: str | None
    scaling: int
    model: str | None
    linear: Linear | None
    branches: tuple[Branch, ...] = ()
    union: str | None = None

    def last(self, model: Any) -> Any:
        """Return the last step of a river model."""
        return model if self.model is None else model.steps[self.model]


def recognise(model: Any, layout: Layout, task: str) -> Found | str:
    """Return what is to be compiled, or why nothing is."""
    steps = _steps(model)
    first, last = [step for _, step in steps[:-1]], steps[-1][1]
    bayes = type(last) is naive_bayes.GaussianNB
    joins = [step for step in first if type(step) in {compose.TransformerUnion, preprocessing.OneHotEncoder}]
    wrong = None if bayes else _wrong_model(last, task)
    if wrong is None and not bayes:
        wrong = _wrong_numbers(last) or _wrong_optimizer(last) or _wrong_rates(last)
    if joins and not bayes:
        return wrong or _by_branches(steps, layout)
    return wrong or _wrong_steps(steps[:-1]) or _wrong_features(steps[0][1], layout) or _plain(steps, layout)


def _plain(steps: list[tuple[str | None, Any]], layout: Layout) -> Found:
    """Return what is compiled where numbers are scaled, one step after the other."""
    (first_name, first), (last_name, last) = steps[0], steps[-1]
    bayes, selects = type(last) is naive_bayes.GaussianNB, type(first) in SELECTIONS
    scalers = [(str(name), step) for name, step in steps[selects:-1]]
    within = not bayes and [type(step) for _, step in scalers] == [preprocessing.StandardScaler]
    scaling = codes.PLAIN if not scalers else codes.AHEAD
    if within:
        scaling = codes.STANDARD if scalers[0][1].with_std else codes.CENTERED
    return Found(
        names=chosen(first, layout),
        selected=first_name if selects else None,
        whole=type(first) is compose.Select,
        ahead=() if within else tuple(name for name, _ in scalers),
        scaler=scalers[0][0] if within else None,
        scaling=scaling,
        model=last_name,
        linear=None if bayes else _linear(last),
    )


def named_steps(part: Any) -> Mapping[str, Any]:
    """Return the steps of a pipeline by their names; a part that is none is its one step."""
    steps: Mapping[str, Any] = part.steps if type(part) is compose.Pipeline else {type(part).__name__: part}
    return steps


def branch_steps(model: Any, found: Found, branch: Branch) -> Mapping[str, Any]:
    """Return the steps of a branch, by their names."""
    return model.steps if branch.part is None else named_steps(model.steps[found.union].transformers[branch.part])


def _by_branches(steps: list[tuple[str | None, Any]], layout: Layout) -> Found | str:
    """Return what is compiled where there are encoders of categories. River's union has its last keys first."""
    (union, first), (model, last) = steps[0], steps[-1]
    parts: dict[str | None, Any] = {None: dict(steps[:-1])}
    if type(first) is compose.TransformerUnion:
        if len(steps) > 2:  # noqa: PLR2004 - the union and the model
            return "steps between a union and the model are not compiled"
        parts = {name: named_steps(part) for name, part in reversed(first.transformers.items())}
    branches = [_branch(name, part, layout) for name, part in parts.items()]
    found = tuple([each for each in branches if isinstance(each, Branch)])
    for wrong in branches:
        if isinstance(wrong, str):
            return wrong
    for hot in (True, False):
        names = [name for each in found if (each.hot is not None) == hot for name in each.names]
        if len(set(names)) < len(names):
            return "a union with a feature in two of its branches is not compiled"
    return Found((), None, whole=False, ahead=(), scaler=None, scaling=codes.AHEAD, model=model,
                 linear=_linear(last), branches=found, union=None if None in parts else union)  # fmt: skip


def _branch(part: str | None, steps: Mapping[Any, Any], layout: Layout) -> Branch | str:
    """Return a branch, or why it is not compiled."""
    (first_name, first), *_ = steps.items()
    (last_name, last) = list(steps.items())[-1]
    hot = type(last) is preprocessing.OneHotEncoder
    scalers = {name: step for name, step in steps.items() if type(step) not in SELECTIONS and step is not last}
    selects = type(first) in SELECTIONS
    names = chosen(first, layout)
    if hot:
        wrong = "scalers ahead of OneHotEncoder are not compiled" if scalers else _wrong_hot(last, names, layout)
    else:
        wrong = _wrong_features(first, layout)
    wrong = wrong or _wrong_steps([(name, step) for name, step in steps.items() if not hot or step is not last])
    ahead = () if hot else tuple([name for name, step in steps.items() if type(step) not in SELECTIONS])
    whole = type(first) is compose.Select
    return wrong or Branch(part, names, first_name if selects else None, whole, ahead, last_name if hot else None)


def _wrong_hot(encoder: Any, names: Sequence[str], layout: Layout) -> str | None:
    if encoder.categories is not None:
        return "OneHotEncoder with categories is not compiled"
    if unknown := [name for name in names if name not in layout.features]:
        return f"Select of what is no feature is not compiled ({', '.join(sorted(map(str, unknown)))})"
    numbers = [name for name in names if name in layout.numbers]
    return f"OneHotEncoder of numbers is not compiled ({', '.join(numbers)})" if numbers else None


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


def _linear(last: Any) -> Linear:
    return Linear(
        optimizer=list(OPTIMIZERS).index(type(last.optimizer)),
        loss=list(LOSSES).index(type(last.loss)),
        options=(last.l2, last.l1, last.clip_gradient, last.initializer.value),
        losses=_values(last.loss, LOSSES),
        optimizers=_values(last.optimizer, OPTIMIZERS),
    )


def _steps(model: Any) -> list[tuple[str | None, Any]]:
    return list(model.steps.items()) if type(model) is compose.Pipeline else [(None, model)]


def _values(part: Any, known: dict[type, tuple[str, ...]]) -> tuple[float, ...]:
    return tuple(getattr(part, name) for name in known[type(part)])


def _wrong_model(last: Any, task: str) -> str | None:
    name = type(last).__name__
    if type(last) not in {linear_model.LogisticRegression, linear_model.LinearRegression}:
        return f"{name} is not compiled"
    expected = "binary" if type(last) is linear_model.LogisticRegression else "regression"
    if task != expected:
        return f"{name} is compiled for the task {expected}, not for {task}"
    if type(last.loss) not in LOSSES or isinstance(last.loss, optim.losses.BinaryLoss) != (task == "binary"):
        return f"{name} with the loss {type(last.loss).__name__} is not compiled"
    return None


def _wrong_steps(first: list[tuple[str | None, Any]]) -> str | None:
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


def _wrong_features(first: Any, layout: Layout) -> str | None:
    if type(first) is compose.Select:
        unknown = [name for name in first.keys if name not in layout.features]
        if unknown:
            return f"Select of what is no feature is not compiled ({', '.join(sorted(map(str, unknown)))})"
    others = [name for name in chosen(first, layout) if name in layout.others]
    if others:
        return f"features that are no numbers are not compiled ({', '.join(others)})"
    return None


def _wrong_numbers(last: Any) -> str | None:
    name = type(last).__name__
    if type(last.initializer) not in {optim.initializers.Zeros, optim.initializers.Constant}:
        return f"{name} with the initializer {type(last.initializer).__name__} is not compiled"
    values = {each: getattr(last, each) for each in ("l2", "l1", "clip_gradient", "intercept_init")}
    values |= {"initializer": last.initializer.value}
    for known, part in ((LOSSES, last.loss), (OPTIMIZERS, last.optimizer)):
        values |= {f"{type(part).__name__}.{each}": getattr(part, each) for each in known.get(type(part), ())}
    for each, value in values.items():
        if not _is_number(value):
            return f"{name} with {each} = {value!r} is not compiled, it must be a finite number"
        if value == 0 and (each == "Cauchy.C" or (each.startswith("Log.") and type(value) is int)):
            return f"{name} with {each} = 0 is not compiled"
    return None


def _wrong_optimizer(last: Any) -> str | None:
    name = type(last.optimizer).__name__
    if type(last.optimizer) not in OPTIMIZERS:
        return f"the optimizer {name} is not compiled"
    if type(last.optimizer) is optim.FTRLProximal and last.l1 != 0:
        return "FTRLProximal with l1 of the model is not compiled"
    return None


def _wrong_rates(last: Any) -> str | None:
    rates = {"intercept_lr": last.intercept_lr}
    if type(last.optimizer) is not optim.FTRLProximal:
        rates["lr"] = last.optimizer.lr
    for name, rate in rates.items():
        if type(rate) not in SCHEDULERS:
            return f"{name} with the schedule {type(rate).__name__} is not compiled"
        if type(rate) is optim.schedulers.Constant and not _is_number(rate.learning_rate):
            return f"{name} = {rate.learning_rate!r} is not compiled, it must be a finite number"
    return None


def _is_number(value: Any) -> bool:
    return math.isfinite(value) if type(value) is float else type(value) is int and abs(value) < WHOLE_MAX
