"""Runs: each run of a command with its configuration and how it ended; kept for models without versions, too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from store.errors import Refused
from store.processes import gone
from store.running import Outcome, RunRecord
from store.schema import runs


def start(connection: Connection, values: Mapping[str, Any]) -> int:
    """Write a run that begins; return its number."""
    made = insert(runs).values(**{"result": {}, **values}, outcome="running").returning(runs.c.run)
    return int(connection.execute(made).scalar_one())


def note(connection: Connection, model: str, run: int, result: Mapping[str, Any]) -> None:
    """Write what is known of a run before it ends."""
    connection.execute(update(runs).where(runs.c.model == model, runs.c.run == run).values(result=result))


def end(
    connection: Connection,
    model: str,
    run: int,
    *,
    outcome: Outcome,
    error: str | None,
    result: Mapping[str, Any] | None,
    now: datetime,
) -> None:
    """Tell how a run ended. It may be told again: the last word counts. Without a result, that of its start stays."""
    ended = update(runs).where(runs.c.model == model, runs.c.run == run)
    told = {} if result is None else {"result": result}
    if connection.execute(ended.values(outcome=outcome, error=error, ended_at=now, **told)).rowcount != 1:
        raise Refused(f"expected run {run} of model {model!r}, found none", hint="`tidemark runs` lists the runs")


def mark_lost(connection: Connection, model: str, *, host: str, now: datetime) -> list[int]:
    """Mark the runs that still say "running" while their process on this host has ended; return them."""
    running = select(runs).where(runs.c.model == model, runs.c.outcome == "running", runs.c.host == host)
    lost = [
        entry.run for entry in connection.execute(running.order_by(runs.c.run)) if gone(entry.pid, entry.pid_started)
    ]
    for run in lost:
        end(connection, model, run, outcome="lost", error="the process ended without a word", result=None, now=now)
    return lost


def every(connection: Connection, model: str) -> list[RunRecord]:
    """Return all runs, oldest first."""
    query = select(runs).where(runs.c.model == model).order_by(runs.c.run)
    return [RunRecord(**entry) for entry in connection.execute(query).mappings()]
