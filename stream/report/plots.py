"""The other plots: how the versions came to be, the delay of labels, slices, differences to the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from stream.report.figures import Figure, at, dots, figure, line, thinned
from stream.report.gather import Report
from stream.report.marks import MARKS, told_kind, told_move
from stream.report.told import count, duration, hover, moment, score, share
from stream.report.verdicts import Verdict

VERSIONS_MAX = 600
LABEL_CHARS_MAX = 24
SLICES_MAX = 30
"""Values of one field that a plot shows; the table has the rest."""


def history(report: Report) -> Figure:
    """Return learned events over the time that versions were saved, and the moves between them."""
    found = {each.version: each for each in report.versions}
    of_line = set(report.line)
    forked = [each for each in report.versions if each.version not in of_line]
    ghosts: list[tuple[str | None, int | None]] = []
    for each in forked:
        if each.parent is not None:
            ends = (found[each.parent], each)
            ghosts += [*((at(end.created_at), end.learned) for end in ends), (None, None)]
    kept = thinned([found[number] for number in report.line], VERSIONS_MAX)
    shown = [*kept, *thinned(forked, VERSIONS_MAX)]
    told = [
        hover(
            f"version {each.version} ({told_kind(each)}): {count(each.learned)} events learned",
            f"saved {moment(each.created_at)}: {each.reason}",
            *([] if each.has_bytes else ["its bytes expired"]),
        )
        for each in shown
    ]
    colors = ["var(--model)" if each.version in of_line else "var(--soft)" for each in shown]
    traces = [
        line([x for x, _ in ghosts], [y for _, y in ghosts], {"color": "var(--ghost)", "width": 1.5}),
        line([at(e.created_at) for e in kept], [e.learned for e in kept], {"color": "var(--model)", "width": 2}),
        dots([at(e.created_at) for e in shown], [e.learned for e in shown], {"size": 6, "color": colors}, told),
        *_moves(report),
    ]
    return figure(
        traces,
        alt="learned events of every version over the time it was saved",
        height=280,
        xaxis={"type": "date", "nticks": 6, "showgrid": False, "title": {"text": "when saved (UTC)", "standoff": 8}},
        yaxis={"tickformat": "~s", "rangemode": "tozero", "fixedrange": True, "title": {"text": "learned events"}},
    )


def _moves(report: Report) -> list[Figure]:
    """Return each move of a reference as a stroke from where it was to where it went."""
    drawn = []
    for moved in report.moves:
        symbol, color = MARKS.get(moved.kind, ("circle", "var(--alert)"))
        came = moved.new_events if moved.old_events is None or moved.ref != "head" else moved.old_events
        drawn.append(line([at(moved.at)] * 2, [came, moved.new_events], {"color": color, "width": 1, "dash": "dot"}))
        marker = {"symbol": symbol, "size": 11, "color": color}
        drawn.append(dots([at(moved.at)], [moved.new_events], marker, [told_move(moved)], name="moves"))
    return drawn


def delays(edges_s: Sequence[float], counts: Sequence[int]) -> Figure | None:
    """Return how long labels took: a bar for each bin of the histogram; None without a label."""
    filled = [index for index, events in enumerate(counts) if events]
    if not filled:
        return None
    total = sum(counts)
    names = [f"under {duration(edges_s[0])}"]
    names += [f"{duration(low)} to {duration(high)}" for low, high in pairwise(edges_s)]
    names += [f"over {duration(edges_s[-1])}"]
    shown = range(filled[0], filled[-1] + 1)
    text = [hover(f"{names[index]}: {count(counts[index])} labels ({share(counts[index], total)})") for index in shown]
    bars = {
        "type": "bar",
        "x": [index + 0.5 for index in shown],
        "y": [counts[index] for index in shown],
        "marker": {"color": "var(--model)"},
        "text": text,
        "textposition": "none",
        "hoverinfo": "text",
    }
    ticks = [index for index in range(shown[0], shown[-1] + 2) if 0 < index <= len(edges_s)]
    return figure(
        [bars],
        alt="how long labels took",
        height=230,
        bargap=0.06,
        xaxis={
            "tickvals": ticks[:: max(1, len(ticks) // 8)],
            "ticktext": [duration(edges_s[index - 1]) for index in ticks[:: max(1, len(ticks) // 8)]],
            "showgrid": False,
            "title": {"text": "from event to label", "standoff": 8},
        },
        yaxis={"tickformat": "~s", "nticks": 5, "fixedrange": True, "title": {"text": "labels"}},
    )


def slices(values: Mapping[str, Mapping[str, Any]], metric: str, span: str, overall: float | None) -> Figure:
    """Return the score of each value of a field as a dot, the one with the most events on top."""
    most = sorted(values, key=lambda value: -values[value]["events"])[:SLICES_MAX]
    scores = [values[value]["scores"].get(metric, {}) for value in most]
    known = [(value, found) for value, found in zip(most, scores, strict=True) if found.get(span) is not None]
    told = [
        hover(
            f"{value}: {metric} {score(found[span])}, window {score(found.get('window'))}",
            f"{count(values[value]['events'])} events",
        )
        for value, found in known
    ]
    rows = list(range(len(known)))
    edges = [-0.5, len(known) - 0.5]
    ring = {"size": 9, "symbol": "circle-open", "color": "var(--thin)"}
    traces = [
        *([line([overall] * 2, edges, {"color": "var(--soft)", "width": 1, "dash": "dot"})] if overall else []),
        *([dots([overall], rows[:1], {"size": 12, "opacity": 0}, [], hoverinfo="skip")] if overall else []),  # its room
        *([dots([found.get("window") for _, found in known], rows, ring, told)] if span != "window" else []),
        dots([found[span] for _, found in known], rows, {"size": 9, "color": "var(--model)"}, told),
    ]
    return figure(
        traces,
        alt=f"{metric} by value",
        height=70 + 22 * len(known),
        xaxis={"nticks": 6, "title": {"text": hover(metric), "standoff": 8}},
        yaxis={
            "tickvals": rows,
            "ticktext": [_label(value, values[value]["events"]) for value, _ in known],
            "range": edges[::-1],
            "fixedrange": True,
            "showline": False,
            "ticklen": 0,
        },
    )


def _label(value: str, events: int) -> str:
    short = value if len(value) <= LABEL_CHARS_MAX else f"{value[: LABEL_CHARS_MAX - 1]}…"
    return hover(f"{short}  {count(events)}")


def differences(verdicts: Sequence[Verdict]) -> Figure | None:
    """Return each baseline's difference with its interval, and the line of none at all; None where none was tested."""
    tested = [(each, each.low, each.high) for each in verdicts if each.low is not None and each.high is not None]
    if not tested:
        return None
    rows = list(range(len(tested)))
    middles = [each.difference or 0.0 for each, _, _ in tested]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [high - middle for middle, (_, _, high) in zip(middles, tested, strict=True)],
        "arrayminus": [middle - low for middle, (_, low, _) in zip(middles, tested, strict=True)],
        "color": "var(--model)",
        "thickness": 2,
        "width": 5,
    }
    words = [hover(each.words) for each, _, _ in tested]
    none = {"type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1}
    return figure(
        [dots(middles, rows, {"size": 9, "color": "var(--model)"}, words, error_x=bars)],
        alt="differences to the baselines with their intervals",
        height=70 + 30 * len(tested),
        shapes=[{**none, "line": {"color": "var(--soft)", "width": 1}}],
        xaxis={
            "nticks": 6,
            "title": {"text": f"{tested[0][0].metric}, the model's less the baseline's", "standoff": 8},
        },
        yaxis={
            "tickvals": rows,
            "ticktext": [hover(each.baseline) for each, _, _ in tested],
            "range": [len(tested) - 0.5, -0.5],
            "fixedrange": True,
            "showline": False,
            "ticklen": 0,
        },
    )
