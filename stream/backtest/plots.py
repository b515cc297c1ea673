"""The plots of a backtest: scores over events, and differences to the leader."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from stream.backtest.asked import Found
from stream.backtest.frames import series
from stream.backtest.leaderboard import Leaderboard, Line, leaderboard
from stream.errors import ConfigError
from stream.report.figures import Figure, baseline_style, dots, figure, line, thinned
from stream.report.told import count, hover, score

COLORS = ("model", "one", "three", "faded", "five", "six")
"""Of the best candidates, in order: variables of the page's style; the others share one."""
BASELINES_FAR = 3.0
"""A baseline that is further off than so many times what candidates span does not set the scale."""
DIFFERENCES_MAX = 30
LIGHT = {
    "paper": "#ffffff", "card": "#ffffff", "ink": "#20262b", "soft": "#646d75", "line": "#e3e0d8", "ghost": "#d3d0c8",
    "model": "#0d6a73", "one": "#b4712a", "two": "#77797c", "three": "#8a5a83", "faded": "#8f7ab8", "five": "#5d7f34",
    "six": "#b23a6a",
}  # fmt: skip
"""The page's colours, for a notebook."""


def color(place: int) -> str:
    """Return the colour of the candidate at a place of the leaderboard."""
    return f"var(--{COLORS[place]})" if place < len(COLORS) else "var(--ghost)"


def scores(found: Found, board: Leaderboard, metric: str) -> Figure | None:
    """Return a metric over events: all so far; None if there is no point. The best are drawn last, and on top."""
    span = board.spans[metric]
    lines = []
    for place, each in reversed([*enumerate(board.lines)]):
        if each.outcome is None:
            continue
        known = [(events, values[metric].get(span)) for events, values, _ in series(found, each.outcome)]
        known = thinned([(events, value) for events, value in known if value is not None])
        told = [hover(f"{each.name}: {metric} {score(value)}", f"{count(events)} events") for events, value in known]
        style = {"color": color(place), "width": 2.5 if each.leads else 1.75}
        name = hover(each.name)
        lines.append(line([x for x, _ in known], [y for _, y in known], style, text=told, name=name, legendrank=place))
    below = _baselines(found, metric, span)
    if not any(each["x"] for each in lines):
        return None
    return figure(
        [*below, *lines],
        alt=f"{metric} over events",
        height=320,
        xaxis={"tickformat": "~s", "nticks": 6, "showgrid": False, "title": {"text": "learned events", "standoff": 8}},
        yaxis={"nticks": 6, **_heights(lines, below)},
    )


def _baselines(found: Found, metric: str, span: str) -> list[Figure]:
    first = found.outcomes.get(0)
    if first is None:
        return []
    points = series(found, first)
    drawn = []
    for index, name in enumerate(first.baselines):
        known = [(events, point.baselines.get(name, {}).get(metric, {}).get(span)) for events, _, point in points]
        kept = thinned([(events, value) for events, value in known if value is not None])
        drawn.append(line([x for x, _ in kept], [y for _, y in kept], baseline_style(index), name=hover(name)))
    return [each for each in drawn if each["x"]]


def _heights(lines: Sequence[Figure], below: Sequence[Figure]) -> dict[str, Any]:
    """Return the range of heights, where a baseline is so far off that nothing could be told apart."""
    ys = [y for each in lines for y in each["y"]]
    low, high = min(ys), max(ys)
    room = max(high - low, 1e-9)
    far = [y for each in below for y in each["y"] if not low - BASELINES_FAR * room <= y <= high + BASELINES_FAR * room]
    return {"range": [low - 0.1 * room, high + 0.1 * room]} if far else {}


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
