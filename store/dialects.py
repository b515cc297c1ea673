"""The one statement that SQLAlchemy spells differently for SQLite and PostgreSQL: insert with ON CONFLICT."""

from __future__ import annotations

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert of the connection's dialect, which has `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return insert_of(connection.dialect, table)


def insert_of(dialect: Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert of a dialect."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
