"""Noise that is a function of where an event stands alone: the same in whatever batch or process it is asked for.

A place is hashed by the finalizer of SplitMix64 (Steele, Lea and Flood, 2014), twice, under two keys that come from the
seed, the name of the feature and the partition; 52 bits of it go through the inverse of the normal distribution
(Wichura's AS 241, in Python's `statistics`), value by value: vectorized logarithms may round otherwise elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Place = tuple[int, int]
"""(partition, offset) of an event."""

Bits = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _12 = (np.uint64(bits) for bits in (30, 27, 31, 12))
_INVERSE = NormalDist().inv_cdf


def hashes(seed: int, name: str, places: Sequence[Place]) -> Bits:
    """Return 64 bits for each place, which tell nothing of each other."""
    offsets = np.array([offset for _, offset in places], dtype=np.uint64)
    partitions = np.array([partition for partition, _ in places], dtype=np.int64)
    found = np.empty(len(places), dtype=np.uint64)
    for partition in np.unique(partitions):
        key = hashlib.blake2b(json.dumps([seed, name, int(partition)]).encode(), digest_size=16).digest()
        first, second = np.frombuffer(key, dtype="<u8")
        here = partitions == partition
        found[here] = _mixed(_mixed(offsets[here] * _GOLDEN + first) ^ second)
    return found


def gaussian(seed: int, name: str, places: Sequence[Place]) -> list[float]:
    """Return a number for each place, normally distributed with mean 0 and standard deviation 1.

    >>> gaussian(1, "a", [(0, 5), (0, 6)])[1] == gaussian(1, "a", [(1, 9), (0, 6)])[1]
    True
    """
    uniform = ((hashes(seed, name, places) >> _12).astype(np.float64) + 0.5) * 2.0**-52
    return list(map(_INVERSE, uniform.tolist()))


def _mixed(bits: Bits) -> Bits:
    bits = (bits ^ (bits >> _30)) * _FIRST
    bits = (bits ^ (bits >> _27)) * _SECOND
    return bits ^ (bits >> _31)
