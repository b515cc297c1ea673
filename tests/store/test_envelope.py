"""The envelope around a version's bytes: what does not belong is refused, with why."""

from __future__ import annotations

import hashlib
import struct

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from store import StoreError
from store import envelope as envelopes

PAYLOAD = zstandard.ZstdCompressor().compress(b"weights")


def envelope(header: object = None, *, magic: bytes = b"TIDEMARK", version: int = 1, payload: bytes = PAYLOAD) -> bytes:
    packed = msgspec.msgpack.encode({"codec": "zstd", "raw_bytes": 7, "signature": None} if header is None else header)
    return struct.pack(">8sHI", magic, version, len(packed)) + packed + payload


def unpack(data: bytes) -> bytes:
    return envelopes.unpack(data, hashlib.sha256(data).hexdigest())


def test_an_envelope_written_by_hand_is_read() -> None:
    assert unpack(envelope()) == b"weights"


@given(st.binary(max_size=10_000))
def test_every_state_comes_back(state: bytes) -> None:
    blob = envelopes.pack(state)
    assert envelopes.unpack(blob.envelope, blob.sha256) == state
    assert envelopes.pack(state) == blob


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "found 0 bytes"),
        (envelope(magic=b"TIDEMARC"), "magic"),
        (envelope(version=2), "format 1, found 2"),
        (envelope([1, 2]), "header"),
        (envelope({"codec": "zstd"}), "header"),
        (envelope({"codec": "lz4", "raw_bytes": 7}), "codec"),
        (envelope({"codec": "zstd", "raw_bytes": 8}), "8 bytes"),
        (envelope(payload=b""), "zstandard|7 bytes"),
        (envelope(payload=PAYLOAD[:-3]), "zstandard"),
        (envelope()[:20], "header"),
    ],
)
def test_what_is_not_an_envelope_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(envelopes.BadEnvelope, match=why):
        unpack(data)


def test_a_state_that_no_database_takes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelopes, "ENVELOPE_BYTES_MAX", 50)
    with pytest.raises(StoreError, match="at most 50 bytes"):
        envelopes.pack(bytes(range(100)))
