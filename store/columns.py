"""Column types that mean the same on SQLite and PostgreSQL: JSON with exact floats, UTC moments, words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, DateTime, Dialect, Table, Text
from sqlalchemy.types import TypeDecorator


def _plain(value: Any) -> Any:
    """Return what msgspec can write, for mappings and for numbers that are subclasses (numpy's are)."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    raise TypeError(f"expected plain values for a JSON column, found {type(value).__name__}")


class Json(TypeDecorator[Any]):
    """JSON as text, so that both databases keep every finite float exactly; NaN and infinities become null.

    >>> column = Json()
    >>> text = column.process_bind_param({"a": 0.1, "b": float("nan")}, None)
    >>> text
    '{"a":0.1,"b":null}'
    >>> column.process_result_value(text, None)
    {'a': 0.1, 'b': None}
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002 (SQLAlchemy's signature)
        """Write as JSON text."""
        return msgspec.json.encode(value, enc_hook=_plain).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002 (SQLAlchemy's signature)
        """Read back plain values."""
        return None if value is None else msgspec.json.decode(value)


class Moment(TypeDecorator[datetime]):
    """A time, aware and in UTC, in and out. SQLite keeps it without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC."""
        if value is None:
            return None
        assert value.tzinfo is not None, "times carry their zone"
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    r"""Text from outside: what a database refuses in text (NUL, lone surrogates) is replaced, never an error.

    >>> ascii(Words().process_bind_param("a" + chr(0) + chr(0xD800), None))
    "'a\\ufffd?'"
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (its signature)
        """Replace what cannot be kept."""
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def as_read(connection: Connection, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row that was written, as it will be read: without asking for it."""
    dialect, found = connection.dialect, dict(values)
    for name, value in values.items():
        kind = table.c[name].type
        if isinstance(kind, Json | Moment | Words):
            found[name] = kind.process_bind_param(value, dialect)
        if isinstance(kind, Json | Moment):
            found[name] = kind.process_result_value(found[name], dialect)
    return found
