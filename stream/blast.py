"""The blast radius of events: which versions learned any of them, and what these versions did since."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from store import ModelStore
from store.offsets import Offsets
from store.types import Run, Version


@dataclass(frozen=True, slots=True)
class Blast:
    """What events did. `own` is what the segment of each version learned of them; `touched` has its descendants, too.

    `first` is the first touched version of head's lineage, `base` the one before it: both None where head is clean.
    `predictions` were made by touched versions as they trained, in all lineages.
    """

    own: dict[int, Offsets]
    touched: set[int]
    base: int | None
    first: int | None
    predictions: int
    lineage: tuple[Version, ...]

    @property
    def learned(self) -> int:
        """How many of the events head's lineage learned."""
        return sum(len(self.own[version.version]) for version in self.lineage if version.version in self.own)


def blast_radius(store: ModelStore, offsets: Offsets) -> Blast:
    """Return the blast radius of these events. They touch a version that was asked them or learned them."""
    own = learned_of(store, offsets)
    outline = store.outline()
    touched: set[int] = set()
    for version in outline:  # a child has a greater number than its parent
        if version.version in own or version.parent in touched:
            touched.add(version.version)
    accepted = {version.version: version.read - version.held for version in outline}
    predictions = sum(
        accepted[version.version] - accepted[version.parent]
        for version in outline
        if version.parent is not None and version.parent in touched and version.kind != "skip"
    )
    lineage = tuple(store.lineage(store.head()[0].version))
    first = next((version for version in lineage if version.version in touched), None)
    base, number = (None, None) if first is None else (first.parent, first.version)
    return Blast(own, touched, base, number, predictions, lineage)


def learned_of(store: ModelStore, offsets: Offsets) -> dict[int, Offsets]:
    """Return what each version's own segment learned of the events; versions that learned none are left out."""
    found: dict[int, list[tuple[str, int, int, int]]] = {}
    for version, run in store.runs_read():
        found.setdefault(version, []).extend(_of_run(run, offsets))
    held: dict[int, list[tuple[str, int, int, int]]] = {}
    for version, hold in store.all_holds():
        if offsets.has(hold.topic, hold.partition, hold.offset):
            held.setdefault(version, []).append((hold.topic, hold.partition, hold.offset, hold.offset + 1))
    own = {version: Offsets.of(each) - Offsets.of(held.get(version, ())) for version, each in found.items() if each}
    return {version: learned for version, learned in own.items() if learned}


def touched_since(store: ModelStore, ref: str, touched: set[int]) -> datetime | None:
    """Return since when a reference has been at touched versions without a break; None if it is at a clean one."""
    since = None
    for move in store.moves(ref):
        if move.new not in touched:
            since = None
        elif since is None:
            since = move.at
    return since


def _of_run(run: Run, offsets: Offsets) -> Iterable[tuple[str, int, int, int]]:
    return ((run.topic, run.partition, *each) for each in offsets.within(run.topic, run.partition, run.start, run.stop))
