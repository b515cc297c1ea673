"""Commands that show: log, show, diff, scores."""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from store import ModelStore
from store.types import Version
from stream.commands.details import print_details
from stream.commands.opened import console, opened_model, print_json, print_table, told
from stream.hold import hold_of
from stream.runs import engine_of

SHOWN = (
    *("kind", "parent", "created_at", "reason", "covers", "quarantine", "hold"),
    *("recipe", "engine", "position", "events", "segment", "environment"),
)


def log(path: Path, *, as_json: bool) -> None:
    """List all versions, newest first, abandoned ones too; mark those of head's lineage."""
    with opened_model(path) as (config, model):
        refs = refs_of(model)
        versions = model.versions()
        lineage = {version.version for version in model.lineage(model.head()[0].version)}
    if as_json:
        print_json([_log_entry(version, refs[version.version]) for version in versions])
        return
    lines = [
        (
            f"{'*' if version.version in lineage else ' '} {version.version}",
            version.parent,
            " ".join(refs[version.version]),
            version.accounts.learned,
            version.accounts.held,
            f"{version.created_at:%m-%d %H:%M:%S}",
            *(version.proof.scores.get(metric, {}).get("cumulative") for metric in config.metrics),
            _why(version),
        )
        for version in reversed(versions)
    ]
    columns = ["version", "parent", "refs", "learned", "held", "created (UTC)", *config.metrics, "reason"]
    print_table(f"{config.model.name}: versions (* is in head's lineage)", columns, lines)


def _why(version: Version) -> str:
    """Say why it was saved; of a rebuilt version also which one it stands for; whether it was saved beside head."""
    rebuilt = "" if version.covers is None else f"rebuilt, stands for {version.covers}: "
    rebuilt = "beside head: " if version.beside else rebuilt
    return f"{rebuilt}{version.reason}{'' if version.blob else ' (no bytes)'}"


def _log_entry(version: Version, refs: list[str]) -> dict[str, Any]:
    return {
        "version": version.version,
        "parent": version.parent,
        "refs": refs,
        "kind": version.kind,
        "learned": version.accounts.learned,
        "read": version.accounts.read,
        "held": version.accounts.held,
        "created_at": version.created_at.isoformat(),
        "reason": version.reason,
        "covers": version.covers,
        "beside": version.beside,
        "has_bytes": version.blob is not None,
    }


def refs_of(model: ModelStore) -> dict[int, list[str]]:
    """Return the references of every version."""
    refs: dict[int, list[str]] = defaultdict(list)
    for ref in model.refs():
        refs[ref.version].append(ref.name)
    return refs


def show(path: Path, selector: str, *, as_json: bool) -> None:
    """Show one version whole."""
    with opened_model(path) as (_, model):
        version = model.version(selector)
        value = _shown(version, model)
    if as_json:
        print_json(value)
        return
    out = console()
    out.print(f"[bold]version {version.version}[/] of {version.model}  {' '.join(value['refs'])}")
    for key in SHOWN:
        if key in ("covers", "quarantine") and not value[key]:
            continue  # not rebuilt; nothing was ever quarantined
        out.print(f"  {key:<12} {_flat(value[key])}", highlight=False, markup=False, soft_wrap=True)
    scored = {"model": version.proof.scores, **version.proof.baselines}
    spans = list(dict.fromkeys(span for scores in scored.values() for score in scores.values() for span in score))
    lines = [
        (name, metric, *map(score.get, spans)) for name, scores in scored.items() for metric, score in scores.items()
    ]
    print_table("", ["", "metric", *(span.replace("_", " ") for span in spans)], lines)
    print_details(version.proof)


