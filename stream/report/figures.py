"""Plots as plotly reads them: plain values. Colours are the page's CSS variables: light and dark are one plot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

FONT = '-apple-system, "Segoe UI", Inter, system-ui, Roboto, "Helvetica Neue", Arial, sans-serif'
POINTS_MAX = 600
"""Points of one line: more than a screen has columns for only make the page heavy."""
BASELINE_LINES = (("var(--one)", "dash"), ("var(--two)", "dot"), ("var(--three)", "dashdot"))

Figure = dict[str, Any]
T = TypeVar("T")


def thinned(values: Sequence[T], most: int = POINTS_MAX) -> list[T]:
    """Return every n-th value and the last, at most `most` and one.

    >>> thinned(range(10), 4)
    [0, 3, 6, 9]
    """
    step = math.ceil(len(values) / most) if len(values) > most else 1
    kept = list(values[::step])
    return kept if not values or (len(values) - 1) % step == 0 else [*kept, values[-1]]


def baseline_style(index: int) -> Mapping[str, Any]:
    """Return the line of the n-th baseline, the same in every plot and in the key."""
    color, dash = BASELINE_LINES[index % len(BASELINE_LINES)]
    return {"color": color, "dash": dash, "width": 1.5}


def figure(data: Iterable[Mapping[str, Any]], *, alt: str, height: int = 250, **layout: Any) -> Figure:
    """Return a plot: its traces, the layout that all plots share with what is its own, and what it shows in words."""
    axis = {
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "tickcolor": "var(--line)",
        "zeroline": False,
        "automargin": True,
        "title": {"standoff": 8},
    }
    own = {name: {**axis, **layout.pop(name, {})} for name in ("xaxis", "yaxis")}
    shared = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 14, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hovermode": "closest",
        "hoverdistance": 24,
        "font": {"family": FONT, "size": 12, "color": "var(--soft)"},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--line)",
            "align": "left",
            "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        },
    }
    return {"data": [dict(trace) for trace in data], "layout": {**shared, **own, **layout}, "alt": alt}


def line(xs: Sequence[Any], ys: Sequence[Any], style: Mapping[str, Any], **more: Any) -> Figure:
    """Return a line; without `text` it tells nothing when pointed at."""
    told = {"hoverinfo": "text"} if "text" in more else {"hoverinfo": "skip"}
    return {"type": "scatter", "mode": "lines", "x": list(xs), "y": list(ys), "line": dict(style), **told, **more}


def dots(xs: Sequence[Any], ys: Sequence[Any], marker: Mapping[str, Any], text: Sequence[str], **more: Any) -> Figure:
    """Return points with what each tells when pointed at."""
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(xs),
        "y": list(ys),
        "marker": dict(marker),
        "text": list(text),
        "hoverinfo": "text",
        **more,
    }


def at(moment: datetime) -> str:
    """Write a time as plotly reads it: without a zone, in UTC.

    >>> from datetime import UTC
    >>> at(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01 12:00:00.000000'
    """
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
