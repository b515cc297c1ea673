"""How the parts that measure growth and pauses stand on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.results import Section


def pages(sections: Mapping[str, Section]) -> list[str]:
    """Return the parts of the page that there are results for."""
    found = []
    if "pauses" in sections:
        found += _pauses(sections["pauses"])
    if "starting" in sections:
        found += _starting(sections["starting"])
    if "growth" in sections:
        found += _growth(sections["growth"])
    return found


def _starting(section: Section) -> list[str]:
    words = (
        "Seconds from the start of `tidemark train`'s process to the first event that it has learned: imports, the "
        "version restored and proved, the log opened; from a file, on all cores, one start after the other. Asked for: "
        "below 3 s with 13 MB."
    )
    starts = markdown(
        ["learner", "bytes of state", "least s", "median s", "most s"],
        [
            [each["learner"], f"{each['bytes']:,}", *(f"{seconds:.2f}" for seconds in each["first_event_s"])]
            for each in section["starts"]
        ],
    )
    helped = f"`tidemark --help`: {section['help_s'][1]:.2f} s; Python alone: {section['python_s'][1]:.2f} s."
    return ["## Starting", "", made_on(section), "", words, "", *starts, "", helped, ""]


def _pauses(section: Section) -> list[str]:
    words = (
        "A pause is the time from one batch learned to the next asked for, the longest from one version to the next: "
        "in it a version is saved (*line*), or handed to a forked process and taken from it when it is made (*fork*); "
        "*chosen* is what Tidemark does by itself. On all cores, from a file; without the first version after a start, "
        "which is always made in line. Of so many versions; of fewer than 100 the 99th percentile is the longest. "
        "*Processor* is the loop's own time on it in such pauses, without that of other threads and programs."
    )
    pauses = markdown(
        [
            *("learner", "way", "versions", "bytes of state", "median ms", "99th percentile ms", "longest ms"),
            *("processor: median ms", "99th percentile ms"),
        ],
        [
            [
                *(each["learner"], each["way"], each["saves"], f"{each['raw_bytes']:,}"),
                *(f"{each[key]:.1f}" for key in ("p50_ms", "p99_ms", "p100_ms")),
                *(f"{each[key]:.1f}" if key in each else "" for key in ("busy50_ms", "busy99_ms")),
            ]
            for each in section["pauses"]
        ],
    )
    costs = markdown(
        ["learner", "events", "throughput with a version every 5 s, to none", "by processor time"],
        [
            [each["learner"], each.get("trouble", ""), "", ""]
            if each.get("trouble")
            else [
                each["learner"],
                f"{each['count']:,}",
                f"{each['ratio']:.3f} ({each['least']:.3f} to {each['most']:.3f})",
                f"{each['busy']:.3f}" if "busy" in each else "",
            ]
            for each in section["costs"]
        ],
    )
    asked = (
        "Asked for: 99th percentile at most 15 ms for a state of 13 MB, 2 ms for a linear model or a Hoeffding tree; "
        "throughput at least 0.97."
    )
    return ["## Pauses for versions", "", made_on(section), "", words, "", asked, "", *pauses, "", *costs, ""]


def _growth(section: Section) -> list[str]:
    about = f"From files, one run each; {section['pinned']}; five metrics, a version every 5 s, the linear model."
    parts = ["## Growth", "", made_on(section), "", about, "", *_over_events(section), ""]
    features = markdown(
        ["features", "who", "events", "events/s", "peak MB"],
        [
            [each["features"], each["engine"], f"{each['count']:,}", f"{each['rate']:,}", each.get("peak_mb", "")]
            for each in section["features"]
        ],
    )
    sizes = markdown(
        ["bytes of state", "way", "versions", "median ms", "longest ms", "peak MB"],
        [
            [
                f"{each['raw_bytes']:,}",
                each["way"],
                each["saves"],
                f"{each['median_ms']:.1f}",
                f"{each['longest_ms']:.1f}",
                f"{each['peak'] / 1e6:,.0f}",
            ]
            for each in section["sizes"]
        ],
    )
    return [
        *parts,
        "Over features (synthetic numbers):",
        "",
        *features,
        "",
        "Over the size of a version (a linear model laden with random numbers, rows): the pause for one.",
        "",
        *sizes,
        "",
    ]


def _over_events(section: Section) -> list[str]:
    rows = [
        [f"{each['count']:,}", each["engine"], each.get("trouble") or f"{each['rate']:,}", each.get("peak_mb", "")]
        for each in section["events"]
    ]
    peaks = {each["count"]: each["peak_mb"] for each in section["events"] if each["engine"] == "columns"}
    lines = markdown(["events", "who", "events/s", "peak MB"], rows)
    if {10**6, 10**7} <= set(peaks):
        grown = peaks[10**7] / peaks[10**6]
        lines += [
            "",
            f"Columns, peak from a million events to ten: {grown:.3f} times (asked for: within 5 %, below 250 MB).",
        ]
    return lines


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
