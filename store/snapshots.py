"""Versions: immutable, numbered in their model, each with its parent, its segment and the address of its bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, Table, and_, insert, select, update

from store.blobs import put
from store.columns import as_read
from store.envelope import BadEnvelope, Blob, unpack
from store.errors import BytesExpired, CorruptSnapshot, NoSuchModel, NoSuchVersion
from store.many import insert_many
from store.schema import blobs, models, refs, segment_holds, segment_runs, versions
from store.types import Accounts, Hold, NewVersion, Position, Proof, Run, Segment, Version

_RUN = ("topic", "partition", "start", "stop", "events", "kind", "merged")
_HOLD = ("topic", "partition", "offset", "reason")


def lock_model(connection: Connection, model: str) -> None:
    """Let one writing transaction after another work on a model; raises NoSuchModel."""
    if connection.scalar(select(models.c.name).where(models.c.name == model).with_for_update()) is None:
        raise NoSuchModel(model)


def next_number(connection: Connection, model: str) -> int:
    """Take the next version number of a model: never given twice, also when versions were abandoned."""
    step = update(models).where(models.c.name == model).values(next_version=models.c.next_version + 1)
    number = connection.scalar(step.returning(models.c.next_version))
    assert number is not None, "the model is locked, so it exists"
    return int(number) - 1


def insert_new(
    connection: Connection, model: str, new: NewVersion, blob: Blob, *, now: datetime, beside: bool = False
) -> Version:
    """Write a version with its bytes and its segment; return it as it will be read."""
    put(connection, blob)
    version = Version(
        model=model,
        version=next_number(connection, model),
        kind=new.kind,
        parent=new.parent,
        position=new.position,
        accounts=new.accounts,
        proof=new.proof,
        recipe=new.recipe,
        identity=new.identity,
        schema=new.schema,
        config_hash=new.config_hash,
        environment=new.environment,
        token=new.token,
        reason=new.reason,
        blob=blob.sha256,
        size=len(blob.envelope),
        created_at=now,
        run=new.run,
        quarantine=new.quarantine,
        covers=new.covers,
        beside=beside,
    )
    return insert_version(connection, version, new.segment)


def insert_version(connection: Connection, version: Version, segment: Segment) -> Version:
    """Write a version whose blob is there already; return it as it will be read."""
    values = _values(version)
    connection.execute(insert(versions), values)
    _insert_in_order(connection, segment_runs, version, _RUN, segment.runs)
    _insert_in_order(connection, segment_holds, version, _HOLD, segment.holds)
    return read(as_read(connection, versions, values))


def numbered(connection: Connection, model: str, number: int) -> Version:
    """Return a version by its number."""
    return _one(connection, model, number, _by_number(model, number))


def selected(connection: Connection, model: str, selector: int | str) -> Version:
    """Return a version by its number (7, "7", "v7") or by the name of a reference."""
    number = str(selector).removeprefix("v")
    if number.isascii() and number.isdecimal():
        return _one(connection, model, selector, _by_number(model, int(number)))
    of_ref = and_(refs.c.model == versions.c.model, refs.c.version == versions.c.version)
    query = select(versions).join(refs, of_ref).where(refs.c.model == model, refs.c.name == str(selector))
    return _one(connection, model, selector, query)


def with_token(connection: Connection, model: str, token: str) -> Version | None:
    """Return the version that an attempt to save wrote, or None."""
    query = select(versions).where(versions.c.model == model, versions.c.token == token)
    found = connection.execute(query).mappings().first()
    return None if found is None else read(found)


def every(connection: Connection, model: str) -> list[Version]:
    """Return all versions by number, abandoned ones too."""
    query = select(versions).where(versions.c.model == model).order_by(versions.c.version)
    return [read(entry) for entry in connection.execute(query).mappings()]


def lineage(connection: Connection, model: str, number: int) -> list[Version]:
    """Return the version and its ancestors, genesis first."""
    line = ancestry(model, number).subquery()
    query = select(versions).where(versions.c.model == model, versions.c.version.in_(select(line.c.version)))
    found = [read(entry) for entry in connection.execute(query.order_by(versions.c.version)).mappings()]
    if not found:
        raise NoSuchVersion(model, number)
    return found  # a child always has a greater number than its parent


def ancestry(model: str, number: int) -> Select[Any]:
    """Return the query for (version, parent) of a version and all its ancestors."""
    line = select(versions.c.version, versions.c.parent).where(versions.c.model == model, versions.c.version == number)
    below = line.cte("ancestry", recursive=True)
    parents = select(versions.c.version, versions.c.parent).where(
        versions.c.model == model, versions.c.version == below.c.parent
    )
    return select(below.union_all(parents))


def refill(connection: Connection, model: str, number: int, blob: Blob) -> Version:
    """Give a version without bytes bytes again. One that has its bytes stays as it is."""
    if numbered(connection, model, number).blob is None:
        put(connection, blob)
        again = {"blob": blob.sha256, "size": len(blob.envelope), "expired_at": None}
        connection.execute(
            update(versions).where(versions.c.model == model, versions.c.version == number).values(again)
        )
    return numbered(connection, model, number)


def payload(connection: Connection, model: str, number: int) -> bytes:
    """Return the state of a version, decompressed, its address checked; raises CorruptSnapshot or BytesExpired."""
    query = (
        select(versions.c.blob, versions.c.expired_at, blobs.c.envelope)
        .outerjoin(blobs, blobs.c.sha256 == versions.c.blob)
        .where(versions.c.model == model, versions.c.version == number)
    )
    found = connection.execute(query).first()
    if found is None:
        raise NoSuchVersion(model, number)
    if found.blob is None:
        raise BytesExpired(model, number, found.expired_at)
    if found.envelope is None:
        raise CorruptSnapshot(model, number, found.blob, "the store does not have them")
    try:
        return unpack(found.envelope, found.blob)
    except BadEnvelope as error:
        raise CorruptSnapshot(model, number, found.blob, str(error)) from error


def require_bytes(connection: Connection, version: Version) -> str:
    """Return the address of the bytes of a version; raises BytesExpired when they were deleted."""
    if version.blob is None:
        query = select(versions.c.expired_at).where(versions.c.model == version.model)
        expired_at = connection.scalar(query.where(versions.c.version == version.version))
        raise BytesExpired(version.model, version.version, expired_at)
    return version.blob


def segment(connection: Connection, model: str, number: int) -> Segment:
    """Return what a version read since its parent."""
    numbered(connection, model, number)
    runs = select(segment_runs).where(segment_runs.c.model == model, segment_runs.c.version == number)
    holds = select(segment_holds).where(segment_holds.c.model == model, segment_holds.c.version == number)
    return Segment(
        runs=tuple(
            Run(entry.topic, entry.partition, entry.start, entry.stop, entry.events, entry.kind, entry.merged)
            for entry in connection.execute(runs.order_by(segment_runs.c.ordinal))
        ),
        holds=tuple(
            Hold(entry.topic, entry.partition, entry.offset, entry.reason)
            for entry in connection.execute(holds.order_by(segment_holds.c.ordinal))
        ),
    )


def read(entry: Mapping[str, Any] | RowMapping) -> Version:
    """Return the version in a record of the table."""
    return Version(
        model=entry["model"],
        version=entry["version"],
        kind=entry["kind"],
        parent=entry["parent"],
        position=Position.from_json(entry["position"]),
        accounts=Accounts(entry["read"], entry["learned"], entry["held"], entry["pending"], entry["expired"]),
        proof=Proof(entry["digest"], entry["golden"], entry["scores"], entry["baselines"], entry["details"] or {}),
        recipe=entry["recipe"],
        identity=entry["identity"],
        schema=entry["schema"],
        config_hash=entry["config_hash"],
        environment=entry["environment"],
        token=entry["token"],
        reason=entry["reason"],
        blob=entry["blob"],
        size=entry["size"],
        created_at=entry["created_at"],
        run=entry["run"],
        quarantine=entry["quarantine"] or 0,
        covers=entry["covers"],
        beside=bool(entry["beside"]),
    )


def _values(version: Version) -> dict[str, Any]:
    accounts, proof = version.accounts, version.proof
    return {
        "model": version.model,
        "version": version.version,
        "kind": version.kind,
        "parent": version.parent,
        "position": version.position.to_json(),
        "read": accounts.read,
        "learned": accounts.learned,
        "held": accounts.held,
        "pending": accounts.pending,
        "expired": accounts.expired,
        "digest": proof.digest,
        "golden": proof.golden,
        "scores": proof.scores,
        "baselines": proof.baselines,
        "details": proof.details,
        "recipe": version.recipe,
        "identity": version.identity,
        "schema": version.schema,
        "config_hash": version.config_hash,
        "environment": version.environment,
        "token": version.token,
        "reason": version.reason,
        "blob": version.blob,
        "size": version.size,
        "created_at": version.created_at,
        "run": version.run,
        "quarantine": version.quarantine,
        "covers": version.covers,
        "beside": version.beside,
    }


def _by_number(model: str, number: int) -> Select[Any]:
    return select(versions).where(versions.c.model == model, versions.c.version == number)


def _one(connection: Connection, model: str, selector: int | str, query: Select[Any]) -> Version:
    found = connection.execute(query).mappings().first()
    if found is None:
        known = connection.scalar(select(models.c.name).where(models.c.name == model))
        raise NoSuchModel(model) if known is None else NoSuchVersion(model, selector)
    return read(found)


def _insert_in_order(
    connection: Connection, table: Table, version: Version, names: Sequence[str], entries: Sequence[Run | Hold]
) -> None:
    take = attrgetter(*names)
    rows = [(version.model, version.version, ordinal, *take(each)) for ordinal, each in enumerate(entries)]
    insert_many(connection, table, ("model", "version", "ordinal", *names), rows)
