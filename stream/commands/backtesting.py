"""The command backtest: lay out, carry out, tell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from store import ModelStore, Store
from stream.backtest import told
from stream.backtest.asked import Ask, Found, ask
from stream.backtest.frames import board_frame, points_frame
from stream.backtest.hear import Interrupted
from stream.backtest.leaderboard import leaderboard
from stream.backtest.several import Several
from stream.commands.opened import console, print_json, print_table
from stream.commands.progress import progress
from stream.commands.reporting import require_extra, write_page
from stream.config import Config, read_config
from stream.environment import environment
from stream.errors import ConfigError
from stream.runs import recorded
from stream.stop import Stop

__all__ = ["Ask", "Found", "Telling", "ask", "backtest", "carry_all_out", "carry_out", "opened_anyway"]

Shown = Callable[[str, int | None], AbstractContextManager[Callable[[int], None]]]
"""Shows how far it is, as `progress` does."""


@dataclass(frozen=True, slots=True)
class Telling:
    """How what was found is told: in which form here, and which files are written."""

    form: Literal["table", "json", "csv"] = "table"
    points: Path | None = None
    page: Path | None = None


def backtest(path: Path, ask: Ask, *, workers: int | None, telling: Telling) -> bool:
    """Carry out a backtest and tell what it found; False if it was interrupted, or live scores were not replayed."""
    _check(telling, ask)
    stop = Stop()
    stop.listen()
    with opened_anyway(path) as (config, model):
        several, run = carry_all_out(config, model, ask, workers, stop)
    if telling.form == "json":
        print_json({**told.plain_all(several), "run": run, "interrupted": stop.requested})
    for found in several:
        if telling.form == "csv":
            board_frame(found).write_csv(sys.stdout)
        elif telling.form == "table":
            tell(found)
    if telling.points is not None:
        with telling.points.open("w", encoding="utf-8", newline="") as out:
            points_frame(several[0]).write_csv(out)
    if telling.page is not None:
        _write(several[0], config, run, telling.page, interrupted=stop.requested)
    if stop.requested:
        sys.stderr.write("interrupted: the same command goes on where it was\n")
    return not stop.requested and all(found.replays_live is not False for found in several)


def _check(telling: Telling, ask: Ask) -> None:
    """Raise `ConfigError` for a file that cannot be written: now, not when all is done."""
    if len(ask.ranges) > 1 and (telling.form == "csv" or telling.points or telling.page):
        raise ConfigError(
            "expected one range with --csv, --points and --report, found several", "leave them out, or --json has all"
        )
    if telling.page is not None:
        require_extra()
    for option, file in (("--points", telling.points), ("--report", telling.page)):
        if file is not None and (file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK)):
            raise ConfigError(f"expected a file that can be written, found {option} {file}", "name another file")


def _write(found: Found, config: Config, run: int, output: Path, *, interrupted: bool) -> None:
    from plotly.offline import get_plotlyjs  # noqa: PLC0415 - an extra

    from stream.backtest.page import About, render  # noqa: PLC0415 - needs the extra

    about = About(config.model.name, run, datetime.now(UTC), environment(), interrupted)
    write_page(render(found, about, get_plotlyjs()), output, "--report")


@contextmanager
def opened_anyway(path: Path) -> Iterator[tuple[Config, ModelStore]]:
    """Give the configuration and its model, which need not have a version; where there is no store it is made."""
    config = read_config(path)
    with Store.open(config.store_url, create=True) as store:
        yield config, store.model(config.model.name)


def carry_out(
    config: Config, model: ModelStore, ask: Ask, workers: int | None, stop: Stop, shown: Shown = progress
) -> tuple[Found, int]:
    """Carry out a backtest of one range as a recorded run; return what it found, and the number of the run."""
    found, run = carry_all_out(config, model, ask, workers, stop, shown)
    return found[0], run


def carry_all_out(
    config: Config, model: ModelStore, ask: Ask, workers: int | None, stop: Stop, shown: Shown = progress
) -> tuple[list[Found], int]:
    """Carry out the backtest of each range as one recorded run; return what they found, and the number of the run."""
    number, found = 0, list[Found]()
    with suppress(Interrupted), recorded(model, config, "backtest", commit=True) as run:
        number, made = run.run, Several(config, model, ask, run)
        hands = workers or made.workers(os.cpu_count() or 1)
        try:
            with shown("backtest", made.total(hands)) as advance:
                made.go(hands, advance, lambda: stop.requested)
        finally:
            found = made.found()
            run.result.update(told.plain_all(found))
    return found, number


def tell(found: Found) -> None:
    """Print the leaderboard, the verdict, and the check."""
    board = leaderboard(found)
    if board.lines:
        print_table(told.asked(found), told.columns(board), told.table(board))
    lines = [] if board.lines else [told.asked(found)]
    lines += [*told.below(board), *told.verdict(found.verdict, board)]
    lines += [] if found.course is None else [told.check(found), *told.saved(found)]
    for line in lines:
        console().print(line, highlight=False, markup=False, soft_wrap=True)
