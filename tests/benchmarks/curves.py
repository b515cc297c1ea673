"""How the parts that measure growth and pauses stand on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.results import Section


def pages(sections: Mapping[str, Section]) -> list[str]:
    """Return the parts of the page that there are results for."""
    return []


def made_on(section: Section) -> str:
    """Say when and on what it was measured."""
    return (
        f"{section['date']}, {section['processor']}, {section['cores']} cores, {section['memory_gb']} GB; "
        f"load {section['load']} before."
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Return a table.

    >>> markdown(["a", "b"], [["x", 1]])
    ['| a | b |', '|---|---|', '| x | 1 |']
    """
    return [f"| {' | '.join(map(str, row))} |" if row else f"|{'---|' * len(head)}" for row in (head, [], *rows)]
