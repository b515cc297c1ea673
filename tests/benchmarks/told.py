"""How figures are written."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def told(values: Sequence[float], form: str) -> str:
    """Write minimum, median and maximum."""
    return "  ".join(format(value, form) for value in (min(values), statistics.median(values), max(values)))
