"""The command backtest, as a person writes it. Its own module is imported late: help must not wait for river."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.options import TOML, ConfigFile, Json, end

backtests = typer.Typer()

Learners = Annotated[
    list[str] | None,
    typer.Option("--learner", metavar="TEXT", help='A candidate, as [model] learner; "live" is the configured one.'),
]
Grids = Annotated[
    list[str] | None,
    typer.Option("--grid", metavar="GRID", help='A parameter varied, "optim.SGD.lr=0.001,0.01"; several multiply.'),
]


@backtests.command()
def backtest(
    *,
    config: ConfigFile = TOML,
    since: Annotated[str | None, typer.Option("--from", help="Offset, v:7 or ISO time; else the beginning.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Offset, v:7 or ISO time; else the end by now.")] = None,
    start: Annotated[str | None, typer.Option("--start", metavar="V", help="The live learner goes on from V.")] = None,
    learner: Learners = None,
    candidates: Annotated[Path | None, typer.Option("--candidates", help="A file: a candidate a line.")] = None,
    grid: Grids = None,
    necessity: Annotated[bool, typer.Option("--necessity", help="And without each feature, one by one.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; else one a core.")] = None,
    close: Annotated[bool, typer.Option("--close/--no-close", help="At the end, reveal pending labels.")] = True,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV: a candidate a line, best first.")] = False,
    points: Annotated[Path | None, typer.Option("--points", help="Write the score series, as CSV.")] = None,
    json: Json = False,
) -> None:
    """Replay a range of the log through one or more learners, and compare. Moves nothing.

    What was trained live is read in its recorded order: the live learner has exactly its live scores again, or exit 1.
    """
    if csv and json:
        raise typer.BadParameter("expected --csv or --json, found both")
    from stream.commands import opened  # noqa: PLC0415 - late, see above

    opened.pin_hash_seed()
    from stream.backtest.range import Wishes  # noqa: PLC0415
    from stream.backtest.run import Ask  # noqa: PLC0415
    from stream.commands import backtesting  # noqa: PLC0415

    ask = Ask(
        learners=tuple(learner or ()),
        file=candidates,
        grids=tuple(grid or ()),
        necessity=necessity,
        wishes=Wishes(since, until, start),
        close=close,
    )
    telling = backtesting.Telling("json" if json else "csv" if csv else "table", points)
    end(well=backtesting.backtest(config, ask, workers=workers, telling=telling))
