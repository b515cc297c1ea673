"""What is kept: snapshots, references, scores, runs, held events. Imports neither `learners` nor `stream`."""

from __future__ import annotations

from store.errors import (
    BytesExpired,
    CorruptSnapshot,
    Fenced,
    HeadMoved,
    NoSuchModel,
    NoSuchVersion,
    OwnerAlive,
    Refused,
    StoreError,
    StoreMissing,
    StoreNewer,
    StoreOlder,
    StoreUnreachable,
)
from store.export import Export, read_export, write_export
from store.model import ModelStore
from store.owners import Claimant
from store.resumes import Resume
from store.running import Heartbeat, Outcome, RunRecord
from store.store import Store
from store.trials import Trial
from store.types import (
    Accounts,
    Cursor,
    HeldEvent,
    Hold,
    HoldKind,
    Move,
    MoveKind,
    NewVersion,
    Position,
    Proof,
    Ref,
    Run,
    RunKind,
    ScorePoint,
    Scores,
    Segment,
    TopicPosition,
    Version,
    VersionKind,
)

__all__ = [
    "Accounts",
    "BytesExpired",
    "Claimant",
    "CorruptSnapshot",
    "Cursor",
    "Export",
    "Fenced",
    "HeadMoved",
    "Heartbeat",
    "HeldEvent",
    "Hold",
    "HoldKind",
    "ModelStore",
    "Move",
    "MoveKind",
    "NewVersion",
    "NoSuchModel",
    "NoSuchVersion",
    "Outcome",
    "OwnerAlive",
    "Position",
    "Proof",
    "Ref",
    "Refused",
    "Resume",
    "Run",
    "RunKind",
    "RunRecord",
    "ScorePoint",
    "Scores",
    "Segment",
    "Store",
    "StoreError",
    "StoreMissing",
    "StoreNewer",
    "StoreOlder",
    "StoreUnreachable",
    "TopicPosition",
    "Trial",
    "Version",
    "VersionKind",
    "read_export",
    "write_export",
]
