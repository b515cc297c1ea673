"""The plots of a backtest: scores over events, and differences to the leader."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stream.backtest.asked import Found
from stream.backtest.frames import curve, series
from stream.backtest.leaderboard import Leaderboard, Line, leaderboard, went_on
from stream.errors import ConfigError
from stream.report.figures import BASELINE_LINES, Figure, dots, figure, line, thinned
from stream.report.told import count, hover, score

COLORS = ("model", "one", "six", "five", "faded", "seven")
"""Of the best candidates, in order: variables of the page's style; the others share one, and so do baselines."""
BASELINES_FAR = 3.0
"""A baseline that is further off than so many times what candidates span does not set the scale."""
DIFFERENCES_MAX = 30
SLICES_MAX = 20
LABEL_CHARS_MAX = 24
LIGHT = {
    "paper": "#ffffff", "card": "#ffffff", "ink": "#20262b", "soft": "#646d75", "line": "#e3e0d8", "ghost": "#d3d0c8",
    "model": "#0d6a73", "one": "#b4712a", "two": "#77797c", "faded": "#8f7ab8", "five": "#5d7f34",
    "six": "#3f6fb5", "seven": "#b5487e",
}  # fmt: skip
"""The page's colours, for a notebook."""


def color(place: int) -> str:
    """Return the colour of the candidate at a place of the leaderboard."""
    return f"var(--{COLORS[place]})" if place < len(COLORS) else "var(--ghost)"


def scores(found: Found, board: Leaderboard, metric: str) -> Figure | None:
    """Return a metric over events: all so far; None if there is no point. The best are drawn last, and on top.

    Its key "outside" names the baselines that are not within its heights.
    """
    span = board.spans[metric]
    lines = []
    for place, each in reversed([*enumerate(board.lines)]):
        if each.outcome is None:
            continue
        known = thinned(curve(found, each.outcome, metric, span))
        told = [hover(f"{each.name}: {metric} {score(value)}", f"{count(events)} events") for events, value in known]
        style = {"color": color(place), "width": 2.5 if each.leads else 1.75}
        name = hover(each.name)
        lines.append(line([x for x, _ in known], [y for _, y in known], style, text=told, name=name, legendrank=place))
    named = _baselines(found, metric, span)
    below = [*named.values()]
    if not any(each["x"] for each in lines):
        return None
    heights = _heights(lines, below)
    drawn = figure(
        [*below, *lines],
        alt=f"{metric} over events",
        height=320,
        xaxis={"tickformat": "~s", "nticks": 6, "showgrid": False, "title": {"text": "learned events", "standoff": 8}},
        yaxis={"nticks": 6, **({"range": heights} if heights else {})},
    )
    low, high = heights or (-math.inf, math.inf)
    outside = [name for name, each in named.items() if not any(low <= y <= high for y in each["y"])]
    return {**drawn, "outside": outside}


def _baselines(found: Found, metric: str, span: str) -> dict[str, Figure]:
    first = found.outcomes.get(0)
    points = [] if first is None or went_on(first) else series(found, first)
    drawn = {}
    for index, name in enumerate(first.baselines if first is not None and points else ()):
        known = [(events, point.baselines.get(name, {}).get(metric, {}).get(span)) for events, _, point in points]
        kept = thinned([(events, value) for events, value in known if value is not None])
        if kept:
            drawn[name] = line([x for x, _ in kept], [y for _, y in kept], _dashed(index), name=hover(name))
    return drawn


def dash(index: int) -> str:
    """Return how the n-th baseline is dashed."""
    return BASELINE_LINES[index % len(BASELINE_LINES)][1]


def _dashed(index: int) -> Mapping[str, Any]:
    return {"color": "var(--two)", "dash": dash(index), "width": 1.5}


def _heights(lines: Sequence[Figure], below: Sequence[Figure]) -> list[float] | None:
    """Return the range of heights, where a baseline is so far off that nothing could be told apart."""
    ys = [y for each in lines for y in each["y"]]
    low, high = min(ys), max(ys)
    room = max(high - low, 1e-9)
    far = [y for each in below for y in each["y"] if not low - BASELINES_FAR * room <= y <= high + BASELINES_FAR * room]
    return [low - 0.1 * room, high + 0.1 * room] if far else None


