"""Whether a leaf of a tree may have to be split. That river decides: a kernel only sees where it surely is not.

It has river's arithmetic, and whatever is nearer to a bound than a billionth is left to river.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled import tree_codes as codes
from learners.compiled.jit import inner

NEAR = 1e-9
"""Merits are about 1, and rounded at the sixteenth digit."""


@inner
def weight_at(c: int, features: int) -> int:
    """Return where a leaf has the weight of a class."""
    return codes.ALONE + c * (1 + codes.KEPT * features)


@inner
def rank_at(k: int, features: int) -> int:
    """Return where a leaf has the class that came as number k."""
    return codes.OF_LEAF + 2 * features + k * (1 + features)


@inner
def total_of(floats: Any, ints: Any, slot: int, features: int, compensated: int) -> float:
    """Return the weight of a leaf, as Python's `sum` adds it (see `bayes_kernel.likelihood`)."""
    total, rest = 0.0, 0.0
    for k in range(ints[slot, codes.CLASSES]):
        term = floats[slot, weight_at(ints[slot, rank_at(k, features)], features)]
        added = total + term
        rest += (total - added) + term if abs(total) >= abs(term) else (term - added) + total
        total = added
    return total + rest if compensated == 1 and rest != 0.0 and math.isfinite(rest) else total


@inner
def impurity(weights: Any, row: int, count: int, criterion: int) -> float:
    """Return the entropy, or Gini's impurity, of the first weights of a row."""
    total, entropy, gini = 0.0, 0.0, 1.0
    for k in range(count):
        total += weights[row, k]
    if not total > 0.0:
        return 0.0 if criterion == codes.GAIN else 1.0
    for k in range(count):
        d = weights[row, k]
        if d > 0.0:
            entropy -= d * math.log2(d)
        gini -= (d / total) * (d / total)
    return (entropy + total * math.log2(total)) / total if criterion == codes.GAIN else gini


@inner
def merit(room: Any, count: int, before: float, criterion: int, fraction: float) -> float:
    """Return the merit of a split into the weights of two rows of `room`."""
    left, right = 0.0, 0.0
    for k in range(count):
        left += room[0, k]
        right += room[1, k]
    total = left + right
    if not (total > 0.0 and left / total > fraction and right / total > fraction):
        return -math.inf
    after = left * impurity(room, 0, count, criterion) + right * impurity(room, 1, count, criterion)
    return before - after / total


@inner
def best_merit(
    floats: Any, ints: Any, slot: int, j: int, features: int, before: float, choices: Any, given: Any, room: Any
) -> float:
    """Return the merit of the best split by a feature; NaN where a variance is none."""
    low, high, best, count = math.inf, -math.inf, -math.inf, ints[slot, codes.OF_LEAF + features + j]
    for k in range(count):
        at = weight_at(ints[slot, rank_at(k, features) + 1 + j], features) + 1 + j
        n, low = floats[slot, at], min(low, floats[slot, at + codes.LOW * features])
        high = max(high, floats[slot, at + codes.HIGH * features])
        variance = floats[slot, at + codes.SQUARES * features] / (n - 1.0) if n > 1.0 else 0.0
        if not variance >= 0.0:
            return math.nan
        room[2, k] = math.sqrt(variance)
    size = (high - low) / (given[codes.SPLITS] + 1.0)
    for i in range(int(given[codes.SPLITS])):
        value = low + size * (i + 1.0)
        if not low < value < high:
            continue
        for k in range(count):
            at = weight_at(ints[slot, rank_at(k, features) + 1 + j], features) + 1 + j
            n, share = floats[slot, at], 0.0
            if value >= floats[slot, at + codes.HIGH * features]:
                share = 1.0
            elif value >= floats[slot, at + codes.LOW * features] and room[2, k] > 0.0:
                z = (value - floats[slot, at + codes.MEAN * features]) / room[2, k]
                share = 0.5 * (1.0 + math.erf(z / math.sqrt(2.0)))
            room[0, k] = share * n
            room[1, k] = n - share * n
        best = max(best, merit(room, count, before, choices[codes.CRITERION], given[codes.FRACTION]))
    return best


@inner
def may_split(
    floats: Any, ints: Any, slot: int, features: int, total: float, choices: Any, given: Any, room: Any
) -> bool:
    """Tell whether a leaf may have to be changed by a split that is tried now."""
    count, some, most = ints[slot, codes.CLASSES], 0, 0.0
    for k in range(count):
        weight = floats[slot, weight_at(ints[slot, rank_at(k, features)], features)]
        room[0, k] = weight
        some += weight != 0.0
        most = max(most, weight)
    if some <= 1:  # pure
        return False
    suggested = choices[codes.PREPRUNE] + ints[slot, codes.FEATURES]
    if most / total > given[codes.SHARE] - NEAR or suggested <= 1 or choices[codes.CRITERION] == codes.OTHER:
        return True
    gains = choices[codes.CRITERION] == codes.GAIN
    reach = math.log2(max(2.0, float(count))) if gains else 1.0
    bound = math.sqrt(reach * reach * given[codes.CONFIDENCE] / (2.0 * total))
    if bound < given[codes.TAU] + NEAR:
        return True
    before = impurity(room, 0, count, codes.GAIN) if gains else 1.0
    best, second = -math.inf, -math.inf
    for k in range(ints[slot, codes.FEATURES]):
        j = ints[slot, codes.OF_LEAF + k]
        found = best_merit(floats, ints, slot, j, features, before, choices, given, room)
        if math.isnan(found):
            return True
        second = max(second, min(best, found))
        best = max(best, found)
    return best > -math.inf and not best - second < bound - NEAR
