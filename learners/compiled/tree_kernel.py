"""The loop of a Hoeffding tree: river's operations in river's order, on arrays. Where a leaf may split, it stops.

What a leaf was before the call is kept when it is first changed, so that all can be taken back.
"""

from __future__ import annotations

import math
from typing import Any

from learners.compiled import tree_codes as codes
from learners.compiled.jit import inner, kernel
from learners.compiled.leaf_kernel import by_bayes, count_class, keep, majority, naive, note
from learners.compiled.split_kernel import may_split, rank_at, total_of, weight_at


@inner
def weigh(branches: Any, floats: Any, ints: Any, features: int, choices: Any, totals: Any) -> None:
    """Put the weight below each branch into `totals`. A branch comes after the one that it is below."""
    for place in range(len(branches) - 1, -1, -1):
        total = 0.0
        for side in range(1, 3):
            node = branches[place, side]
            if node < 0:
                total += totals[-1 - node]
            else:
                total += total_of(floats, ints, node, features, choices[codes.COMPENSATED])
        totals[place] = total


@inner
def below(node: int, floats: Any, ints: Any, features: int, choices: Any, totals: Any) -> float:
    """Return the weight below a node."""
    if node < 0:
        return float(totals[-1 - node])
    return total_of(floats, ints, node, features, choices[codes.COMPENSATED])


@inner
def leaf_of(xs: Any, event: int, branches: Any, cuts: Any, floats: Any, ints: Any, choices: Any, totals: Any) -> int:
    """Return the slot of the leaf that an event comes to; `-1 - slot` if a feature was missing on the way."""
    node, missing = choices[codes.ROOT], False
    while node < 0:
        place = -1 - node
        x = xs[event, branches[place, 0]]
        side = 1
        if math.isnan(x):
            if not missing:
                weigh(branches, floats, ints, xs.shape[1], choices, totals)
                missing = True
            left = below(branches[place, 1], floats, ints, xs.shape[1], choices, totals)
            if left < below(branches[place, 2], floats, ints, xs.shape[1], choices, totals):
                side = 2
        elif not x <= cuts[place]:
            side = 2
        node = branches[place, side]
    return int(-1 - node if missing else node)


@inner
def grow(floats: Any, ints: Any, slot: int, features: int, choices: Any, given: Any, room: Any) -> bool:
    """Do with a leaf what is due after it learned; return whether river must decide if it is split."""
    if choices[codes.GROWS] == 0 or ints[slot, codes.ACTIVE] == 0:
        return False
    if ints[slot, codes.DEPTH] >= choices[codes.DEEPEST]:
        ints[slot, codes.ACTIVE] = 0
        choices[codes.AWAKE] -= 1
        choices[codes.ASLEEP] += 1
        return False
    total = total_of(floats, ints, slot, features, choices[codes.COMPENSATED])
    if not total - floats[slot, codes.TRIED_AT] >= given[codes.GRACE]:
        return False
    if may_split(floats, ints, slot, features, total, choices, given, room):
        return True
    floats[slot, codes.TRIED_AT] = total
    return False


@inner
def ask(
    xs: Any, event: int, floats: Any, ints: Any, leaf: int, total: float, choices: Any, given: Any, room: Any, out: Any
) -> int:
    """Put what a leaf answers into `out`; return what `naive` did, UNASKED if it was not asked."""
    best, features = codes.UNASKED, xs.shape[1]
    if by_bayes(floats, ints, leaf, total, choices, given[codes.THRESHOLD]):
        best = naive(xs, event, floats, ints, leaf, total, choices, given[codes.TWO], room, 1)
    else:
        majority(floats, ints, leaf, features, total, room, 1)
    for c in range(choices[codes.KNOWN]):
        out[event, c] = 0.0
    for k in range(ints[leaf, codes.CLASSES] if best >= 0 or best == codes.UNASKED else 0):
        c = ints[leaf, rank_at(k, features)]
        out[event, c] = room[1, c]
    return best


