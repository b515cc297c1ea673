"""What is kept: snapshots, references, scores, runs, held events. Imports neither `learners` nor `stream`.

A name brings its module when it is asked for: who uses a value needs no SQLAlchemy.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = {
    "store.errors": (
        "BytesExpired",
        "CorruptSnapshot",
        "Fenced",
        "HeadMoved",
        "NoSuchModel",
        "NoSuchVersion",
        "OwnerAlive",
        "Refused",
        "StoreError",
        "StoreMissing",
        "StoreNewer",
        "StoreOlder",
        "StoreUnreachable",
    ),
    "store.export": ("Export", "read_export", "write_export"),
    "store.model": ("ModelStore",),
    "store.owners": ("Claimant",),
    "store.resumes": ("Resume",),
    "store.running": ("Heartbeat", "Outcome", "RunRecord"),
    "store.store": ("Store",),
    "store.trials": ("Trial",),
    "store.types": (
        "Accounts",
        "Cursor",
        "HeldEvent",
        "Hold",
        "HoldKind",
        "Move",
        "MoveKind",
        "NewVersion",
        "Position",
        "Proof",
        "Ref",
        "Run",
        "RunKind",
        "ScorePoint",
        "Scores",
        "Segment",
        "TopicPosition",
        "Version",
        "VersionKind",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    """Return a name from its module; the types of all are in the stub beside this file."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOME[name]), name)
    return found
