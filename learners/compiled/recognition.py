"""Which river models are compiled, and why others are not. What it finds is plain values: no numba here.

A class is known by its very type: whoever derives from one may have changed anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from river import compose, linear_model, naive_bayes, optim, preprocessing

from learners.compiled import codes
from learners.compiled.branches import JOINS, SELECTIONS, Branch, branched, chosen, wrong_features, wrong_steps
from learners.compiled.inputs import WHOLE_MAX
from learners.compiled.tree_options import TREE, wrong_tree
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
class Found:
    """What was recognised: names of the steps of a pipeline, and the features that come to its model.

    `selected`: the step that selects or discards features; with `whole` river raises where one is missing. `ahead`:
    scalers that go ahead of the model. `scaler`: the one that a linear model has within, in the way `scaling` (see
    `codes`). `model` is None for a model that stands alone. `names` are in the order of the keys of what river's model
    is given. `linear` is None for GaussianNB and trees. Where there are encoders, what comes to the model comes by
    `branches`, in the order of their keys; `union` is the name of that step, if there is one.
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

    @property
    def slotted(self) -> bool:
        """Whether an event has few keys of many, so that what comes to the model has slots instead of columns."""
        encoders = [each for each in self.branches if each.hot or each.hashed]
        return bool(encoders) and all(each.light or each.hashed for each in encoders)

    def last(self, model: Any) -> Any:
        """Return the last step of a river model."""
        return model if self.model is None else model.steps[self.model]


def recognise(model: Any, layout: Layout, task: str) -> Found | str:
    """Return what is to be compiled, or why nothing is."""
    steps = _steps(model)
    first, last = [step for _, step in steps[:-1]], steps[-1][1]
    bayes = type(last) in {naive_bayes.GaussianNB, TREE}
    wrong = None if bayes else _wrong_model(last, task)
    wrong = wrong_tree(last, layout.features) if type(last) is TREE else wrong
    if wrong is None and not bayes:
        wrong = _wrong_numbers(last) or _wrong_optimizer(last) or _wrong_rates(last)
    if any(type(step) in JOINS for step in first):
        wrong = wrong or ("a tree behind a union or an encoder is not compiled" if type(last) is TREE else None)
        return wrong or _by_branches(steps, layout)
    return wrong or wrong_steps(steps[:-1]) or wrong_features(steps[0][1], layout) or _plain(steps, layout)


def _by_branches(steps: list[tuple[str | None, Any]], layout: Layout) -> Found | str:
    """Return what is compiled where there are encoders of categories."""
    by, (model, last) = branched(steps[:-1], layout), steps[-1]
    if isinstance(by, str):
        return by
    linear = None if type(last) is naive_bayes.GaussianNB else _linear(last)
    return Found((), None, whole=False, ahead=(), scaler=None, scaling=codes.AHEAD, model=model, linear=linear,
                 branches=by[0], union=by[1])  # fmt: skip


def _plain(steps: list[tuple[str | None, Any]], layout: Layout) -> Found:
    """Return what is compiled where numbers are scaled, one step after the other."""
    (first_name, first), (last_name, last) = steps[0], steps[-1]
    bayes, selects = type(last) in {naive_bayes.GaussianNB, TREE}, type(first) in SELECTIONS
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
