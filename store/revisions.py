"""The schema revision of a store: read it, compare it with this program's, migrate to it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from store.engine import transaction
from store.errors import StoreMissing, StoreNewer, StoreOlder
from store.schema import REVISION_TABLE, REVISIONS, SCHEMA_REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x7469_6465  # any number: PostgreSQL's name for the lock that migrations take


def found(connection: Connection) -> str | None:
    """Return the revision of the store, or None when the database holds none."""
    if not inspect(connection).has_table(REVISION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}"))  # noqa: S608 (a constant)
    return revision


def check(revision: str | None, *, address: str) -> None:
    """Raise unless the store has this program's revision."""
    if revision is None:
        raise StoreMissing(address)
    if revision == SCHEMA_REVISION:
        return
    if revision in REVISIONS:
        raise StoreOlder(revision, SCHEMA_REVISION)
    raise StoreNewer(revision, SCHEMA_REVISION)


def migrate(engine: Engine, *, only_empty: bool = False) -> tuple[str | None, str]:
    """Migrate to this program's revision in one transaction; return the revision before and after.

    With `only_empty` a database that holds a store is left as it is. Two processes may call it at once.
    """
    with transaction(engine, write=True) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        before = found(connection)
        if before is not None and before not in REVISIONS:
            raise StoreNewer(before, SCHEMA_REVISION)
        if before is None or (before != SCHEMA_REVISION and not only_empty):
            _run(connection)
        return before, found(connection) or SCHEMA_REVISION


def _run(connection: Connection) -> None:
    # Imported here because only creating and upgrading need it, and it takes longer than all the rest.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    scripts = ScriptDirectory(MIGRATIONS)
    # What `alembic upgrade head` does; without an env.py, because the connection and its transaction are ours.
    environment = EnvironmentContext(
        Config(),
        scripts,
        fn=lambda revision, _context: scripts._upgrade_revs(SCHEMA_REVISION, revision),  # noqa: SLF001 (alembic's documented way)
    )
    with environment:
        environment.configure(connection=connection, version_table=REVISION_TABLE, transactional_ddl=True)
        environment.run_migrations()
