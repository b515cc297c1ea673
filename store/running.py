"""The values that tell of running commands: what a trainer says of itself, and what is kept of every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Outcome = Literal["running", "done", "failed", "interrupted", "lost"]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a trainer tells about itself, at least once a second. Times are UTC; `lag` counts events not yet read.

    `quarantine` is the revision by which it judges from its next batch on.
    """

    run: int
    epoch: int
    host: str
    pid: int
    pid_started: float
    state: str
    at: datetime
    version: int
    read: int
    learned: int
    held: int
    lag: int | None
    events_per_s: float
    detail: str = ""
    quarantine: int | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a command: its configuration, when, where, and how it ended. Failures are kept with their error."""

    run: int
    model: str
    command: str
    config_hash: str
    config: Mapping[str, Any]
    environment: Mapping[str, str]
    host: str
    pid: int
    pid_started: float
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = "running"
    error: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
