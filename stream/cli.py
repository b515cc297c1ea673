"""The command line. Every command imports its own module late: help must not wait a second for river."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from stream.backtests import backtests
from stream.hash_seed import pin_hash_seed
from stream.options import TOML, ConfigFile, Json, Reason, Selector, end
from stream.suspects import suspects
from stream.views import views

app = typer.Typer(
    name="tidemark",
    help="Trains models that never stop learning, and lets you undo what they learned.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db = typer.Typer(help="Care for the store's schema.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(views)  # without a name: its commands are ours
app.add_typer(suspects)
app.add_typer(backtests)
app.add_typer(db, name="db")


@app.command()
def train(
    *,
    config: ConfigFile = TOML,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the end that the log has now.")] = False,
    take_over: Annotated[bool, typer.Option("--take-over", help="Do not wait for another trainer.")] = False,
    accept_environment: Annotated[
        bool, typer.Option("--accept-environment", help="Go on though head was made with other libraries.")
    ] = False,
    close: Annotated[bool, typer.Option("--close", help="At the end, reveal all pending labels.")] = False,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="V", help="Take up this version: head moves to it first.")
    ] = None,
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="Go on after events that the log has lost; record the gap.")
    ] = False,
    json: Json = False,
) -> None:
    """Run the consumer process: predict, score, then learn every event, and keep every version.

    SIGTERM and Ctrl-C finish the batch, save and end with 0; a second one leaves at once.
    """
    pin_hash_seed()
    from stream.commands import learning  # noqa: PLC0415
    from stream.consumer import Options  # noqa: PLC0415

    if close and not until_end:
        raise typer.BadParameter("expected --close together with --until-end")
    options = Options(
        until_end=until_end,
        take_over=take_over,
        accept_environment=accept_environment,
        accept_gap=accept_gap,
        close=close,
        adopt=from_,
    )
    learning.train(config, options, as_json=json)


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(metavar="[V]", help="The version to go back to.")] = None,
    *,
    config: ConfigFile = TOML,
    rewind: Annotated[bool, typer.Option("--rewind", help="Read again from V's position (the default).")] = False,
    skip: Annotated[bool, typer.Option("--skip", help="V's model at today's position.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take back the last move.")] = False,
    ref: Annotated[str, typer.Option("--ref", help="Move another reference than head.")] = "head",
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Move head back: model, scores and position as one. A running trainer follows within a second."""
    if rewind and skip:
        raise typer.BadParameter("expected --rewind or --skip, found both")
    from stream.commands import moving  # noqa: PLC0415

    mode = "skip" if skip else "rewind"
    moving.rollback(config, version, mode=mode, ref=ref, undo=undo, reason=reason, as_json=json)


@app.command()
def promote(version: Selector, *, config: ConfigFile = TOML, reason: Reason = "", json: Json = False) -> None:
    """Move champion to a version."""
    from stream.commands import moving  # noqa: PLC0415

    moving.promote(config, version, reason=reason, as_json=json)


@app.command()
def resume(*, config: ConfigFile = TOML, reason: Reason = "", json: Json = False) -> None:
    """Let the trainer go on where too many events in a row were held."""
    from stream.commands import resuming  # noqa: PLC0415

    resuming.resume(config, reason=reason, as_json=json)


@app.command()
def export(
    version: Selector,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    *,
    config: ConfigFile = TOML,
) -> None:
    """Write a version to one file that loads anywhere."""
    from stream.commands import moving  # noqa: PLC0415

    moving.export(config, version, file)


@app.command()
def verify(
    version: Annotated[str, typer.Argument(metavar="V", help='A version, a reference, or "all".')],
    *,
    config: ConfigFile = TOML,
    json: Json = False,
) -> None:
    """Recompute a version from its parent, and compare bit for bit. Exit 1 if it is not equal."""
    pin_hash_seed()
    from stream.commands import learning  # noqa: PLC0415

    end(well=learning.verify_versions(config, version, as_json=json))


@app.command()
def predict(
    version: Selector,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of events, or a log's URL.")],
    *,
    config: ConfigFile = TOML,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Write JSON lines, not CSV.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write to a file.")] = None,
) -> None:
    """Write a version's predictions for the events of a log. Learns nothing."""
    pin_hash_seed()
    from stream.commands import learning  # noqa: PLC0415

    learning.predict(config, version, file, form="jsonl" if jsonl else "csv", output=output)


@app.command()
def produce(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, plain, .gz or .zst.")],
    *,
    config: ConfigFile = TOML,
    labels: Annotated[bool, typer.Option("--labels", help="Into the log of labels.")] = False,
    partitions: Annotated[int, typer.Option(min=1, help="How many, if the topic is made.")] = 1,
    key: Annotated[str | None, typer.Option(help="Partition by this field; else in turn.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.001, help="Events a second.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many events.")] = None,
    json: Json = False,
) -> None:
    """Put the events of a file into the configured log; with --labels, labels into theirs."""
    from stream.commands import feeding  # noqa: PLC0415

    feeding.produce(config, file, labels=labels, partitions=partitions, key=key, rate=rate, limit=limit, as_json=json)


@app.command()
def expire(
    *,
    config: ConfigFile = TOML,
    keep_last: Annotated[int | None, typer.Option(min=1, help="Else [snapshots] keep_last.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    json: Json = False,
) -> None:
    """Delete the bytes of old versions; scores, lineage and segments stay."""
    from stream.commands import moving  # noqa: PLC0415

    moving.expire(config, keep_last=keep_last, dry_run=dry_run, as_json=json)


@app.command()
def doctor(*, config: ConfigFile = TOML, json: Json = False) -> None:
    """Check configuration, recipe, store, log and environment. Changes nothing."""
    from stream.commands import caring  # noqa: PLC0415

    end(well=caring.doctor(config, as_json=json))


@db.command()
def upgrade(*, config: ConfigFile = TOML, json: Json = False) -> None:
    """Migrate the store to this program's schema."""
    from stream.commands import caring  # noqa: PLC0415

    caring.upgrade(config, as_json=json)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where to keep what it makes.")] = Path("demo"),
) -> None:
    """Train on real flights, kill, resume, roll back, take poison out; in under a minute."""
    from stream.commands import demo as command  # noqa: PLC0415

    command.demo(folder)


def main() -> None:
    """Run the command line: the one place where errors become words and exit codes."""
    try:
        app()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if not hasattr(error, "exit_code"):
            raise  # ours: the traceback tells where
        sys.stderr.write(f"error: {error}\n")
        if hint := getattr(error, "hint", ""):
            sys.stderr.write(f"hint: {hint}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
