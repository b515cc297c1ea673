"""The course of a backtest: what is read, in which order, from a fixed beginning to a fixed end.

What a lineage read live is read again in its recorded order, with what was held then: one stretch a version. What was
never read live is laid out in an order of its own, the same for every reader, and judged by today's gate: partitions
take turns, or where labels have a log of their own, records come by their times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from store import ModelStore
from store.types import Cursor, Position, Run, Segment, TopicPosition, Version
from stream.backtest.range import Wishes, bounds
from stream.backtest.stretch import Course, Stretch
from stream.config import Config
from stream.errors import ConfigError, LogLost
from stream.feed import Feed, check_topics
from stream.genesis import settle_schema, start_of
from stream.log import EVENTS_PER_POLL_MAX, Ends
from stream.replay import learner_at
from stream.stop import Stop

EVENTS_IN_STRETCH = 20_000
"""About so many events make a stretch of what was never read live: an interrupted backtest goes on at one."""

CHANGING = ("freeze", "thaw", "closing")
"""Kinds of versions that do something though they read nothing."""


def lay_out(store: ModelStore, feed: Feed, config: Config, wishes: Wishes, *, close: bool = True) -> Course | None:
    """Return the course that is wished for; None if the log has no event. Raises `ConfigError`, `LogLost`.

    `close`: pending labels are to be revealed at the end.
    """
    if not store.exists():
        return _untrodden(store, feed, config, wishes)
    lineage, start = _lineage(store, wishes)
    check_topics(feed.topics, lineage[0])
    _check_there(feed, lineage[-1])
    base = start or lineage[0]
    first = base.position.next_offsets()
    begins, ends = bounds(store, feed, config, wishes, first)
    if start is not None and any(at < first[t].get(p, 0) for t, each in begins.items() for p, at in each.items()):
        raise ConfigError(
            f"expected --from at or after the end of version {start.version}, which has learned all before, "
            f"found {wishes.since}",
            "leave --from out: it begins where the version ends",
        )
    position = lineage[-1].position
    named = start if wishes.since is None else _named(lineage, wishes.since)
    after = [version for version in lineage if version.version > (named or base).version]
    whole = named in (None, base) and _same(begins, first)
    stretches = [
        *_unread(feed, begins, _least(ends, first), position),
        *_recorded(store, after, begins, ends, whole=whole, late=named is not None),
    ]
    tail = list(_unread(feed, _most(begins, position.next_offsets()), ends, position))
    if tail:
        tail[0] = replace(tail[0], beside=_beside(store, feed, config, lineage[-1]))
    if stretches and (last := stretches[-1].version) is not None and last.kind == "closing" and (tail or not close):
        stretches.pop()  # training never goes on from one
    return Course((*stretches, *tail), begins, ends, base.schema, start)


def _check_there(feed: Feed, last: Version) -> None:
    """Raise `LogLost` if the logs end before what was read live does."""
    read, ends = last.position.next_offsets(), feed.end()
    for topic in feed.topics:
        for partition, at in read[topic].items():
            if (end := ends[topic].get(partition, 0)) < at:
                raise LogLost(
                    f"expected {topic}[{partition}] up to offset {at}, which version {last.version} has read; "
                    f"found its end at {end}",
                    "put the log back as it was, or name another range: --to v:N",
                )


def _beside(store: ModelStore, feed: Feed, config: Config, last: Version) -> Mapping[str, Any]:
    """Return what the gate remembers after a version."""
    if config.gate.duplicates is None:
        return {}
    return learner_at(store, feed, config, last, say_nothing).beside


def _untrodden(store: ModelStore, feed: Feed, config: Config, wishes: Wishes) -> Course | None:
    """Return the course of a model without versions."""
    if wishes.start is not None:
        raise ConfigError(f"expected a stored version to start from, found {wishes.start!r} of a model without any")
    at = start_of(feed, config)
    begins, ends = bounds(store, feed, config, wishes, at.next_offsets())
    begin = Position(
        {
            topic: TopicPosition(place.identity, {p: Cursor(offset) for p, offset in begins[topic].items()})
            for topic, place in at.topics.items()
        }
    )
    schema = settle_schema(feed, config, begin, Stop(), until_end=True, tell=say_nothing)
    if schema is None:
        return None
    return Course(tuple(_unread(feed, begins, ends, begin)), begins, ends, schema.to_json())


def say_nothing(events: int) -> None:
    """Take notice of events read."""
    del events


def _lineage(store: ModelStore, wishes: Wishes) -> tuple[list[Version], Version | None]:
    """Return whose order is taken, genesis first, up to where it is to end; and the version that is started from."""
    until = wishes.version_named(wishes.until)
    lineage = store.lineage(store.head()[0].version if until is None else store.version(until).version)
    if wishes.start is None:
        return lineage, None
    start = store.version(wishes.start)
    if not _among(lineage, start):
        lines = (store.lineage(version.version) for version in reversed(store.versions()))
        lineage = next(line for line in lines if _among(line, start))
    return lineage, start


def _named(lineage: Sequence[Version], text: str) -> Version | None:
    """Return the version of a lineage that a place names; None if it names none of them."""
    named = Wishes.version_named(text)
    return next((version for version in lineage if str(version.version) == named), None)


def _among(lineage: Iterable[Version], version: Version) -> bool:
    return any(each.version == version.version for each in lineage)


def _recorded(
    store: ModelStore, versions: Sequence[Version], begins: Ends, ends: Ends, *, whole: bool, late: bool
) -> Iterator[Stretch]:
    """Give out what versions read, as far as it lies within the range; `whole` while nothing is left out.

    `late`: what they learned late is theirs, though it lies before where they begin.
    """
    for version in versions:
        segment = store.segment(version.version)
        read = tuple(run for run in segment.runs if run.kind in ("read", "late"))
        parts = (_cut(run, {} if late and run.kind == "late" else begins, ends) for run in read)
        cut = tuple(part for part in parts if part is not None)
        whole = whole and cut == read
        if not cut and not (whole and (version.kind in CHANGING or segment.holds)):
            continue
        holds = segment.holds if whole else tuple(hold for hold in segment.holds if Segment(cut).has_read(hold))
        yield Stretch(Segment(cut, holds), version.position, recorded=True, version=version if whole else None)


def _cut(run: Run, begins: Ends, ends: Ends) -> Run | None:
    """Return the part of a run that lies within the range; None if nothing does."""
    start = max(run.start, begins.get(run.topic, {}).get(run.partition, 0))
    stop = min(run.stop, ends[run.topic].get(run.partition, 0))
    if start >= stop:
        return None
    return run if (start, stop) == (run.start, run.stop) else replace(run, start=start, stop=stop)


def _unread(feed: Feed, begins: Ends, ends: Ends, position: Position) -> Iterator[Stretch]:
    """Give out what lies between two places, and was not read live."""
    if all(at >= ends[topic].get(p, 0) for topic, each in begins.items() for p, at in each.items()):
        return
    if feed.labels is not None:
        topics = {
            topic: replace(position.topics[topic], cursors={p: Cursor(at) for p, at in begins[topic].items()})
            for topic in feed.topics
        }
        yield Stretch(Segment(), Position(topics), ends=ends)
        return
    topic, runs, events = feed.topics[0], [], 0
    for run in _in_turns(topic, begins[topic], ends[topic]):
        runs.append(run)
        events += run.stop - run.start
        if events >= EVENTS_IN_STRETCH:
            yield Stretch(Segment(tuple(runs)), position)
            runs, events = [], 0
    if runs:
        yield Stretch(Segment(tuple(runs)), position)


def _in_turns(topic: str, begins: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Run]:
    """Lay out partitions so that each gives a few hundred events in turn.

    >>> [(run.partition, run.start, run.stop) for run in _in_turns("t", {0: 400, 1: 0}, {0: 1000, 1: 10})]
    [(0, 400, 900), (1, 0, 10), (0, 900, 1000)]
    """
    places = {p: at for p, at in sorted(begins.items()) if at < ends.get(p, 0)}
    while places:
        for partition, at in list(places.items()):
            stop = min(at + EVENTS_PER_POLL_MAX, ends[partition])
            yield Run(topic, partition, at, stop, stop - at)
            places[partition] = stop
            if stop >= ends[partition]:
                del places[partition]


def _same(begins: Ends, first: Ends) -> bool:
    """Tell whether a range begins where the learner did; partitions that came later begin at 0."""
    return all(at == first[topic].get(p, 0) for topic, each in begins.items() for p, at in each.items())


def _least(ends: Ends, others: Ends) -> Ends:
    return {
        topic: {p: min(end, others.get(topic, {}).get(p, 0)) for p, end in each.items()} for topic, each in ends.items()
    }


def _most(begins: Ends, others: Ends) -> Ends:
    return {
        topic: {p: max(at, others.get(topic, {}).get(p, 0)) for p, at in each.items()} for topic, each in begins.items()
    }
