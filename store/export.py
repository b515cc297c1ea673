"""One file that holds a version whole: its learner's bytes and all that is known of it. It loads without a store.

The file is an envelope as in `blobs`, with a header of its own, followed by the sha256 of all before it (32 bytes).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from store.envelope import BadEnvelope, pack, unpack
from store.errors import StoreError
from store.types import Version

MAGIC = b"TIDEMARK-EXPORT\x01"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Export:
    """What a file holds: `about` as plain values (version, recipe, schema, position, scores, environment), `state`."""

    about: Mapping[str, Any]
    state: bytes


def write_export(file: Path, version: Version, state: bytes) -> None:
    """Write a version to a file, whole or not at all: it takes the place of an older one in one step."""
    about = msgspec.json.encode(
        {
            "model": version.model,
            "version": version.version,
            "parent": version.parent,
            "recipe": version.recipe,
            "identity": version.identity,
            "schema": version.schema,
            "position": version.position.to_json(),
            "scores": version.proof.scores,
            "golden": version.proof.golden,
            "environment": version.environment,
            "created_at": version.created_at.isoformat(),
        }
    )
    blob = pack(state)
    body = MAGIC + len(about).to_bytes(_LENGTH_BYTES) + about + bytes.fromhex(blob.sha256) + blob.envelope
    part = file.with_name(f".{file.name}.part")
    try:
        with part.open("wb") as out:
            out.write(body + hashlib.sha256(body).digest())
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except OSError as error:
        raise StoreError(
            f"{file} cannot be written: {error}", hint="name a file in a folder that you may write"
        ) from error


def read_export(file: Path) -> Export:
    """Read a version from a file. Raises `StoreError` when it is not one, or not whole.

    The state is a pickle: load files only from whom you trust.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise StoreError(f"{file} cannot be read: {error}", hint="name a file that `tidemark export` wrote") from error
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        raise StoreError(
            f"expected {file} to be a whole exported version, found other or damaged bytes", hint="export it again"
        )
    start = len(MAGIC) + _LENGTH_BYTES
    stop = start + int.from_bytes(body[len(MAGIC) : start])
    about = msgspec.json.decode(body[start:stop])
    try:
        state = unpack(body[stop + _DIGEST_BYTES :], body[stop : stop + _DIGEST_BYTES].hex())
    except BadEnvelope as error:
        raise StoreError(f"{file}: {error}", hint="export it again") from error
    return Export(about, state)
