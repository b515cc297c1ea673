"""Many integers or texts in few bytes, to be pickled."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate, pairwise

import numpy as np

Integers = bytes | list[int]
"""8 bytes each; as they are, where one is too large for that."""

Texts = tuple[bytes, Integers]
"""All texts in one, and how long each is."""


def pack_integers(values: Collection[int]) -> Integers:
    """Return integers as bytes.

    >>> read_integers(pack_integers([1, -2])), read_integers(pack_integers([10**30]))
    ([1, -2], [1000000000000000000000000000000])
    """
    try:
        return np.fromiter(values, "<i8", len(values)).tobytes()
    except OverflowError:
        return list(values)


def read_integers(packed: Integers) -> list[int]:
    """Return the integers that were packed."""
    return np.frombuffer(packed, "<i8").tolist() if isinstance(packed, bytes) else packed


def pack_texts(texts: Collection[str]) -> Texts:
    r"""Return texts as bytes, whatever is in them.

    >>> read_texts(pack_texts(["a", "", "ß\ud800"])) == ["a", "", "ß\ud800"]
    True
    """
    return "".join(texts).encode("utf-8", "surrogatepass"), pack_integers([len(text) for text in texts])


def read_texts(packed: Texts) -> list[str]:
    """Return the texts that were packed."""
    whole = packed[0].decode("utf-8", "surrogatepass")
    return [whole[start:stop] for start, stop in pairwise(accumulate(read_integers(packed[1]), initial=0))]
