"""Commands that look and change nothing. Each imports its own module late: help must not wait a second for river."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stream.hash_seed import pin_hash_seed
from stream.options import TOML, ConfigFile, Json, Selector, end

views = typer.Typer()
runs = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
views.add_typer(runs, name="runs")
RunNumber = Annotated[int, typer.Argument(metavar="N", help="The number of a run, as `tidemark runs` lists it.")]


@views.command()
def log(
    *,
    config: ConfigFile = TOML,
    moves: Annotated[bool, typer.Option("--moves", help="List the moves of references instead.")] = False,
    json: Json = False,
) -> None:
    """List the versions as a graph, newest first."""
    from stream.commands import moves as moved  # noqa: PLC0415
    from stream.commands import showing  # noqa: PLC0415

    (moved.moves if moves else showing.log)(config, as_json=json)


@views.command()
def show(version: Selector, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """Show one version: accounts, position, scores, baselines, environment."""
    from stream.commands import showing  # noqa: PLC0415

    showing.show(config, version, as_json=json)


@views.command()
def diff(version: Selector, other: Selector, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """Compare two versions."""
    from stream.commands import showing  # noqa: PLC0415

    showing.diff(config, version, other, as_json=json)


@views.command()
def scores(
    version: Annotated[str, typer.Argument(metavar="[V]", help="Along the lineage of this version.")] = "head",
    *,
    config: ConfigFile = TOML,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    json: Json = False,
) -> None:
    """Show the score series: a point every `window` learned events."""
    from stream.commands import showing  # noqa: PLC0415

    showing.scores(config, version, form="json" if json else "csv" if csv else "table")


@views.command()
def report(
    version: Annotated[str, typer.Argument(metavar="[V]", help="This version and what led to it.")] = "head",
    *,
    config: ConfigFile = TOML,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The page to write; else report.html.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="A live view of training in the terminal instead.")] = False,
    json: Json = False,
) -> None:
    """Write one HTML file with scores, baselines, slices, labels, moves; tell the main numbers here.

    With --json all of it is printed as JSON, and the file is written only with -o.
    """
    if watch and (json or output is not None or version != "head"):
        raise typer.BadParameter("expected --watch alone: it shows head, and writes nothing")
    if watch:
        from stream.commands import watching  # noqa: PLC0415

        watching.watch(config)
        return
    from stream.commands import reporting  # noqa: PLC0415

    reporting.report(config, version, output=output, as_json=json)


@views.command()
def bisect(
    *,
    config: ConfigFile = TOML,
    metric: Annotated[str | None, typer.Option(help="Judge by this metric; else the first of the model's.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Worse than this is bad; else worse than before.")] = None,
    good: Annotated[str | None, typer.Option(metavar="V", help="A good version; else the score series tells.")] = None,
    bad: Annotated[str | None, typer.Option(metavar="V", help="A bad version; else what led to head.")] = None,
    json: Json = False,
) -> None:
    """Find by replay which events made the model worse, down to a single one; tell how to quarantine them."""
    pin_hash_seed()
    from stream.commands import bisecting  # noqa: PLC0415

    bisecting.bisect(config, metric=metric, threshold=threshold, good=good, bad=bad, as_json=json)


@views.command()
def status(
    *,
    config: ConfigFile = TOML,
    check: Annotated[bool, typer.Option("--check", help="Only tell if a trainer is alive: exit 0 or 1.")] = False,
    json: Json = False,
) -> None:
    """Show what the trainer does now."""
    from stream.commands import status as command  # noqa: PLC0415

    end(well=command.status(config, as_json=json, check=check))


@runs.callback()
def list_runs(context: typer.Context, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """List every run and its outcome, failures too."""
    if context.invoked_subcommand is not None:
        if json or config != TOML:
            raise typer.BadParameter(f"expected options after {context.invoked_subcommand}")
        return
    from stream.commands import runs as command  # noqa: PLC0415

    command.listed(config, as_json=json)


@runs.command(name="show")
def show_run(number: RunNumber, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """Show one run: configuration, commit, environment, range, candidates, scores, duration, outcome."""
    from stream.commands import runs as command  # noqa: PLC0415

    command.show(config, number, as_json=json)


@runs.command(name="compare")
def compare_runs(number: RunNumber, other: RunNumber, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """Compare two runs: what of their configuration differs, and their scores side by side."""
    from stream.commands import runs as command  # noqa: PLC0415

    command.compare(config, number, other, as_json=json)
