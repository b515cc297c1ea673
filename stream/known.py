"""How far it is known what entries of the quarantine mean: read on where the log has been read on since.

An entry that is open holds what comes after it was made, by its selector; what it held so is found here, also after it
was released: for a while trainers may not know of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from store import ModelStore
from store.entries import Entry
from stream.config import Config
from stream.feed import Feed
from stream.held import QUARANTINED
from stream.quarantine import resolve
from stream.selector import Selector

Stops = Mapping[int, int]
"""Next offsets by partition."""


def up_to_date(
    store: ModelStore, feed: Feed, config: Config, tell: Callable[[int], None]
) -> tuple[int, tuple[Entry, ...]]:
    """Return the revision and the entries: active ones up to the end of the log, all others as far as they held."""
    revision, entries = store.quarantine()
    for entry in entries:
        if entry.active:
            _read_on(store, feed, config, entry, None, tell)
    for entry, stops in behind(store, [entry for entry in entries if not entry.active]):
        _read_on(store, feed, config, entry, stops, tell)
    return revision, tuple(store.quarantine()[1])


def as_far_as_held(
    store: ModelStore, open_feed: Callable[[], Feed], config: Config, entries: Iterable[Entry]
) -> list[Entry]:
    """Return the entries, each known as far as anything was held by it. Opens the log only where one is not."""
    entries = list(entries)
    if not (found := list(behind(store, entries))):
        return entries
    feed = open_feed()
    try:
        for entry, stops in found:
            _read_on(store, feed, config, entry, stops, lambda _: None)
    finally:
        feed.close()
    known = {entry.entry: entry for entry in store.quarantine()[1]}
    return [known[entry.entry] for entry in entries]


def behind(store: ModelStore, entries: Iterable[Entry]) -> Iterator[tuple[Entry, Stops]]:
    """Give out the entries that may have held events beyond what is known of them, and up to where.

    A released one held nothing in versions that were judged by the revision of its release, or a later one.
    """
    holds = store.all_holds(reason=QUARANTINED)
    judged = {version.version: version.quarantine for version in store.outline()}  # a trainer may save: these come last
    held = [(judged[version], hold) for version, hold in holds]
    for entry in entries:
        stops: dict[int, int] = {}
        for revision, hold in held:
            if hold.topic == entry.topic and (entry.active or revision < entry.changes[-1].revision):
                stops[hold.partition] = max(hold.offset + 1, stops.get(hold.partition, 0))
        if any(entry.resolved.get(partition, 0) < stop for partition, stop in stops.items()):
            yield entry, stops


def _read_on(
    store: ModelStore, feed: Feed, config: Config, entry: Entry, stops: Stops | None, tell: Callable[[int], None]
) -> None:
    """Note what an entry means up to these next offsets, or up to the end of the log."""
    position = store.head()[0].position
    for log in feed.logs:
        if log.topic == entry.topic:
            selector, identity = Selector.from_json(entry.selector), position.topics[log.topic].identity
            found = resolve(selector, log, feed, config, identity, tell, starts=entry.resolved, stops=stops)
            store.quarantine_extend(entry.entry, found.offsets, found.stops)
