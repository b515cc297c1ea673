"""Events that were released late: held when they were read, and now learned at the end, as recorded late runs.

Derived, not queued: what the lineage of head held in quarantine, what was released late, and what no late run has
learned yet. So a rollback cannot lose any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from store import ModelStore
from store.entries import Entry
from store.offsets import Offsets
from store.types import Version
from stream.config import Config
from stream.feed import Feed
from stream.held import QUARANTINED
from stream.known import as_far_as_held
from stream.log import Batch, Span
from stream.scan import pick

LATE_MAX = 10_000
"""So many events are read again at once."""


def late_offsets(store: ModelStore, topic: str, head: Version, entries: Iterable[Entry]) -> Offsets:
    """Return the offsets of a topic that were released late, and that head's lineage has held and not learned since."""
    entries = list(entries)
    released = _all(entry.offsets for entry in entries if entry.release == "late" and entry.topic == topic)
    if not released:
        return released
    still = _all(entry.offsets for entry in entries if entry.active and entry.topic == topic)
    line = {version.version for version in store.lineage(head.version)}
    held = [hold for version, hold in store.all_holds(reason=QUARANTINED) if version in line and hold.topic == topic]
    runs = [run for version, run in store.runs_read() if version in line and run.kind == "late" and run.topic == topic]
    holds = Offsets.of((hold.topic, hold.partition, hold.offset, hold.offset + 1) for hold in held)
    return (holds & released) - still - Offsets.of((run.topic, run.partition, run.start, run.stop) for run in runs)


class Late:
    """What one trainer is still to learn late. `open_feed` opens the log apart from the one that it trains from."""

    def __init__(self, open_feed: Callable[[], Feed], config: Config) -> None:
        self._open_feed = open_feed
        self._config = config
        self._due = Offsets()
        self._identity = ""
        self._waiting: list[Span] = []

    def __bool__(self) -> bool:
        return bool(self._due or self._waiting)

    def find(self, store: ModelStore, topic: str, head: Version, entries: Iterable[Entry]) -> None:
        """Find what is due at head."""
        entries = list(entries)
        if any(entry.release == "late" for entry in entries):
            entries = as_far_as_held(store, self._open_feed, self._config, entries)
        self._due, self._waiting = late_offsets(store, topic, head, entries), []
        self._identity = head.position.topics[topic].identity

    def poll(self, events_max: int) -> Batch:
        """Return the next events by partition and offset, at most `events_max`; what the log has lost is left out."""
        if not self._waiting:
            self._waiting = self._read()
        if not self._waiting:
            return Batch((), late=True)
        span = self._waiting.pop(0)
        if len(span) > events_max:
            self._waiting.insert(0, span.part(range(events_max, len(span))))
            span = span.part(range(events_max))
        return Batch((span,), late=True)

    def _read(self) -> list[Span]:
        feed = self._open_feed()
        try:
            first = feed.events.earliest()
            there = Offsets.of((topic, p, max(start, first.get(p, 0)), stop) for topic, p, start, stop in self._due)
            now = there.first(LATE_MAX)
            self._due = there - now
            return pick(feed.events, self._identity, now)
        finally:
            feed.close()


def _all(several: Iterable[Offsets]) -> Offsets:
    return Offsets.of(stretch for offsets in several for stretch in offsets)
