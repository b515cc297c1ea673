"""The loop of a linear model behind a scaler: river's operations in river's order, on arrays.

A state has a row for each thing that is kept of features (`codes`). What river keeps under a key exists once its
feature came; until then a row holds what river would begin with. Loops over features have no branches where that can
be, so that they become vector instructions; sums are made one feature after the other, as river makes them: to add 0.0
for what is missing changes no bit of a sum that began with 0.0.

What costs: a function called from two places (it is not inlined), a view of a row within an event. Hence the long ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.compiled import codes
from learners.compiled.jit import inner, kernel
from learners.compiled.powers import roots, squares
from learners.compiled.scaling_kernel import center, rescale, standardize


@inner
def sigmoid(z: float) -> float:
    """river.utils.math.sigmoid."""
    if z < -30.0:
        return 0.0
    if z > 30.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(-z))


@inner
def answer(link: int, raw: float) -> float:
    """Return what the model answers: a loss's mean_func."""
    if link == codes.SIGMOID:
        return sigmoid(raw)
    return math.exp(raw) if link == codes.EXPONENTIAL else raw


@inner
def binary_gradient(loss: int, y: float, raw: float, a: float, b: float) -> float:
    """Return the gradient of one of river.optim.losses; `y` is 1 or -1."""
    z = raw * y
    if loss == codes.LOG:
        weight = a if y > 0.0 else b
        if z > 18.0:
            return weight * math.exp(-z) * -y
        if z < -18.0:
            return weight * -y
        return weight * -y / (math.exp(z) + 1.0)
    if loss == codes.HINGE:
        return -y if z <= a else 0.0
    p = sigmoid(a * z + b)
    return y * (p - 1.0) if p != 1.0 else 0.0


@inner
def gradient(loss: int, y: float, raw: float, options: Any) -> float:
    """Return the gradient of one of river.optim.losses; NaN where river would raise."""
    a, b = options[codes.LOSS_A], options[codes.LOSS_B]
    if loss <= codes.FOCAL:
        return binary_gradient(loss, y, raw, a, b)
    rest = raw - y
    if loss == codes.SQUARED:
        return 2.0 * rest
    if loss == codes.ABSOLUTE:
        return 1.0 if raw > y else -1.0
    if loss == codes.CAUCHY:
        square = (rest / a) ** options[codes.TWO]
        return rest / (square + 1.0) if square < np.inf else np.nan
    if loss == codes.INSENSITIVE:
        center = y * 2.0 - 1.0
        return 1.0 if raw > center + a else -1.0 if raw + a < center else 0.0
    if loss == codes.QUANTILE:
        return (1.0 if y < raw else 0.0) - a
    if loss == codes.HUBER:
        return rest if abs(rest) <= a else a if rest > 0.0 else -a
    return math.exp(raw) - y


@inner
def dot(weights: Any, seen: Any) -> float:
    """Return the sum of products, from the first feature to the last."""
    total = 0.0
    for j in range(len(weights)):
        total += weights[j] * seen[j]
    return total


@inner
def step_sgd(here: Any, seen: Any, weights: Any, g: float, l2: float, rate: float) -> None:
    """SGD: `g` is the gradient by the answer."""
    for j in range(len(here)):
        move = seen[j] * g + weights[j] * l2 if l2 != 0.0 else seen[j] * g
        weights[j] = weights[j] - move * rate if here[j] != 0.0 else weights[j]


@inner
def step_adagrad(state: Any, room: Any, rate: float, options: Any, quick: int) -> None:
    """AdaGrad."""
    here, moves, sums, weights = room[codes.HERE], room[codes.MOVE], state[codes.FIRST], state[codes.WEIGHT]
    helps, mores = room[codes.HELP], room[codes.MORE]
    squares(moves, helps, room[codes.DOUBT], options[codes.TWO], quick)
    for j in range(len(here)):
        sums[j] = sums[j] + helps[j] if here[j] != 0.0 else sums[j]
        helps[j] = sums[j] + options[codes.STEP_A]
    roots(helps, mores, room[codes.DOUBT], options[codes.HALF], quick)
    for j in range(len(here)):
        weights[j] = weights[j] - rate / mores[j] * moves[j] if here[j] != 0.0 else weights[j]