@inner
def teach(
    xs: Any,
    row: int,
    floats: Any,
    ints: Any,
    leaf: int,
    y: int,
    w: float,
    best: int,
    choices: Any,
    given: Any,
    room: Any,
) -> bool:
    """Let a leaf learn; `best` is what `ask` returned, if it was asked of the same. Return whether all is well."""
    features = xs.shape[1]
    choices[codes.KNOWN] = max(choices[codes.KNOWN], y + 1)
    given[codes.SEEN] += w
    ints[leaf, codes.CHANGED] = 1
    active = ints[leaf, codes.ACTIVE] == 1
    if active and choices[codes.ANSWERS] == codes.NBA:
        total = total_of(floats, ints, leaf, features, choices[codes.COMPENSATED])
        likeliest = majority(floats, ints, leaf, features, total, room, 0)
        if best == codes.UNASKED:
            best = naive(xs, row, floats, ints, leaf, total, choices, given[codes.TWO], room, 1)
        floats[leaf, codes.MAJORITY] += w if likeliest in (codes.NONE, y) else 0.0
        floats[leaf, codes.NAIVE] += w if best == y else 0.0
    count_class(floats, ints, leaf, features, y, w)
    return best != codes.STRANGE and (not active or note(xs, row, floats, ints, leaf, y, w))


@kernel(
    "int64(float64[:, ::1], boolean[::1], int64[::1], float64[::1], int64[:, ::1], float64[::1], float64[:, ::1],"
    " int64[:, ::1], int64[::1], float64[:, ::1], int64[:, ::1], int64[::1], float64[::1], float64[:, ::1],"
    " float64[::1], float64[:, ::1])"
)
def run(
    xs: Any, asks: Any, ys: Any, ws: Any, branches: Any, cuts: Any, floats: Any, ints: Any, marks: Any,
    old_floats: Any, old_ints: Any, choices: Any, given: Any, room: Any, totals: Any, out: Any,
) -> int:  # fmt: skip
    """Ask, then teach, from event `choices[EVENT]` on; return why it stopped: DONE, ODD, or DUE after that event.

    `xs`, `asks` and `ys` are those of `bayes_kernel.run`, `ws` the weights of events. `branches` is of shape (branches,
    3): a feature, and the nodes where it is at most `cuts`, or above. `floats` and `ints` have a row for each leaf,
    `marks`, `old_floats` and `old_ints` what `keep` needs; `room` is of shape (3, classes), `totals` of (branches,).
    `out`, of shape (events, classes), gets the probabilities of those classes that were known when an event was asked.
    """
    features = xs.shape[1]
    if floats.shape[1] != weight_at(choices[codes.WIDTH], features):
        return codes.ODD
    for event in range(choices[codes.EVENT], len(out)):
        choices[codes.EVENT], best, row, slot = event, codes.UNASKED, event + len(xs) - len(out), 0
        asked, taught = len(asks) == 0 or asks[event], len(ys) > 0 and ys[event] >= 0
        if asked:
            slot = leaf_of(xs, event, branches, cuts, floats, ints, choices, totals)
            leaf = slot if slot >= 0 else -1 - slot
            total = total_of(floats, ints, leaf, features, choices[codes.COMPENSATED])
            best = ask(xs, event, floats, ints, leaf, total, choices, given, room, out)
            if best == codes.STRANGE:
                return codes.ODD
        if not taught:
            continue
        if not asked or row != event:
            best, slot = codes.UNASKED, leaf_of(xs, row, branches, cuts, floats, ints, choices, totals)
        leaf = slot if slot >= 0 else -1 - slot
        keep(leaf, choices[codes.TURN], marks, floats, ints, old_floats, old_ints)
        if not teach(xs, row, floats, ints, leaf, ys[event], ws[event], best, choices, given, room):
            return codes.ODD
        if slot >= 0 and grow(floats, ints, leaf, features, choices, given, room):
            choices[codes.SLOT] = leaf
            return codes.DUE
    return codes.DONE
