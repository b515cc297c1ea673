"""A Hoeffding tree that is asked about an event, then taught it: river's operations, none of them twice.

River walks to the leaf and computes its votes when it is asked, and all of that again when it learns the same event.
Here the way and the votes are remembered in between, and votes and observers are computed with where they are river's
own. Whatever is rare is left to river's own methods, before anything is changed.

Source: river.tree, `HoeffdingTreeClassifier`, `nodes.htc_nodes`, `utils.do_naive_bayes_prediction`,
`splitter.GaussianSplitter`, `proba.Gaussian`, `stats.Var`; the tests compare every bit.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from river.proba import Gaussian
from river.tree.nodes.arf_htc_nodes import (
    RandomLeafMajorityClass,
    RandomLeafNaiveBayes,
    RandomLeafNaiveBayesAdaptive,
)
from river.tree.nodes.branch import (
    NominalBinaryBranch,
    NominalMultiwayBranch,
    NumericBinaryBranch,
    NumericMultiwayBranch,
)
from river.tree.nodes.hatc_nodes import AdaLeafClassifier
from river.tree.nodes.htc_nodes import LeafMajorityClass, LeafNaiveBayes, LeafNaiveBayesAdaptive
from river.tree.splitter import GaussianSplitter

from learners.flat import gaussian
from learners.pairs import Pair
from learners.splits import attempt
from learners.votes import Votes, by_bayes, by_majority, commonest, most

X = Mapping[str, Any]

Look = tuple[Votes, Any, Any, Votes | None, Votes | None]
"""The answer; the leaf and the branch above it; its votes by majority and by naive Bayes, as far as they were needed.

The leaf is None where river must learn the event.
"""

_BRANCHES = frozenset({NominalBinaryBranch, NominalMultiwayBranch, NumericMultiwayBranch})
_VOTING = frozenset({LeafNaiveBayesAdaptive, RandomLeafNaiveBayesAdaptive})
_ADAPTIVE = _VOTING | {AdaLeafClassifier}
_BAYES = frozenset({LeafNaiveBayes, RandomLeafNaiveBayes})
_LEAVES = _VOTING | _BAYES | {LeafMajorityClass, RandomLeafMajorityClass}
_RANDOM = frozenset({RandomLeafMajorityClass, RandomLeafNaiveBayes, RandomLeafNaiveBayesAdaptive})


class Tree(Pair[Look]):
    """A HoeffdingTreeClassifier."""

    def _ask(self, x: X) -> tuple[Votes, Look]:
        found = look(self._model, x)
        return found[0], found

    def _learn(self, x: X, y: Any, found: Look | None) -> None:
        teach(self._model, found or way(self._model, x), x, y, 1.0)


def find(tree: Any, x: X) -> tuple[Any, Any]:
    """Return the leaf of x, and the branch above it; no leaf where river's way is another: it misses a feature, say."""
    node, above = tree._root, None
    try:
        while True:
            kind = type(node)
            if kind is NumericBinaryBranch:
                above, node = node, node.children[0 if x[node.feature] <= node.threshold else 1]
            elif kind in _BRANCHES:
                above, node = node, node.children[node.branch_no(x)]
            else:
                return (node if kind in _LEAVES else None), above
    except KeyError:
        return None, None


def way(tree: Any, x: X) -> Look:
    """Return what it takes to learn x, where the tree is not asked about it: no answer."""
    return ({}, *find(tree, x), None, None)


def look(tree: Any, x: X) -> Look:
    """Return what `predict_proba_one` answers to x, with what it takes to learn x."""
    proba = dict.fromkeys(sorted(tree.classes), 0.0)
    leaf, above = find(tree, x)
    if leaf is None:
        return tree.predict_proba_one(x), None, None, None, None
    kind, votes = type(leaf), None
    if leaf.splitters is not None:
        if kind in _ADAPTIVE:
            if leaf._nb_correct_weight >= leaf._mc_correct_weight:
                votes = by_bayes(x, leaf.stats, leaf.splitters)
        elif kind in _BAYES and leaf.total_weight >= tree.nb_threshold:
            votes = by_bayes(x, leaf.stats, leaf.splitters)
    if votes is not None:
        proba.update(votes)
        return proba, leaf, above, None, votes
    votes = by_majority(leaf.stats)
    proba.update(votes)
    return proba, leaf, above, votes, None


