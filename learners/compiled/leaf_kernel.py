"""What a leaf of a tree answers and learns: river's operations in river's order, on arrays (see `tree_codes`)."""

from __future__ import annotations

import math
from typing import Any

from learners.compiled import tree_codes as codes
from learners.compiled.jit import inner
from learners.compiled.powers import MARGIN, SPLIT
from learners.compiled.split_kernel import rank_at, weight_at

HALF_LOG_TAU = 0.5 * math.log(math.tau)
TINY, HUGE = 1e-200, 1e200


@inner
def squared(v: float, two: float, quick: int) -> float:
    """Return pow(v, 2): see `powers.squares`."""
    spread = SPLIT * v
    high = spread - (spread - v)
    low = v - high
    near = v * v
    error = ((high * high - near) + 2.0 * high * low) + low * low
    fine = (near + MARGIN * error == near) & (near > TINY) & (near < HUGE) & (quick == 1)
    return near if fine or v == 0.0 else v**two


@inner
def majority(floats: Any, ints: Any, slot: int, features: int, total: float, room: Any, row: int) -> int:
    """Put shares of the classes of a leaf into a row of `room`; return the first of the most probable, or NONE."""
    factor, best, top = 1.0 / total if total != 0.0 else 1.0, -1, 0.0
    for k in range(ints[slot, codes.CLASSES]):
        c = ints[slot, rank_at(k, features)]
        share = floats[slot, weight_at(c, features)] * factor
        room[row, c] = share
        if best < 0 or share > top:
            best, top = c, share
    return best


@inner
def naive(
    xs: Any, event: int, floats: Any, ints: Any, slot: int, total: float, choices: Any, two: float, room: Any, row: int
) -> int:
    """Put naive Bayes' probabilities into a row; return the first of the most probable, NONE or STRANGE."""
    features, quick = xs.shape[1], choices[codes.QUICK]
    count, most = ints[slot, codes.CLASSES], -math.inf
    if count == 0 or total == 0.0:
        return codes.NONE
    for k in range(count):
        c = ints[slot, rank_at(k, features)]
        weight, vote = floats[slot, weight_at(c, features)], 0.0
        if weight > 0.0:
            vote = math.log(weight / total)
            at = weight_at(c, features) + 1
            for i in range(ints[slot, codes.FEATURES]):
                j = ints[slot, codes.OF_LEAF + i]
                x, twice = xs[event, j], floats[slot, at + codes.TWICE * features + j]
                if math.isnan(x) or not twice < 0.0:
                    continue
                square = squared(x - floats[slot, at + codes.MEAN * features + j], two, quick)
                if square == math.inf:
                    return codes.STRANGE
                term = square / twice - HALF_LOG_TAU - floats[slot, at + codes.HALF * features + j]
                if term > -math.inf:
                    vote += term
            if not math.isfinite(vote):
                return codes.STRANGE
        room[row, c] = vote
        most = max(most, vote)
    return shared_out(ints, slot, features, most, choices[codes.COMPENSATED], room, row)


@inner
def shared_out(ints: Any, slot: int, features: int, most: float, compensated: int, room: Any, row: int) -> int:
    """Make probabilities of votes; return the first of the most probable."""
    total, rest, best, top, count = 0.0, 0.0, codes.NONE, 0.0, ints[slot, codes.CLASSES]
    for k in range(count):
        term = math.exp(room[row, ints[slot, rank_at(k, features)]] - most)
        added = total + term
        rest += (total - added) + term if abs(total) >= abs(term) else (term - added) + total
        total = added
    total = total + rest if compensated == 1 and rest != 0.0 else total
    whole = most + math.log(total)
    for k in range(count):
        c = ints[slot, rank_at(k, features)]
        share = math.exp(room[row, c] - whole)
        room[row, c] = share
        if best < 0 or share > top:
            best, top = c, share
    return best


@inner
def by_bayes(floats: Any, ints: Any, slot: int, total: float, choices: Any, threshold: float) -> bool:
    """Tell whether a leaf answers by naive Bayes."""
    if choices[codes.ANSWERS] == codes.MC or ints[slot, codes.ACTIVE] == 0:
        return False
    if choices[codes.ANSWERS] == codes.NB:
        return total >= threshold
    return bool(floats[slot, codes.NAIVE] >= floats[slot, codes.MAJORITY])


@inner
def keep(slot: int, turn: int, marks: Any, floats: Any, ints: Any, old_floats: Any, old_ints: Any) -> None:
    """Keep what a leaf was before this call."""
    if marks[slot] != turn:
        marks[slot] = turn
        for k in range(floats.shape[1]):
            old_floats[slot, k] = floats[slot, k]
        for k in range(ints.shape[1]):
            old_ints[slot, k] = ints[slot, k]


@inner
def count_class(floats: Any, ints: Any, slot: int, features: int, c: int, w: float) -> None:
    """Let a leaf count a class."""
    count = ints[slot, codes.CLASSES]
    for k in range(count):
        if ints[slot, rank_at(k, features)] == c:
            floats[slot, weight_at(c, features)] += w
            return
    ints[slot, rank_at(count, features)] = c
    ints[slot, codes.CLASSES] = count + 1
    floats[slot, weight_at(c, features)] = w


@inner
def note(xs: Any, event: int, floats: Any, ints: Any, slot: int, c: int, w: float) -> bool:
    """Let a leaf learn what features an event of a class has; return whether all is finite."""
    features, fine = xs.shape[1], True
    at = weight_at(c, features) + 1
    for j in range(features):
        x, here = xs[event, j], at + j
        if math.isnan(x):
            continue
        n = floats[slot, here]
        if n == 0.0:
            count = ints[slot, codes.OF_LEAF + features + j]
            if count == 0:
                ints[slot, codes.OF_LEAF + ints[slot, codes.FEATURES]] = j
                ints[slot, codes.FEATURES] += 1
            ints[slot, rank_at(count, features) + 1 + j] = c
            ints[slot, codes.OF_LEAF + features + j] = count + 1
            floats[slot, here + codes.LOW * features] = x
            floats[slot, here + codes.HIGH * features] = x
        elif x < floats[slot, here + codes.LOW * features]:
            floats[slot, here + codes.LOW * features] = x
        elif x > floats[slot, here + codes.HIGH * features]:
            floats[slot, here + codes.HIGH * features] = x
        mean = floats[slot, here + codes.MEAN * features]
        n += w
        moved = mean + (w / n) * (x - mean)
        squares = floats[slot, here + codes.SQUARES * features] + w * (x - mean) * (x - moved)
        floats[slot, here] = n
        floats[slot, here + codes.MEAN * features] = moved
        floats[slot, here + codes.SQUARES * features] = squares
        variance = squares / (n - 1.0) if n > 1.0 else 0.0
        floats[slot, here + codes.TWICE * features] = -2.0 * variance
        floats[slot, here + codes.HALF * features] = 0.5 * math.log(variance) if variance > 0.0 else 0.0
        fine = fine and math.isfinite(moved) and math.isfinite(squares)
    return fine