def _shown(version: Version, model: ModelStore) -> dict[str, Any]:
    segment = model.segment(version.version)
    accounts = version.accounts
    return {
        "version": version.version,
        "parent": version.parent,
        "refs": refs_of(model)[version.version],
        "kind": version.kind,
        "created_at": version.created_at.isoformat(),
        "reason": version.reason,
        "covers": version.covers,
        "beside": version.beside,
        "quarantine": version.quarantine,
        "hold": hold_of(model, version),
        "recipe": version.recipe,
        "identity": version.identity,
        "position": version.position.next_offsets(),
        "events": {
            "read": accounts.read,
            "learned": accounts.learned,
            "held": accounts.held,
            "pending": accounts.pending,
            "expired": accounts.expired,
        },
        "scores": version.proof.scores,
        "baselines": version.proof.baselines,
        "details": version.proof.details,
        "segment": {
            "runs": len(segment.runs),
            "events": segment.events,
            "held": dict(Counter(hold.reason for hold in segment.holds)),
            "skipped": [
                {"topic": run.topic, "partition": run.partition, "start": run.start, "stop": run.stop}
                for run in segment.runs
                if run.kind in ("skip", "gap")
            ],
        },
        "schema": version.schema,
        "environment": version.environment,
        "config_hash": version.config_hash,
        "blob": version.blob,
        "bytes": version.size,
        "run": version.run,
        "engine": engine_of(model, version.run),
    }


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {_flat(item)}" for key, item in value.items()) or "-"
    return told(value)


def diff(path: Path, one: str, other: str, *, as_json: bool) -> None:
    """Compare two versions: scores, accounts, positions, and where they parted."""
    with opened_model(path) as (_, model):
        first, second = model.version(one), model.version(other)
        ancestors = {version.version for version in model.lineage(first.version)}
        shared = [version.version for version in model.lineage(second.version) if version.version in ancestors]
        parted = max(shared, default=None)
    scores = _score_changes(first, second)
    changed = {
        key: {"from": getattr(first, key), "to": getattr(second, key)}
        for key in ("recipe", "config_hash", "environment", "schema")
        if getattr(first, key) != getattr(second, key)
    }
    learned = {"from": first.accounts.learned, "to": second.accounts.learned}
    position = {"from": first.position.next_offsets(), "to": second.position.next_offsets()}
    if as_json:
        print_json(
            {
                "from": first.version,
                "to": second.version,
                "common_ancestor": parted,
                "learned": learned,
                "position": position,
                "scores": scores,
                "changed": changed,
            }
        )
        return
    lines = [
        (metric, span, value["from"], value["to"], value["change"])
        for metric, spans in scores.items()
        for span, value in spans.items()
        if value["from"] is not None or value["to"] is not None
    ]
    lines.append(("learned", "", learned["from"], learned["to"], learned["to"] - learned["from"]))
    title = f"version {first.version} to {second.version} (common ancestor: {parted})"
    print_table(title, ["", "", f"v{first.version}", f"v{second.version}", "change"], lines)
    for key in changed:
        console().print(f"  {key} differs")


def _score_changes(first: Version, second: Version) -> dict[str, dict[str, dict[str, float | None]]]:
    return {
        metric: {
            span: {
                "from": was,
                "to": (now := second.proof.scores.get(metric, {}).get(span)),
                "change": _change(was, now),
            }
            for span, was in first.proof.scores[metric].items()
        }
        for metric in first.proof.scores
    }


def _change(was: float | None, now: float | None) -> float | None:
    return None if was is None or now is None else now - was


def scores(path: Path, selector: str, *, form: str) -> None:
    """Show the score series along the lineage of a version: a point every `window` learned events."""
    with opened_model(path) as (config, model):
        points = model.points(model.version(selector).version)
        metrics = config.metrics
    if form == "json":
        print_json(
            [
                {
                    "events": point.events,
                    "version": number,
                    "clock_us": point.clock_us,
                    "scores": point.scores,
                    "baselines": point.baselines,
                }
                for number, point in points
            ]
        )
        return
    found = {
        span for _, point in points for score in point.scores.values() for span in score if score[span] is not None
    }
    more = [span for span in ("faded", "low", "high") if span in found]
    scored = [(metric, span) for span in ("cumulative", "window", *more) for metric in metrics]
    columns = ["events", "version", *(f"{metric} {span}" for metric, span in scored)]
    lines = [
        (point.events, number, *(point.scores.get(metric, {}).get(span) for metric, span in scored))
        for number, point in points
    ]
    if form == "table":  # a metric that has no cumulative value takes no place
        kept = [index for index in range(len(columns)) if any(line[index] is not None for line in lines)]
        columns, lines = [columns[index] for index in kept], [tuple(line[index] for index in kept) for line in lines]
    if form == "csv":
        out = csv.writer(sys.stdout, lineterminator="\n")
        out.writerow(column.replace(" ", "_") for column in columns)
        out.writerows(lines)
        return
    print_table(f"{config.model.name}: scores", columns, lines)
