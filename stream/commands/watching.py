"""The command report --watch: what the trainer does now and how it scores, on the terminal, once a second.

It only reads the store: it may be started and ended at any time, on any machine that reaches the store.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from store import ModelStore
from store.errors import StoreUnreachable
from store.running import Heartbeat
from store.types import Move, Ref, ScorePoint, Version
from stream.commands.opened import console, opened_model, short, told
from stream.commands.status import ALIVE, state_of
from stream.report.told import duration, moment

EVERY_S = 1.0
POINTS = 48
"""Points of the score series in a sparkline."""
MOVES = 4
WRAPPED = ("who", "why")
"""Columns with words of people: these give way where the terminal is narrow."""
BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Seen:
    """The store at one moment; `points` and `moves` are the last ones."""

    head: Version
    refs: Sequence[Ref]
    beat: Heartbeat | None
    points: Sequence[ScorePoint]
    moves: Sequence[Move]
    at: datetime


class Eye:
    """Looks at a model. What only a move of a reference can change is read again only after one."""

    def __init__(self, model: ModelStore) -> None:
        self._model = model
        self._seen: Seen | None = None

    def look(self, now: datetime) -> Seen:
        """Read the store. Raises `StoreUnreachable`."""
        refs, beat, last = self._model.refs(), self._model.heartbeat(), self._seen
        if last is not None and refs == last.refs:
            self._seen = Seen(last.head, refs, beat, last.points, last.moves, now)
            return self._seen
        head = self._model.head()[0]
        points = [point for _, point in self._model.points(head.version, last=POINTS)]
        self._seen = Seen(head, refs, beat, points, self._model.moves_by_hand(last=MOVES), now)
        return self._seen


def watch(path: Path, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Show the view until Ctrl-C; where no terminal is, show it once."""
    with opened_model(path) as (config, model):
        eye, out = Eye(model), console()
        if not out.is_terminal:
            out.print(frame(config.model.name, eye.look(_now())))
            return
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # a parent may have it ignored; the view has no other end
        try:
            _watch(config.model.name, eye, out, sleep)
        except KeyboardInterrupt:
            return


def _watch(name: str, eye: Eye, out: Console, sleep: Callable[[float], None]) -> None:
    shown: RenderableType = Text("looking", style="dim")
    with Live(shown, console=out, auto_refresh=False, transient=False) as live:
        while True:
            try:
                shown = frame(name, eye.look(_now()))
                live.update(Group(shown, Text("Ctrl-C ends the view, not the trainer", style="dim")), refresh=True)
            except StoreUnreachable as error:
                lost = Text(f"the store does not answer, trying again: {error}", style="red")
                live.update(Group(shown, lost), refresh=True)
            sleep(EVERY_S)


def _now() -> datetime:
    return datetime.now(UTC)


def frame(name: str, seen: Seen) -> RenderableType:
    """Return one picture of the view."""
    parts: list[RenderableType] = [_title(name, seen), Text(), _numbers(seen), Text(), _scores(seen)]
    if seen.moves:
        parts += [Text(), _moves(seen.moves)]
    return Group(*parts, Text())


def _title(name: str, seen: Seen) -> Text:
    state = state_of(seen.beat, seen.at)
    title = Text(f"{name}  ", style="bold")
    title.append(state, style="green" if state in ALIVE else "yellow")
    for ref in seen.refs:
        title.append(f"  {ref.name} ", style="dim")
        title.append(f"v{ref.version}")
    if seen.beat is not None:
        title.append(f"  {seen.beat.host} process {seen.beat.pid}", style="dim")
    return title


def _numbers(seen: Seen) -> Table:
    """Return two lines: names, and the numbers below them."""
    beat, accounts = seen.beat, seen.head.accounts
    alive = beat is not None and state_of(beat, seen.at) in ALIVE
    ahead = beat if beat is not None and alive and beat.version == seen.head.version else None
    age_s = max((seen.at - seen.head.created_at).total_seconds(), 0.0)
    numbers: Mapping[str, str] = {
        "read": told(ahead.read if ahead else accounts.read),
        "learned": told(ahead.learned if ahead else accounts.learned),
        "held": told(ahead.held if ahead else accounts.held),
        "pending": told(accounts.pending),
        "expired": told(accounts.expired),
        "lag": told(beat.lag if beat and alive else None),
        "events/s": f"{beat.events_per_s:,.0f}" if beat and alive else "-",
        "saved": f"{duration(age_s)} ago",
    }
    table = _table(list(numbers), right=len(numbers))
    table.add_row(*(Text(number, style="bold") for number in numbers.values()))
    return table


def _scores(seen: Seen) -> Table:
    """Return a line for each metric: its values, the baselines' and the window's last points as bars."""
    head = seen.head.proof
    columns = ["metric", "all", "window", *(f"{name}, all" for name in head.baselines)]
    table = _table([*columns, "the window, so far"], left=1, right=len(columns) - 1)
    for metric, scores in head.scores.items():
        spans = (scores.get("cumulative"), scores.get("window"))
        others = (found.get(metric, {}).get("cumulative") for found in head.baselines.values())
        window = [point.scores.get(metric, {}).get("window") for point in seen.points]
        table.add_row(metric, *map(told, (*spans, *others)), Text(spark(window), style="cyan"))
    return table


def _moves(moves: Sequence[Move]) -> Table:
    table = _table(["last moves", "ref", "from", "to", "when", *WRAPPED], left=7)
    for move in reversed(moves):
        cells = (move.kind, move.ref, told(move.old), told(move.new), moment(move.at), move.who, move.why)
        table.add_row(*(Text(short(cell)) for cell in cells))
    return table


def _table(columns: Sequence[str], *, left: int = 0, right: int = 0) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for index, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if left <= index < left + right else "left"
        table.add_column(Text(column), justify=justify, no_wrap=column not in WRAPPED)
    return table


def spark(values: Sequence[float | None]) -> str:
    """Draw values as bars between the least and the greatest of them, with both at the ends.

    >>> spark([0.5, 0.75, None, 1.0])
    '0.5000 ▁▅ █ 1.0000'
    >>> spark([None]), spark([2.0])
    ('', '2.0000 ▁ 2.0000')
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    step = (high - low) / (len(BARS) - 1)
    bars = (" " if value is None else BARS[round((value - low) / step) if step else 0] for value in values)
    return f"{told(low)} {''.join(bars)} {told(high)}"
