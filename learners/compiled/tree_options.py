"""Which Hoeffding trees are compiled: the options with which all that is frequent is done by a kernel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from river import tree

TREE = tree.HoeffdingTreeClassifier
PERIOD_MIN = 100_000
"""River measures its memory so often; the batch in which it does is left to river, which takes over and gives back."""


def wrong_tree(model: Any, features: Sequence[str]) -> str | None:
    """Say why a HoeffdingTreeClassifier is not compiled, None if it is."""
    name = type(model).__name__
    if type(model.splitter) is not tree.splitter.GaussianSplitter:
        return f"{name} with the splitter {type(model.splitter).__name__} is not compiled"
    nominal = [each for each in model.nominal_attributes or () if each in features]
    if nominal:
        return f"{name} with nominal_attributes is not compiled ({', '.join(sorted(nominal))})"
    if model.remove_poor_attrs and model.leaf_prediction == "mc":
        return f"{name} with remove_poor_attrs and the majority class is not compiled"
    limits = {
        "grace_period": (model.grace_period, 0, math.inf),
        "max_depth": (model.max_depth, 0, math.inf),
        "delta": (model.delta, 1e-300, 1),
        "tau": (model.tau, -math.inf, math.inf),
        "nb_threshold": (model.nb_threshold, -math.inf, math.inf),
        "min_branch_fraction": (model.min_branch_fraction, 0, math.inf),
        "max_share_to_split": (model.max_share_to_split, -math.inf, math.inf),
        "memory_estimate_period": (model.memory_estimate_period, PERIOD_MIN, math.inf),
        "splitter.n_splits": (model.splitter.n_splits, 1, 1000),
    }
    for each, (value, least, greatest) in limits.items():
        fits = type(value) in {int, float} and math.isfinite(value) and least <= value <= greatest
        if not fits or (type(value) is not int and each in {"max_depth", "splitter.n_splits"}):
            return f"{name} with {each} = {value!r} is not compiled"
    return None
