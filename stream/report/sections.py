"""What stands in the sections of the page beside the plots: rows of tables, shares, and what is not there and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from store.history import Outline
from stream.report.figures import BASELINE_LINES
from stream.report.gather import Report
from stream.report.told import score

LABELS_MAX = 12
"""Labels of a confusion matrix that are shown; the rest becomes one."""
VERSIONS_MAX = 50
ROWS_MAX = 12
"""Values of a field whose labels stand in the page at once; the rest unfolds."""
REST = "(all others)"


@dataclass(frozen=True, slots=True)
class Tile:
    """One number at the top of the page."""

    name: str
    value: str
    more: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Slices:
    """The values of one field, and which metric and span their plot shows; `overall` is that of all events."""

    field: str
    values: Mapping[str, Mapping[str, Any]]
    metric: str
    span: str
    overall: float | None


@dataclass(frozen=True, slots=True)
class LabelSlices:
    """What became of the labels of each value of a field; `most` is the largest share that expired."""

    field: str
    rows: Sequence[tuple[str, Mapping[str, Any]]]
    most: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a confusion matrix: its share is of its line, of all events with that label.

    `window` and `of_window` are the events of the cell and of its line in the window, where they are kept.
    """

    events: int
    share: float
    right: bool
    window: int | None
    of_window: int


def glance(report: Report) -> list[Tile]:
    """Return the score of each metric, with its interval, window and baselines."""
    window = report.settings.get("validation.window")
    tiles = []
    for metric, found in report.scores.items():
        span = "window" if found.get("cumulative") is None else "cumulative"
        low, high = found.get("low"), found.get("high")
        level = report.details.get("intervals", {}).get(metric, {}).get("level") or 0.95
        others = [(name, scores.get(metric, {}).get(span)) for name, scores in report.baselines.items()]
        more = [
            *([f"{score(low)} to {score(high)} ({100 * level:g} %)"] if low is not None else []),
            *([f"last {window:,}: {score(found.get('window'))}"] if window and span == "cumulative" else []),
            *([f"over the last {window:,}"] if window and span == "window" else []),
            *(f"{name} {score(value)}" for name, value in others if value is not None),
        ]
        tiles.append(Tile(metric, score(found.get(span)), tuple(more)))
    return tiles


def key(report: Report) -> list[tuple[str, str, str]]:
    """Return (what, colour, dash) of the lines in the plots of scores."""
    points = [scores for point in report.points for scores in point.scores.values()]
    drawn = {name for point in report.points for name in point.baselines}
    found = [("all events so far", "var(--model)", "bold"), ("the window", "var(--thin)", "solid")]
    found += [("faded", "var(--faded)", "solid")] if _any(points, "faded") else []
    found += [("confidence sequence", "var(--band)", "area")] if _any(points, "low") else []
    for index, name in enumerate(report.baselines):
        color, dash = BASELINE_LINES[index % len(BASELINE_LINES)]
        found += [(name, color, dash)] if name in drawn else []
    found += [("left behind", "var(--ghost)", "bold")] if any(report.beside) else []
    return found


def _any(scores: Sequence[Mapping[str, float | None]], span: str) -> bool:
    return any(found.get(span) is not None for found in scores)


def parts(report: Report) -> list[tuple[str, int, float]]:
    """Return (name, events, share of what was read): learned, held, pending, expired."""
    read = report.events["read"]
    names = ("learned", "held", "pending", "expired")
    return [(name, report.events[name], report.events[name] / read if read else 0.0) for name in names]


class Judged(Protocol):
    """What has details of what it answered: a version's report, or a candidate of a backtest."""

    @property
    def details(self) -> Mapping[str, Any]:
        """As `store.types.Proof` has them."""
        ...


