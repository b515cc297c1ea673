"""Probabilities of events as arrays: a sequence of the very dicts that a classifier answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from learners.table import Column


class Probable(Sequence[dict[Any, float]]):
    """Probabilities, all of them finite: an array for each class, in the order in which a dict of them has the classes.

    >>> answers = Probable((False, True), (np.array([0.75, 0.5]), np.array([0.25, 0.5])))
    >>> answers[0], list(answers[1:])
    ({False: 0.75, True: 0.25}, [{False: 0.5, True: 0.5}])
    """

    __slots__ = ("classes", "columns")

    def __init__(self, classes: tuple[Any, ...], columns: tuple[np.ndarray, ...]) -> None:
        self.classes = classes
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[dict[Any, float]]:
        return iter(self.rows())

    @overload
    def __getitem__(self, place: int) -> dict[Any, float]: ...

    @overload
    def __getitem__(self, place: slice) -> Probable: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            return Probable(self.classes, tuple([column[place] for column in self.columns]))
        return {label: column[place].item() for label, column in zip(self.classes, self.columns, strict=True)}

    def __eq__(self, other: object) -> bool:
        return self.rows() == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        return list, (self.rows(),)

    def rows(self) -> list[dict[Any, float]]:
        """Return a dict an event."""
        values = [column.tolist() for column in self.columns]
        if len(values) == 2:  # noqa: PLR2004 - of binary events: three times as fast
            a, b = self.classes
            return [{a: p, b: q} for p, q in zip(*values, strict=True)]
        return [dict(zip(self.classes, row, strict=True)) for row in zip(*values, strict=True)]

    @property
    def binary(self) -> bool:
        """Whether there is a probability of True and one of False, and no other."""
        return len(self.classes) == 2 and set(map(type, self.classes)) == {bool}  # noqa: PLR2004 - True and False

    def labels(self) -> Sequence[Any]:
        """Return the first of the most probable classes of each event: a column, if these are booleans.

        >>> list(Probable(("b", "a"), (np.array([0.5, 0.25]), np.array([0.5, 0.75]))).labels())
        ['b', 'a']
        """
        if self.binary:
            first, second = self.columns
            later = second > first
            return Column(later if self.classes[1] else ~later)
        places = np.argmax(np.stack(self.columns), axis=0).tolist()
        return list(map(self.classes.__getitem__, places))

    def of(self, label: Any) -> np.ndarray:
        """Return the probabilities of a class."""
        return self.columns[self.classes.index(label)]
