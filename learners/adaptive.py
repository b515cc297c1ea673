"""A Hoeffding adaptive tree that is asked about an event, then taught it: its leaf votes once.

In river each branch on the way asks the leaf anew whether it errs, and then the leaf asks itself. Alternate trees, and
branches that have one, learn by river's own methods.

Source: river.tree, `HoeffdingAdaptiveTreeClassifier`, `nodes.hatc_nodes`; the tests compare every bit.
"""

from __future__ import annotations

import math
from typing import Any

from river.tree.nodes.hatc_nodes import (
    AdaLeafClassifier,
    AdaNomBinaryBranchClass,
    AdaNomMultiwayBranchClass,
    AdaNumBinaryBranchClass,
    AdaNumMultiwayBranchClass,
)
from river.utils.random import poisson

from learners.pairs import Pair
from learners.splits import attempt
from learners.trees import X, take_in
from learners.votes import Votes, by_bayes, by_majority, most

_BRANCHES = frozenset(
    {AdaNomBinaryBranchClass, AdaNomMultiwayBranchClass, AdaNumBinaryBranchClass, AdaNumMultiwayBranchClass}
)

Vote = tuple[Votes, Votes | None, Votes | None]
"""What a leaf answers; its votes by majority and by naive Bayes, as far as they were needed."""

Way = tuple[list[tuple[Any, int]], Any, Vote]
"""Branches, each with the place of the child that is next; the leaf, and what it votes."""


class AdaptiveTree(Pair[Way]):
    """A HoeffdingAdaptiveTreeClassifier."""

    def _ask(self, x: X) -> tuple[Votes, Way | None]:
        tree = self._model
        if (found := _way(tree, x)) is None:
            return tree.predict_proba_one(x), None
        beside = [branch._alternate_tree for branch, _ in found[0] if branch._alternate_tree is not None]
        if not all(type(other) is AdaLeafClassifier and other.stats for other in beside):
            return tree.predict_proba_one(x), found
        proba = dict.fromkeys(tree.classes, 0.0)
        for votes in [*[_vote(tree, other, x)[0] for other in beside], found[2][0]]:
            for label, vote in votes.items():
                proba[label] = proba[label] + vote if label in proba else vote
        return _scaled(proba, sum(proba.values())), found

    def _learn(self, x: X, y: Any, found: Way | None) -> None:
        tree = self._model
        if (found := found or _way(tree, x)) is None:
            tree.learn_one(x, y)
            return
        tree.classes.add(y)
        tree._train_weight_seen_by_model += 1.0
        branches, leaf, vote = found
        wrong = 0 if y == most(vote[0]) else 1
        above, place = None, None
        for branch, following in branches:
            if branch._alternate_tree is not None:
                branch.learn_one(x, y, w=1.0, tree=tree, parent=above, parent_branch=place)
                break
            if _drifts(branch, y, wrong):
                branch._alternate_tree = other = tree._new_leaf(parent=branch)
                other.depth -= 1
                tree._n_alternate_trees += 1
                other.learn_one(x, y, w=1.0, tree=tree, parent=above, parent_branch=place)
            above, place = branch, following
        else:
            _teach(tree, leaf, above, place, x, y, vote, wrong)
        if tree._train_weight_seen_by_model % tree.memory_estimate_period == 0:
            tree._estimate_model_size()


def _way(tree: Any, x: X) -> Way | None:
    """Return the way to the leaf of x; None where river's is another, or has no answer."""
    node, branches = tree._root, []
    try:
        while type(node) in _BRANCHES:
            place = node.branch_no(x)
            branches.append((node, place))
            node = node.children[place]
    except KeyError:
        return None
    return (branches, node, _vote(tree, node, x)) if type(node) is AdaLeafClassifier and node.stats else None


def _vote(tree: Any, leaf: Any, x: X) -> Vote:
    """Do as `prediction` of a leaf that has learned something: the less it errs, the more its votes weigh."""
    bayes, option = None, tree.leaf_prediction
    if leaf.splitters is not None and option != tree._MAJORITY_CLASS:
        if option == tree._NAIVE_BAYES:
            surer = leaf.total_weight >= tree.nb_threshold
        else:
            surer = leaf._nb_correct_weight >= leaf._mc_correct_weight
        bayes = by_bayes(x, leaf.stats, leaf.splitters) if surer else None
    majority = by_majority(leaf.stats) if bayes is None else None
    votes = majority if bayes is None else bayes
    assert votes is not None, "one of the two"
    error = leaf._mean_error.get()
    return _scaled(votes, sum(votes.values()) * error * error), majority, bayes


def _scaled(votes: Votes, whole: float) -> Votes:
    """Do as `normalize_values_in_dict`."""
    if whole == 0 or math.isnan(whole):
        return dict(votes)
    factor = 1 / whole
    return {label: vote * factor for label, vote in votes.items()}


def _drifts(branch: Any, y: Any, wrong: int) -> bool:
    """Let a branch take in a label, and whether its leaf was wrong; tell whether an alternate tree is to grow."""
    try:
        branch.stats[y] += 1.0
    except KeyError:
        branch.stats[y] = 1.0
    changed, falling = _note(branch, wrong)
    if changed:
        branch._mean_error = branch._mean_error.clone()
    return changed and not falling


def _note(node: Any, wrong: int) -> tuple[bool, bool]:
    """Let the detector of a node know an error; tell whether it finds a change, and whether there are fewer errors."""
    before = node._mean_error.get()
    node.drift_detector.update(wrong)
    node._mean_error.update(wrong)
    return node.drift_detector.drift_detected, before > node._mean_error.get()


def _teach(tree: Any, leaf: Any, above: Any, place: int | None, x: X, y: Any, vote: Vote, wrong: int) -> None:
    """Do as `learn_one` of a leaf, with what it voted."""
    times = poisson(rate=1, rng=leaf.rng) if tree.bootstrap_sampling else 1
    changed, falling = _note(leaf, wrong)
    if changed and falling:
        leaf._mean_error = leaf._mean_error.clone()
    take_in(tree, leaf, x, y, 1.0 * (times or 1), vote[1], vote[2])
    weight = leaf.total_weight
    if weight - leaf._last_split_attempt_at >= tree.grace_period:
        if leaf.depth >= tree.max_depth:
            leaf.deactivate()
            tree._n_inactive_leaves += 1
            tree._n_active_leaves -= 1
        elif leaf.splitters is not None:
            attempt(tree, leaf, above, place, drift_detector=tree.drift_detector.clone())
            leaf._last_split_attempt_at = weight
