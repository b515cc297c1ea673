"""What is to be rebuilt: which events head's lineage learned that are quarantined, and from which version on.

The base is the last version of head's lineage that none of them touched, and that has not yet passed over what was
released to be rewritten into its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from store import ModelStore
from store.entries import Entry
from store.offsets import Offsets
from store.types import Hold, Version
from stream.blast import learned_of
from stream.held import QUARANTINED
from stream.log import Ends


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be rebuilt: from which version, by which revision; `learned` and `missed` are why."""

    base: Version | None
    revision: int
    entries: tuple[Entry, ...]
    learned: Offsets
    missed: Offsets


def plan(store: ModelStore, revision: int, entries: Sequence[Entry]) -> Plan:
    """Return what is to be rebuilt in head's lineage; the base is None where it is as it should be."""
    active = union(entry.offsets for entry in entries if entry.active)
    lineage = store.lineage(trained(store).version)
    judged = {version.version: rewritten_since(version, entries) - active for version in lineage}
    learned = {version: each for version, each in learned_of(store, active).items() if version in judged}
    held = [(version, hold) for version, hold in store.all_holds(reason=QUARANTINED) if version in judged]
    missed = [(version, hold) for version, hold in held if judged[version].has(hold.topic, hold.partition, hold.offset)]
    wrong = min([*learned, *(version for version, _ in missed)], default=None)
    base = None if wrong is None else store.version(parent_of(store.version(wrong)))
    back = Offsets.of(point(hold) for _, hold in missed)
    return Plan(base, revision, tuple(entries), union(learned.values()), back)


def rewritten_since(version: Version, entries: Iterable[Entry]) -> Offsets:
    """Return what was released to be rewritten into its place after a version was judged: it may have held that."""
    judged = version.quarantine or 0
    return union(
        entry.offsets for entry in entries if entry.release == "rewrite" and entry.changes[-1].revision > judged
    )


def wrongly_learned(store: ModelStore, version: Version, entries: Iterable[Entry]) -> Offsets:
    """Return which quarantined events the lineage of a version has learned."""
    active = union(entry.offsets for entry in entries if entry.active)
    if not active:
        return active
    line = {each.version for each in store.lineage(version.version)}
    return union(learned for number, learned in learned_of(store, active).items() if number in line)


def replayable_from(store: ModelStore, earliest: Ends) -> Version | None:
    """Return the oldest version of head's lineage that has its bytes, and from which on the log has all events."""
    found = None
    for version in reversed(store.lineage(trained(store).version)):
        at = version.position.next_offsets()
        if any(at.get(topic, {}).get(p, 0) < first for topic, each in earliest.items() for p, first in each.items()):
            break
        found = version if version.blob is not None else found
    return found


def trained(store: ModelStore) -> Version:
    """Return head, or its parent where it is a closing version: training never goes on from one."""
    head = store.head()[0]
    return store.version(parent_of(head)) if head.kind == "closing" else head


def parent_of(version: Version) -> int:
    """Return the parent of a version that has one."""
    assert version.parent is not None, "only genesis has none, and it reads nothing"
    return version.parent


def point(hold: Hold) -> tuple[str, int, int, int]:
    """Return the stretch of one event."""
    return hold.topic, hold.partition, hold.offset, hold.offset + 1


def union(several: Iterable[Offsets]) -> Offsets:
    """Return what is in any of them."""
    return Offsets.of(stretch for offsets in several for stretch in offsets)
