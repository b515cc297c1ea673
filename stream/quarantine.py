"""The quarantine as the gate applies it, and what an entry means in the log.

An entry knows the offsets it meant as far as the log was read for it (`Entry.resolved`); beyond, the gate asks each
event.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from store.entries import Entry
from store.offsets import Offsets
from stream.config import Config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.fields import Fault
from stream.held import QUARANTINED
from stream.log import Log, Span
from stream.moments import moments_of
from stream.scan import scan
from stream.selector import Matcher, Selector


class Quarantine:
    """The active entries of a model, applied to what its feed brings. `revision` tells which state of them."""

    def __init__(self, revision: int, entries: Iterable[Entry], feed: Feed, config: Config) -> None:
        self.revision = revision
        self._entries = [
            (entry, matcher(Selector.from_json(entry.selector), log, feed, config))
            for entry in entries
            for log in feed.logs
            if entry.active and entry.topic == log.topic
        ]

    def faults(self, topic: str, span: Span) -> dict[int, Fault]:
        """Return which offsets of a span are quarantined, and why; the first entry that means one is named."""
        faults: dict[int, Fault] = {}
        offsets = span.offsets
        for entry, match in reversed(self._entries):
            if entry.topic != topic:
                continue
            fault = Fault(QUARANTINED, f"entry {entry.entry}: {entry.why}")
            known_to = entry.resolved.get(span.partition, 0)
            for start, stop in entry.offsets.within(topic, span.partition, span.start, min(span.stop, known_to)):
                first, last = bisect_left(offsets, start), bisect_left(offsets, stop)
                faults.update(dict.fromkeys(offsets[first:last], fault))
            if span.stop > known_to:
                faults.update((offsets[i], fault) for i in match.places(span) if offsets[i] >= known_to)
        return faults


def matcher(selector: Selector, log: Log, feed: Feed, config: Config) -> Matcher:
    """Return a selector applied to one of the logs of a feed."""
    labels = feed.labels is not None and log.topic == feed.labels.topic
    field = config.labels.moment if labels and config.labels else config.source.moment
    return Matcher(selector, log.format, moments_of(field, log.format))


def check_selector(selector: Selector, log: Log, field: str | None) -> None:
    """Raise `ConfigError` for a selector that can mean nothing in a log; `field` has the times, None: the records."""
    if selector.key is not None and log.identity == log.topic:
        raise ConfigError("expected a log whose records have keys for --key, found files", "use --where on a field")
    if (selector.from_us, selector.to_us) != (None, None) and field is None and log.identity == log.topic:
        raise ConfigError("expected times for --from and --to, found files without", "set moment to a field")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a selector means in a log: its offsets, as far as each partition was read (its next offset)."""

    offsets: Offsets
    stops: Mapping[int, int]


def resolve(
    selector: Selector,
    log: Log,
    feed: Feed,
    config: Config,
    identity: str,
    tell: Callable[[int], None],
    *,
    starts: Mapping[int, int] | None = None,
    stops: Mapping[int, int] | None = None,
) -> Resolved:
    """Read the log once, to the end it has now, and return what a selector means in it.

    From `starts` on, else from its first event; at most up to `stops`. Whoever named offsets means these: only they
    are read. `tell` is called with the number of offsets read.
    """
    ends, first = log.end(), log.earliest()
    ends = {partition: end if stops is None else min(end, stops.get(partition, 0)) for partition, end in ends.items()}
    begin = {partition: max(first[partition], (starts or {}).get(partition, 0)) for partition in ends}
    until = dict(ends)
    pieces: list[tuple[str, int, int, int]] = []
    if selector.offsets:
        if unknown := sorted(selector.offsets.keys() - ends.keys()):
            raise ConfigError(f"expected one of the partitions {sorted(ends)} of {log.topic}, found {unknown[0]}")
        named = {partition: several for partition, several in selector.offsets.items() if partition in ends}
        begin = {p: max(begin[p], min(start for start, _ in several)) for p, several in named.items()}
        until = {p: min(ends[p], max(stop for _, stop in several)) for p, several in named.items()}
    match = matcher(selector, log, feed, config)
    if selector == Selector(selector.offsets):  # what the log no longer has may have been learned: take it at its word
        pieces += (
            (log.topic, p, start, min(stop, first[p])) for p, each in selector.offsets.items() for start, stop in each
        )
    for span in scan(log, identity, begin, until):
        pieces += ((log.topic, span.partition, span.offsets[i], span.offsets[i] + 1) for i in match.places(span))
        tell(span.stop - span.start)
    return Resolved(Offsets.of(pieces), ends)
