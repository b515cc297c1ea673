"""The engine of a Hoeffding tree: leaves and branches in arrays. What is rare, river does: its code splits a leaf."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from learners.compiled import tree_codes as codes
from learners.compiled import tree_kernel
from learners.compiled.ahead import Steps, quick_roots
from learners.compiled.bayes import COMPENSATED, TYPES
from learners.compiled.branches import named_steps
from learners.compiled.inputs import ALL, among, weights_of
from learners.compiled.leaves import Leaves
from learners.compiled.lent import Lent
from learners.compiled.recognition import Found
from learners.compiled.shape import Shape
from learners.table import Column, Layout, Table
from learners.ways import same_set

RAISED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)

ANSWERS = {"mc": codes.MC, "nb": codes.NB, "nba": codes.NBA}
CRITERIA = {"info_gain": codes.GAIN, "gini": codes.GINI}
WHOLE = 2**40
"""Beyond, no tree is that deep."""

LENT_MAX = 1_000_000
"""Numbers of leaves: beyond, a version is to be made in a fork, and that is told by how long it takes to be written."""


class TreeEngine:
    """A HoeffdingTreeClassifier, alone or behind other steps. Contract: `learners.compiled.Engine`.

    1. The kernel learns, until a leaf may have to be split.
    2. River tries to split it: a tree that has but this leaf, which is made for that.
    3. What came of it is taken in, and the kernel goes on with the next event.
    """

    def __init__(self, found: Found, layout: Layout) -> None:
        self._found = found
        self._steps = Steps(found, layout)
        self._sound = False
        self._choices = np.zeros(codes.CHOSEN, dtype=np.int64)
        self._given = np.zeros(codes.GIVEN)
        self._leaves = Leaves(found.names, 1)

    @property
    def classes(self) -> Sequence[Any]:
        """Classes as river sorts them: the columns of answers."""
        return sorted(self._leaves.numbers)

    def load(self, model: Any) -> None:
        """Take the state over. What cannot be taken makes the engine answer None."""
        tree = self._found.last(model)
        self._alone = copy.copy(tree)  # what is tried on it, changes nothing in the model
        self._leaves = Leaves(self._found.names, tree.splitter.n_splits)
        try:
            self._sound = self._steps.load(named_steps(model)) and self._is_small(tree, 1)
            self._leaves.know(tree.classes)
            self._load_numbers(tree)
            self._load_nodes(tree)
        except RAISED:
            self._sound = False
        self._sound = self._sound and len({type(label) for label in tree.classes}) <= 1

    def _load_numbers(self, tree: Any) -> None:
        choices, given = self._choices, self._given
        choices[codes.ANSWERS] = ANSWERS[tree.leaf_prediction]
        choices[codes.CRITERION] = CRITERIA.get(tree.split_criterion, codes.OTHER)
        choices[codes.PREPRUNE], choices[codes.GROWS] = bool(tree.merit_preprune), bool(tree._growth_allowed)  # noqa: SLF001
        choices[codes.DEEPEST] = min(tree.max_depth, WHOLE)
        choices[codes.COMPENSATED], choices[codes.QUICK] = COMPENSATED, quick_roots()
        choices[codes.AWAKE], choices[codes.ASLEEP] = tree.n_active_leaves, tree.n_inactive_leaves
        choices[codes.KNOWN] = len(tree.classes)
        given[codes.GRACE], given[codes.TAU] = tree.grace_period, tree.tau
        given[codes.CONFIDENCE] = math.log(1.0 / tree.delta)
        given[codes.SHARE], given[codes.FRACTION] = tree.max_share_to_split, tree.min_branch_fraction
        given[codes.SPLITS], given[codes.THRESHOLD] = tree.splitter.n_splits, tree.nb_threshold
        given[codes.TWO], given[codes.SEEN] = 2.0, tree._train_weight_seen_by_model  # noqa: SLF001
        if type(tree._train_weight_seen_by_model) is not float:  # noqa: SLF001
            raise TypeError("events were weighted by whole numbers")

    def _load_nodes(self, tree: Any) -> None:
        """Take branches and leaves over."""
        kind = type(tree._new_leaf())  # noqa: SLF001
        self._made: tuple[list[Any], list[Any]] = [], []
        new = tree._root is None  # noqa: SLF001
        root = tree._new_leaf() if new else tree._root  # noqa: SLF001
        self._choices[codes.AWAKE] += new
        self._shape = Shape.of(root, self._found.names, *self._made)
        for leaf in self._made[0]:
            if type(leaf) is not kind:
                raise TypeError("a leaf of another tree")
            self._leaves.take(self._leaves.add(), leaf)

    def run(
        self, xs: Table, ys: Sequence[Any] | Column, weights: Sequence[float] | None, asks: np.ndarray = ALL
    ) -> np.ndarray | None:
        """Predict, then learn."""
        count = len(xs) - int(np.count_nonzero(asks))
        ws = weights_of(weights, count)
        floats = not isinstance(weights, list) or set(map(type, weights)) <= {float}
        if len(ys) != count or ws is None or not floats or (ws < 0.0).any():
            return None
        before = dict(self._leaves.numbers)
        numbers = self._numbers(ys, ws)
        if numbers is None:
            return None
        if len(asks):
            numbers, ws = among(numbers, ~asks, -1), among(ws, ~asks, 0.0)
        return self._go(xs, asks, numbers, ws, before)

    def _numbers(self, ys: Sequence[Any] | Column, ws: np.ndarray) -> np.ndarray | None:
        """Return the numbers of labels, which may be new; -1 of what weighs nothing. None if they are of odd types."""
        known = self._leaves.numbers
        if isinstance(ys, Column) and ys.array.dtype == np.bool_:
            values: list[Any] = [False, True]
            which = ys.array.astype(np.int64)
            kinds: set[type] = {bool}
        else:
            labels = list(ys)
            kinds = set(map(type, labels))
            if not kinds <= TYPES:
                return None
            places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
            values, which = list(places), np.fromiter(map(places.__getitem__, labels), np.int64, len(labels))
        if len(kinds | set(map(type, known))) > 1:
            return None
        taught = which[ws > 0.0]
        firsts = {place: taught == place for place, value in enumerate(values) if value not in known}
        new = sorted((int(each.argmax()), place) for place, each in firsts.items() if each.any())
        self._leaves.know(values[place] for _, place in new)
        numbers = np.array([known.get(value, -1) for value in values], dtype=np.int64)[which]
        numbers[ws == 0.0] = -1
        return numbers

    def ask(self, xs: Table) -> np.ndarray | None:
        """Predict."""
        return self._go(xs, ALL, np.full(len(xs), -1), np.zeros(len(xs)), self._leaves.numbers)

    def _go(
        self, xs: Table, asks: np.ndarray, ys: np.ndarray, ws: np.ndarray, numbers: dict[Any, int]
    ) -> np.ndarray | None:
        """Return answers; or None, and be what it was before. `numbers` were those of classes."""
        steps, tree = self._steps.kept(), (self._choices.copy(), self._given.copy(), self._shape, self._made)
        count = self._leaves.count
        self._leaves.begin()
        came = self._steps.bring(xs, asks, ws) if self._sound and not self._is_measured(ws) else None
        answers = None if came is None or np.isinf(came).any() else self._answers(came, asks, ys, ws)
        if answers is None:
            self._steps.undo(steps)
            self._choices, self._given, self._shape, self._made = tree
            self._leaves.undo(count, numbers)
            return None
        self._steps.see(asks, ys >= 0)
        labels = self._leaves.labels
        answers = answers[:, sorted(range(len(labels)), key=labels.__getitem__)]
        return answers[asks] if len(asks) else answers

    def _answers(self, came: np.ndarray, asks: np.ndarray, ys: np.ndarray, ws: np.ndarray) -> np.ndarray | None:
        """Ask and teach, event by event."""
        answers = np.full((len(ys), len(self._leaves.numbers)), np.nan)
        self._choices[[codes.EVENT, codes.TURN, codes.WIDTH]] = 0, self._leaves.turn, self._leaves.width
        while True:
            shape, leaves = self._shape, self._leaves
            self._choices[codes.ROOT] = shape.root
            room, totals = np.empty((3, leaves.width)), np.empty(len(shape.cuts))
            status = tree_kernel.run(
                came, asks, ys, ws, shape.branches, shape.cuts, leaves.floats, leaves.ints, leaves.marks,
                leaves.old_floats, leaves.old_ints, self._choices, self._given, room, totals, answers,
            )  # fmt: skip
            if status == codes.DONE:
                return answers
            if status == codes.ODD or not self._try_to_split(int(self._choices[codes.SLOT])):
                return None
            self._choices[codes.EVENT] += 1

    def _is_measured(self, ws: np.ndarray) -> bool:
        """Tell whether river would measure its memory on the way: that is about its own objects."""
        seen, period = self._given[codes.SEEN], self._alone.memory_estimate_period
        return bool(seen // period != (seen + ws.sum()) * (1.0 + 1e-9) // period)

    def pauses(self, count: int) -> bool:
        """Tell whether river measures its memory within the next events."""
        return self._sound and self._is_measured(np.array([count]))

    def _is_small(self, tree: Any, more: int) -> bool:
        """Tell whether river, with so many leaves more, would surely let all of them look for splits."""
        largest = max(tree._active_leaf_size_estimate, tree._inactive_leaf_size_estimate)  # noqa: SLF001
        leaves = tree.n_active_leaves + tree.n_inactive_leaves + more
        return bool(leaves * largest * tree._size_estimate_overhead_fraction <= tree._max_byte_size)  # noqa: SLF001

    def _try_to_split(self, slot: int) -> bool:
        """Let river try to split a leaf that just learned; return False where it raises, or the tree is too large."""
        tree, choices = self._alone, self._choices
        leaf = tree._root = tree._new_leaf()  # noqa: SLF001
        self._leaves.give(slot, leaf)
        tree._n_active_leaves, tree._n_inactive_leaves = choices[[codes.AWAKE, codes.ASLEEP]].tolist()  # noqa: SLF001
        tree._growth_allowed = True  # noqa: SLF001 - else no kernel stops
        weight, splitters = leaf.total_weight, leaf.splitters
        try:
            if not self._is_small(tree, 2):
                return False
            tree._attempt_to_split(leaf, None, None)  # noqa: SLF001
            leaf.last_split_attempt_at = weight
            if tree._root is leaf and leaf.splitters is splitters:  # noqa: SLF001
                self._leaves.floats[slot, codes.TRIED_AT] = weight
                return True
            choices[[codes.AWAKE, codes.ASLEEP]] = tree._n_active_leaves, tree._n_inactive_leaves  # noqa: SLF001
            choices[codes.GROWS] = tree._growth_allowed  # noqa: SLF001
            self._take_in(slot, tree._root)  # noqa: SLF001
        except RAISED:
            return False
        return True

    def _take_in(self, slot: int, root: Any) -> None:
        """Take in what river made of a leaf: a branch with two, or one that begins anew, or looks for no splits."""
        leaves, choices = self._leaves, self._choices
        made, branches = list(self._made[0]), list(self._made[1])
        taken = [(slot, root)]
        if root.n_leaves > 1:
            left, right = root.children
            taken = [(slot, left), (leaves.add(), right)]
            place = self._found.names.index(root.feature)
            self._shape = self._shape.split(slot, taken[1][0], place, root)
            made.append(None)
        for at, leaf in taken:
            leaves.take(at, leaf)
            leaves.ints[at, codes.CHANGED] = 1
            made[at] = None
        asleep = (leaves.ints[: leaves.count, codes.ACTIVE] == 0) & (
            leaves.ints[: leaves.count, codes.DEPTH] < choices[codes.DEEPEST]
        )
        for at in np.flatnonzero(asleep).tolist() if choices[codes.GROWS] else ():  # river wakes all there is room for
            leaves.clear(at)
            choices[codes.AWAKE] += 1
            choices[codes.ASLEEP] -= 1
            made[at] = None
        self._made = made, branches

    def store(self, model: Any) -> None:
        """Give the state back."""
        self._steps.store(named_steps(model))
        tree, leaves = self._found.last(model), self._leaves
        changed = np.flatnonzero(leaves.ints[: leaves.count, codes.CHANGED]).tolist()
        if not changed:
            return
        self._give_numbers(tree)
        made = self._made[0]
        begun = [slot for slot in changed if made[slot] is None]
        for slot in begun:
            made[slot] = tree._new_leaf()  # noqa: SLF001
        for slot in changed:
            leaves.give(slot, made[slot])
        leaves.ints[changed, codes.CHANGED] = 0
        if begun or tree._root is None:  # noqa: SLF001
            tree._root = self._shape.built(self._found.names, *self._made)  # noqa: SLF001

    def _give_numbers(self, tree: Any) -> None:
        """Let a tree know all but its nodes."""
        for label in self._leaves.numbers:
            tree.classes.add(label)
        tree._train_weight_seen_by_model = float(self._given[codes.SEEN])  # noqa: SLF001
        awake, asleep = self._choices[[codes.AWAKE, codes.ASLEEP]].tolist()
        tree._n_active_leaves, tree._n_inactive_leaves = awake, asleep  # noqa: SLF001
        tree._growth_allowed = bool(self._choices[codes.GROWS])  # noqa: SLF001

    @property
    def lends(self) -> bool:
        """Whether there is a tree, and its leaves are few enough to be copied."""
        size = self._leaves.floats[: self._leaves.count].size
        return self._sound and bool(self._given[codes.SEEN]) and size <= LENT_MAX

    def lend(self, model: Any) -> tuple[Any, Callable[[], Any]] | None:
        """Give the state back, except to the tree: its leaves are but copied, to be made river's later."""
        if not self.lends:
            return None
        self._steps.store(named_steps(model))
        tree = self._found.last(model)
        self._give_numbers(tree)
        lent = copy.copy(tree)
        lent.classes, lent._root = same_set(tree.classes), None  # noqa: SLF001
        return tree, Lent(lent, self._leaves.copy(), self._shape)
