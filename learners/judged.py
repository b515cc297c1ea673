"""Judged events, as columns: what a board gives to those who listen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from learners.outputs import Outputs
from learners.sums import Columns


@dataclass(frozen=True, slots=True)
class Judged:
    """Judged events, as columns: features, labels, the model's answers and those of the rivals, weights if any.

    `columns` are those that each score of the model made of them. `numbers` are those in which they were asked, where
    labels come later; None elsewhere.
    """

    xs: Sequence[Mapping[str, Any]]
    ys: Sequence[Any]
    outputs: Outputs
    beside: Mapping[str, Outputs]
    weights: Sequence[float] | None
    columns: Sequence[Columns]
    numbers: Sequence[int] | None

    def part(self, room: slice) -> Judged:
        """Return some of them. Labels do not come later."""
        assert self.numbers is None, "labels do not come later"
        return Judged(
            self.xs[room],
            self.ys[room],
            self.outputs.part(room),
            {name: each.part(room) for name, each in self.beside.items()},
            None if self.weights is None else self.weights[room],
            cut(self.columns, room),
            None,
        )

    def since(self, first: int) -> Judged:
        """Return them without those that were asked before the number `first`. Labels come later."""
        assert self.numbers is not None, "asked where labels come later"
        kept = [place for place, number in enumerate(self.numbers) if number >= first]

        def of(column: Sequence[Any]) -> list[Any]:
            return [column[place] for place in kept] if len(column) else []

        return Judged(
            of(self.xs),
            of(self.ys),
            Outputs(of(self.outputs.labels), of(self.outputs.numbers)),
            {name: Outputs(of(each.labels), of(each.numbers)) for name, each in self.beside.items()},
            None if self.weights is None else of(self.weights),
            [tuple(of(column) for column in columns) for columns in self.columns],
            of(self.numbers),
        )


Listener = Callable[[Judged], None]
"""Is given each judged stretch of events."""


def cut(columns: Sequence[Columns], part: slice) -> list[Columns]:
    """Return some events of what each score made of them."""
    return [tuple([column[part] for column in each]) for each in columns]
