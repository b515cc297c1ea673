"""Entries of the quarantine as a report tells them: what a version's lineage learned of each, held of it, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store import ModelStore
from store.entries import Release, Status
from store.history import Outline
from store.offsets import Offsets
from store.types import Hold
from stream.blast import learned_of
from stream.held import QUARANTINED
from stream.selector import Selector


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One entry. `learned` and `held` are how many of its events the lineage did.

    `start` and `stop` say where they lie, in learned events of the lineage; None where it met none of them.
    """

    entry: int
    status: Status
    release: Release | None
    which: str
    who: str
    why: str
    at: datetime
    events: int
    learned: int
    held: int
    start: int | None
    stop: int | None


def quarantined(model: ModelStore, line: Sequence[int], versions: Mapping[int, Outline]) -> tuple[Quarantined, ...]:
    """Return all entries, released ones too."""
    entries = model.quarantine()[1]
    of_line = set(line)
    holds = [(at, hold) for at, hold in model.all_holds(reason=QUARANTINED) if at in of_line] if entries else []
    told = []
    for entry in entries:
        learned = {at: own for at, own in learned_of(model, entry.offsets).items() if at in of_line}
        held = _held(holds, entry.offsets)
        met = sorted({*learned, *held})
        parent = versions[met[0]].parent if met else None
        made = entry.changes[0]
        told.append(
            Quarantined(
                entry=entry.entry,
                status=entry.status,
                release=entry.release,
                which=Selector.from_json(entry.selector).told(),
                who=made.who,
                why=made.why,
                at=made.at,
                events=len(entry.offsets),
                learned=sum(map(len, learned.values())),
                held=sum(held.values()),
                start=None if parent is None else versions[parent].learned,
                stop=versions[met[-1]].learned if met else None,
            )
        )
    return tuple(told)


def _held(holds: Sequence[tuple[int, Hold]], offsets: Offsets) -> Mapping[int, int]:
    """Return how many of the events each version held."""
    found: dict[int, int] = {}
    for version, hold in holds:
        if offsets.has(hold.topic, hold.partition, hold.offset):
            found[version] = found.get(version, 0) + 1
    return found
