"""The command `status`: what the trainer does now, from its heartbeat."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from store import ModelStore
from store.processes import gone
from store.running import Heartbeat
from stream.commands.opened import console, opened_model, print_json, told
from stream.config import Config
from stream.errors import StreamError
from stream.hold import hold_of
from stream.reach import earliest_within, reach
from stream.runs import engine_of

FRESH_S = 10.0
LOG_S_MAX = 3.0
ALIVE = ("training", "idle")
ENDED = ("stopped", "failed")


def status(path: Path, *, as_json: bool, check: bool) -> bool:
    """Show the state; with `check` the result says whether a trainer is alive and well."""
    with opened_model(path) as (config, model):
        value = _status(model)
        if not check:
            value["rebuild"] = _rebuild(config, model)
    if as_json:
        print_json(value)
    elif not check:
        for key, item in value.items():
            console().print(f"{key:<16} {_text(key, item)}", highlight=False, markup=False, soft_wrap=True)
    well = value["state"] in ALIVE
    if check and not as_json:
        console().print(f"{'ok' if well else 'not well'}: {value['state']}", highlight=False)
    return well or not check


def _text(key: str, item: Any) -> str:
    if key == "rebuild":
        return str(item["told"])
    return str(item) if key == "pid" else f"{item:,.1f}" if isinstance(item, float) else told(item)


def _status(model: ModelStore) -> dict[str, Any]:
    head, ref = model.head()
    beat = model.heartbeat()
    state = state_of(beat, datetime.now(UTC))
    champion, hold = model.ref("champion"), hold_of(model, head)
    static = head.proof.details.get("static", {})
    static = static if static.get("of") == "model" else {}
    return {
        "state": state,
        "head": head.version,
        "champion": champion.version if champion else None,
        "engine": engine_of(model, beat.run) if beat else None,
        "mode": "static" if static else "dynamic",
        "static_since": static["since_learned"] if static else None,
        "learned": head.accounts.learned,
        "held": head.accounts.held,
        "pending": head.accounts.pending,
        "expired": head.accounts.expired,
        "hold": hold["why"] if hold and hold["resumed"] is None else None,
        "lag": beat.lag if beat else None,
        "events_per_s": round(beat.events_per_s, 1) if beat and state in ALIVE else 0.0,
        "head_age_s": round((datetime.now(UTC) - head.created_at).total_seconds(), 1),
        "epoch": ref.epoch,
        "host": beat.host if beat else None,
        "pid": beat.pid if beat else None,
        "heartbeat_age_s": round((datetime.now(UTC) - beat.at).total_seconds(), 1) if beat else None,
    }


def _rebuild(config: Config, model: ModelStore) -> dict[str, Any]:
    """Return from which version on a rebuild is possible: what the log still has. Never waits long for the log."""
    none = {"from": None, "lost_versions": None, "due_from": None, "too_late": None}
    try:
        found = reach(model, earliest_within(config, model.head()[0].position, LOG_S_MAX))
    except StreamError as error:
        return {**none, "told": f"unknown: {error}"}
    mark = "WARNING: " if found.close or found.too_late else ""
    return {
        "from": found.since and found.since.version,
        "lost_versions": found.lost,
        "due_from": found.base and found.base.version,
        "too_late": found.too_late,
        "told": mark + found.told(datetime.now(UTC)),
    }


def state_of(beat: Heartbeat | None, now: datetime) -> str:
    """Return the trainer's state: as it said, or "lost" when it is silent or its process is gone."""
    if beat is None:
        return "never ran"
    if beat.state in ENDED:
        return beat.state
    silent = (now - beat.at).total_seconds() > FRESH_S
    return "lost" if silent or (beat.host == socket.gethostname() and gone(beat.pid, beat.pid_started)) else beat.state
