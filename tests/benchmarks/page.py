"""`docs/benchmarks.md`, made of the results. Nothing stands there that was not measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks import curves
from tests.benchmarks.contestants import LINEAR_TABLE, TREE_TABLE, Contestant
from tests.benchmarks.results import Section, ratio, read

HEAD = """# How fast

Written by `make bench` from `benchmarks.json` beside it; do not edit. Compare ratios, not events a second: machines
differ, and one machine differs from hour to hour. Contestants take turns in one run, each in a process of its own. A
ratio is the median, over rounds, of two that ran in the same round; the least and the most stand behind it.

All read the same events and learn them one by one, each predicted before it is learned. Who runs river's learner must
be right exactly as often as a bare river loop over the same events, to one event; else its line says that it failed.
"""

ASKED = (
    ("columns-kafka", "hand-1", 7.0, "columns from Kafka, five metrics, to the hand-written loop with one"),
    ("columns-kafka", "decode", 0.8, "columns from Kafka to decode-only (Tidemark's decoder)"),
    ("columns-kafka", "decode-written", None, "columns from Kafka to decode-only (msgspec and fromiter)"),
    ("columns-file", "vw", 0.5, "columns from a file to Vowpal Wabbit on its text"),
    ("columns-kafka-all", "vw-all", None, "columns from Kafka to Vowpal Wabbit, both on all cores"),
    ("rows-kafka", "hand-5", 1.2, "rows from Kafka, five metrics, to the hand-written loop with the same five"),
    ("rows-kafka", "hand-1", 1.0, "rows from Kafka, five metrics, to the hand-written loop with one"),
    ("rows-kafka", "quix", 1.25, "rows from Kafka, five metrics, to Quix Streams with one"),
)
"""Ratios of two lines, with the least that is asked for; None: it is only told."""


def write_page(results: Path) -> Path:
    """Make the page of the results; return where it is."""
    sections = read(results)
    parts = [HEAD]
    if "table" in sections:
        parts += table(sections["table"])
    parts += curves.pages(sections)
    if not sections:
        parts.append("Nothing is kept here yet: run `make bench`.")
    page = results.with_suffix(".md")
    page.write_text("\n".join(parts).rstrip() + "\n", encoding="utf-8")
    return page


def table(section: Section) -> list[str]:
    """Return the table of the contestants and what is asked of it."""
    bytes_each, sizes = section["bytes_each"], section["sizes"]
    words = (
        f"Events: {section['source']} as JSON, {bytes_each} bytes each, again and again; {section['rounds']} rounds; "
        f"{section['pinned']}. `StandardScaler() | LogisticRegression(SGD(0.005))`. Tidemark: five metrics (Accuracy, "
        "F1, Precision, Recall, LogLoss) over all and over a window of 1,000, two baselines, a version every 5 s. "
        "*Rows*: river runs the learner. *Columns*: the same learner, compiled. Seconds go from the first event to the "
        "last, without what is imported before; Tidemark's also over the last version that is saved."
    )
    lines = ["## The table", "", curves.made_on(section), "", words, "", *_lines(section, LINEAR_TABLE, "hand-1")]
    if any(each.key in section["lines"] for each in TREE_TABLE):
        lines += ["", "A Hoeffding tree:", "", *_lines(section, TREE_TABLE, "tree-river")]
    lines += [
        "",
        *_asked(section),
        "",
        f"Read: {', '.join(f'{name} {count:,}' for name, count in sizes.items())} events.",
    ]
    return [*lines, "", _versions(section), ""]


def _lines(section: Section, contestants: Sequence[Contestant], base: str) -> list[str]:
    known = section["lines"]
    head = ["events/s (median)", "to " + known.get(base, {"name": base})["name"], "accuracy", "metrics", "commits"]
    rows = []
    for contestant in contestants:
        line = known.get(contestant.key)
        if line is None:
            continue
        if line["trouble"]:
            rows.append([line["name"], line["trouble"], "", "", line["metrics"], line["commits"]])
            continue
        rates = f"{statistics.median(line['rates']):,.0f}"
        accuracy = "" if line["accuracy"] is None else f"{line['accuracy']:.6f}"
        against = ratio(section, contestant.key, base)
        rows.append([line["name"], rates, str(against or ""), accuracy, line["metrics"], line["commits"]])
    notes = [f"{line['name']}: {line['note']}." for line in known.values() if line["note"] and _in(line, contestants)]
    return [*curves.markdown(["", *head], rows), *(f"\n{note}" for note in notes)]


def _in(line: Mapping[str, Any], contestants: Iterable[Contestant]) -> bool:
    return any(each.name == line["name"] for each in contestants)


def _asked(section: Section) -> list[str]:
    rows = []
    for ours, theirs, least, words in ASKED:
        found = ratio(section, ours, theirs)
        if found is not None:
            asked = "" if least is None else f"at least {least}"
            verdict = "" if least is None else "yes" if found.median >= least else "**no**"
            rows.append([words, asked, str(found), verdict])
    return curves.markdown(["ratio", "asked", "found", ""], rows) if rows else []


def _versions(section: Section) -> str:
    found = dict(section["versions"])
    for line in section["lines"].values():
        for name, version in line.get("versions", {}).items():
            if found.setdefault(name, version) != version:
                found[f"{name} ({line['name']})"] = version
    return "Versions: " + ", ".join(f"{name} {version}" for name, version in found.items()) + "."
