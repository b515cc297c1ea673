"""Which features came so far, in the order in which they came first: the order of keys in what river keeps."""

from __future__ import annotations

import numpy as np


class Sight:
    """Features by their column.

    >>> sight = Sight(3)
    >>> sight.see(np.array([[np.nan, np.nan, 1.0], [2.0, np.nan, 3.0]]))
    >>> sight.order
    [2, 0]
    """

    def __init__(self, width: int) -> None:
        self.order: list[int] = []
        self._rest = np.arange(width)

    @property
    def whole(self) -> bool:
        """Whether all features came."""
        return not self._rest.size

    def kept(self) -> tuple[list[int], np.ndarray]:
        """Return what `undo` needs."""
        return list(self.order), self._rest

    def undo(self, kept: tuple[list[int], np.ndarray]) -> None:
        """Go back to where it was."""
        self.order, self._rest = kept

    def move(self, places: np.ndarray, width: int) -> None:
        """Go on with more features, in which each has another column: the one at its old one in `places`.

        >>> sight = Sight(2)
        >>> sight.see(np.array([[np.nan, 1.0]]))
        >>> sight.move(np.array([1, 2]), 3)
        >>> sight.order, sight.kept()[1].tolist()
        ([2], [0, 1])
        """
        self.order = places[self.order].tolist()
        self._rest = np.setdiff1d(np.arange(width), self.order)

    def see(self, numbers: np.ndarray, which: np.ndarray | None = None) -> None:
        """Take in events, NaN where a feature is missing: all of them, or those that are true in `which`."""
        if not self._rest.size:
            return
        came = ~np.isnan(numbers[:, self._rest])
        if which is not None:
            came &= which[:, None]
        new = came.any(axis=0)
        if new.any():
            columns, events = self._rest[new], came.argmax(axis=0)[new]
            self.order += columns[np.lexsort((columns, events))].tolist()
            self._rest = self._rest[~new]
