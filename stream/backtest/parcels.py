"""Parcels: what one process hands to another through a pipe. Arrays in it are written and read where they are.

Pickled into one text, every batch would be copied five times on its way; so it is two: into the pipe, and out of it.
"""

from __future__ import annotations

import os
import pickle
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

Parcel = Sequence[memoryview]
"""An object as pickled, and after it the memory of its arrays, in their order."""

NUMBER = "Q"
NUMBER_BYTES = array(NUMBER).itemsize

ALIGNED = 64
"""Where an array may begin, in bytes."""


def wrap(what: Any) -> Parcel:
    """Return what is sent. Its arrays are the same memory: send it before they change."""
    arrays: list[pickle.PickleBuffer] = []
    text = pickle.dumps(what, protocol=5, buffer_callback=arrays.append)
    return [memoryview(text), *(each.raw() for each in arrays)]


def unwrap(parcel: Parcel) -> Any:
    """Return what was wrapped.

    >>> unwrap(wrap({"a": np.arange(3)}))
    {'a': array([0, 1, 2])}
    """
    return pickle.loads(parcel[0], buffers=parcel[1:])  # noqa: S301 - of our own processes


def send(pipe: Any, parcel: Parcel) -> None:
    """Write it into a pipe. Raises `BrokenPipeError` if nobody reads there."""
    lengths = array(NUMBER, [len(parcel), *map(len, parcel)])
    parts = [memoryview(lengths).cast("B")]
    for each in parcel:
        parts += [each, memoryview(bytes(-len(each) % ALIGNED))]
    parts = [part for part in parts if part]
    while parts:
        written = os.writev(pipe.fileno(), parts[:1000])
        while parts and written >= len(parts[0]):
            written -= len(parts.pop(0))
        if written:
            parts[0] = parts[0][written:]


def receive(pipe: Any) -> Parcel:
    """Read the next one; waits for it. Raises `EOFError` if nobody writes there any more."""
    (count,) = _numbers(pipe, 1)
    lengths = _numbers(pipe, count)
    begins = np.cumsum([0, *(length + -length % ALIGNED for length in lengths)]).tolist()
    body = _exactly(pipe, begins[-1])
    return [body[begin : begin + length] for begin, length in zip(begins, lengths, strict=False)]


def _numbers(pipe: Any, count: int) -> list[int]:
    return array(NUMBER, bytes(_exactly(pipe, count * NUMBER_BYTES))).tolist()


def _exactly(pipe: Any, length: int) -> memoryview:
    memory = np.empty(length, dtype=np.uint8).data
    rest = memory
    while rest:
        read = os.readv(pipe.fileno(), [rest])
        if not read:
            raise EOFError
        rest = rest[read:]
    return memory
