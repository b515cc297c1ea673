"""Whether a leaf of a Hoeffding tree is split, and where: river's attempt, without computing the same thing again.

Source: river.tree, `HoeffdingTreeClassifier._attempt_to_split`, `splitter.GaussianSplitter`, `InfoGainSplitCriterion`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from river.tree.splitter import GaussianSplitter
from river.tree.utils import BranchFactory

_ROOT = math.sqrt(2.0)


def attempt(tree: Any, leaf: Any, above: Any, place: int | None, **more: Any) -> None:
    """Do as `_attempt_to_split` where the criterion is the usual one; else let river do it. `more`: of the branch."""
    if tree.remove_poor_attrs or tree.split_criterion != "info_gain":
        tree._attempt_to_split(leaf, above, place, **more)
        return
    if leaf.observed_class_distribution_is_pure():
        return
    criterion = tree._new_split_criterion()
    found = _suggestions(tree, leaf, criterion)
    found.sort()
    decided = len(found) == 1
    if len(found) > 1:
        bound = tree._hoeffding_bound(criterion.range_of_merit(leaf.stats), tree.delta, leaf.total_weight)
        decided = found[-1].merit - found[-2].merit > bound or bound < tree.tau
    if decided:
        _split(tree, leaf, above, place, found[-1], more)


def _split(tree: Any, leaf: Any, above: Any, place: int | None, best: BranchFactory, more: dict[str, Any]) -> None:
    """Put a branch in the place of a leaf; or let it learn no more, where no split is better."""
    if best.feature is None:
        leaf.deactivate()
        tree._n_inactive_leaves += 1
        tree._n_active_leaves -= 1
    else:
        kind = tree._branch_selector(best.numerical_feature, best.multiway_split)
        leaves = [tree._new_leaf(stats, parent=leaf) for stats in best.children_stats or ()]
        branch = best.assemble(kind, leaf.stats, leaf.depth, *leaves, **more)
        tree._n_active_leaves += len(leaves) - 1
        if above is None:
            tree._root = branch
        else:
            above.children[place] = branch
    sizes = (tree._n_inactive_leaves, tree._active_leaf_size_estimate, tree._inactive_leaf_size_estimate)
    if more or any(sizes) or tree._max_byte_size < 0:
        tree._enforce_size_limit()  # else it would look at all leaves, and change none


def _suggestions(tree: Any, leaf: Any, criterion: Any) -> list[BranchFactory]:
    """Do as `best_split_suggestions`."""
    stats = leaf.stats
    most = max(stats.values())
    if most and most / leaf.total_weight > tree.max_share_to_split:
        return [BranchFactory()]
    found = [BranchFactory()] if tree.merit_preprune else []
    before = _entropy(stats.values())
    for name, splitter in leaf.splitters.items():
        if type(splitter) is GaussianSplitter:
            found.append(_best(splitter, name, before, criterion.min_branch_fraction))
        else:
            found.append(splitter.best_evaluated_split_suggestion(criterion, stats, name, tree.binary_split))
    return found


def _best(splitter: Any, name: Any, before: float, least: float) -> BranchFactory:
    """Do as `best_evaluated_split_suggestion`; `before` is the entropy of the leaf, `least` the share of a branch."""
    lowest, highest = splitter._min_per_class, splitter._max_per_class
    known = [
        (label, each.n_samples, lowest[label], highest[label], each.mu, each.sigma)
        for label, each in splitter._att_dist_per_class.items()
    ]
    top, best = -math.inf, None
    for point in splitter._split_point_suggestions():
        left, right = _sides(known, point)
        merit = _merit(left, right, before, least)
        if merit > top:
            top, best = merit, (point, left, right)
    return BranchFactory() if best is None else BranchFactory(top, name, best[0], [best[1], best[2]])


def _sides(known: Iterable[tuple[Any, float, float, float, float, float]], point: float) -> tuple[Any, Any]:
    """Return how much of each label lies on both sides of a point."""
    left, right = {}, {}
    for label, weight, low, high, mean, sigma in known:
        if point < low:
            right[label] = weight
        elif point >= high:
            left[label] = weight
        else:
            try:
                below = 0.5 * (1.0 + math.erf(((point - mean) / sigma) / _ROOT)) * weight
            except ZeroDivisionError:
                below = 0.0 * weight
            left[label] = below
            right[label] = weight - below
    return left, right


def _merit(left: dict[Any, float], right: dict[Any, float], before: float, least: float) -> float:
    """Do as `merit_of_split`."""
    lefts, rights = sum(left.values()), sum(right.values())
    total = 0.0 + lefts + rights
    if not (total > 0 and lefts / total > least and rights / total > least):
        return -math.inf
    return before - (0.0 + lefts * _entropy(left.values()) + rights * _entropy(right.values())) / total


def _entropy(weights: Iterable[float], log: Any = math.log2) -> float:
    entropy = whole = 0.0
    for weight in weights:
        if weight > 0.0:
            entropy -= weight * log(weight)
            whole += weight
    return (entropy + whole * log(whole)) / whole if whole > 0.0 else 0.0
