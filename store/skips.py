"""Skip: a version's model at today's position. What lies between is in the lineage as skipped, and is never learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from sqlalchemy import Connection

from store import refs, snapshots
from store.types import Cursor, Position, Ref, Run, Segment, TopicPosition, Version


def skip(
    connection: Connection, model: str, to: int, cause: refs.Cause, *, environment: Mapping[str, str]
) -> tuple[Version, Ref]:
    """Make a child of `to` with its bytes at head's position, and move head to it. Contract: `ModelStore.skip`."""
    snapshots.lock_model(connection, model)
    head = refs.head(connection, model)
    base = snapshots.numbered(connection, model, to)
    snapshots.require_bytes(connection, base)
    today = snapshots.numbered(connection, model, head.version).position
    child = replace(
        base,
        version=snapshots.next_number(connection, model),
        kind="skip",
        parent=to,
        position=further(base.position, today),
        environment=environment,
        token=uuid4().hex,
        reason=cause.why,
        created_at=cause.at,
        run=None,
    )
    version = snapshots.insert_version(connection, child, skipped(base.position, today))
    return version, refs.point(connection, model, refs.HEAD, version.version, cause, epoch=head.epoch)


def skipped(base: Position, today: Position) -> Segment:
    """Return one skip run for each partition in which `today` is further than `base`.

    >>> at = lambda offset: Position({"t": TopicPosition("t", {0: Cursor(offset)})})
    >>> skipped(at(3), at(7)).runs
    (Run(topic='t', partition=0, start=3, stop=7, events=0, kind='skip', merged=None),)
    >>> skipped(at(7), at(3)).runs
    ()
    """
    before = base.next_offsets()
    ranges = [
        (topic, partition, before.get(topic, {}).get(partition, 0), stop)
        for topic, partitions in today.next_offsets().items()
        for partition, stop in partitions.items()
    ]
    return Segment(
        tuple(
            Run(topic, partition, start, stop, events=0, kind="skip")
            for topic, partition, start, stop in ranges
            if stop > start
        )
    )


def further(base: Position, today: Position) -> Position:
    """Return for each partition the cursor that is further: what `base` has learned must not be read again.

    `base` is further where head was moved back to before it. The identity of each topic is today's.

    >>> at = lambda *offsets: Position({"t": TopicPosition("t", {p: Cursor(o) for p, o in enumerate(offsets)})})
    >>> further(at(3, 9), at(7, 5)).next_offsets()
    {'t': {0: 7, 1: 9}}
    """
    topics = dict(base.topics)
    for name, topic in today.topics.items():
        cursors: dict[int, Cursor] = dict(topics[name].cursors) if name in topics else {}
        for partition, cursor in topic.cursors.items():
            here = cursors.get(partition)
            if here is None or here.next_offset <= cursor.next_offset:
                cursors[partition] = cursor
        topics[name] = TopicPosition(topic.identity, cursors)
    return Position(topics)
