"""The envelope around the compressed state of a version, which is kept under the envelope's sha256.

Envelope: magic (8 bytes), format version (2), length of the header (4), header (MessagePack), payload (zstandard).
The address covers header and payload, so a signature in the header, too, cannot be changed unnoticed.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

import msgspec
import zstandard

from store.errors import StoreError

MAGIC = b"TIDEMARK"
FORMAT = 1
ENVELOPE_BYTES_MAX = 900_000_000  # SQLite and PostgreSQL both refuse values of about 1 GB
_PREFIX = struct.Struct(">8sHI")
_LEVEL = 3  # zstandard's default: a save must not hold up learning


class Header(msgspec.Struct, frozen=True):
    """What the envelope says about its payload. `signature` is room for one: None until snapshots are signed."""

    codec: str
    raw_bytes: int
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """An envelope and its address."""

    sha256: str
    envelope: bytes


class BadEnvelope(ValueError):
    """The bytes are not an envelope of this program, or not the ones that belong to their address."""


def pack(state: bytes) -> Blob:
    """Return the envelope for a state. The same state gives the same address, on the same zstandard.

    >>> blob = pack(b"weights")
    >>> unpack(blob.envelope, blob.sha256)
    b'weights'
    """
    header = msgspec.msgpack.encode(Header("zstd", len(state)))
    payload = zstandard.ZstdCompressor(level=_LEVEL).compress(state)
    envelope = _PREFIX.pack(MAGIC, FORMAT, len(header)) + header + payload
    if len(envelope) > ENVELOPE_BYTES_MAX:
        raise StoreError(
            f"expected a model of at most {ENVELOPE_BYTES_MAX:,} bytes when compressed, found {len(envelope):,}",
            hint="choose parameters that bound the model's size (max_depth, memory, number of trees)",
        )
    return Blob(hashlib.sha256(envelope).hexdigest(), envelope)


def unpack(envelope: bytes, sha256: str) -> bytes:
    """Return the state in an envelope; raises BadEnvelope, which says why, before anything is decompressed."""
    actual = hashlib.sha256(envelope).hexdigest()
    if actual != sha256:
        raise BadEnvelope(f"expected sha256 {sha256}, found {actual}")
    if len(envelope) < _PREFIX.size:
        raise BadEnvelope(f"expected an envelope, found {len(envelope)} bytes")
    magic, version, header_bytes = _PREFIX.unpack_from(envelope)
    if magic != MAGIC:
        raise BadEnvelope(f"expected the magic {MAGIC!r}, found {magic!r}")
    if version != FORMAT:
        raise BadEnvelope(f"expected envelope format {FORMAT}, found {version}")
    start = _PREFIX.size + header_bytes
    try:
        header = msgspec.msgpack.decode(envelope[_PREFIX.size : start], type=Header)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadEnvelope(f"expected a header, found none that can be read: {error}") from error
    return _decompress(header, envelope[start:])


def _decompress(header: Header, payload: bytes) -> bytes:
    if header.codec != "zstd":
        raise BadEnvelope(f"expected the codec 'zstd', found {header.codec!r}")
    try:
        if zstandard.frame_content_size(payload) != header.raw_bytes:
            raise BadEnvelope(f"expected a payload of {header.raw_bytes} bytes, found another size")
        return zstandard.ZstdDecompressor().decompress(payload)
    except zstandard.ZstdError as error:
        raise BadEnvelope(f"expected a zstandard payload: {error}") from error
