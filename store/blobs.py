"""The bytes of versions: each envelope under its sha256."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from store.dialects import insert
from store.envelope import Blob
from store.schema import blobs, versions


def put(connection: Connection, blob: Blob) -> None:
    """Keep a blob. One that is there already is written again, which locks it against retention (and heals it)."""
    values = {"sha256": blob.sha256, "size": len(blob.envelope), "envelope": blob.envelope}
    statement = insert(connection, blobs).values(values)
    again = {"envelope": statement.excluded.envelope}
    connection.execute(statement.on_conflict_do_update(index_elements=[blobs.c.sha256], set_=again))


def drop(connection: Connection, model: str, numbers: list[int]) -> None:
    """Forget the bytes of these versions; a blob that no version of any model uses is deleted."""
    mine = (versions.c.model == model) & versions.c.version.in_(numbers)
    candidates = sorted({sha for sha in connection.scalars(select(versions.c.blob).where(mine)) if sha})
    # Lock first, look later: a save that uses the same blob waits, or is seen by the next statement.
    connection.execute(
        select(blobs.c.sha256).where(blobs.c.sha256.in_(candidates)).order_by(blobs.c.sha256).with_for_update()
    )
    connection.execute(update(versions).where(mine).values(blob=None))
    used = select(versions.c.version).where(versions.c.blob == blobs.c.sha256).exists()
    connection.execute(blobs.delete().where(blobs.c.sha256.in_(candidates) & ~used))
