"""Held events: kept for a person, one per (model, topic, partition, offset), updated when read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, func, select

from store.dialects import insert
from store.schema import held_events
from store.types import HeldEvent

_KEY = [held_events.c.model, held_events.c.topic, held_events.c.partition, held_events.c.offset]
_NAMES = [field.name for field in fields(HeldEvent)]
_fields = attrgetter(*_NAMES)


def put(connection: Connection, model: str, held: Sequence[HeldEvent]) -> None:
    """Keep held events; what was held before at the same place is replaced."""
    if not held:
        return
    statement = insert(connection, held_events)
    again = {name: statement.excluded[name] for name in _NAMES if held_events.c[name] not in set(_KEY)}
    connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=again), _values(model, held))


def add(connection: Connection, model: str, held: Sequence[HeldEvent]) -> None:
    """Keep held events; where one is kept at the same place already, that stays."""
    if held:
        connection.execute(insert(connection, held_events).on_conflict_do_nothing(), _values(model, held))


def _values(model: str, held: Sequence[HeldEvent]) -> list[dict[str, Any]]:
    return [{"model": model, **dict(zip(_NAMES, _fields(event), strict=True))} for event in held]


def every(connection: Connection, model: str, limit: int | None) -> list[HeldEvent]:
    """Return held events by topic, partition and offset, at most `limit`."""
    columns = [held_events.c[name] for name in _NAMES]
    query = select(*columns).where(held_events.c.model == model).order_by(*_KEY).limit(limit)
    return [HeldEvent(*entry) for entry in connection.execute(query)]


def count(connection: Connection, model: str) -> int:
    """Return how many events are held."""
    return connection.scalar(select(func.count()).select_from(held_events).where(held_events.c.model == model)) or 0
