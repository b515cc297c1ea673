"""The store: one database with the models in it. Open it by its address; it is safe to share between threads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, select

from store import revisions
from store.engine import connect, transaction
from store.model import ModelStore
from store.schema import models


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


class Store:
    """An open store. `close` it, or use it in a `with`; a forked process opens its own."""

    def __init__(self, engine: Engine, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    @classmethod
    def open(cls, url: str, *, create: bool = False, clock: Callable[[], datetime] = utc_now) -> Store:
        """Open the store at an address: sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE.

        With `create`, one that is not there is made; an older one is never migrated. Raises StoreMissing, StoreOlder,
        StoreNewer, StoreUnreachable, Refused (an address that cannot be a store's) or StoreError (not a store).
        """
        engine = connect(url, create=create)
        try:
            if create:
                revisions.migrate(engine, only_empty=True)
            with transaction(engine, write=False) as connection:
                found = revisions.found(connection)
            revisions.check(found, address=engine.url.render_as_string(hide_password=True))
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, clock=clock)

    @classmethod
    def upgrade(cls, url: str) -> tuple[str | None, str]:
        """Migrate the store at an address to this program's schema; return the revision before and after."""
        engine = connect(url, create=False)
        try:
            return revisions.migrate(engine)
        finally:
            engine.dispose()

    def models(self) -> list[str]:
        """Return the names of all models that have a version."""
        with transaction(self._engine, write=False) as connection:
            return list(connection.scalars(select(models.c.name).order_by(models.c.name)))

    def model(self, name: str) -> ModelStore:
        """Return what is kept of a model; nothing is read yet."""
        return ModelStore(self._engine, name, clock=self._clock)

    def close(self) -> None:
        """Close all connections. It may be called twice."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
