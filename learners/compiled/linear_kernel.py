"""The loop of a linear model behind a scaler: river's operations in river's order, on arrays. Compiled at import.

A state has a row for each of the following, a column for each feature. What river keeps under a key exists once its
feature came; until then a row holds what river would begin with.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.compiled.jit import inner, kernel

COUNT, MEAN, VAR, ROOT, WEIGHT, KNOWN, FIRST, SECOND, CUMULATED = range(9)
"""Scaler: events, mean, variance and its root. Model: weight; is there one; the optimizer's sums; cumulated l1."""

INTERCEPT, CUMULATED_MAX, STEPS = range(3)
"""Numbers that are not of a feature."""

SCALING, STEPPING, LOSS, LINK, QUICK = range(5)
"""What is chosen: a scaler, an optimizer, a loss, a mean function; whether roots may be taken the quick way."""

PLAIN, CENTERED, STANDARD = range(3)
SGD, ADAGRAD, ADAM, FTRL = range(4)
LOG, HINGE, FOCAL, SQUARED, ABSOLUTE, CAUCHY, INSENSITIVE, QUANTILE, HUBER, POISSON = range(10)
IDENTITY, SIGMOID, EXPONENTIAL = range(3)

L2, L1, CLIP, INITIAL, LOSS_A, LOSS_B, STEP_A, STEP_B, STEP_C, STEP_D, HALF, TWO, MINUS_ONE = range(13)
"""Parameters. The last three are exponents: where one is known beforehand, LLVM takes a root or a product, and libm's
pow, which river's code comes to, rounds otherwise in one case of a thousand."""

ROOTS_MIN, ROOTS_MAX = 1e-200, 1e200
SPLIT = 134217729.0
DOUBT = 1.1

ASK, LEARN = range(2)


@inner
def root(v: float, half: float, quick: int) -> float:
    """Return pow(v, 0.5), by a square root where they cannot differ.

    glibc's pow is within 0.54 units in the last place, so only where the true root is that near the middle between two
    numbers may it not be the nearest. The rest of the root is found exactly (Dekker's product), and weighed with 1.1.
    """
    if quick == 0 or not ROOTS_MIN < v < ROOTS_MAX:
        return v**half
    near = math.sqrt(v)
    spread = SPLIT * near
    high = spread - (spread - near)
    low = near - high
    square = near * near
    error = ((high * high - square) + 2.0 * high * low) + low * low
    rest = ((v - square) - error) * 0.5 / near
    return near if near + DOUBT * rest == near else v**half


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
    if link == SIGMOID:
        return sigmoid(raw)
    return math.exp(raw) if link == EXPONENTIAL else raw


@inner
def binary_gradient(loss: int, y: float, raw: float, a: float, b: float) -> float:
    """Return the gradient of one of river.optim.losses; `y` is 1 or -1."""
    z = raw * y
    if loss == LOG:
        weight = a if y > 0.0 else b
        if z > 18.0:
            return weight * math.exp(-z) * -y
        if z < -18.0:
            return weight * -y
        return weight * -y / (math.exp(z) + 1.0)
    if loss == HINGE:
        return -y if z <= a else 0.0
    p = sigmoid(a * z + b)
    return y * (p - 1.0) if p != 1.0 else 0.0


@inner
def gradient(loss: int, y: float, raw: float, a: float, b: float, two: float) -> float:
    """Return the gradient of one of river.optim.losses; NaN where river would raise."""
    if loss <= FOCAL:
        return binary_gradient(loss, y, raw, a, b)
    rest = raw - y
    if loss == SQUARED:
        return 2.0 * rest
    if loss == ABSOLUTE:
        return 1.0 if raw > y else -1.0
    if loss == CAUCHY:
        square = (rest / a) ** two
        return rest / (square + 1.0) if square < np.inf else np.nan
    if loss == INSENSITIVE:
        center = y * 2.0 - 1.0
        return 1.0 if raw > center + a else -1.0 if raw + a < center else 0.0
    if loss == QUANTILE:
        return (1.0 if y < raw else 0.0) - a
    if loss == HUBER:
        return rest if abs(rest) <= a else a if rest > 0.0 else -a
    return math.exp(raw) - y


@inner
def adam_rate(rate: float, steps: float, options: Any) -> float:
    """Return Adam's step at its next iteration."""
    rate = rate * (1.0 - options[STEP_B] ** (steps + 1.0)) ** options[HALF]
    return rate / (1.0 - options[STEP_A] ** (steps + 1.0))


@inner
def step(kind: int, state: Any, j: int, g: float, rate: float, options: Any, quick: int) -> None:
    """Move one weight by its gradient: the optimizers of river.optim, on one key."""
    half = options[HALF]
    if kind == SGD:
        state[WEIGHT, j] -= g * rate
    elif kind == ADAGRAD:
        state[FIRST, j] += g ** options[TWO]
        state[WEIGHT, j] -= rate / root(state[FIRST, j] + options[STEP_A], half, quick) * g
    elif kind == ADAM:
        m = options[STEP_A] * state[FIRST, j] + (1.0 - options[STEP_A]) * g
        v = options[STEP_B] * state[SECOND, j] + (1.0 - options[STEP_B]) * (g * g)
        state[FIRST, j] = m
        state[SECOND, j] = v
        state[WEIGHT, j] -= rate * m / (root(v, half, quick) + options[STEP_C])
    else:
        alpha, beta, l1, l2 = options[STEP_A], options[STEP_B], options[STEP_C], options[STEP_D]
        z, n = state[FIRST, j], state[SECOND, j]
        before = root(n, half, quick)
        if abs(z) > l1:
            sign = 1.0 if z > 0.0 else -1.0
            state[WEIGHT, j] = -(((beta + before) / alpha + l2) ** options[MINUS_ONE]) * (z - sign * l1)
        square = g ** options[TWO]
        s = (root(n + square, half, quick) - before) / alpha
        state[FIRST, j] = z + (g - s * state[WEIGHT, j])
        state[SECOND, j] = n + square


