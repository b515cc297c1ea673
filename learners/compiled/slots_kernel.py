"""The loops of models behind hashed features: an event has slots, each with a number and the column that it is of.

Which column a slot is of differs from event to event, and sums go from slot to slot. So what is kept has a row for each
column; that of an event's columns is taken into a state of the width of an event, goes through the loops of
`linear_kernel` and `bayes_kernel`, and is put back. NaN is a slot without a number.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled import codes
from learners.compiled.bayes_kernel import learn, likelihood
from learners.compiled.jit import inner, kernel
from learners.compiled.linear_kernel import answer, begin, dot, gradient, shrink, step, step_sgd

CLASSES_MAX = 1 << 20
"""What is noted is a column times this, and a class."""


@kernel("void(float64[:, ::1], int64[:, ::1], int64[::1], int64)")
def merge(xs: Any, places: Any, marks: Any, first: int) -> None:
    """Add numbers of one event that are of one column, in the first slot of it; the others are left without a number.

    `marks` has a number for each column, less than `first` until it occurs.
    """
    for event in range(len(xs)):
        for j in range(xs.shape[1]):
            if math.isnan(xs[event, j]):
                continue
            mark, now = marks[places[event, j]], first + event * xs.shape[1]
            if mark >= now:
                xs[event, mark - now] += xs[event, j]
                xs[event, j] = math.nan
            else:
                marks[places[event, j]] = now + j


@inner
def note(order: Any, what: int) -> None:
    """Note what was learned first; `order` begins with how many there are."""
    order[0] += 1
    order[order[0]] = what


@inner
def take(xs: Any, places: Any, event: int, kept: Any, state: Any, room: Any) -> None:
    """Take what is kept of an event's columns."""
    here, seen = room[codes.HERE], room[codes.SEEN]
    for j in range(len(here)):
        there = not math.isnan(xs[event, j])
        here[j] = 1.0 if there else 0.0
        seen[j] = xs[event, j] if there else 0.0
        for row in range(codes.WEIGHT, len(state)):
            state[row, j] = kept[places[event, j], row] if there else 0.0


@inner
def put(places: Any, event: int, kept: Any, state: Any, room: Any, order: Any) -> None:
    """Put it back, and note the columns that are learned first."""
    here = room[codes.HERE]
    for j in range(len(here)):
        if here[j] != 0.0:
            place = places[event, j]
            for row in range(codes.WEIGHT, len(state)):
                kept[place, row] = state[row, j]
            if kept[place, codes.COUNT] == 0.0:
                kept[place, codes.COUNT] = 1.0
                note(order, place)


@kernel(
    "boolean(float64[:, ::1], int64[:, ::1], float64[::1], float64[::1], float64[:, ::1], int64[::1], float64[::1],"
    " float64[:, ::1], float64[:, ::1], float64[::1], float64[:, ::1], int64[::1], float64[::1])"
)
def linear(
    xs: Any, places: Any, ys: Any, ws: Any, rates: Any, choices: Any, options: Any,
    kept: Any, state: Any, alone: Any, room: Any, order: Any, answers: Any
) -> bool:  # fmt: skip
    """Do as `linear_kernel.run`. `kept` has for each column the rows of a state; COUNT: whether it is in `order`."""
    here, seen, weights, at = room[codes.HERE], room[codes.SEEN], state[codes.WEIGHT], 0
    for event in range(len(answers)):
        take(xs, places, event, kept, state, room)
        if not math.isnan(answers[event]):
            answers[event] = answer(choices[codes.LINK], dot(weights, seen) + alone[codes.INTERCEPT])
            if not math.isfinite(answers[event]):
                return False
        if len(ys) == 0 or ws[event] == 0.0:
            continue
        for j in range(len(here)):
            seen[j] = xs[event + len(xs) - len(answers), j] if here[j] != 0.0 else 0.0
        begin(here, state[codes.KNOWN], weights, options[codes.INITIAL])
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
        put(places, event, kept, state, room, order)
    return True


@inner
def take_classes(xs: Any, places: Any, event: int, kept: Any, ns: Any, means: Any, squares: Any) -> None:
    """Take what is kept of an event's columns, for all classes."""
    for j in range(xs.shape[1]):
        if not math.isnan(xs[event, j]):
            place = places[event, j]
            for c in range(len(ns)):
                ns[c, j], means[c, j], squares[c, j] = kept[place, c, 0], kept[place, c, 1], kept[place, c, 2]


@inner
def put_class(
    xs: Any, places: Any, event: int, kept: Any, ns: Any, means: Any, squares: Any, y: int, order: Any
) -> None:
    """Put back what is kept of them for one class, and note what is learned first."""
    for j in range(xs.shape[1]):
        if not math.isnan(xs[event, j]):
            place = places[event, j]
            kept[place, y, 0], kept[place, y, 1], kept[place, y, 2] = ns[y, j], means[y, j], squares[y, j]
            if kept[place, y, 3] == 0.0:
                kept[place, y, 3] = 1.0
                note(order, place * CLASSES_MAX + y)


@kernel(
    "int64(float64[:, ::1], int64[:, ::1], boolean[::1], int64[::1], int64, int64, float64[::1], float64[:, :, ::1],"
    " float64[:, ::1], float64[:, ::1], float64[:, ::1], int64[::1], float64[:, ::1])"
)
def bayes(
    xs: Any, places: Any, asks: Any, ys: Any, known: int, compensated: int, counts: Any, kept: Any,
    ns: Any, means: Any, squares: Any, order: Any, out: Any
) -> int:  # fmt: skip
    """Do as `bayes_kernel.run`. `kept`, by column and class: the three numbers of a state; is it in `order`."""
    total = 0.0
    for c in range(known):
        total += counts[c]
    for event in range(len(out)):
        take_classes(xs, places, event, kept, ns, means, squares)
        if len(asks) == 0 or asks[event]:
            for c in range(known):
                joint = math.log(counts[c] / total) + likelihood(xs, event, ns, means, squares, c, compensated)
                out[event, c] = joint
                if not math.isfinite(joint):
                    return -1
        if len(ys) == 0 or ys[event] < 0:
            continue
        y = ys[event]
        known = max(known, y + 1)
        counts[y] += 1.0
        total += 1.0
        learn(xs, event + len(xs) - len(out), ns, means, squares, y)
        put_class(xs, places, event, kept, ns, means, squares, y, order)
    return known
