"""A frame: columns by name, which become a table of polars, of pandas, or of a spreadsheet."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from stream.errors import ConfigError

LINES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of the same length, in order.

    >>> frame = Frame({"candidate": ["a", "b"], "Accuracy": [0.5, None]})
    >>> len(frame)
    2
    >>> frame
    candidate,Accuracy
    a,0.5
    b,
    """

    columns: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def __repr__(self) -> str:
        lines = [",".join(self.columns)]
        shown = zip(*(column[:LINES_SHOWN] for column in self.columns.values()), strict=True)
        lines += [",".join("" if value is None else str(value) for value in line) for line in shown]
        more = len(self) - LINES_SHOWN
        return "\n".join([*lines, *([f"and {more:,} more lines"] if more > 0 else [])])

    def to_polars(self) -> Any:
        """Return it as a polars.DataFrame. Raises `ConfigError` where polars is not installed."""
        return self._native("polars")

    def to_pandas(self) -> Any:
        """Return it as a pandas.DataFrame. Raises `ConfigError` where pandas is not installed."""
        return self._native("pandas")

    def _native(self, backend: Any) -> Any:
        for name in ("narwhals", backend):
            if importlib.util.find_spec(name) is None:
                raise ConfigError(
                    f"expected the package {name}, found none", f"pip install 'tidemark[notebook]' {backend}"
                )
        import narwhals  # noqa: PLC0415 - an extra

        return narwhals.from_dict(
            {name: list(column) for name, column in self.columns.items()}, backend=backend
        ).to_native()

    def write_csv(self, out: TextIO) -> None:
        """Write it as CSV; None is nothing."""
        lines = csv.writer(out, lineterminator="\n")
        lines.writerow(self.columns)
        lines.writerows(zip(*self.columns.values(), strict=True))


def framed(names: Sequence[str], lines: Sequence[Sequence[Any]]) -> Frame:
    """Return the frame with these columns.

    >>> framed(["a", "b"], [(1, 2), (3, 4)]).columns
    {'a': [1, 3], 'b': [2, 4]}
    """
    return Frame({name: [line[index] for line in lines] for index, name in enumerate(names)})