@inner
def shrink(state: Any, j: int, bound: float) -> None:
    """Take the cumulative l1 penalty from one weight: GLM._update_weights."""
    before = state[WEIGHT, j]
    if before > 0.0:
        state[WEIGHT, j] = max(0.0, before - (bound + state[CUMULATED, j]))
    elif before < 0.0:
        state[WEIGHT, j] = min(0.0, before + (bound - state[CUMULATED, j]))
    state[CUMULATED, j] = state[CUMULATED, j] + (state[WEIGHT, j] - before)


@inner
def scaled(scaling: int, state: Any, j: int, x: float) -> float:
    """Return what the scaler makes of a value."""
    if scaling == PLAIN:
        return x
    if scaling == CENTERED:
        return x - state[MEAN, j]
    return (x - state[MEAN, j]) / state[ROOT, j] if state[VAR, j] != 0.0 else 0.0


@inner
def rescale(scaling: int, state: Any, j: int, x: float, half: float, quick: int) -> None:
    """Let the scaler learn a value: StandardScaler.learn_one."""
    state[COUNT, j] += 1.0
    count, before = state[COUNT, j], state[MEAN, j]
    state[MEAN, j] = before + (x - before) / count
    if scaling == STANDARD:
        var = state[VAR, j] + ((x - before) * (x - state[MEAN, j]) - state[VAR, j]) / count
        state[VAR, j] = var
        state[ROOT, j] = root(var, half, quick)


@inner
def learn(
    row: Any, seen: Any, y: float, w: float, raw: float, rates: Any, choices: Any, options: Any, state: Any, alone: Any
) -> bool:
    """Let the model learn an event whose features are scaled; return whether river would do so without a word."""
    g = gradient(choices[LOSS], y, raw, options[LOSS_A], options[LOSS_B], options[TWO])
    if not (math.isfinite(raw) and math.isfinite(g)):
        return False
    g *= w
    clip, kind, quick = options[CLIP], choices[STEPPING], choices[QUICK]
    g = min(g, clip)
    g = max(g, -clip)
    alone[INTERCEPT] -= rates[0] * g
    rate = adam_rate(rates[1], alone[STEPS], options) if kind == ADAM else rates[1]
    for j in range(len(row)):
        if not math.isnan(row[j]):
            move = seen[j] * g
            if options[L2] != 0.0:
                move += state[WEIGHT, j] * options[L2]
            step(kind, state, j, move, rate, options, quick)
    alone[STEPS] += 1.0
    if options[L1] != 0.0:
        alone[CUMULATED_MAX] = alone[CUMULATED_MAX] + options[L1] * rates[2]
        for j in range(len(row)):
            if not math.isnan(row[j]):
                shrink(state, j, alone[CUMULATED_MAX])
    return True


@kernel(
    "boolean(float64[:, ::1], float64[::1], float64[::1], float64[:, ::1], int64[::1], float64[::1],"
    " float64[:, ::1], float64[::1], float64[::1], float64[::1])"
)
def run(
    xs: Any, ys: Any, ws: Any, rates: Any, choices: Any, options: Any, state: Any, alone: Any, seen: Any, answers: Any
) -> bool:
    """Ask, then teach, event by event; return whether all went as it would in river without a word.

    `xs` is of shape (events, features), NaN where one is missing. `rates`: of the intercept, of the weights, of the
    weights after the step, for each step. `seen` is room for an event's scaled features. No `ys`: ask only. What
    weighs nothing is asked only.
    """
    scaling, half, quick, steps = choices[SCALING], options[HALF], choices[QUICK], 0
    for event in range(len(xs)):
        row, asked, raw = xs[event], 0.0, 0.0
        learns = len(ys) > 0 and ws[event] != 0.0
        for j in range(len(row)):
            x = row[j]
            if math.isnan(x):
                continue
            if state[KNOWN, j] != 0.0:
                asked += state[WEIGHT, j] * scaled(scaling, state, j, x)
            if learns:
                if scaling != PLAIN:
                    rescale(scaling, state, j, x, half, quick)
                if state[KNOWN, j] == 0.0:
                    state[KNOWN, j] = 1.0
                    state[WEIGHT, j] = options[INITIAL]
                seen[j] = scaled(scaling, state, j, x)
                raw += state[WEIGHT, j] * seen[j]
        answers[event] = answer(choices[LINK], asked + alone[INTERCEPT])
        if not math.isfinite(answers[event]):
            return False
        if learns:
            raw += alone[INTERCEPT]
            if not learn(row, seen, ys[event], ws[event], raw, rates[steps], choices, options, state, alone):
                return False
            steps += 1
    return True


@kernel("int64(float64[::1], float64)")
def roots_differ(values: Any, half: float) -> int:
    """Return how many quick roots are not what pow gives."""
    differ = 0
    for value in values:
        differ += root(value, half, 1) != root(value, half, 0)
    return differ
