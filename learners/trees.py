"""A Hoeffding tree that is asked about an event, then taught it: river's operations, none of them twice.

River walks to the leaf and computes its votes when it is asked, and all of that again when it learns the same event.
Here the way and the votes are remembered in between, and votes and observers are computed with where they are river's
own. Whatever is rare is left to river's own methods, before anything is changed.

Source: river.tree, `HoeffdingTreeClassifier`, `nodes.htc_nodes`, `utils.do_naive_bayes_prediction`,
`splitter.GaussianSplitter`, `proba.Gaussian`, `stats.Var`; the tests compare every bit.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from river.proba.gaussian import _HALF_LOG_TAU, Gaussian
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
from river.tree.nodes.htc_nodes import LeafMajorityClass, LeafNaiveBayes, LeafNaiveBayesAdaptive
from river.tree.splitter import GaussianSplitter
from river.tree.utils import do_naive_bayes_prediction

from learners.flat import gaussian
from learners.pairs import Pair
from learners.splits import attempt

X = Mapping[str, Any]
Votes = dict[Any, float]

Look = tuple[Votes, Any, Any, Votes | None, Votes | None]
"""The answer; the leaf and the branch above it; its votes by majority and by naive Bayes, as far as they were needed.

The leaf is None where river must learn the event.
"""

_BRANCHES = frozenset({NominalBinaryBranch, NominalMultiwayBranch, NumericMultiwayBranch})
_ADAPTIVE = frozenset({LeafNaiveBayesAdaptive, RandomLeafNaiveBayesAdaptive})
_BAYES = frozenset({LeafNaiveBayes, RandomLeafNaiveBayes})
_LEAVES = _ADAPTIVE | _BAYES | {LeafMajorityClass, RandomLeafMajorityClass}
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
                votes = _by_bayes(x, leaf.stats, leaf.splitters)
        elif kind in _BAYES and leaf.total_weight >= tree.nb_threshold:
            votes = _by_bayes(x, leaf.stats, leaf.splitters)
    if votes is not None:
        proba.update(votes)
        return proba, leaf, above, None, votes
    votes = _by_majority(leaf.stats)
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
    stats, active = leaf.stats, leaf.splitters is not None
    if active and type(leaf) in _ADAPTIVE:
        if not stats or (_commonest(stats) if majority is None else most(majority)) == y:
            leaf._mc_correct_weight += w
        votes = _by_bayes(x, stats, leaf.splitters) if bayes is None else bayes
        if votes and most(votes) == y:
            leaf._nb_correct_weight += w
    try:
        stats[y] += w
    except KeyError:
        stats[y] = w
    if active:
        _observe(leaf, x, y, w, tree.nominal_attributes)
        if tree._growth_allowed:
            _grow(tree, leaf, above, x)
    if tree._train_weight_seen_by_model % tree.memory_estimate_period == 0:
        tree._estimate_model_size()


def most(votes: Votes) -> Any:
    """Return what has the most votes, the first of equals, as `max`; None if there is none."""
    found = top = None
    for label, vote in votes.items():
        if top is None or vote > top:
            found, top = label, vote
    return found


def shares(answers: Iterable[Votes]) -> Votes:
    """Return the sum of the answers of several trees, as shares of it."""
    votes: Votes = {}
    for answer in answers:
        if votes:
            for label, vote in answer.items():
                votes[label] = vote + votes.get(label, 0)
        else:
            votes.update(answer)
    total = sum(votes.values())
    if total > 0:
        return {label: vote / total for label, vote in votes.items()}
    return cast("Votes", Counter(votes))  # as river counts


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


def _by_majority(stats: Votes) -> Votes:
    """Return the shares of the labels: river's copies of plain labels are the labels."""
    total = sum(stats.values())
    if total == 0 or math.isnan(total):
        return dict(stats)
    factor = 1 / total
    return {label: weight * factor for label, weight in stats.items()}


def _commonest(stats: Votes) -> Any:
    """Return `most` of the votes by majority: two weights may differ where their shares do not."""
    total = sum(stats.values())
    factor = 1.0 if total == 0 or math.isnan(total) else 1 / total
    found = top = None
    for label, weight in stats.items():
        if top is None or weight * factor > top:
            found, top = label, weight * factor
    return found


def _by_bayes(x: X, stats: Votes, splitters: Mapping[str, Any], exp: Any = math.exp) -> Votes:
    """Do as `do_naive_bayes_prediction`, where all observers of x are Gaussian; else let river do it."""
    total = sum(stats.values())
    if not stats or total == 0:
        return {}
    observed = []
    for name, splitter in splitters.items():
        if name in x:
            if type(splitter) is not GaussianSplitter:
                return _by_river(x, stats, splitters)
            observed.append((x[name], splitter._att_dist_per_class))
    votes = _logs(observed, stats, total)
    top = max(votes.values())
    shares = 0.0
    for vote in votes.values():
        shares += exp(vote - top)
    whole = top + math.log(shares)
    for label, vote in votes.items():
        votes[label] = exp(vote - whole)
    return votes


def _by_river(x: Any, stats: Votes, splitters: Any) -> Votes:
    votes: Votes = do_naive_bayes_prediction(x, stats, splitters)
    return votes


def _logs(observed: Sequence[tuple[Any, Mapping[Any, Any]]], stats: Votes, total: float, log: Any = math.log) -> Votes:
    """Return the joint log likelihood of values and each label: `log_pdf` of each Gaussian, added up."""
    logs = {}
    for label, weight in stats.items():
        vote = 0.0
        if weight > 0:
            vote = log(weight / total)
            for value, gaussians in observed:
                if label in gaussians:
                    var = gaussians[label]._var
                    mean = var.mean
                    free = mean.n - var.ddof
                    if free > 0 and (variance := var._S / free) > 0.0:
                        found = (value - mean._mean) ** 2 / (-2.0 * variance) - _HALF_LOG_TAU - 0.5 * log(variance)
                        if found > -math.inf:
                            vote += found
        logs[label] = vote
    return logs


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
