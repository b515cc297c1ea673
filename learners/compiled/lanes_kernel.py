"""The loop of a linear model behind a StandardScaler where nothing is missing: eight features side by side.

The operations are those of `linear_kernel`, in their order, on another layout: so that all of an event but its two sums
and its answer are a few vector instructions, and the next event is scaled while this one waits for its exponential.

What it takes: indices that are unsigned (else numba asks of each whether it is negative), loops of a known length, rows
that are a known distance apart (else nobody knows that they are apart), and no sum of floats in a loop of vectors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from learners.compiled import codes
from learners.compiled.jit import inner, kernel
from learners.compiled.linear_kernel import answer, gradient
from learners.compiled.powers import LEAST, MOST, ROOT_MARGIN, SPLIT

LANES, ROWS, KEPT = 8, 8, 5
"""Features of a block; its rows; and the first of them, which are those of a linear model's state."""

ONE, EIGHT, BLOCK = (np.uint64(each) for each in (1, LANES, ROWS * LANES))
NONE = np.uint64(0)
COUNTS, MEANS, VARIANCES, ROOTS, WEIGHTS, ASKED, TAUGHT, DOUBTS = (np.uint64(LANES * row) for row in range(ROWS))
"""Where in a block its rows begin: five of the state; an event as it is asked, as it is taught; are roots in doubt."""


@inner
def scale(xs: Any, event: Any, block: Any, first: Any, state: Any) -> int:
    """Scale what a block has of an event, ask and learn; return how many roots are in doubt: see `powers.roots`."""
    doubts = 0
    for j in range(NONE, EIGHT):
        x, mean, var = xs[event, first + j], state[block + MEANS + j], state[block + VARIANCES + j]
        value = (x - mean) / state[block + ROOTS + j]
        state[block + ASKED + j] = value if var != 0.0 else 0.0
        count = state[block + COUNTS + j] + 1.0
        moved = mean + (x - mean) / count
        v = var + ((x - mean) * (x - moved) - var) / count
        near = math.sqrt(v)
        spread = SPLIT * near
        high = spread - (spread - near)
        low = near - high
        square = near * near
        error = ((high * high - square) + 2.0 * high * low) + low * low
        rest = ((v - square) - error) * 0.5 / near
        certain = (near + ROOT_MARGIN * rest == near) & (v > LEAST) & (v < MOST)
        doubt = 0 if certain | (v == 0.0) else 1
        value = (x - moved) / near
        state[block + TAUGHT + j] = value if v != 0.0 else 0.0
        state[block + COUNTS + j] = count
        state[block + MEANS + j] = moved
        state[block + VARIANCES + j] = v
        state[block + ROOTS + j] = near
        state[block + DOUBTS + j] = float(doubt)
        doubts += doubt
    return doubts


@inner
def mend(xs: Any, event: Any, block: Any, first: Any, state: Any, half: float) -> None:
    """Take the roots that are in doubt by libm."""
    for j in range(NONE, EIGHT):
        if state[block + DOUBTS + j] != 0.0:
            root = state[block + VARIANCES + j] ** half
            state[block + ROOTS + j] = root
            state[block + TAUGHT + j] = (xs[event, first + j] - state[block + MEANS + j]) / root


@inner
def step(state: Any, g: float, l2: float, rate: float) -> None:
    """Move the weights by their gradients: SGD."""
    for block in range(NONE, np.uint64(len(state)), BLOCK):
        for j in range(NONE, EIGHT):
            weight, seen = state[block + WEIGHTS + j], state[block + TAUGHT + j]
            move = seen * g + weight * l2 if l2 != 0.0 else seen * g
            state[block + WEIGHTS + j] = weight - move * rate


@kernel(
    "boolean(float64[:, ::1], int64, float64[::1], float64[:, ::1], int64[::1], float64[::1], float64[::1],"
    " float64[::1], float64[::1])",
    apart=True,
)
def run(
    xs: Any, width: int, ys: Any, rates: Any, choices: Any, options: Any, state: Any, alone: Any, answers: Any
) -> bool:
    """Do as `linear_kernel.run` with SGD and without l1, where all events are asked and learned, and all is known.

    `xs` is of shape (events, features), where the features are `width`, and filled up with 0.0 to a multiple of LANES.
    `state` are the blocks of these features, each of ROWS by LANES. Where it returns False, `alone` is as it was.
    """
    half, clip, l2, intercept = options[codes.HALF], options[codes.CLIP], options[codes.L2], alone[codes.INTERCEPT]
    for event in range(NONE, np.uint64(len(answers))):
        asked, raw = 0.0, 0.0
        for block in range(NONE, np.uint64(len(state)), BLOCK):
            first = block // np.uint64(ROWS)
            if scale(xs, event, block, first, state) > 0:
                mend(xs, event, block, first, state, half)
            for j in range(NONE, min(EIGHT, np.uint64(width) - first)):
                asked += state[block + WEIGHTS + j] * state[block + ASKED + j]
                raw += state[block + WEIGHTS + j] * state[block + TAUGHT + j]
        answers[event] = answer(choices[codes.LINK], asked + intercept)
        raw += intercept
        g = gradient(choices[codes.LOSS], ys[event], raw, options)
        if not (math.isfinite(answers[event]) and math.isfinite(raw) and math.isfinite(g)):
            return False
        g = max(min(g, clip), -clip)
        intercept -= rates[event, NONE] * g
        step(state, g, l2, rates[event, ONE])
    alone[codes.INTERCEPT] = intercept
    alone[codes.STEPS] += float(len(answers))
    return True
