"""The leaves of a Hoeffding tree, between river's objects and the arrays of kernels: a row for each (`tree_codes`)."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from river.proba import Gaussian
from river.stats import Mean, Var
from river.tree.nodes.htc_nodes import LeafNaiveBayesAdaptive
from river.tree.splitter import GaussianSplitter

from learners.compiled import tree_codes as codes
from learners.flat import gaussian

SLOTS, CLASSES = 8, 2
"""Room at first."""

OF_CALLS = ("_arrays", "marks", "old_floats", "old_ints")
"""What only calls need."""


class Leaves:
    """Leaves in slots, of which the first `count` are taken. `numbers` are those of classes, as they came first.

    `turn` is the number of a call; what a leaf was before it is kept, once the call changes it (`marks`, `old_floats`
    and `old_ints`: see `leaf_kernel.keep`).
    """

    def __init__(self, names: Sequence[str], splits: int) -> None:
        self.numbers: dict[Any, int] = {}
        self.count = self.turn = 0
        self.names = names
        self._places = {name: place for place, name in enumerate(names)}
        self._splits = splits
        self._make(SLOTS, CLASSES)

    def _make(self, slots: int, width: int) -> None:
        """Make arrays of so many slots, and with room for so many classes; with what there was before."""
        before, features, self.width = getattr(self, "_arrays", None), len(self.names), width
        floats = np.zeros((slots, codes.ALONE + width * (1 + codes.KEPT * features)))
        ints = np.zeros((slots, codes.OF_LEAF + 2 * features + width * (1 + features)), dtype=np.int64)
        marks = np.zeros(slots, dtype=np.int64)
        self._arrays = floats, ints, marks, np.empty_like(floats), np.empty_like(ints)
        for new, old in zip(self._arrays, before or (), strict=False):
            new[tuple(slice(length) for length in old.shape)] = old
        self.floats, self.ints, self.marks, self.old_floats, self.old_ints = self._arrays

    @property
    def labels(self) -> list[Any]:
        """The classes by their numbers."""
        return list(self.numbers)

    def know(self, labels: Iterable[Any]) -> None:
        """Give numbers to classes that are new."""
        for label in labels:
            self.numbers.setdefault(label, len(self.numbers))
        if len(self.numbers) > self.width:
            self._make(len(self.floats), 2 * len(self.numbers))

    def add(self) -> int:
        """Return a new slot."""
        if self.count == len(self.floats):
            self._make(2 * self.count, self.width)
        self.marks[self.count] = self.turn
        self.count += 1
        return self.count - 1

    def begin(self) -> None:
        """Begin a call, which `undo` may take back."""
        self.turn += 1

    def copy(self) -> Leaves:
        """Return a copy that can be given to river's leaves, and does not change: it has nothing else, and is small."""
        other = copy.copy(self)
        for name in OF_CALLS:
            del other.__dict__[name]
        other.numbers = dict(self.numbers)
        other.floats, other.ints = self.floats[: self.count].copy(), self.ints[: self.count].copy()
        return other

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.names = tuple(map(sys.intern, self.names))  # as in a `Layout`: what is pickled has each once

    def undo(self, count: int, numbers: dict[Any, int]) -> None:
        """Go back to what was before the call: so many leaves, these classes."""
        self.count, self.numbers = count, numbers
        which = np.flatnonzero(self.marks[:count] == self.turn)
        self.floats[which], self.ints[which] = self.old_floats[which], self.old_ints[which]

    def clear(self, slot: int) -> None:
        """Let a leaf begin to look for splits anew: it forgets all but the weights of classes."""
        if self.marks[slot] != self.turn:
            self.marks[slot] = self.turn
            self.old_floats[slot], self.old_ints[slot] = self.floats[slot], self.ints[slot]
        features = len(self.names)
        blocks = self.floats[slot, codes.ALONE :].reshape(self.width, 1 + codes.KEPT * features)
        blocks[:, 1:] = 0.0
        ranks = self.ints[slot, codes.OF_LEAF + 2 * features :].reshape(self.width, 1 + features)
        ranks[:, 1:] = 0
        self.ints[slot, codes.OF_LEAF : codes.OF_LEAF + 2 * features] = 0
        self.ints[slot, [codes.ACTIVE, codes.FEATURES, codes.CHANGED]] = 1, 0, 1

    def take(self, slot: int, leaf: Any) -> None:
        """Put one of river's leaves into a slot. Raises ValueError and LookupError for what no tree makes of floats."""
        features = len(self.names)
        row, ints = np.zeros(self.floats.shape[1]), np.zeros(self.ints.shape[1], dtype=np.int64)
        blocks = row[codes.ALONE :].reshape(self.width, 1 + codes.KEPT * features)
        ranks = ints[codes.OF_LEAF + 2 * features :].reshape(self.width, 1 + features)
        for rank, (label, weight) in enumerate(leaf.stats.items()):
            number = self.numbers[label]
            blocks[number, 0], ranks[rank, 0] = _number(weight), number
        row[codes.TRIED_AT] = leaf.last_split_attempt_at
        if type(leaf) is LeafNaiveBayesAdaptive:
            row[codes.MAJORITY], row[codes.NAIVE] = leaf._mc_correct_weight, leaf._nb_correct_weight  # noqa: SLF001
        ints[codes.ACTIVE], ints[codes.DEPTH], ints[codes.CLASSES] = leaf.is_active(), leaf.depth, len(leaf.stats)
        splitters = leaf.splitters or {}
        ints[codes.FEATURES], ints[codes.CHANGED] = len(splitters), self.ints[slot, codes.CHANGED]
        if leaf._disabled_attrs or not (np.isfinite(row).all() and (row >= 0.0).all()):  # noqa: SLF001
            raise ValueError("a leaf that no tree makes")
        for rank, (name, splitter) in enumerate(splitters.items()):
            place = self._places[name]
            dists, lows, highs = _parts(splitter, self._splits)
            ints[codes.OF_LEAF + rank], ints[codes.OF_LEAF + features + place] = place, len(dists)
            for order, (label, dist) in enumerate(dists.items()):
                number = self.numbers[label]
                ranks[order, 1 + place] = number
                kept = blocks[number, 1:].reshape(codes.KEPT, features)
                kept[:, place] = *_moments(dist), _number(lows[label]), _number(highs[label]), *_density(dist)
        self.floats[slot], self.ints[slot] = row, ints

    def give(self, slot: int, leaf: Any) -> None:
        """Let one of river's leaves be what is in a slot: a new one, or the one that it was."""
        features, labels = len(self.names), self.labels
        row, ints = self.floats[slot].tolist(), self.ints[slot].tolist()
        size, first = 1 + codes.KEPT * features, codes.OF_LEAF + 2 * features
        leaf.depth = ints[codes.DEPTH]
        for rank in range(ints[codes.CLASSES]):
            number = ints[first + rank * (1 + features)]
            leaf.stats[labels[number]] = row[codes.ALONE + number * size]
        if leaf.last_split_attempt_at != row[codes.TRIED_AT]:  # river's first is a whole 0
            leaf.last_split_attempt_at = row[codes.TRIED_AT]
        if type(leaf) is LeafNaiveBayesAdaptive:
            leaf._mc_correct_weight, leaf._nb_correct_weight = row[codes.MAJORITY], row[codes.NAIVE]  # noqa: SLF001
        if not ints[codes.ACTIVE]:
            leaf.deactivate()
            return
        for place in ints[codes.OF_LEAF : codes.OF_LEAF + ints[codes.FEATURES]]:
            splitter = leaf.splitters.get(self.names[place])
            if splitter is None:
                splitter = leaf.splitters[self.names[place]] = GaussianSplitter(self._splits)
            for rank in range(ints[codes.OF_LEAF + features + place]):
                number = ints[first + rank * (1 + features) + 1 + place]
                start = codes.ALONE + number * size + 1 + place
                _put(splitter, labels[number], row[start : start + codes.TWICE * features : features])


