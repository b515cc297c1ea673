"""Many rows into one table at the price of the driver.

SQLAlchemy builds the parameters of each row, at as much again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal

from sqlalchemy import Connection, Dialect, Table

from store.dialects import insert_of

Conflict = Literal["refuse", "keep", "replace"]
"""What becomes of a row whose primary key is there already: an error, the old one stays, or the new one takes over."""

ALIKE = 64


def insert_many(
    connection: Connection,
    table: Table,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    conflict: Conflict = "refuse",
) -> None:
    """Insert rows; each has a value for each of the named columns, as Python knows it. No rows: nothing is done."""
    if not rows:
        return
    text, places, written = _prepared(connection.dialect, table, tuple(names), conflict)
    columns = [
        values if write is None else map(lru_cache(ALIKE)(write), values)  # a reason, a moment: many are alike
        for values, write in zip(zip(*rows, strict=True), written, strict=True)
    ]
    if places is None:
        ready: list[Any] = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    else:
        ready = list(zip(*(columns[place] for place in places), strict=True))
    connection.exec_driver_sql(text, ready)


@lru_cache(maxsize=64)
def _prepared(
    dialect: Dialect, table: Table, names: tuple[str, ...], conflict: Conflict
) -> tuple[str, list[int] | None, list[Callable[[Any], Any] | None]]:
    """Return the statement, which column each of its places takes (None: by name), and how values are written."""
    statement: Any = insert_of(dialect, table)
    key = list(table.primary_key)
    if conflict == "keep":
        statement = statement.on_conflict_do_nothing()
    elif conflict == "replace":
        again = {name: statement.excluded[name] for name in names if table.c[name] not in set(key)}
        statement = statement.on_conflict_do_update(index_elements=key, set_=again)
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    places = [names.index(name) for name in compiled.positiontup] if compiled.positional else None
    kinds = [table.c[name].type for name in names]
    return str(compiled), places, [kind.dialect_impl(dialect).bind_processor(dialect) for kind in kinds]