def teach(tree: Any, found: Look, x: X, y: Any, w: float) -> None:
    """Do as `learn_one` does, with what was found when the tree was asked about x, and has learned nothing since."""
    _, leaf, above, majority, bayes = found
    if leaf is None:
        tree.learn_one(x, y, w=w)
        return
    tree.classes.add(y)
    tree._train_weight_seen_by_model += w
    take_in(tree, leaf, x, y, w, majority, bayes)
    if leaf.splitters is not None and tree._growth_allowed:
        _grow(tree, leaf, above, x)
    if tree._train_weight_seen_by_model % tree.memory_estimate_period == 0:
        tree._estimate_model_size()


def take_in(tree: Any, leaf: Any, x: X, y: Any, w: float, majority: Votes | None, bayes: Votes | None) -> None:
    """Do as `learn_one` of a leaf's own class, with its votes as far as they are known."""
    stats, active = leaf.stats, leaf.splitters is not None
    if active and type(leaf) in _ADAPTIVE:
        if not stats or (commonest(stats) if majority is None else most(majority)) == y:
            leaf._mc_correct_weight += w
        votes = by_bayes(x, stats, leaf.splitters) if bayes is None else bayes
        if votes and most(votes) == y:
            leaf._nb_correct_weight += w
    try:
        stats[y] += w
    except KeyError:
        stats[y] = w
    if active:
        _observe(leaf, x, y, w, tree.nominal_attributes)


def _grow(tree: Any, leaf: Any, above: Any, x: X) -> None:
    """Try to split a leaf that has learned x, if it is time."""
    if leaf.depth >= tree.max_depth:
        leaf.deactivate()
        tree._n_active_leaves -= 1
        tree._n_inactive_leaves += 1
        return
    weight = sum(leaf.stats.values())
    if weight - leaf._last_split_attempt_at >= tree.grace_period:
        attempt(tree, leaf, above, None if above is None else above.branch_no(x))
        leaf._last_split_attempt_at = weight


def _observe(leaf: Any, x: X, y: Any, w: float, nominal: Any) -> None:
    """Do as `update_splitters`: the observers of an active leaf take in the features of x."""
    splitters, names = leaf.splitters, x
    if type(leaf) in _RANDOM:
        if not leaf.feature_indices:
            leaf.feature_indices = leaf._sample_features(x, leaf.max_features)
        names = leaf.feature_indices
    for name in names:
        if name in x:
            value, splitter = x[name], splitters.get(name)
            if type(splitter) is GaussianSplitter and value is not None:
                _take(splitter, value, y, w)
            elif splitter is not None:
                splitter.update(value, y, w)
            elif type(value) is float and nominal is None and not leaf._disabled_attrs:
                splitter = splitters[name] = GaussianSplitter(leaf.splitter.n_splits)
                _take(splitter, value, y, w)
            else:  # it is nominal, or disabled
                leaf.update_splitters({name: value}, y, w, nominal)


def _take(splitter: GaussianSplitter, value: float, y: Any, w: float) -> None:
    """Do as `update` of a Gaussian observer: Welford's sums."""
    gaussians, lowest, highest = splitter._att_dist_per_class, splitter._min_per_class, splitter._max_per_class
    if y in gaussians:
        gaussian = gaussians[y]
        if value < lowest[y]:  # noqa: PLR1730 - a call of min, for each value
            lowest[y] = value
        if value > highest[y]:  # noqa: PLR1730
            highest[y] = value
    else:
        gaussian = gaussians[y] = _gaussian()
        lowest[y] = highest[y] = value
    var = gaussian._var
    mean = var.mean
    before = mean._mean
    mean.n += w
    mean._mean = after = before + (w / mean.n) * (value - before)
    var._S += w * (value - before) * (value - after)


def _gaussian() -> Gaussian:
    """Make a Gaussian as river does, but for seeding the generator that nothing reads: that takes 14 of 16 us."""
    made = gaussian(1, 0.0, 0.0, 0.0)
    rng: Any = random.Random.__new__(random.Random)  # one of its own: a tree is as large as river's
    rng.gauss_next = None  # as in one that is seeded
    made._rng = rng
    return made
