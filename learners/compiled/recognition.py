"""Which river models are compiled, and why others are not. What it finds is plain values: no numba here.

A class is known by its very type: whoever derives from one may have changed anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from river import compose, linear_model, optim, preprocessing

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

SCHEDULERS = (optim.schedulers.Constant, optim.schedulers.InverseScaling, optim.schedulers.Optimal)


@dataclass(frozen=True, slots=True)
class Found:
    """What was recognised. `scaler` and `model` are names of steps, None for the model itself when it stands alone.

    Numbers of scaling, optimizer and loss are those of `linear_kernel`.
    """

    scaler: str | None
    model: str | None
    scaling: int
    optimizer: int
    loss: int
    options: tuple[float, ...]
    losses: tuple[float, ...]
    optimizers: tuple[float, ...]

    def parts(self, model: Any) -> tuple[Any, Any]:
        """Return scaler (or None) and linear model of a river model."""
        if self.model is None:
            return None, model
        return None if self.scaler is None else model.steps[self.scaler], model.steps[self.model]


def recognise(model: Any, layout: Layout, task: str) -> Found | str:
    """Return what is to be compiled, or why nothing is."""
    steps = _steps(model)
    last_name, last = steps[-1]
    wrong = _wrong_model(last, task) or _wrong_scaler(steps[:-1]) or _wrong_features(layout)
    if wrong is None:
        wrong = _wrong_numbers(last) or _wrong_optimizer(last) or _wrong_rates(last)
    if wrong is not None:
        return wrong
    scaling = 0 if len(steps) == 1 else 2 if steps[0][1].with_std else 1
    return Found(
        scaler=steps[0][0] if len(steps) > 1 else None,
        model=last_name,
        scaling=scaling,
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


def _wrong_scaler(first: list[tuple[str | None, Any]]) -> str | None:
    if len(first) > 1:
        return "several steps before the model are not compiled"
    for _, step in first:
        if type(step) is not preprocessing.StandardScaler:
            return f"{type(step).__name__} is not compiled"
        if step.window_size is not None:
            return "StandardScaler with a window_size is not compiled"
    return None


def _wrong_features(layout: Layout) -> str | None:
    if layout.others:
        return f"features that are no numbers are not compiled ({', '.join(layout.others)})"
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
