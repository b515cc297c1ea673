"""What the leaves of Hoeffding trees vote: river's operations in its order, in one loop instead of many calls.

Source: river.tree.utils.do_naive_bayes_prediction, river.proba.Gaussian.log_pdf, river.utils.norm and river's bags.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from river.proba.gaussian import _HALF_LOG_TAU
from river.tree.splitter import GaussianSplitter
from river.tree.splitter.nominal_splitter_classif import NominalSplitterClassif
from river.tree.utils import do_naive_bayes_prediction

Votes = dict[Any, float]


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


def by_majority(stats: Votes) -> Votes:
    """Return the shares of the labels: river's copies of plain labels are the labels."""
    total = sum(stats.values())
    if total == 0 or math.isnan(total):
        return dict(stats)
    factor = 1 / total
    return {label: weight * factor for label, weight in stats.items()}


def commonest(stats: Votes) -> Any:
    """Return `most` of the votes by majority: two weights may differ where their shares do not."""
    total = sum(stats.values())
    factor = 1.0 if total == 0 or math.isnan(total) else 1 / total
    found = top = None
    for label, weight in stats.items():
        if top is None or weight * factor > top:
            found, top = label, weight * factor
    return found


def by_bayes(x: Mapping[str, Any], stats: Votes, splitters: Mapping[str, Any], exp: Any = math.exp) -> Votes:
    """Do as `do_naive_bayes_prediction`, where all observers of x are river's usual ones; else let river do it."""
    total = sum(stats.values())
    if not stats or total == 0:
        return {}
    observed, mixed = [], False
    for name, splitter in splitters.items():
        if name in x:
            if type(splitter) is not GaussianSplitter:
                if type(splitter) is not NominalSplitterClassif:
                    return cast("Votes", do_naive_bayes_prediction(x, stats, splitters))  # type: ignore[arg-type]
                mixed = True
            observed.append((x[name], splitter._att_dist_per_class))
    votes = _mixed_logs(observed, stats, total) if mixed else _logs(observed, stats, total)
    top = max(votes.values())
    shares = 0.0
    for vote in votes.values():
        shares += exp(vote - top)
    whole = top + math.log(shares)
    for label, vote in votes.items():
        votes[label] = exp(vote - whole)
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


def _mixed_logs(observed: Sequence[tuple[Any, Any]], stats: Votes, total: float) -> Votes:
    """Do as `_logs` where there are categories: with a label a Gaussian was observed, or the weights of categories."""
    logs = {}
    for label, weight in stats.items():
        vote = math.log(weight / total) if weight > 0 else 0.0
        for value, known in observed if weight > 0 else ():
            if type(known) is dict:
                found = known[label].log_pdf(value) if label in known else -math.inf
                vote += found if found > -math.inf else 0.0
            else:
                weights = known[label]  # river asks so, too: the label is known from here on
                share = weights[value] / (sum(weights.values()) or math.inf) if value in weights else 0.0
                vote += math.log(share) if share > 0 else 0.0
        logs[label] = vote
    return logs
