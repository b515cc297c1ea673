"""`make bench`: how fast Tidemark is, as ratios in one run; `make bench ARGS="growth pauses"` runs other parts.

Without a part named it is the table: Tidemark against the loop that people write by hand, other frameworks, bare river
and decoding alone, over the same events of the same broker, in turn. `table`, `growth`, `pauses` and `starting` keep
their results and write `docs/benchmarks.md`; the others print, and compare two settings of Tidemark, or what one costs.
`page` writes the page again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import against, growth, pauses, starting, table
from tests.benchmarks.page import write_page
from tests.benchmarks.results import RESULTS, Section, keep

KEPT: dict[str, Callable[[argparse.Namespace], Section]] = {
    "table": lambda chosen: table.measure(
        {table.SMALL: chosen.times, table.LARGE: chosen.times_large, table.TREES: chosen.times_trees},
        chosen.rounds,
        chosen.only,
    ),
    "growth": lambda chosen: growth.measure(chosen.scale),
    "pauses": lambda chosen: pauses.measure(chosen.scale, chosen.rounds),
    "starting": lambda chosen: starting.measure(chosen.rounds),
}


def main() -> int:
    """Measure the parts that are asked for. Returns 1 if a contestant failed."""
    parts = [*KEPT, *against.PARTS, "page"]
    arguments = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    arguments.add_argument("parts", nargs="*", metavar="part", help=", ".join(parts))
    arguments.add_argument("--results", type=Path, default=RESULTS, help="where they are kept; the page is beside it")
    arguments.add_argument("--scale", type=float, default=1.0, help="growth, pauses: counts so much smaller, for a try")
    table_only = arguments.add_argument_group("table")
    table_only.add_argument("--rounds", type=int, default=3)
    table_only.add_argument("--times", type=int, default=8, help="how often elec2 is read by those who run river")
    table_only.add_argument("--times-large", type=int, default=50, help="and by those who are faster")
    table_only.add_argument("--times-trees", type=int, default=6, help="and by trees")
    table_only.add_argument("--only", nargs="*", default=(), help="these contestants, by the names in contestants.py")
    against.add_options(arguments)
    chosen = arguments.parse_args()
    if unknown := set(chosen.parts) - set(parts):
        arguments.error(f"expected parts of {', '.join(parts)}, found {', '.join(sorted(unknown))}")
    failed = False
    for part in chosen.parts or ["table"]:
        if part in KEPT:
            section = KEPT[part](chosen)
            keep(chosen.results, part, section)
            failed |= any(line["trouble"].startswith("failed") for line in section.get("lines", {}).values())
    against.measure([part for part in chosen.parts if part in against.PARTS], chosen)
    if not chosen.parts or set(chosen.parts) & {*KEPT, "page"}:
        print(write_page(chosen.results).read_text(encoding="utf-8"))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
