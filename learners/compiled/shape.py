"""The branches of a tree: where an event goes. A shape never changes; a split makes another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from river.tree.nodes.branch import DTBranch, NumericBinaryBranch


@dataclass(frozen=True, slots=True)
class Shape:
    """Nodes are named as in `tree_codes`; a branch comes after the one that it is below.

    `branches` is int64 of shape (branches, 3): a feature, and the nodes where it is at most `cuts`, or above. `notes`
    has of each branch what classes had come to it when it was a leaf, and its depth.
    """

    root: int
    branches: np.ndarray
    cuts: np.ndarray
    notes: tuple[tuple[Mapping[Any, float], int], ...]

    @classmethod
    def of(cls, root: Any, names: Sequence[str], leaves: list[Any], made: list[Any]) -> Shape:
        """Return the shape of river's nodes; put leaves by slot, and branches by place, into the lists.

        Raises ValueError for branches that are not made of numbers, LookupError for other features.
        """
        rows: list[list[int]] = []
        rest = [(root, -1, 0)]
        while rest:
            node, above, side = rest.pop()
            name = -1 - len(made) if isinstance(node, DTBranch) else len(leaves)
            if above >= 0:
                rows[above][side] = name
            if name >= 0:
                leaves.append(node)
                continue
            if type(node) is not NumericBinaryBranch:
                raise ValueError("a branch that is not made of numbers")
            left, right = node.children
            rest += [(right, len(made), 2), (left, len(made), 1)]
            rows.append([names.index(node.feature), 0, 0])
            made.append(node)
        cuts = np.array([node.threshold for node in made], dtype=np.float64)
        notes = tuple([(node.stats, node.depth) for node in made])
        return cls(-1 if made else 0, np.array(rows, dtype=np.int64).reshape(len(rows), 3), cuts, notes)

    def split(self, slot: int, other: int, feature: int, branch: NumericBinaryBranch) -> Shape:
        """Return the shape once a leaf is a branch; its leaves are in the same slot, and in another."""
        place = -1 - len(self.cuts)
        sides = self.branches[:, 1:]
        branches = np.concatenate([self.branches, [[feature, slot, other]]])
        branches[:-1, 1:] = np.where(sides == slot, place, sides)
        root = place if self.root == slot else self.root
        return Shape(
            root, branches, np.append(self.cuts, branch.threshold), (*self.notes, (branch.stats, branch.depth))
        )

    def built(self, names: Sequence[str], leaves: Sequence[Any], made: list[Any]) -> Any:
        """Return river's root over these leaves. `made` are branches by place, as many as there are: more are added."""
        made += [None] * (len(self.cuts) - len(made))

        def node(name: int) -> Any:
            return leaves[name] if name >= 0 else made[-1 - name]

        cuts = self.cuts.tolist()
        for place, (feature, left, right) in reversed(list(enumerate(self.branches.tolist()))):
            branch = made[place]
            if branch is None:
                stats, depth = self.notes[place]
                kind: Any = NumericBinaryBranch
                made[place] = kind(stats, names[feature], cuts[place], depth, node(left), node(right))
            else:
                branch.children[:] = node(left), node(right)
        return node(self.root)
