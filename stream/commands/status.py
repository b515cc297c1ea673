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

FRESH_S = 10.0
ALIVE = ("training", "idle")
ENDED = ("stopped", "failed")


def status(path: Path, *, as_json: bool, check: bool) -> bool:
    """Show the state; with `check` the result says whether a trainer is alive and well."""
    with opened_model(path) as (_, model):
        value = _status(model)
    if as_json:
        print_json(value)
    elif not check:
        for key, item in value.items():
            text = str(item) if key == "pid" else f"{item:,.1f}" if isinstance(item, float) else told(item)
            console().print(f"{key:<16} {text}", highlight=False)
    well = value["state"] in ALIVE
    if check and not as_json:
        console().print(f"{'ok' if well else 'not well'}: {value['state']}", highlight=False)
    return well or not check


def _status(model: ModelStore) -> dict[str, Any]:
    head, ref = model.head()
    beat = model.heartbeat()
    state = state_of(beat, datetime.now(UTC))
    champion = model.ref("champion")
    static = head.proof.details.get("static", {})
    static = static if static.get("of") == "model" else {}
    return {
        "state": state,
        "head": head.version,
        "champion": champion.version if champion else None,
        "mode": "static" if static else "dynamic",
        "static_since": static["since_learned"] if static else None,
        "learned": head.accounts.learned,
        "held": head.accounts.held,
        "pending": head.accounts.pending,
        "expired": head.accounts.expired,
        "lag": beat.lag if beat else None,
        "events_per_s": round(beat.events_per_s, 1) if beat and state in ALIVE else 0.0,
        "head_age_s": round((datetime.now(UTC) - head.created_at).total_seconds(), 1),
        "epoch": ref.epoch,
        "host": beat.host if beat else None,
        "pid": beat.pid if beat else None,
        "heartbeat_age_s": round((datetime.now(UTC) - beat.at).total_seconds(), 1) if beat else None,
    }


def state_of(beat: Heartbeat | None, now: datetime) -> str:
    """Return the trainer's state: as it said, or "lost" when it is silent or its process is gone."""
    if beat is None:
        return "never ran"
    if beat.state in ENDED:
        return beat.state
    silent = (now - beat.at).total_seconds() > FRESH_S
    return "lost" if silent or (beat.host == socket.gethostname() and gone(beat.pid, beat.pid_started)) else beat.state