def confusion(report: Judged) -> list[tuple[str, list[Cell], int]]:
    """Return (label, cells, events) for each label; the cells are in the same order.

    Of many labels the most frequent come first, and the rest is one.
    """
    found = report.details.get("confusion")
    if not found or not any(map(sum, found["counts"])):
        return []
    order = sorted(range(len(found["labels"])), key=lambda index: -sum(found["counts"][index]))
    many = len(order) > LABELS_MAX
    groups = [[index] for index in (order[: LABELS_MAX - 1] if many else range(len(order)))]
    groups += [order[LABELS_MAX - 1 :]] if many else []
    names = [REST if len(group) > 1 else str(found["labels"][group[0]]) for group in groups]
    recent = _grouped(found["window"], groups) if found.get("window") else None
    lines = []
    for row, (name, line) in enumerate(zip(names, _grouped(found["counts"], groups), strict=True)):
        whole = sum(line)
        windows: Sequence[int | None] = recent[row] if recent else [None] * len(line)
        of_window = sum(recent[row]) if recent else 0
        cells = [
            Cell(events, events / (whole or 1), row == column, windows[column], of_window)
            for column, events in enumerate(line)
        ]
        lines.append((name, cells, whole))
    return lines


def _grouped(counts: Sequence[Sequence[int]], groups: Sequence[Sequence[int]]) -> list[list[int]]:
    return [[sum(counts[i][j] for i in rows for j in columns) for columns in groups] for rows in groups]


def sliced(report: Report) -> list[Slices]:
    """Return the slices of each field, the value with the most events first."""
    found = []
    for field, values in report.details.get("slices", {}).items():
        ordered = dict(sorted(values.items(), key=lambda item: -item[1]["events"]))
        for metric, scores in report.scores.items():
            span = "window" if scores.get("cumulative") is None else "cumulative"
            if any(value["scores"].get(metric, {}).get(span) is not None for value in values.values()):
                found.append(Slices(field, ordered, metric, span, scores.get(span)))
                break
    return found


def labels(report: Report) -> Mapping[str, Any] | None:
    """Return what is known of labels that come later; None where they come with their events."""
    found: Mapping[str, Any] | None = report.details.get("labels")
    return found


def labels_by(report: Report) -> list[LabelSlices]:
    """Return the labels of each field's values, the one with the most events first."""
    found = []
    for field, values in (labels(report) or {}).get("slices", {}).items():
        rows = sorted(values.items(), key=lambda item: -item[1]["asked"])
        shares = (value["expired"] / value["asked"] for _, value in rows if value["asked"])
        found.append(LabelSlices(field, rows, max(shares, default=0.0)))
    return found


def outputs(report: Report) -> Mapping[str, int]:
    """Return predictions that were missing or not finite, if there were any."""
    found: Mapping[str, int] = report.details.get("outputs", {})
    return found if any(found.values()) else {}


def latest(report: Report) -> list[Outline]:
    """Return the last versions, the newest first."""
    return list(reversed(report.versions))[:VERSIONS_MAX]


def absent(report: Report) -> list[tuple[str, str]]:
    """Return (section, why) of what is not in the page."""
    later = report.settings.get("labels") is not None
    asked = {
        "scores over time": (bool(report.points), "no window of learned events is full yet"),
        "confusion matrix": (bool(confusion(report)), "the version keeps none (a regression, or nothing scored)"),
        "slices": (bool(sliced(report)), "none are configured in [validation] slices"),
        "label health": (
            labels(report) is not None,
            "this version keeps none" if later else "labels come with their events",
        ),
        "held events": (bool(report.held), "none were held"),
        "moves": (bool(report.moves), "nobody moved a reference by hand"),
        "missing outputs": (
            bool(outputs(report)),
            "every prediction was there and finite" if "outputs" in report.details else "this version keeps no count",
        ),
    }
    return [(section, why) for section, (there, why) in asked.items() if not there]


def settings(report: Report) -> list[tuple[str, str]]:
    """Return the settings that explain the scores, those that are set."""
    names = ("model.task", "model.target", "model.positive", "source.moment", "validation.window")
    return [(name, str(value)) for name in names if (value := report.settings.get(name)) is not None]


def unsupervised(report: Report) -> str:
    """Say when parts that need no label learn: it moves the scores (`learners.predictor`)."""
    asked = report.settings.get("validation.unsupervised") == "question"
    return "when the question is asked" if asked else "with the label"