def _number(value: Any) -> float:
    if type(value) is not float or not math.isfinite(value):
        raise ValueError("expected a finite float")
    return value


def _parts(splitter: Any, splits: int) -> tuple[dict[Any, Any], dict[Any, float], dict[Any, float]]:
    """Return what a splitter keeps of each class: a distribution, the least, the greatest."""
    dists, lows, highs = splitter._att_dist_per_class, splitter._min_per_class, splitter._max_per_class  # noqa: SLF001
    fits = type(splitter) is GaussianSplitter and splitter.n_splits == splits
    if not fits or not dists or not list(dists) == list(lows) == list(highs):
        raise ValueError("a splitter that no tree makes")
    return dists, lows, highs


def _moments(dist: Any) -> tuple[float, float, float]:
    var = dist._var  # noqa: SLF001 - river has no other way
    fits = type(dist) is Gaussian and type(var) is Var and type(var.mean) is Mean and var.ddof == 1
    if not fits or dist.seed is not None or not var.mean.n > 0.0:
        raise ValueError("a distribution that no tree makes")
    return _number(var.mean.n), _number(var.mean._mean), _number(var._S)  # noqa: SLF001


def _density(dist: Any) -> tuple[float, float]:
    """Return TWICE and HALF: see `leaf_kernel.note`."""
    variance = dist._var.get()  # noqa: SLF001
    return -2.0 * variance, 0.5 * math.log(variance) if variance > 0.0 else 0.0


def _put(splitter: Any, label: Any, numbers: Sequence[float]) -> None:
    """Let a splitter keep these of a class: COUNT, MEAN, SQUARES, LOW and HIGH."""
    count, mean, squares, low, high = numbers
    dist = splitter._att_dist_per_class.get(label)  # noqa: SLF001
    if dist is None:
        splitter._att_dist_per_class[label] = gaussian(1, squares, count, mean)  # noqa: SLF001
    else:
        var = dist._var  # noqa: SLF001
        var.mean.n, var.mean._mean, var._S = count, mean, squares  # noqa: SLF001
    splitter._min_per_class[label], splitter._max_per_class[label] = low, high  # noqa: SLF001
