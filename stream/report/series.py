"""Plots of the scores: for each metric over events and over time, with versions and moves of references as marks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from store.types import Scores
from stream.report.figures import POINTS_MAX, Figure, at, baseline_style, figure, line, thinned
from stream.report.gather import Point, Report
from stream.report.marks import marks, stretches, strokes
from stream.report.ranges import shown
from stream.report.told import count, hover, instant, moment, score


@dataclass(frozen=True, slots=True)
class Axis:
    """What the scores are drawn over. `place` gives where something with so many events, made then, stands."""

    name: str
    title: str
    points: tuple[Point, ...]
    beside: tuple[tuple[Point, ...], ...]
    where: Callable[[Point], Any]
    place: Callable[[int, datetime], Any]
    layout: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One metric: a plot over each axis. `span` is which of its values the bold line and the baselines show.

    `no_interval` says why it has no confidence sequence, where that is kept; `outside` are the baselines so far off
    that the plots show them only when asked.
    """

    metric: str
    span: str
    no_interval: str | None
    outside: Sequence[str]
    figures: Mapping[str, Figure]


def panels(report: Report) -> list[Panel]:
    """Return a panel for each metric that has a value anywhere; none without points."""
    axes = [_over_events(report), _over_time(report)] if report.points else []
    made = []
    for metric in report.scores:
        span = _span(report, metric)
        if span and axes:
            why = report.details.get("intervals", {}).get(metric, {}).get("why")
            heights, outside = _heights(report, metric, span)
            plots = {axis.name: _plot(report, metric, span, axis, heights) for axis in axes}
            made.append(Panel(metric, span, why, outside, plots))
    return made


def event_time(report: Report) -> bool:
    """Tell whether the points know the time of their events; else only when their version was saved is known."""
    return bool(report.points) and all(point.clock_us is not None for point in report.points)


def _span(report: Report, metric: str) -> str | None:
    """Return the span to show in bold: a metric such as ROCAUC has no cumulative value."""
    for span in ("cumulative", "window"):
        if any(point.scores.get(metric, {}).get(span) is not None for point in report.points):
            return span
    return None


def _heights(report: Report, metric: str, span: str) -> tuple[list[float] | None, list[str]]:
    own = [_values(report.points, metric, line) for line in ("cumulative", "window", "faded")]
    others = {
        name: [point.baselines.get(name, {}).get(metric, {}).get(span) for point in report.points]
        for name in report.baselines
    }
    return shown(own, others)


def _over_events(report: Report) -> Axis:
    return Axis(
        name="events",
        title="learned events",
        points=report.points,
        beside=report.beside,
        where=lambda point: point.events,
        place=lambda events, _: events,
        layout={"tickformat": "~s", "rangemode": "tozero"},
    )


def _over_time(report: Report) -> Axis:
    if event_time(report):
        return Axis(
            name="time",
            title="event time (UTC)",
            points=report.points,
            beside=tuple(tuple(p for p in branch if p.clock_us is not None) for branch in report.beside),
            where=_clock,
            place=partial(_clock_at, report.points),
            layout={"type": "date"},
        )
    return Axis(
        name="time",
        title="when saved (UTC)",
        points=_last_of_versions(report.points),
        beside=tuple(map(_last_of_versions, report.beside)),
        where=lambda point: at(point.saved_at),
        place=lambda _, moment: at(moment),
        layout={"type": "date"},
    )


def _clock(point: Point) -> str:
    assert point.clock_us is not None, "asked of points that know it"
    return at(instant(point.clock_us))


def _clock_at(points: Sequence[Point], events: int, _: datetime) -> str:
    """Return the event time when so many events were learned: that of the nearest point before."""
    before = bisect_right(points, events, key=lambda point: point.events)
    return _clock(points[max(before - 1, 0)])


