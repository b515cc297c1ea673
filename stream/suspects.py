"""Commands against suspect data: hold it, see what it touched, take it back out. Each imports its own module late."""

from __future__ import annotations

from typing import Annotated

import typer

from stream.hash_seed import pin_hash_seed
from stream.options import TOML, ConfigFile, Json, Reason, end

suspects = typer.Typer()
quarantine = typer.Typer(help="Hold events from learning, before or after they were learned.", no_args_is_help=True)
suspects.add_typer(quarantine, name="quarantine")

Why = Annotated[str, typer.Option("--reason", help="Why; kept with the entry.")]
Entry = Annotated[int, typer.Argument(metavar="N", help="The number of the entry.")]


@quarantine.command("add")
def add(
    *,
    config: ConfigFile = TOML,
    offsets: Annotated[
        list[str] | None, typer.Option("--offsets", metavar="P:START-STOP", help="Half-open; may be repeated.")
    ] = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Event time, ISO.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Event time, ISO; not included.")] = None,
    key: Annotated[str | None, typer.Option("--key", help="The record's key.")] = None,
    where: Annotated[str | None, typer.Option("--where", help="A condition, such as \"sensor == 's7'\".")] = None,
    labels: Annotated[bool, typer.Option("--labels", help="Records of the log of labels.")] = False,
    confirmed: Annotated[bool, typer.Option("--confirmed", help="No mere suspicion.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would mean.")] = False,
    reason: Why = "",
    json: Json = False,
) -> None:
    """Quarantine events; all conditions must hold. Returns when a running trainer obeys: from its next batch on.

    Without --offsets an entry stays open: it means events that are yet to come, too, until it is released.
    """
    from stream.commands import quarantining  # noqa: PLC0415
    from stream.selector import read_selector  # noqa: PLC0415

    selector = read_selector(offsets=offsets or (), since=since, until=until, key=key, where=where)
    quarantining.add(config, selector, labels=labels, confirmed=confirmed, dry_run=dry_run, reason=reason, as_json=json)


@quarantine.command("list")
def list_(
    *,
    config: ConfigFile = TOML,
    events: Annotated[bool, typer.Option("--events", help="List the held events instead, of any reason.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many events.")] = 100,
    json: Json = False,
) -> None:
    """List the entries, or the events that are held."""
    from stream.commands import quarantining  # noqa: PLC0415

    if events:
        quarantining.list_events(config, limit=limit, as_json=json)
    else:
        quarantining.list_entries(config, as_json=json)


@quarantine.command("show")
def show(entry: Entry, *, config: ConfigFile = TOML, json: Json = False) -> None:
    """Show an entry and its blast radius: which versions learned its events, and what they did since."""
    from stream.commands import quarantining  # noqa: PLC0415

    quarantining.show(config, entry, as_json=json)


@quarantine.command("confirm")
def confirm(entry: Entry, *, config: ConfigFile = TOML, reason: Why = "", json: Json = False) -> None:
    """Confirm an entry that was a suspicion."""
    from stream.commands import quarantining  # noqa: PLC0415

    quarantining.confirm(config, entry, reason=reason, as_json=json)


@quarantine.command("release")
def release(
    entry: Entry,
    *,
    config: ConfigFile = TOML,
    late: Annotated[bool, typer.Option("--late", help="Learn its events now, at the end.")] = False,
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Rebuild with its events in their place.")] = False,
    reason: Why = "",
    json: Json = False,
) -> None:
    """Return the events of an entry to training: late, at the end; or rebuilt into their place."""
    if late == rewrite:
        raise typer.BadParameter("expected --late or --rewrite")
    pin_hash_seed()
    from stream.commands import quarantining, rebuilding  # noqa: PLC0415

    quarantining.release(config, entry, "late" if late else "rewrite", reason=reason, as_json=json and late)
    if rewrite:
        rebuilding.rebuild(config, rebuilding.Wishes(reason=reason or f"entry {entry} was released"), as_json=json)


@suspects.command()
def rebuild(
    *,
    config: ConfigFile = TOML,
    protect: Annotated[bool, typer.Option("--protect", help="Move champion to the last clean version first.")] = False,
    also_verify: Annotated[
        bool, typer.Option("--also-verify", help="Prove the result by a run from genesis without the events.")
    ] = False,
    accept_gap: Annotated[
        bool, typer.Option("--accept-gap", help="Go on without what the log has lost; record the gap.")
    ] = False,
    take_over: Annotated[bool, typer.Option("--take-over", help="Do not wait for another rebuild.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be rebuilt.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Make head again without what is quarantined, and move it there. Training goes on all the while."""
    pin_hash_seed()
    from stream.commands import rebuilding  # noqa: PLC0415

    wishes = rebuilding.Wishes(
        reason=reason,
        protect=protect,
        also_verify=also_verify,
        accept_gap=accept_gap,
        take_over=take_over,
        dry_run=dry_run,
    )
    end(well=rebuilding.rebuild(config, wishes, as_json=json))


@suspects.command()
def lineage(
    version: Annotated[str, typer.Argument(metavar="[V]", help="A version or reference.")] = "head",
    *,
    config: ConfigFile = TOML,
    json: Json = False,
) -> None:
    """List the ancestors of a version: what each read, and which quarantined events it learned."""
    from stream.commands import quarantining  # noqa: PLC0415

    quarantining.lineage(config, version, as_json=json)
