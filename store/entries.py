"""Entries of the quarantine as values: which events are not to be learned, and what became of that.

An entry is a selector (what was asked for, plain values that `stream` reads) and the offsets that it meant in the log
as far as that was read then (`resolved`: the next offset of each partition). What lies beyond is the gate's to judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from store.offsets import Offsets

Status = Literal["suspect", "confirmed", "released"]
Release = Literal["late", "rewrite"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the quarantine: `revision` counts them; the first of an entry is the one that made it."""

    revision: int
    entry: int
    status: Status
    release: Release | None
    who: str
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is now, with its last change. `topic` is the one that its offsets are of."""

    entry: int
    topic: str
    selector: Mapping[str, Any]
    offsets: Offsets
    resolved: Mapping[int, int]
    changes: tuple[Change, ...]

    @property
    def status(self) -> Status:
        """Suspect, confirmed or released."""
        return self.changes[-1].status

    @property
    def release(self) -> Release | None:
        """How it was released: learned late, or rewritten into its place."""
        return self.changes[-1].release

    @property
    def active(self) -> bool:
        """Whether its events are held."""
        return self.status != "released"

    @property
    def why(self) -> str:
        """Why it was made."""
        return self.changes[0].why