@inner
def step_adam(state: Any, room: Any, rate: float, steps: float, options: Any, quick: int) -> None:
    """Adam, after so many steps."""
    here, moves, weights = room[codes.HERE], room[codes.MOVE], state[codes.WEIGHT]
    first, second = state[codes.FIRST], state[codes.SECOND]
    a, b, eps, deviations = options[codes.STEP_A], options[codes.STEP_B], options[codes.STEP_C], room[codes.HELP]
    rate = rate * (1.0 - b ** (steps + 1.0)) ** options[codes.HALF]
    rate /= 1.0 - a ** (steps + 1.0)
    for j in range(len(here)):
        g = moves[j]
        first[j] = a * first[j] + (1.0 - a) * g if here[j] != 0.0 else first[j]
        second[j] = b * second[j] + (1.0 - b) * (g * g) if here[j] != 0.0 else second[j]
    roots(second, deviations, room[codes.DOUBT], options[codes.HALF], quick)
    for j in range(len(here)):
        weights[j] = weights[j] - rate * first[j] / (deviations[j] + eps) if here[j] != 0.0 else weights[j]


@inner
def step_ftrl(state: Any, room: Any, options: Any, quick: int) -> None:
    """FTRLProximal."""
    here, moves, weights = room[codes.HERE], room[codes.MOVE], state[codes.WEIGHT]
    first, second = state[codes.FIRST], state[codes.SECOND]
    alpha, beta, l1, l2 = options[codes.STEP_A], options[codes.STEP_B], options[codes.STEP_C], options[codes.STEP_D]
    before, after = room[codes.HELP], room[codes.MORE]
    roots(second, before, room[codes.DOUBT], options[codes.HALF], quick)
    squares(moves, after, room[codes.DOUBT], options[codes.TWO], quick)
    for j in range(len(here)):
        if here[j] != 0.0:
            z = first[j]
            if abs(z) > l1:
                sign = 1.0 if z > 0.0 else -1.0
                weights[j] = -(((beta + before[j]) / alpha + l2) ** options[codes.MINUS_ONE]) * (z - sign * l1)
            second[j] += after[j]
    roots(second, after, room[codes.DOUBT], options[codes.HALF], quick)
    for j in range(len(here)):
        if here[j] != 0.0:
            first[j] += moves[j] - (after[j] - before[j]) / alpha * weights[j]


@inner
def shrink(state: Any, room: Any, alone: Any, more: float) -> None:
    """Take the cumulative l1 penalty from the weights: GLM._update_weights."""
    here, weights, cumulated = room[codes.HERE], state[codes.WEIGHT], state[codes.CUMULATED]
    bound = alone[codes.CUMULATED_MAX] + more
    alone[codes.CUMULATED_MAX] = bound
    for j in range(len(here)):
        if here[j] != 0.0:
            before = weights[j]
            if before > 0.0:
                weights[j] = max(0.0, before - (bound + cumulated[j]))
            elif before < 0.0:
                weights[j] = min(0.0, before + (bound - cumulated[j]))
            cumulated[j] = cumulated[j] + (weights[j] - before)


@inner
def step(choices: Any, options: Any, state: Any, room: Any, g: float, rate: float, steps: float) -> None:
    """Move the weights by their gradients, by an optimizer of river.optim that is not SGD."""
    seen, moves, weights, kind = room[codes.SEEN], room[codes.MOVE], state[codes.WEIGHT], choices[codes.STEPPING]
    for j in range(len(moves)):
        moves[j] = seen[j] * g + weights[j] * options[codes.L2] if options[codes.L2] != 0.0 else seen[j] * g
    if kind == codes.ADAGRAD:
        step_adagrad(state, room, rate, options, choices[codes.QUICK])
    elif kind == codes.ADAM:
        step_adam(state, room, rate, steps, options, choices[codes.QUICK])
    else:
        step_ftrl(state, room, options, choices[codes.QUICK])


