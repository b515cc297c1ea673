"""Held events: kept for a person, one per (model, topic, partition, offset), updated when read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from sqlalchemy import Connection, func, select

from store.many import Conflict, insert_many
from store.schema import held_events
from store.types import HeldEvent

_KEY = [held_events.c.model, held_events.c.topic, held_events.c.partition, held_events.c.offset]
_NAMES = [field.name for field in fields(HeldEvent)]
_fields = attrgetter(*_NAMES)


def put(connection: Connection, model: str, held: Sequence[HeldEvent]) -> None:
    """Keep held events; what was held before at the same place is replaced."""
    _put(connection, model, held, "replace")


def add(connection: Connection, model: str, held: Sequence[HeldEvent]) -> None:
    """Keep held events; where one is kept at the same place already, that stays."""
    _put(connection, model, held, "keep")


def _put(connection: Connection, model: str, held: Sequence[HeldEvent], conflict: Conflict) -> None:
    rows = [(model, *_fields(event)) for event in held]
    insert_many(connection, held_events, ("model", *_NAMES), rows, conflict)


def every(connection: Connection, model: str, limit: int | None) -> list[HeldEvent]:
    """Return held events by topic, partition and offset, at most `limit`."""
    columns = [held_events.c[name] for name in _NAMES]
    query = select(*columns).where(held_events.c.model == model).order_by(*_KEY).limit(limit)
    return [HeldEvent(*entry) for entry in connection.execute(query)]


def count(connection: Connection, model: str) -> int:
    """Return how many events are held."""
    return connection.scalar(select(func.count()).select_from(held_events).where(held_events.c.model == model)) or 0