def _last_of_versions(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the last point of each version: only it was made when the version was saved."""
    return tuple({point.version: point for point in points}.values())


def _plot(report: Report, metric: str, span: str, axis: Axis, heights: list[float] | None) -> Figure:
    points = thinned(axis.points)
    xs = [axis.where(point) for point in points]
    texts = [_told(point, metric, report) for point in points]
    traces = [
        *_left_behind(axis, metric, span),
        *_band(xs, points, metric),
        *_baselines(report, xs, points, metric, span),
        *_spans(xs, points, metric, span),
        line(xs, _values(points, metric, span), {"color": "var(--model)", "width": 2.5}, text=texts, name=metric),
        *marks(report, axis.place),
    ]
    return figure(
        traces,
        alt=f"{metric} over {axis.title}",
        shapes=[*stretches(report, axis.place), *strokes(report, axis.place)],
        xaxis={**axis.layout, "title": {"text": axis.title, "standoff": 8}, "nticks": 6, "showgrid": False},
        yaxis={"nticks": 6, **({"range": heights} if heights else {})},
        yaxis2={"overlaying": "y", "range": [-0.03, 1.05], "visible": False, "fixedrange": True},
    )


def _values(points: Sequence[Point], metric: str, span: str) -> list[float | None]:
    return [point.scores.get(metric, {}).get(span) for point in points]


def _told(point: Point, metric: str, report: Report) -> str:
    scores = point.scores.get(metric, {})
    when = f"event time {moment(instant(point.clock_us))}" if point.clock_us is not None else ""
    return hover(
        f"{count(point.events)} events, version {point.version}",
        *([when] if when else []),
        f"{metric}: {_spelled(scores)}",
        *(
            f"{name}: {_spelled(point.baselines[name].get(metric, {}))}"
            for name in report.baselines
            if name in point.baselines
        ),
    )


def _spelled(scores: Mapping[str, float | None]) -> str:
    band = "" if scores.get("low") is None else f" ({score(scores['low'])} to {score(scores.get('high'))})"
    known = [f"{score(scores['cumulative'])}{band} in all"] if scores.get("cumulative") is not None else []
    known += [f"{score(scores['window'])} window"] if scores.get("window") is not None else []
    known += [f"{score(scores['faded'])} faded"] if scores.get("faded") is not None else []
    return ", ".join(known) or "-"


def _band(xs: Sequence[Any], points: Sequence[Point], metric: str) -> list[Figure]:
    lows, highs = _values(points, metric, "low"), _values(points, metric, "high")
    if all(low is None or high is None for low, high in zip(lows, highs, strict=True)):
        return []
    edge = {"width": 0, "color": "var(--band)"}
    return [line(xs, lows, edge), line(xs, highs, edge, fill="tonexty", fillcolor="var(--band)", name="band")]


def _baselines(report: Report, xs: Sequence[Any], points: Sequence[Point], metric: str, span: str) -> list[Figure]:
    def value(scores: Scores) -> float | None:
        return scores.get(metric, {}).get(span)

    lines = []
    for index, name in enumerate(report.baselines):
        ys = [value(point.baselines.get(name, {})) for point in points]
        if any(y is not None for y in ys):
            lines.append(line(xs, ys, baseline_style(index), name=hover(name)))
    return lines


def _spans(xs: Sequence[Any], points: Sequence[Point], metric: str, span: str) -> list[Figure]:
    """Return the thin lines: the window's value, and the faded one, where the bold line is not that already."""
    styles = {"window": {"color": "var(--thin)", "width": 1.25}, "faded": {"color": "var(--faded)", "width": 1.25}}
    drawn = []
    for thin, style in styles.items():
        ys = _values(points, metric, thin)
        if thin != span and any(y is not None for y in ys):
            drawn.append(line(xs, ys, style, name=thin))
    return drawn


def _left_behind(axis: Axis, metric: str, span: str) -> list[Figure]:
    """Return the points that are in no lineage of the version, with a break between branches."""
    most = POINTS_MAX // max(len(axis.beside), 1) + 1
    xs: list[Any] = []
    ys: list[float | None] = []
    for branch in axis.beside:
        points = thinned(branch, most)
        xs += [*map(axis.where, points), None]
        ys += [*_values(points, metric, span), None]
    return [line(xs, ys, {"color": "var(--ghost)", "width": 2.5}, name="left behind")] if any(axis.beside) else []
