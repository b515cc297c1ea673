"""Commands of the quarantine: add, list, show, confirm, release; and lineage, which tells what each version learned."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from store import ModelStore
from store.entries import Entry, Release
from stream.blast import blast_radius, learned_of
from stream.commands.blasts import blast_json, tell_blast
from stream.commands.opened import console, opened_model, print_json, print_table
from stream.commands.progress import progress
from stream.config import Config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.log import Log
from stream.owner import obeyed, who
from stream.plan import union
from stream.quarantine import Resolved, check_selector, resolve
from stream.selector import Selector
from stream.sources import open_feed

OBEYED = {
    True: "the running trainer obeys from here on",
    False: "the trainer has not said yet that it obeys: see tidemark status",
    None: "no trainer runs; it obeys when it starts",
}


def add(
    path: Path, selector: Selector, *, labels: bool, confirmed: bool, dry_run: bool, reason: str, as_json: bool
) -> None:
    """Make an entry: read the log once, tell what it means, and hold it."""
    if not reason and not dry_run:
        raise ConfigError("expected a reason", 'say why: --reason "sensor 7 sends garbage since 03:10"')
    with opened_model(path) as (config, model), _reading(config) as feed:
        log = _log(config, feed, selector, labels=labels)
        identity = model.head()[0].position.topics[log.topic].identity
        ends, first = log.end(), log.earliest()
        there = sum(ends[partition] - first[partition] for partition in ends)
        with progress("reading the log", there) as tell:
            found = resolve(selector, log, feed, config, identity, tell)
        blast = blast_radius(model, found.offsets)
        entry = None
        if not dry_run:
            entry = model.quarantine_add(
                log.topic,
                selector.to_json(),
                found.offsets,
                found.stops,
                status="confirmed" if confirmed else "suspect",
                who=who(),
                why=reason,
            )
        told = {
            "entry": entry.entry if entry else None,
            "selector": selector.to_json(),
            "events": len(found.offsets),
            "of": there,
            "share": len(found.offsets) / there if there else 0.0,
            "obeyed": obeyed(model, entry.changes[-1].revision) if entry else None,
            **blast_json(model, blast),
        }
    if as_json:
        print_json(told)
        return
    _tell_added(entry, selector, found, told)


def _tell_added(entry: Entry | None, selector: Selector, found: Resolved, told: dict[str, Any]) -> None:
    out = console()
    verb = "would hold" if entry is None else f"entry {entry.entry} holds"
    share = f"{told['share']:.2%} of the {told['of']:,} in the log"
    out.print(f"{verb} {len(found.offsets):,} events ({share}): {selector.told()}", highlight=False, markup=False)
    tell_blast(told)
    if entry is not None:
        out.print(f"  {OBEYED[told['obeyed']]}", highlight=False)
        if told["learned_by_head"]:
            out.print("  take back what was learned with: tidemark rebuild", highlight=False)


def list_entries(path: Path, *, as_json: bool) -> None:
    """List the entries of the quarantine, released ones too."""
    with opened_model(path) as (_, model):
        told = [{**_entry_json(entry), "learned_by_head": _learned(model, entry)} for entry in model.quarantine()[1]]
    if as_json:
        print_json(told)
        return
    columns = ("entry", "status", "events", "learned by head", "who", "at", "why", "which")
    names = ("entry", "status", "events", "learned_by_head", "who", "at", "why", "which")
    print_table("" if told else "no entry", columns, [[each[name] for name in names] for each in told])


def list_events(path: Path, *, limit: int, as_json: bool) -> None:
    """List held events: where they are, and why."""
    with opened_model(path) as (_, model):
        total, held = model.held_count(), model.held(limit=limit)
    if as_json:
        print_json(
            [
                {
                    "topic": each.topic,
                    "partition": each.partition,
                    "offset": each.offset,
                    "kind": each.kind,
                    "reason": each.reason,
                    "detail": each.detail,
                    "raw": None if each.raw is None else each.raw.decode(errors="backslashreplace"),
                    "sha256": each.sha256,
                    "held_at": each.held_at,
                }
                for each in held
            ]
        )
        return
    columns = ("topic", "partition", "offset", "kind", "reason", "detail")
    print_table(
        f"{len(held):,} of {total:,} held events",
        columns,
        [(each.topic, each.partition, each.offset, each.kind, each.reason, each.detail) for each in held],
    )


def show(path: Path, number: int, *, as_json: bool) -> None:
    """Show an entry with its changes, and its blast radius."""
    with opened_model(path) as (_, model):
        entry = _entry(model, number)
        told = {**_entry_json(entry), **blast_json(model, blast_radius(model, entry.offsets))}
    if as_json:
        print_json(told)
        return
    out = console()
    out.print(f"entry {number}: {told['status']}, {told['events']:,} events of {entry.topic}", highlight=False)
    out.print(f"  {told['which']}", highlight=False, markup=False)
    for change in told["changes"]:
        released = f" ({change['release']})" if change["release"] else ""
        why = f": {change['why']}" if change["why"] else ""
        out.print(
            f"  {change['at']}  {change['status']}{released} by {change['who']}{why}", highlight=False, markup=False
        )
    tell_blast(told)


def confirm(path: Path, number: int, *, reason: str, as_json: bool) -> None:
    """Confirm an entry."""
    with opened_model(path) as (_, model):
        entry = model.quarantine_change(number, "confirmed", who=who(), why=reason)
    _tell_change(entry, as_json=as_json)


def release(path: Path, number: int, how: Release, *, reason: str, as_json: bool) -> None:
    """Release an entry."""
    with opened_model(path) as (config, model):
        entry = _entry(model, number)
        if not entry.active:
            raise ConfigError(f"expected an entry that is held, found entry {number} released", "see quarantine list")
        if how == "late" and config.labels is not None and config.labels.log is not None:
            raise ConfigError(
                "expected labels in the log of events for --late, found a log of labels: theirs have gone by",
                "rebuild with the events in their place: --rewrite",
            )
        with _reading(config) as feed:
            log = feed.events if entry.topic == feed.events.topic else feed.labels
            first = {} if log is None else log.earliest()
        gone = sum(min(stop, first.get(p, 0)) - start for _, p, start, stop in entry.offsets if start < first.get(p, 0))
        if gone:
            raise ConfigError(
                f"expected the events of entry {number} in the log, found that {gone:,} of them are gone",
                "the log's retention was faster: these can no longer be learned; the entry stays",
            )
        entry = model.quarantine_change(number, "released", release=how, who=who(), why=reason)
        obeyed(model, entry.changes[-1].revision)
    _tell_change(entry, as_json=as_json)


def _tell_change(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        print_json(_entry_json(entry))
        return
    out = console()
    out.print(f"entry {entry.entry} is {entry.status}: {len(entry.offsets):,} events", highlight=False)
    if entry.release == "late":
        out.print(
            "  those that were passed over are learned now, at the end, by partition and offset, in a late run; "
            "those that are still to come, in their place",
            highlight=False,
        )
    if entry.release == "rewrite":
        out.print("  a rebuild puts them back into their place: versions since then are made again", highlight=False)


def lineage(path: Path, selector: str, *, as_json: bool) -> None:
    """List the ancestors of a version, with what each learned of what is quarantined."""
    with opened_model(path) as (_, model):
        line = model.lineage(model.version(selector).version)
        entries = [entry for entry in model.quarantine()[1] if entry.active]
        learned = {entry.entry: learned_of(model, entry.offsets) for entry in entries}
        every = learned_of(model, union(entry.offsets for entry in entries))
        told, touched = [], False
        for version in line:
            own = every.get(version.version)
            touched = touched or own is not None
            told.append(
                {
                    "version": version.version,
                    "kind": version.kind,
                    "covers": version.covers,
                    "read": version.accounts.read,
                    "learned": version.accounts.learned,
                    "held": version.accounts.held,
                    "quarantined": 0 if own is None else len(own),
                    "entries": [number for number, each in learned.items() if version.version in each],
                    "touched": touched,
                    "at": version.created_at,
                    "reason": version.reason,
                }
            )
    if as_json:
        print_json(told)
        return
    columns = ("version", "kind", "read", "learned", "held", "quarantined", "touched", "stands for", "reason")
    names = ("version", "kind", "read", "learned", "held", "quarantined", "touched", "covers", "reason")
    print_table("", columns, [[each[name] for name in names] for each in told])


@contextmanager
def _reading(config: Config) -> Iterator[Feed]:
    feed = open_feed(config, until_end=True, group=f"tidemark-{config.model.name}-quarantine")
    try:
        yield feed
    finally:
        feed.close()


def _log(config: Config, feed: Feed, selector: Selector, *, labels: bool) -> Log:
    log = feed.labels if labels else feed.events
    if log is None:
        raise ConfigError("expected [labels] log for --labels, found none", "leave --labels out")
    check_selector(selector, log, config.labels.moment if labels and config.labels else config.source.moment)
    return log


def _entry(model: ModelStore, number: int) -> Entry:
    entries = {entry.entry: entry for entry in model.quarantine()[1]}
    if number not in entries:
        raise ConfigError(
            f"expected an entry of the quarantine, found none with the number {number}", "tidemark quarantine list"
        )
    return entries[number]


def _learned(model: ModelStore, entry: Entry) -> int:
    return blast_radius(model, entry.offsets).learned


def _entry_json(entry: Entry) -> dict[str, Any]:
    made = entry.changes[0]
    return {
        "entry": entry.entry,
        "status": entry.status,
        "release": entry.release,
        "topic": entry.topic,
        "events": len(entry.offsets),
        "which": Selector.from_json(entry.selector).told(),
        "selector": entry.selector,
        "offsets": [[partition, start, stop] for _, partition, start, stop in entry.offsets],
        "who": made.who,
        "at": made.at.isoformat(timespec="seconds"),
        "why": made.why,
        "changes": [
            {
                "revision": each.revision,
                "status": each.status,
                "release": each.release,
                "who": each.who,
                "why": each.why,
                "at": each.at.isoformat(timespec="seconds"),
            }
            for each in entry.changes
        ],
    }
