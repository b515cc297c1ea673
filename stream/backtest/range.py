"""Where a backtest begins and ends, as a person says it: an offset, a version, or a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from store import ModelStore
from stream.config import Config
from stream.errors import ConfigError
from stream.feed import Feed
from stream.log import Ends, Log
from stream.moments import moments_of
from stream.scan import scan
from stream.selector import Selector, moment_of


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which part of the log, as a person wrote it; None: from where the model began, to the end that the log has now.

    `start` is the version that the live learner goes on from.
    """

    since: str | None = None
    until: str | None = None
    start: str | None = None

    @staticmethod
    def version_named(text: str | None) -> str | None:
        """Return the version that a place names; None if it names none.

        >>> Wishes.version_named("v:7"), Wishes.version_named("100")
        ('7', None)
        """
        return text.removeprefix("v:") if text is not None and text.startswith("v:") else None


def rollback_of(at: str | None, to: Sequence[str]) -> tuple[tuple[str, str] | None, str | None]:
    """Return where a rollback happens and to which version, and where the range ends, of all that was given with --to.

    >>> rollback_of("1000", ["5000", "v:3"]), rollback_of(None, ["5000"])
    ((('1000', 'v:3'), '5000'), (None, '5000'))
    """
    versions = list(to[-1:]) if at is not None else []
    ends = to[: len(to) - len(versions)]
    if (at is not None and not versions) or len(ends) > 1:
        raise ConfigError(
            f"expected {'--to V with --rollback-at' if at is not None else 'one --to'}, found {len(to)} of them",
            "--rollback-at T --to V; the end of the range is an earlier --to",
        )
    return (None if at is None else (at, versions[0])), (ends[0] if ends else None)


def ranges_of(texts: Sequence[str], *, alone: bool) -> tuple[Wishes, ...]:
    """Read several ranges, each as A..B; `alone`: no other range was asked for.

    >>> ranges_of(["v:1..v:3", "..500"], alone=True)
    (Wishes(since='v:1', until='v:3', start=None), Wishes(since=None, until='500', start=None))
    """
    if texts and not alone:
        raise ConfigError(
            "expected --range alone, found --from, --to, --start, --rollback-at or --save, too",
            "each range is read by untrained learners: name all of them by --range A..B",
        )
    ranges = []
    for text in texts:
        since, mark, until = (part.strip() for part in text.partition(".."))
        if not mark:
            raise ConfigError(f"expected --range A..B, found {text!r}", "for example --range v:1..v:3 --range v:3..v:5")
        ranges.append(Wishes(since or None, until or None))
    return tuple(ranges)


def bounds(store: ModelStore, feed: Feed, config: Config, wishes: Wishes, default: Ends) -> tuple[Ends, Ends]:
    """Return the next offset of each partition where the range begins, and where it ends. Raises `ConfigError`."""
    ends: Ends = feed.end()
    begins: Ends = {topic: {p: default.get(topic, {}).get(p, 0) for p in ends[topic]} for topic in feed.topics}
    if wishes.since is not None:
        named = place(wishes.since, store, feed, config)
        begins = {topic: {p: named[topic].get(p, 0) for p in each} for topic, each in begins.items()}
    if wishes.until is not None:
        named = place(wishes.until, store, feed, config)
        ends = {topic: {p: min(end, named[topic].get(p, 0)) for p, end in each.items()} for topic, each in ends.items()}
    if not any(at < ends[topic].get(p, 0) for topic, each in begins.items() for p, at in each.items()):
        if wishes.since is None and wishes.until is None:
            return begins, ends
        raise ConfigError(
            f"expected events between --from {wishes.since or 'the beginning'} and --to {wishes.until or 'the end'}, "
            "found none",
            "the end is not part of the range; `tidemark doctor` tells where the log ends",
        )
    return begins, ends


def between(text: str, store: ModelStore, topic: str) -> Selector:
    """Return the events of a topic between the positions of two versions, as `v:3..v:5`. Raises `ConfigError`."""
    first, _, last = text.partition("..")
    named = [Wishes.version_named(each) for each in (first, last)]
    if None in named:
        raise ConfigError(f"expected --skip-range as v:3..v:5, found {text!r}", "or name offsets, or times")
    starts, stops = (store.version(str(each)).position.next_offsets()[topic] for each in named)
    ranges = {p: ((starts.get(p, 0), stop),) for p, stop in stops.items() if starts.get(p, 0) < stop}
    if not ranges:
        raise ConfigError(f"expected events between the two versions of --skip-range, found none in {text!r}")
    return Selector(offsets=ranges)


def place(text: str, store: ModelStore, feed: Feed, config: Config) -> Ends:
    """Return the next offsets that a text means: `v:7`, offsets (`100`, `0:100,1:90`), or an ISO time.

    A time means the first event of each partition at or after it: by `source.moment`, else the records' own times.
    """
    if (version := Wishes.version_named(text)) is not None:
        at = store.version(version).position.next_offsets()
        return {topic: at[topic] for topic in feed.topics}
    offsets = _offsets(text, feed)
    if offsets is not None:
        if feed.labels is not None:
            raise ConfigError(
                f"expected a time or a version for events and labels that have a log each, found the offset {text!r}",
                "for example --from 2026-03-01T00:00:00Z, or --from v:7",
            )
        if isinstance(offsets, int) and len(partitions := feed.events.earliest()) > 1:
            raise ConfigError(
                f"expected an offset for each of {len(partitions)} partitions, found {text!r}", "write 0:100,1:90"
            )
        at_offsets = feed.events.start(offsets)
        return {feed.topics[0]: {p: cursor.next_offset for p, cursor in at_offsets.cursors.items()}}
    if not re.match(r"\d{4}-\d\d", text):
        raise ConfigError(
            f"expected an offset, a version or an ISO time for a place in the log, found {text!r}",
            "for example 100, 0:100,1:90, v:7, or 2026-03-01T03:10:00Z",
        )
    fields = [config.source.moment, config.labels.moment if config.labels else None]
    return {log.topic: _since(text, log, field) for log, field in zip(feed.logs, fields, strict=False)}


def _offsets(text: str, feed: Feed) -> int | Mapping[int, int] | None:
    """Read offsets; None if the text has another form."""
    if re.fullmatch(r"\d{1,19}", text):
        return int(text)
    if not re.fullmatch(r"\d{1,10}:\d{1,19}(,\d{1,10}:\d{1,19})*", text):
        return None
    named = {int(partition): int(offset) for partition, offset in (part.split(":") for part in text.split(","))}
    if missing := sorted(feed.events.end().keys() - named.keys()):
        raise ConfigError(f"expected an offset for each partition, found none for {missing}", "write 0:100,1:90")
    return named


def _since(text: str, log: Log, field: str | None) -> dict[int, int]:
    """Return the first offset of each partition with an event at or after a time, else its end."""
    moment = moment_of(text)
    if field is None:
        at = log.start(text)
        return {p: cursor.next_offset for p, cursor in at.cursors.items()}
    ends, found = log.end(), dict[int, int]()
    read = moments_of(field, log.format)
    for span in scan(log, log.identity, log.earliest(), ends):
        if span.partition not in found:
            at_or_after = (o for o, m in zip(span.offsets, read(span), strict=True) if m is not None and m >= moment)
            if (offset := next(at_or_after, None)) is not None:
                found[span.partition] = offset
    return {**ends, **found}
