"""The first version of a model: the schema is settled and pinned, and saved before anything is learned."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from learners import Learner, Recipe
from store.types import Accounts, NewVersion, Position, Proof, Segment, TopicPosition
from stream.config import Config
from stream.decode import csv_cells, json_object
from stream.environment import environment
from stream.fields import FieldFault
from stream.log import EVENTS_PER_POLL_MAX, POLL_S_MAX, Log
from stream.schema import EVENTS_TO_INFER, Schema, infer, present
from stream.stop import Stop

IDLE_S = 10.0
"""A live log that brings nothing new for so long is taken to have shown what it has."""


def settle_schema(
    log: Log, config: Config, start: TopicPosition, stop: Stop, *, until_end: bool, tell: Callable[[int], None]
) -> Schema | None:
    """Read the first events, learn nothing, and return the schema; None if stopped, or if the log has no event.

    Reads EVENTS_TO_INFER events, fewer at the end of the log; with a declared schema only until one event has the
    target. Raises `ConfigError` if none has it.
    """
    objects = _first_events(log, config, start, stop, until_end=until_end, tell=tell)
    if not objects:
        return None
    return infer(config, objects, text=log.format.kind == "csv", columns=log.format.columns)


def _first_events(
    log: Log, config: Config, start: TopicPosition, stop: Stop, *, until_end: bool, tell: Callable[[int], None]
) -> list[Mapping[str, Any]]:
    ends = log.end() if until_end else None
    log.seek(start)
    declared = bool(config.fields.keys() - {"unknown"}) and config.model.task != "multiclass"
    next_offsets = {partition: cursor.next_offset for partition, cursor in start.cursors.items()}
    objects: list[Mapping[str, Any]] = []
    read, news_at = 0, time.monotonic()
    while not stop.requested and read < EVENTS_TO_INFER:
        batch = log.poll(POLL_S_MAX, min(EVENTS_PER_POLL_MAX, EVENTS_TO_INFER - read))
        for span in batch.spans:
            objects.extend(value for event in span.values if (value := _fields(log, event)) is not None)
            next_offsets[span.partition] = span.stop
        read += len(batch)
        if batch:
            news_at = time.monotonic()
            tell(read)
        if declared and any(present(value.get(config.model.target)) for value in objects):
            break
        at_end = ends is not None and all(next_offsets.get(p, 0) >= end for p, end in ends.items())
        if at_end or (objects and time.monotonic() - news_at >= IDLE_S):
            break
    return [] if stop.requested else objects


def _fields(log: Log, event: bytes) -> Mapping[str, Any] | None:
    """Return an event's fields, None where it cannot be read."""
    try:
        if log.format.kind == "json":
            return json_object(event)
        return csv_cells(event.decode(), log.format.columns)
    except (FieldFault, UnicodeDecodeError):
        return None


def untrained(config: Config, recipe: Recipe, schema: Schema) -> Learner:
    """Return the learner that has learned nothing. Raises `MetricError` for a metric that does not fit."""
    return Learner.new(recipe, features=schema.names, metrics=config.metrics, window=config.validation.window)


def genesis(log: Log, config: Config, recipe: Recipe, schema: Schema, start: TopicPosition, run: int) -> NewVersion:
    """Return the version that has learned nothing and stands at the start of the log."""
    sealed = untrained(config, recipe, schema).seal()
    return NewVersion(
        kind="genesis",
        parent=None,
        state=sealed.state,
        position=Position({log.topic: start}),
        segment=Segment(),
        accounts=Accounts(),
        proof=Proof(sealed.digest, sealed.golden, sealed.scores, sealed.baselines),
        recipe=recipe.text,
        identity=recipe.identity,
        schema=schema.to_json(),
        config_hash=config.hash,
        environment=environment(),
        token=uuid.uuid4().hex,
        reason="genesis",
        run=run,
    )
