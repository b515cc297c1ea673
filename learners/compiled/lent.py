"""A tree that an engine has lent: its leaves are arrays still, its branches a shape. Built in any thread or process."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from learners.compiled.leaves import Leaves
from learners.compiled.shape import Shape


@dataclass(frozen=True, slots=True)
class Lent:
    """What a Hoeffding tree was in one moment. `tree` is river's, without a root; none of it changes any more."""

    tree: Any
    leaves: Leaves
    shape: Shape

    def __call__(self) -> Any:
        """Return river's tree, a new one each time."""
        made = [self.tree._new_leaf() for _ in range(self.leaves.count)]  # noqa: SLF001 - river has no other way
        for slot, leaf in enumerate(made):
            self.leaves.give(slot, leaf)
        whole = copy.copy(self.tree)
        whole._root = self.shape.built(self.leaves.names, made, [])  # noqa: SLF001
        return whole
