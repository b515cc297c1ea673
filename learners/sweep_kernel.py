"""Sums of a whole batch, noted wherever a point of the score series is: loops of `learners.bulk`, many side by side.

Each sum waits for its own last division; several in one loop need not wait for each other. The order of operations of
each is that of `fold`, `bound` and `bound_differences`, so its bits are.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled.jit import inner, kernel

MEANS = 6
"""Numbers in a row of means: three counts, each with its mean."""
LAP = 4
"""Where the count and the mean are that begin anew at each point."""
LAP_OF_COUNTS = 1
"""Which of three counts of pairs does."""


@inner
def of_four(tn: int, fp: int, fn: int, tp: int, out: Any, mark: int, span: int) -> None:
    """Write what `metrics.of_four` gives, in the order of OF_FOUR; the counts are not all 0."""
    precision = tp / (tp + fp) if tp + fp > 0 else 0.0
    recall = tp / (tp + fn) if tp + fn > 0 else 0.0
    out[0, mark, span] = (tn + tp) / (tn + fp + fn + tp)
    out[1, mark, span] = 2.0 * precision * recall / (precision + recall) if precision + recall > 0.0 else 0.0
    out[2, mark, span] = precision
    out[3, mark, span] = recall


@kernel("void(boolean[::1], boolean[:, ::1], int64[::1], int64[:, :, ::1], float64[:, :, :, ::1])")
def counts(ys: Any, labels: Any, marks: Any, state: Any, out: Any) -> None:
    """Go on with three counts of pairs (FF, FT, TF, TT) of ys and each row of labels; write metrics at marks.

    `state` is of shape (rows, 3, 4), and is changed; the second of three begins anew after each mark but the last.
    `out` is of shape (rows, metrics, marks, 3).
    """
    begin = 0
    for mark in range(len(marks)):
        for row in range(len(labels)):
            first, second, both = 0, 0, 0
            for place in range(begin, marks[mark]):
                first += ys[place]
                second += labels[row, place]
                both += ys[place] & labels[row, place]
            for span in range(3):
                now = state[row, span]
                if span == LAP_OF_COUNTS and mark > 0:
                    now[0], now[1], now[2], now[3] = 0, 0, 0, 0
                now[0] += marks[mark] - begin - first - second + both
                now[1] += second - both
                now[2] += first - both
                now[3] += both
                of_four(now[0], now[1], now[2], now[3], out[row], mark, span)
        begin = marks[mark]


@kernel("void(float64[:, ::1], int64[::1], int64, float64[:, ::1], float64[:, :, ::1])")
def means(values: Any, marks: Any, laps: int, state: Any, out: Any) -> None:
    """Go on with three counts and means of each row of values; write them at every mark.

    `state` has a row (n, a, m, b, k, c) for each of `values`, and is changed; the last pair begins anew after each of
    the first `laps` marks. `out` is of shape (rows, marks, 6).
    """
    begin = 0
    for mark in range(len(marks)):
        for place in range(begin, marks[mark]):
            for row in range(len(values)):
                value = values[row, place]
                for pair in range(0, MEANS, 2):
                    n = state[row, pair] + 1.0
                    state[row, pair] = n
                    state[row, pair + 1] += (1.0 / n) * (value - state[row, pair + 1])
        for row in range(len(values)):
            for column in range(MEANS):
                out[row, mark, column] = state[row, column]
            if mark < laps:
                state[row, LAP], state[row, LAP + 1] = 0.0, 0.0
        begin = marks[mark]


@kernel("void(float64[:, ::1], int64[::1], float64[:, ::1], float64[:, :, ::1])")
def bounds(values: Any, marks: Any, state: Any, out: Any) -> None:
    """Go on with the confidence sequence (count, sum, squares) of each row of values; write them at every mark.

    `state` has a row for each of `values`; those that follow are of the differences of the first from the others, in
    order. It is changed. `out` is of shape (rows of state, marks, 3). NaN is no value.
    """
    begin, rows = 0, len(values)
    for mark in range(len(marks)):
        for place in range(begin, marks[mark]):
            for row in range(len(state)):
                value = values[row, place] if row < rows else values[0, place] - values[row - rows + 1, place]
                if value == value:  # noqa: PLR0124 - NaN does not
                    n, total = state[row, 0], state[row, 1]
                    difference = value - (total / n if n > 0.0 else 0.0)
                    state[row, 0] = n + 1.0
                    state[row, 1] = total + value
                    state[row, 2] += difference * difference
        for row in range(len(state)):
            for column in range(3):
                out[row, mark, column] = state[row, column]
        begin = marks[mark]


@kernel("void(float64[:, :, ::1], float64[::1], float64[:, :, ::1])")
def ends(states: Any, parts: Any, out: Any) -> None:
    """Write both ends of the interval of each confidence sequence: `ConfidenceSequence.interval`, from 0 to `parts[0]`.

    `states` are what `bounds` writes, of shape (rows, marks, 3), with a value at least in each; `out` is of two a mark.
    """
    most, square, linear, power, base, share, two = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6]
    start = most * most
    for row in range(len(out)):
        for mark in range(out.shape[1]):
            n, spread = states[row, mark, 0], states[row, mark, 2]
            mean = states[row, mark, 1] / n
            v = max(spread, start)
            ell = power * math.log(math.log(v / start) / base + 1.0) + share
            straight = linear * ell
            radius = (math.sqrt(square * v * ell + straight**two) + straight) / n
            out[row, mark, 0] = max(0.0, mean - radius)
            out[row, mark, 1] = min(most, mean + radius)
