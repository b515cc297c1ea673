"""How much features vary: what `sd` means where somebody shifts a feature by so many standard deviations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class Spread:
    """The standard deviations of features over events, by Welford's update: the same bits however events are batched.

    >>> spread = Spread(["a", "b"])
    >>> spread.take([{"a": 1.0}, {"a": 2.0}]); spread.take([{"a": 3.0}])
    >>> spread.sds()
    {'a': 1.0, 'b': 0.0}
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sums = dict.fromkeys(sorted(names), (0, 0.0, 0.0))  # count, mean, sum of squares about it

    def take(self, xs: Sequence[Mapping[str, Any]]) -> None:
        """Take in the features of the next events, in order; what is missing does not count."""
        for name, (count, mean, squares) in self._sums.items():
            for x in xs:
                value = x.get(name)
                if value is not None:
                    count += 1  # noqa: PLW2901 - the sums go on
                    off = value - mean
                    mean += off / count  # noqa: PLW2901
                    squares += off * (value - mean)  # noqa: PLW2901
            self._sums[name] = count, mean, squares

    def sds(self) -> dict[str, float]:
        """Return the standard deviation of each feature (n - 1); 0 for one with less than two values."""
        return {
            name: math.sqrt(squares / (count - 1)) if count > 1 else 0.0
            for name, (count, _, squares) in self._sums.items()
        }
