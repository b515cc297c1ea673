"""The tour's last step: a feed goes bad for a day and ruins the model; two commands take the day back out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from store.types import Version
from stream.commands.opened import print_table
from stream.commands.trainers import head_of, model_of, running, start, tell_and_run, wait, watch
from stream.errors import StreamError

FEED = "EWR"
MS_PER_MINUTE = 60_000
SPANS = ("cumulative", "window")


def take_poison_out(config: Path, later: list[dict[str, Any]], out: Console, total: int) -> None:
    """Let a running trainer learn a bad day and what came after; quarantine it, rebuild, and compare with the oracle.

    The oracle is the undisturbed model, whose log never gets the flights of that feed on that day.
    """
    first = date.fromisoformat(later[0]["departed_at"][:10]) + timedelta(days=1)
    since, until = (first + timedelta(days=days) for days in range(2))
    bad = [e["origin"] == FEED and str(since) <= e["departed_at"] < str(until) for e in later]
    out.print(
        f"on {since} {FEED} sends delays in milliseconds, not minutes: {sum(bad)} of {len(later):,} flights more",
        soft_wrap=True,
    )
    with running(config) as (trainer, model):
        before = model.head()[0]
        spoilt = [
            e | {"dep_delay": e["dep_delay"] * MS_PER_MINUTE} if b else e for e, b in zip(later, bad, strict=True)
        ]
        append(config.with_name("flights.jsonl"), spoilt)
        watch(model, trainer, total + len(later), lambda read: read >= total + len(later))
        wait(lambda: model.head()[0].accounts.read == total + len(later), trainer)
        ruined = model.head()[0]
        where = f"origin == '{FEED}'"
        which = ("--from", str(since), "--to", str(until), "--where", where)
        tell_and_run(out, config, "quarantine", "add", *which, "--reason", "milliseconds, not minutes")
        tell_and_run(out, config, "rebuild")
    rebuilt = head_of(config)
    oracle = _oracle(config.with_name("undisturbed.toml"), [e for e, b in zip(later, bad, strict=True) if not b], total)
    out.print()
    _compare({"before": before, "ruined": ruined, "rebuilt": rebuilt, "never saw them": oracle})
    if (rebuilt.accounts.learned, rebuilt.proof.golden, _scores(rebuilt)) != (
        oracle.accounts.learned,
        oracle.proof.golden,
        _scores(oracle),
    ):
        raise StreamError("expected the rebuilt model to equal the one that never saw them", "please report it")
    out.print("[green]the last two are equal, bit for bit[/]")


def append(log: Path, events: Iterable[Mapping[str, Any]]) -> None:
    """Put events at the end of a log."""
    with log.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in events))


def _oracle(config: Path, later: list[dict[str, Any]], total: int) -> Version:
    append(config.with_suffix(".jsonl"), later)
    trainer = start(config, "--until-end")
    with model_of(config, trainer) as model:
        watch(model, trainer, total + len(later))
    return head_of(config)


def _scores(version: Version) -> dict[tuple[str, str], float | None]:
    scores = version.proof.scores
    return {(metric, span): of[span] for metric, of in scores.items() for span in SPANS if of[span] is not None}


def _compare(versions: Mapping[str, Version]) -> None:
    scored = [_scores(version) for version in versions.values()]
    names = [(metric, span) for metric, span in scored[0]]
    lines = [(metric, span, *(scores[metric, span] for scores in scored)) for metric, span in names]
    print_table("", ("", "", *versions), lines)
