"""Save: all of a version in one transaction, refused when head moved or another owner took over.

1. lock the model; 2. compare head's move counter and epoch; 3. blob, version, segment; 4. held events, score points;
5. move head, and champion when published. Nothing is left of it when any step fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from store import held, owners, refs, scores, snapshots
from store.envelope import Blob
from store.errors import Fenced, NoSuchModel, Refused
from store.refs import Cause
from store.schema import models
from store.types import NewVersion, Ref, Version


def create(
    connection: Connection,
    model: str,
    genesis: NewVersion,
    blob: Blob,
    *,
    config: Mapping[str, Any],
    who: str,
    now: datetime,
) -> tuple[Version, Ref]:
    """Make a model with its first version and head. Contract: `ModelStore.create`."""
    assert genesis.kind == "genesis", "a model begins with its genesis version"
    assert genesis.parent is None, "a genesis version has no parent"
    epoch = owners.lock(connection, model, now=now)
    if connection.scalar(select(models.c.name).where(models.c.name == model)) is not None:
        raise Refused(f"expected no model {model!r} in the store, found one", hint="train it on: `tidemark train`")
    if epoch and genesis.run is not None and owners.run_of(connection, model) != genesis.run:
        raise Fenced(expected=epoch - 1, found=epoch)
    connection.execute(insert(models).values(name=model, next_version=1, config=config, created_at=now))
    return _write(connection, model, genesis, blob, Cause("genesis", who, genesis.reason, now), epoch=epoch)


def renew(
    connection: Connection,
    model: str,
    genesis: NewVersion,
    blob: Blob,
    *,
    config: Mapping[str, Any],
    who: str,
    now: datetime,
) -> tuple[Version, Ref]:
    """Put a new genesis version in the place of one that has learned nothing. Contract: `ModelStore.renew`."""
    epoch = owners.lock(connection, model, now=now)
    snapshots.lock_model(connection, model)
    head = refs.head(connection, model).version
    for version in snapshots.every(connection, model):
        trained = version.version == head or not version.beside
        if trained and (version.accounts.learned or version.accounts.pending):
            raise Refused(f"expected model {model!r} to have learned nothing, found version {version.version} that has")
    if genesis.run is not None and owners.run_of(connection, model) != genesis.run:
        raise Fenced(expected=epoch - 1, found=epoch)
    connection.execute(update(models).where(models.c.name == model).values(config=config))
    return _write(connection, model, genesis, blob, Cause("genesis", who, genesis.reason, now), epoch=epoch)


def save(
    connection: Connection, model: str, new: NewVersion, blob: Blob, *, ref: Ref, who: str, publish: bool, now: datetime
) -> tuple[Version, Ref]:
    """Write a version and move head to it. Contract: `ModelStore.save`."""
    assert new.parent == ref.version, "a version that is saved is a child of the head it was trained from"
    snapshots.lock_model(connection, model)
    refs.check(refs.find(connection, model, refs.HEAD), ref)
    version, head = _write(connection, model, new, blob, Cause("save", who, new.reason, now), epoch=ref.epoch)
    if publish:
        cause = Cause("publish", who, new.reason, now)
        refs.point(connection, model, refs.CHAMPION, version.version, cause, epoch=0)
    return version, head


def saved(connection: Connection, model: str, token: str) -> tuple[Version, Ref] | None:
    """Return what an attempt with this token wrote, or None.

    Waits for the model's lock first: the server may still be at work on a commit whose connection was cut.
    """
    try:
        snapshots.lock_model(connection, model)
    except NoSuchModel:
        return None
    version = snapshots.with_token(connection, model, token)
    return None if version is None else (version, refs.move_to(connection, model, refs.HEAD, version.version))


def config(connection: Connection, model: str) -> Mapping[str, Any]:
    """Return the configuration that a model was made with."""
    found = connection.execute(select(models.c.config).where(models.c.name == model)).first()
    if found is None:
        raise NoSuchModel(model)
    made: Mapping[str, Any] = found.config
    return made


def _write(
    connection: Connection, model: str, new: NewVersion, blob: Blob, cause: Cause, *, epoch: int
) -> tuple[Version, Ref]:
    version = snapshots.insert_new(connection, model, new, blob, now=cause.at)
    held.put(connection, model, new.held)
    scores.add(connection, model, version.version, new.points)
    return version, refs.point(connection, model, refs.HEAD, version.version, cause, epoch=epoch)
