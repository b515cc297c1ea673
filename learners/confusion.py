"""The confusion matrix as plain values, for JSON: bounded, whatever number of labels there are."""

from __future__ import annotations

import math
from collections import Counter
from numbers import Integral
from typing import Any

from learners.spans import Counts

LABELS_MAX = 50
"""So many labels have a line of their own: 50 x 50 counts are 10 kB of JSON."""

OTHER = "(other)"
"""The line of all other labels, and the slice of all other values."""

INTEGER_MAX = 2**63
"""Integers beyond are written as text."""


def confusion_table(total: Counts, window: Counts) -> dict[str, Any]:
    """Return {"labels", "counts", "window"}: a line for each true label, a column for each predicted one.

    The labels are the LABELS_MAX most frequent, by how often they were true or predicted; the others are "(other)",
    last. A prediction of None has no column: it is counted as absent.

    >>> confusion_table({("b", "b"): 3, ("b", "a"): 1, ("a", None): 1}, {("b", "a"): 1})
    {'labels': ['a', 'b'], 'counts': [[0, 0], [1, 3]], 'window': [[0, 0], [1, 0]]}
    """
    seen: Counter[Any] = Counter()
    for (y, y_pred), count in total.items():
        if y_pred is not None:
            seen[plain(y)] += count
            seen[plain(y_pred)] += count
    ordered = sorted(seen, key=_order)
    labels = sorted(sorted(ordered, key=seen.__getitem__, reverse=True)[:LABELS_MAX], key=_order)
    if len(ordered) > LABELS_MAX:
        labels.append(OTHER)
    places = {label: place for place, label in enumerate(labels)}
    return {"labels": labels, "counts": _table(total, places), "window": _table(window, places)}


def _table(counts: Counts, places: dict[Any, int]) -> list[list[int]]:
    table = [[0] * len(places) for _ in places]
    rest = len(places) - 1
    for (y, y_pred), count in counts.items():
        if y_pred is not None:
            table[places.get(plain(y), rest)][places.get(plain(y_pred), rest)] += count
    return table


def _order(label: Any) -> tuple[str, Any]:
    return type(label).__name__, label


def plain(label: Any) -> Any:
    """Return a label as JSON can have it: a boolean, a number or text; others as Python writes them.

    >>> plain("a"), plain(float("nan")), plain(("a", 1))
    ('a', 'nan', "('a', 1)")
    """
    if isinstance(label, str):
        return str(label)
    if isinstance(label, bool):
        return label
    if isinstance(label, Integral):
        number = int(label)
        return number if abs(number) < INTEGER_MAX else str(number)
    if isinstance(label, float):
        return float(label) if math.isfinite(label) else str(float(label))
    return str(label)
