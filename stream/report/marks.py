"""Marks in the plots of the scores: versions, moves of references, where quarantined events were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from store.history import Outline
from store.types import MoveKind
from stream.report.figures import Figure, dots, thinned
from stream.report.gather import Moved, Report
from stream.report.told import count, hover, moment

Place = Callable[[int, datetime], Any]
"""Where something with so many learned events, made then, stands."""

MARKS: Mapping[MoveKind, tuple[str, str]] = {
    "rewind": ("triangle-left", "var(--alert)"),
    "skip": ("triangle-right", "var(--alert)"),
    "undo": ("circle-open", "var(--alert)"),
    "rebuild": ("star", "var(--ink)"),
    "adopt": ("star-open", "var(--ink)"),
    "promote": ("diamond", "var(--ink)"),
    "protect": ("diamond-open", "var(--alert)"),
    "reopen": ("square-open", "var(--soft)"),
}
"""How a move is drawn: plotly's symbol, and colour."""
VERSIONS_MAX = 100
"""Ticks of versions that are plain saves; all others are always there."""


def marks(report: Report, place: Place) -> list[Figure]:
    """Return the ticks of the versions, and the flags of the moves."""
    of_line = set(report.line)
    led_here = [each for each in report.versions if each.version in of_line]
    ticks = thinned([each for each in led_here if each.kind == "save"], VERSIONS_MAX)
    ticks += [each for each in led_here if each.kind != "save"]
    rug = dots(
        [place(each.learned, each.created_at) for each in ticks],
        [0] * len(ticks),
        {
            "symbol": "line-ns-open",
            "size": [7 if each.kind == "save" else 13 for each in ticks],
            "color": "var(--soft)",
            "line": {"width": 1},
        },
        [
            hover(
                f"version {each.version} ({told_kind(each)})",
                f"{count(each.learned)} events learned",
                f"saved {moment(each.created_at)}",
            )
            for each in ticks
        ],
        yaxis="y2",
        name="versions",
        cliponaxis=False,
    )
    styles = [MARKS.get(moved.kind, ("circle", "var(--alert)")) for moved in report.moves]
    flags = dots(
        [place(moved.new_events, moved.at) for moved in report.moves],
        [1] * len(report.moves),
        {"symbol": [symbol for symbol, _ in styles], "size": 10, "color": [color for _, color in styles]},
        [told_move(moved) for moved in report.moves],
        yaxis="y2",
        name="moves",
        cliponaxis=False,
    )
    return [rug, *([flags] if report.moves else [])]


def told_kind(version: Outline) -> str:
    """Say what kind a version is of, and which one it stands for if it was rebuilt."""
    return version.kind if version.covers is None else f"{version.kind}, rebuilt, stands for {version.covers}"


def told_move(moved: Moved) -> str:
    """Say who moved what, when and why, for a hover box."""
    came = "" if moved.old is None else f" from version {moved.old} ({count(moved.old_events)} events)"
    return hover(
        f"{moved.kind}: {moved.ref}{came} to version {moved.new} ({count(moved.new_events)} events)",
        f"{moved.who}, {moment(moved.at)}",
        *([f"why: {moved.why}"] if moved.why else []),
    )


def strokes(report: Report, place: Place) -> list[Figure]:
    """Return a line through the plot for each move."""
    drawn = []
    for moved in report.moves:
        x, color = place(moved.new_events, moved.at), MARKS.get(moved.kind, ("", "var(--alert)"))[1]
        stroke = {"color": color, "width": 1, "dash": "dot"}
        drawn.append({"type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": stroke})
    return drawn


def stretches(report: Report, place: Place) -> list[Figure]:
    """Return a shade for each entry of the quarantine that holds, over the versions that read its events."""
    of_line = set(report.line)
    saved = {each.learned: each.created_at for each in report.versions if each.version in of_line}
    shade = {"type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "layer": "below", "line": {"width": 0}}
    return [
        {
            **shade,
            "x0": place(entry.start, saved[entry.start]),
            "x1": place(entry.stop, saved[entry.stop]),
            "fillcolor": "var(--shade)",
        }
        for entry in report.quarantine
        if entry.start is not None and entry.stop is not None and entry.status != "released"
    ]