@inner
def begin(here: Any, known: Any, weights: Any, initial: float) -> int:
    """Begin the weights of features that came first; return how many have not come yet."""
    unknown = 0
    for j in range(len(here)):
        if known[j] == 0.0 and here[j] != 0.0:
            known[j] = 1.0
            weights[j] = initial
        unknown += known[j] == 0.0
    return unknown


@kernel(
    "boolean(float64[:, ::1], float64[::1], float64[::1], float64[:, ::1], int64[::1], float64[::1],"
    " float64[:, ::1], float64[::1], float64[:, ::1], float64[::1])"
)
def run(
    xs: Any, ys: Any, ws: Any, rates: Any, choices: Any, options: Any, state: Any, alone: Any, room: Any, answers: Any
) -> bool:
    """Ask, then teach, event by event; return whether all went as it would in river without a word.

    `xs` is of shape (events, features), NaN where one is missing; or of twice as many events: after all as they are
    asked, all as they are taught, by scalers that went ahead. What is NaN in `answers` is not asked. `rates`: of
    intercept, weights, weights once it is done, for each step. No `ys`: ask only. What weighs nothing is not taught.
    """
    here, seen, doubts = room[codes.HERE], room[codes.SEEN], room[codes.DOUBT]
    weights, known = state[codes.WEIGHT], state[codes.KNOWN]
    counts, means, variances, deviations = state[codes.COUNT], state[codes.MEAN], state[codes.VAR], state[codes.ROOT]
    scaling, at, unknown = choices[codes.SCALING], 0, 1
    for event in range(len(answers)):
        for j in range(len(here)):
            here[j] = 0.0 if math.isnan(xs[event, j]) else 1.0
        if not math.isnan(answers[event]):
            if scaling == codes.STANDARD:
                standardize(xs, event, here, means, variances, deviations, seen)
            else:
                center(xs, event, here, means, seen)
            answers[event] = answer(choices[codes.LINK], dot(weights, seen) + alone[codes.INTERCEPT])
            if not math.isfinite(answers[event]):
                return False
        if len(ys) == 0 or ws[event] == 0.0:
            continue
        if scaling == codes.STANDARD:
            rescale(xs, event, here, counts, means, variances)
            roots(variances, deviations, doubts, options[codes.HALF], choices[codes.QUICK])
            standardize(xs, event, here, means, variances, deviations, seen)
        elif scaling != codes.PLAIN or math.isnan(answers[event]):
            if scaling == codes.CENTERED:
                rescale(xs, event, here, counts, means, variances)
            center(xs, event + len(xs) - len(answers), here, means, seen)
        if unknown > 0:
            unknown = begin(here, known, weights, options[codes.INITIAL])
        raw = dot(weights, seen) + alone[codes.INTERCEPT]
        g = gradient(choices[codes.LOSS], ys[event], raw, options)
        if not (math.isfinite(raw) and math.isfinite(g)):
            return False
        g = max(min(g * ws[event], options[codes.CLIP]), -options[codes.CLIP])
        alone[codes.INTERCEPT] -= rates[at, 0] * g
        if choices[codes.STEPPING] == codes.SGD:
            step_sgd(here, seen, weights, g, options[codes.L2], rates[at, 1])
        else:
            step(choices, options, state, room, g, rates[at, 1], alone[codes.STEPS])
        alone[codes.STEPS] += 1.0
        if options[codes.L1] != 0.0:
            shrink(state, room, alone, options[codes.L1] * rates[at, 2])
        at += 1
    return True