def differences(board: Leaderboard) -> Figure | None:
    """Return how far each candidate is from the leader, with its interval; None where there is none."""
    known = [each for each in board.lines if each.gap is not None][:DIFFERENCES_MAX]
    if not known:
        return None
    rows, middles = list(range(len(known))), [each.gap.difference if each.gap else 0.0 for each in known]
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [_half(each, middle, 1) for each, middle in zip(known, middles, strict=True)],
        "arrayminus": [_half(each, middle, -1) for each, middle in zip(known, middles, strict=True)],
        "color": "var(--model)",
        "thickness": 2,
        "width": 5,
    }
    words = [hover(_words(each)) for each in known]
    none = {"type": "line", "xref": "x", "yref": "paper", "x0": 0, "x1": 0, "y0": 0, "y1": 1}
    return figure(
        [dots(middles, rows, {"size": 9, "color": "var(--model)"}, words, error_x=bars)],
        alt="differences to the leader with their intervals",
        height=70 + 30 * len(known),
        shapes=[{**none, "line": {"color": "var(--soft)", "width": 1}}],
        xaxis={"nticks": 6, "title": {"text": hover(f"{board.compared}, less the leader's"), "standoff": 8}},
        yaxis={
            "tickvals": rows,
            "ticktext": [hover(each.name) for each in known],
            "range": [len(known) - 0.5, -0.5],
            "fixedrange": True,
            "showline": False,
            "ticklen": 0,
        },
    )


def slices(board: Leaderboard, field: str, metric: str) -> Figure | None:
    """Return a metric for each value of a field, a dot a candidate, the value with the most events on top."""
    drawn: list[Figure] = []
    leader = next((each for each in board.lines if field in sliced(each)), None)
    if leader is None:
        return None
    most = sorted(sliced(leader)[field].items(), key=lambda item: -item[1]["events"])[:SLICES_MAX]
    for place, each in reversed([*enumerate(board.lines[: len(COLORS)])]):
        values = sliced(each).get(field, {})
        scored = [(row, values.get(value, {}).get("scores", {}).get(metric, {})) for row, (value, _) in enumerate(most)]
        known = [
            (row, found[board.spans[metric]]) for row, found in scored if found.get(board.spans[metric]) is not None
        ]
        told = [hover(f"{each.name}", f"{most[row][0]}: {metric} {score(value)}") for row, value in known]
        marker = {"size": 9, "color": color(place)}
        drawn.append(
            dots([value for _, value in known], [row for row, _ in known], marker, told, name=hover(each.name))
        )
    if not any(each["x"] for each in drawn):
        return None
    names = [f"{value if len(value) <= LABEL_CHARS_MAX else value[:LABEL_CHARS_MAX] + '…'}" for value, _ in most]
    return figure(
        drawn,
        alt=f"{metric} by {field}",
        height=70 + 24 * len(most),
        xaxis={"nticks": 6, "title": {"text": hover(metric), "standoff": 8}},
        yaxis={
            "tickvals": [*range(len(most))],
            "ticktext": [hover(f"{name}  {count(of['events'])}") for name, (_, of) in zip(names, most, strict=True)],
            "range": [len(most) - 0.5, -0.5],
            "fixedrange": True,
            "showline": False,
            "ticklen": 0,
        },
    )


def sliced(each: Line) -> Mapping[str, Any]:
    """Return the slices of a candidate."""
    found: Mapping[str, Any] = {} if each.outcome is None else each.outcome.details.get("slices", {})
    return found


def _half(each: Line, middle: float, side: int) -> float:
    """Return how far the interval reaches to a side; not at all where there is none."""
    end = None if each.gap is None else each.gap.high if side > 0 else each.gap.low
    return 0.0 if end is None else abs(end - middle)


def _words(each: Line) -> str:
    if each.gap is None or each.gap.low is None:
        return f"{each.name}: no interval"
    return f"{each.name}: {score(each.gap.difference)}, between {score(each.gap.low)} and {score(each.gap.high)}"


def notebook_figure(found: Found, metric: str | None) -> Any:
    """Return the scores over events for a notebook, as plotly's own figure. Raises `ConfigError`."""
    if importlib.util.find_spec("plotly") is None:
        raise ConfigError("expected the package plotly, found none", "pip install 'tidemark[report]'")
    import plotly.graph_objects as go  # noqa: PLC0415 - an extra

    board = leaderboard(found)
    metric = metric or next(iter(board.spans), "none")
    if metric not in board.spans:
        raise ConfigError(f"expected one of the metrics {', '.join(board.spans) or '(none)'}, found {metric!r}")
    drawn = scores(found, board, metric)
    if drawn is None:
        raise ConfigError(f"expected points of {metric}, found none", "a range with more events has some")
    drawn = _colored(drawn)
    made = go.Figure(data=drawn["data"], layout=drawn["layout"])
    return made.update_layout(showlegend=True, paper_bgcolor=LIGHT["paper"], height=420, yaxis_title=metric)


def _colored(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plot with colours in the place of the page's variables."""
    text = re.sub(r"var\(--([a-z]+)\)", lambda found: LIGHT[found[1]], json.dumps(drawn))
    found: dict[str, Any] = json.loads(text)
    return found
