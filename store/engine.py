"""The connection to the database: dialect settings, transactions, and the one place that translates its errors.

SQLite: WAL, synchronous=FULL, foreign keys on; a writing transaction takes the write lock at its BEGIN, because a
transaction that reads first and writes later is refused at once when another one wrote between.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from store.errors import Refused, StoreError, StoreMissing, StoreUnreachable

LOCK_WAIT_S_MAX = 10  # a save takes milliseconds; whoever holds the lock for longer is stuck
CONNECT_S_MAX = 10  # long enough for a far database, short enough for a person to wait
_WRITES = "tidemark_writes"


def parse(url: str) -> URL:
    """Return the address of a store: a SQLite file or a PostgreSQL database; raises Refused for anything else."""
    hint = "expected sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE as [store] url"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise Refused("the store's url cannot be read as one", hint=hint) from error
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise Refused(f"no store can be kept in {parsed.drivername!r}", hint=hint)
    if _on_sqlite(parsed) and parsed.database in (None, "", ":memory:"):
        raise Refused("a store in memory would be lost with the process", hint=hint)
    return parsed


def connect(url: str, *, create: bool) -> Engine:
    """Return an engine for the store at `url`. A SQLite file that is missing is made only with `create`."""
    address = parse(url)
    if _on_sqlite(address):
        return _sqlite(address, create=create)
    return _postgresql(address)


@contextmanager
def transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    """Give a connection inside one transaction: committed at the end, rolled back when anything is raised."""
    with _translated(engine.url), engine.connect() as connection:
        connection.execution_options(**{_WRITES: write})
        with connection.begin():
            yield connection


def _on_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _sqlite(url: URL, *, create: bool) -> Engine:
    path = Path(url.database or "")
    if not create and not path.exists():
        raise StoreMissing(str(path))
    if not path.parent.is_dir():
        raise Refused(f"expected the folder {path.parent} for the store, found none", hint="make the folder first")
    engine = create_engine(url, connect_args={"timeout": LOCK_WAIT_S_MAX})
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin` does
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL) -> Engine:
    settings: dict[str, Any] = {
        "connect_timeout": CONNECT_S_MAX,
        "tcp_user_timeout": CONNECT_S_MAX * 1000,  # a cut network is noticed instead of waited for
        "application_name": "tidemark",
        "options": f"-c lock_timeout={LOCK_WAIT_S_MAX}s",
    }
    settings = {key: value for key, value in settings.items() if key not in url.query}
    return create_engine(url, connect_args=settings, pool_pre_ping=True)


@contextmanager
def _translated(url: URL) -> Iterator[None]:
    """Turn what the database says into what the store says, keeping the cause."""
    try:
        yield
    except IntegrityError:
        raise  # the store's own mistake: never dressed up as the world's
    except DBAPIError as error:
        raise _translate(error, url.render_as_string(hide_password=True)) from error
    except NoSuchModuleError as error:
        raise Refused(str(error)) from error


def _translate(error: DBAPIError, address: str) -> StoreError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause, address)
    return _translate_postgresql(error, getattr(cause, "sqlstate", None) or "", address)


def _translate_postgresql(error: DBAPIError, state: str, address: str) -> StoreError:
    said = str(error.orig).strip() or type(error.orig).__name__
    if state.startswith("53") and state != "53300":
        return StoreError(f"{address}: the database is out of space or memory: {said}", hint="make room for it")
    if state in ("25006", "42501"):
        return StoreError(f"{address}: the database may not be written: {said}", hint="give the store's user the right")
    if state in ("55P03", "53300"):
        return StoreUnreachable(f"{address}: the database is busy: {said}", hint="try again; look for a stuck process")
    if error.connection_invalidated or not state or state[:2] in ("08", "28", "57"):
        return StoreUnreachable(f"{address}: the database did not answer: {said}", hint="is it up, and the url right?")
    return StoreError(f"{address}: the database refused: {said}")


def _translate_sqlite(cause: sqlite3.Error, address: str) -> StoreError:
    name = getattr(cause, "sqlite_errorname", None) or ""
    if name.startswith("SQLITE_FULL"):
        return StoreError(f"{address}: the disk is full: {cause}", hint="make room; what was saved before is intact")
    if name.startswith("SQLITE_READONLY"):
        return StoreError(f"{address}: the store is read-only: {cause}", hint="make the file and its folder writable")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreUnreachable(
            f"{address}: another process held the store for more than {LOCK_WAIT_S_MAX} s: {cause}",
            hint="try again; look for a stuck process",
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return StoreUnreachable(f"{address}: the file cannot be opened: {cause}", hint="look at its path and rights")
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return StoreError(f"{address}: expected a SQLite database, found something else: {cause}")
    return StoreError(f"{address}: {cause}")
