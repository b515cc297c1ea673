"""What `make bench` tells of what it measured: ratios, and the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks import contestants
from tests.benchmarks.environments import pins
from tests.benchmarks.page import write_page
from tests.benchmarks.results import RESULTS, Ratio, keep, ratio, read

MACHINE: dict[str, Any] = {
    "date": "2026-01-01 00:00 UTC",
    "processor": "a processor",
    "cores": 2,
    "memory_gb": 24,
    "load": 0.1,
    "versions": {"river": "0.26.1"},
}

PAUSES: dict[str, Any] = {
    **MACHINE,
    "pauses": [
        {
            "learner": "ARF",
            "way": "fork",
            "saves": 40,
            "raw_bytes": 550_000,
            "p50_ms": 5.0,
            "p99_ms": 14.0,
            "p100_ms": 15.0,
            "busy50_ms": 4.0,
            "busy99_ms": 9.0,
        }
    ],
    "costs": [
        {"learner": "ARF", "count": 30_000, "ratio": 0.98, "least": 0.97, "most": 0.99, "busy": 0.96},
        {"learner": "linear", "trouble": "not had: river only"},
    ],
}
STARTING: dict[str, Any] = {
    **MACHINE,
    "starts": [{"learner": "ARF", "bytes": 550_000, "first_event_s": [1.5, 1.75, 2.5]}],
    "help_s": [0.1, 0.125, 0.2],
    "python_s": [0.01, 0.02, 0.03],
}
GROWTH: dict[str, Any] = {
    **MACHINE,
    "pinned": "pinned",
    "events": [
        {"engine": "columns", "count": 1_000_000, "rate": 400_000, "peak_mb": 200},
        {"engine": "columns", "count": 10_000_000, "rate": 400_000, "peak_mb": 204},
        {"engine": "rows", "count": 10_000_000, "trouble": "not run: it takes minutes"},
    ],
    "features": [{"engine": "bare river", "features": 5, "count": 500, "rate": 1_000}],
    "sizes": [
        {"way": "line", "raw_bytes": 43_000, "saves": 9, "median_ms": 2.0, "longest_ms": 3.0, "peak": 200_000_000}
    ],
}


def line(name: str, rates: list[int], **more: Any) -> dict[str, Any]:
    told = {"metrics": "five", "commits": "none", "size": "large", "note": "", "accuracy": 0.8, "trouble": ""}
    return {"name": name, "rates": rates, **told, **more}


def section(**lines: dict[str, Any]) -> dict[str, Any]:
    more = {"pinned": "pinned", "source": "elec2", "bytes_each": 177, "rounds": 3, "sizes": {"large": 10}}
    return {**MACHINE, **more, "lines": {key.replace("_", "-"): each for key, each in lines.items()}}


def test_a_ratio_is_of_what_ran_in_the_same_round() -> None:
    """A machine that is half as fast in one round changes no ratio; medians of each side would."""
    assert Ratio.of([8.0, 4.0, 6.0], [2.0, 1.0, 3.0]) == Ratio(median=4.0, least=2.0, most=4.0)
    table = section(a=line("a", [8, 4, 6]), b=line("b", [2, 1, 3]), c=line("c", [], trouble="not had: no Java"))
    assert ratio(table, "a", "b") == Ratio(4.0, 2.0, 4.0)
    assert ratio(table, "a", "c") is None
    assert ratio(table, "a", "d") is None


def test_the_page_tells_who_could_not_be_had_and_what_fell_short(tmp_path: Path) -> None:
    results = tmp_path / "new" / "benchmarks.json"
    lines = section(
        columns_kafka=line("Tidemark, columns, Kafka", [600, 600, 690]),
        hand_1=line("by hand", [100, 100, 100]),
        vw=line("Vowpal Wabbit", [], trouble="not had: it does not install"),
    )
    keep(results, "table", lines)
    keep(results, "pauses", PAUSES)
    keep(results, "growth", GROWTH)
    keep(results, "starting", STARTING)
    keep(results, "table", lines)
    assert set(read(results)) == {"table", "growth", "pauses", "starting"}
    page = write_page(results).read_text(encoding="utf-8")
    assert "not had: it does not install" in page
    assert "| at least 7.0 | 6.00 (6.00 to 6.90) | **no** |" in page
    assert "a processor" in page
    assert "| ARF | fork | 40 | 550,000 | 5.0 | 14.0 | 15.0 |" in page
    assert "| ARF | 30,000 | 0.980 (0.970 to 0.990) |" in page
    assert "| 10,000,000 | rows | not run: it takes minutes |  |" in page
    assert "from a million events to ten: 1.020 times" in page
    assert "| ARF | 550,000 | 1.50 | 1.75 | 2.50 |" in page


def test_the_page_is_what_its_results_say(tmp_path: Path) -> None:
    copy = tmp_path / RESULTS.name
    if RESULTS.is_file():
        copy.write_bytes(RESULTS.read_bytes())
    kept = RESULTS.with_suffix(".md").read_text(encoding="utf-8")
    assert write_page(copy).read_text(encoding="utf-8") == kept
    assert not json.dumps(kept).count("/root/") + json.dumps(kept).count("/tmp/")


def test_every_contestant_has_a_name_of_its_own_and_every_environment_one() -> None:
    table = [*contestants.LINEAR_TABLE, *contestants.TREE_TABLE]
    assert len({each.key for each in table}) == len(table)
    assert set(pins()) <= {each.key for each in table}
    assert all("==" in need for needs in pins().values() for need in needs)
