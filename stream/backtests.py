"""The command backtest, as a person writes it. Its own module is imported late: help must not wait for river."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stream.hash_seed import pin_hash_seed
from stream.options import TOML, ConfigFile, Json, end

backtests = typer.Typer()

Text = str | None
Texts = list[str] | None
Since = Annotated[Text, typer.Option("--from", help="Offset, v:7 or ISO time; else the beginning.")]
Until = Annotated[Texts, typer.Option("--to", help="As --from; else the end by now.")]
Start = Annotated[Text, typer.Option("--start", metavar="V", help="The live learner goes on from V.")]
Ranges = Annotated[Texts, typer.Option("--range", metavar="A..B", help="One of several ranges, each by itself.")]
Learners = Annotated[
    Texts,
    typer.Option("--learner", metavar="TEXT", help='A candidate, as [model] learner; "live" is the configured one.'),
]
Candidates = Annotated[Path | None, typer.Option("--candidates", help="A file: a candidate a line.")]
Grids = Annotated[
    Texts,
    typer.Option("--grid", metavar="GRID", help='A parameter varied, "optim.SGD.lr=0.001,0.01"; several multiply.'),
]
Necessity = Annotated[bool, typer.Option("--necessity", help="And without each feature, one by one.")]
Without = Annotated[
    Texts,
    typer.Option("--without", metavar="WHICH", help='Hold back: the number of an entry, or "where x > 3; key k1".'),
]
SkipRanges = Annotated[
    Texts, typer.Option("--skip-range", metavar="A..B", help="Do not read: offsets, versions or times.")
]
Delay = Annotated[Text, typer.Option("--delay", help="Labels come so long after their events: 1h.")]
Shifts = Annotated[Texts, typer.Option("--shift", metavar="F=+2sd", help="A feature moved: +2sd, -1, *1.1.")]
Noises = Annotated[Texts, typer.Option("--noise", metavar="F=0.1sd", help="Gaussian noise on a feature (or all).")]
Drops = Annotated[Texts, typer.Option("--drop", metavar="F", help="A feature missing in all events.")]
Order = Annotated[str, typer.Option("--order", help="recorded, time, shuffle or reversed.")]
Seed = Annotated[int, typer.Option("--seed", help="Of noise and shuffling.")]
RollbackAt = Annotated[
    Text, typer.Option("--rollback-at", metavar="T", help="As if rolled back there, to the V of --to.")
]
Save = Annotated[bool, typer.Option("--save", help="Keep what they came to, as versions beside head.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; else one a core, if that pays.")]
Close = Annotated[bool, typer.Option("--close/--no-close", help="At the end, reveal pending labels.")]

Csv = Annotated[bool, typer.Option("--csv", help="Print CSV: a candidate a line, best first.")]
Points = Annotated[Path | None, typer.Option("--points", help="Write the score series, as CSV.")]
Page = Annotated[Path | None, typer.Option("--report", metavar="FILE", help="Write the page of it, as HTML.")]


@backtests.command()
def backtest(
    *,
    config: ConfigFile = TOML,
    since: Since = None,
    until: Until = None,
    start: Start = None,
    several: Ranges = None,
    learner: Learners = None,
    candidates: Candidates = None,
    grid: Grids = None,
    necessity: Necessity = False,
    without: Without = None,
    skip_range: SkipRanges = None,
    delay: Delay = None,
    shift: Shifts = None,
    noise: Noises = None,
    drop: Drops = None,
    order: Order = "recorded",
    seed: Seed = 1,
    rollback_at: RollbackAt = None,
    save: Save = False,
    workers: Workers = None,
    close: Close = True,
    csv: Csv = False,
    points: Points = None,
    report: Page = None,
    json: Json = False,
) -> None:
    """Replay a range of the log through one or more learners, and compare. Moves nothing.

    What was trained live is read in its recorded order: the live learner has exactly its live scores again, or exit 1.
    """
    if csv and json:
        raise typer.BadParameter("expected --csv or --json, found both")
    room = _room()
    changes = {"without": without, "skip_range": skip_range, "shift": shift, "noise": noise, "drop": drop}
    whatif = {**{name: each or () for name, each in changes.items()}, "delay": delay, "order": order, "seed": seed}
    who: Any = {"learners": learner or (), "file": candidates, "grids": grid or (), "necessity": necessity}
    where: Any = {
        "since": since,
        "until": until or (),
        "ranges": several or (),
        "start": start,
        "rollback_at": rollback_at,
    }
    asked = room.ask(**who, **where, close=close, save=save, whatif=whatif)
    telling = room.Telling("json" if json else "csv" if csv else "table", points, report)
    end(well=room.backtest(config, asked, workers=workers, telling=telling))


def _room() -> Any:
    """Return what carries it out: imported when the hash seed is pinned, and never for help."""
    pin_hash_seed()
    from stream.commands import backtesting  # noqa: PLC0415

    return backtesting
