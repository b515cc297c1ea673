"""The page of a backtest: one file in the room of reports, readable without a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stream.backtest import plots, told
from stream.backtest.asked import Found
from stream.backtest.leaderboard import Leaderboard, leaderboard, went_on
from stream.report.figures import Figure
from stream.report.page import page
from stream.report.sections import Tile, confusion
from stream.report.told import count, score

MATRICES_MAX = 4
"""Candidates whose confusion matrix stands in the page."""


@dataclass(frozen=True, slots=True)
class About:
    """What a page tells beside what was found."""

    model: str
    run: int
    made_at: datetime
    environment: Mapping[str, str]
    interrupted: bool = False


def render(found: Found, about: About, plotly_js: str) -> str:
    """Return the page as HTML. `plotly_js` is the text of plotly.js."""
    board = leaderboard(found)
    return page(
        "backtest.html",
        drawn(found, board),
        plotly_js,
        about=about,
        asked=told.asked(found),
        glance=_glance(found, board),
        verdict=told.verdict(found.verdict, board),
        settled=found.verdict is not None and found.verdict["best"] is not None,
        replays=found.replays_live,
        saved=told.saved(found),
        check=None if found.course is None else told.check(found),
        board=board,
        rows_max=told.LINES_MAX,
        gap=told.gap,
        regret=told.regret,
        size=told.size,
        color=plots.color,
        metrics=list(board.spans),
        key=_key(board),
        slices=_fields(board),
        matrices=_matrices(board),
        candidates=found.candidates,
        places=_places(found),
        changes=found.changes,
        start=None if found.course is None or found.course.start is None else found.course.start.version,
    )


def drawn(found: Found, board: Leaderboard) -> dict[str, Figure]:
    """Return all plots by the name of their place in the page."""
    known = {"differences": plots.differences(board)}
    known |= {f"score-{number}": plots.scores(found, board, metric) for number, metric in enumerate(board.spans)}
    metric = next(iter(board.spans), "")
    known |= {f"slice-{number}": plots.slices(board, field, metric) for number, field in enumerate(_fields(board))}
    return {name: figure for name, figure in known.items() if figure is not None}


def _glance(found: Found, board: Leaderboard) -> list[Tile]:
    """Return what stands at the top: the leader, how many there are, the events, the check."""
    done = [line for line in board.lines if not line.error]
    tiles = []
    if done and board.spans:
        metric = next(iter(board.spans))
        others = [f"{line.name} {score(line.scores[metric])}" for line in board.baselines]
        tiles.append(Tile(f"best {metric}", score(done[0].scores[metric]), (done[0].name, *others)))
    failed = len(board.lines) - len(done)
    tiles.append(Tile("candidates", count(len(board.lines)), (f"{count(failed)} failed",) if failed else ()))
    tiles.append(Tile("events", count(found.events), (f"{count(_held(board))} held",)))
    word = {True: "equal", False: "NOT equal", None: "-"}[found.replays_live]
    return [*tiles, Tile("replays live", word, (found.why,) if found.why else ())]


def _held(board: Leaderboard) -> int:
    return max((line.outcome.held for line in board.lines if line.outcome is not None), default=0)


def _key(board: Leaderboard) -> list[tuple[str, str, str]]:
    """Return (what, colour, dash) of the lines in the plots of scores."""
    key = [(line.name, plots.color(place), "bold") for place, line in enumerate(board.lines[: len(plots.COLORS)])]
    key += [("other candidates", plots.color(len(plots.COLORS)), "bold")] if len(board.lines) > len(key) else []
    dashed = [(line.name, "var(--two)", plots.dash(index)) for index, line in enumerate(board.baselines)]
    first = next((line.outcome for line in board.lines if line.number == 0), None)
    return key + (dashed if first is not None and not went_on(first) else [])


def _fields(board: Leaderboard) -> list[str]:
    """Return the fields whose slices are kept."""
    return [*dict.fromkeys(field for line in board.lines for field in plots.sliced(line))]


def _matrices(board: Leaderboard) -> list[tuple[str, Any]]:
    """Return (candidate, lines of its confusion matrix) of the best."""
    known = [(line.name, confusion(line.outcome)) for line in board.lines if line.outcome]
    return [(name, lines) for name, lines in known if lines][:MATRICES_MAX]


def _places(found: Found) -> list[tuple[str, int, int, int]]:
    """Return (topic, partition, first offset, next offset) of what was to be read."""
    if found.course is None:
        return []
    begins = found.course.begins
    return [
        (topic, partition, begins.get(topic, {}).get(partition, 0), end)
        for topic, ends in found.course.ends.items()
        for partition, end in ends.items()
    ]
