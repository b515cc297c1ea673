"""Values of records in one piece of memory: quick to hand to another process, and what a compiled reader takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np


class Packed(Sequence[bytes]):
    """Values one after the other in `text`, with one byte behind each; `stops` are where they end. It never changes.

    >>> packed = Packed.of([b"a", b"", b"bc", b"d"])
    >>> list(packed), packed[2], list(packed[1:3]), packed[1:3][-1], packed[1:3].lengths().tolist()
    ([b'a', b'', b'bc', b'd'], b'bc', [b'', b'bc'], b'bc', [0, 2])
    """

    __slots__ = ("_begin", "_stops", "_text")

    def __init__(self, text: bytes | memoryview, stops: np.ndarray, begin: int = 0) -> None:
        """`begin` is where the first value begins."""
        self._text, self._stops, self._begin = text, stops, begin

    @classmethod
    def of(cls, values: Sequence[bytes]) -> Packed:
        """Put values together."""
        stops = np.fromiter(map(len, values), np.int64, len(values))
        stops += 1
        np.cumsum(stops, out=stops)
        stops -= 1
        return cls(b"\n".join((*values, b"")), stops)

    @classmethod
    def joined(cls, parts: Sequence[Packed]) -> Packed:
        """Put together what follows each other.

        >>> list(Packed.joined([Packed.of([b"a", b"bc"]), Packed.of([]), Packed.of([b"d", b"e"])[1:]]))
        [b'a', b'bc', b'e']
        """
        texts, stops, length = [], [], 0
        for part in parts:
            text, its = part.arrays()
            texts.append(text[: int(its[-1]) + 1 if len(its) else 0].data)
            stops.append(its + length)
            length += len(texts[-1])
        return cls(b"".join(texts), np.concatenate(stops))

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the bytes from the first value on, and where in them each value ends."""
        text = np.frombuffer(self._text, dtype=np.uint8)
        return (text[self._begin :], self._stops - self._begin) if self._begin else (text, self._stops)

    def lengths(self) -> np.ndarray:
        """Return how long each value is."""
        return np.diff(self._stops, prepend=self._begin - 1) - 1

    def __len__(self) -> int:
        return len(self._stops)

    def __iter__(self) -> Iterator[bytes]:
        begin = self._begin
        for stop in self._stops.tolist():
            yield bytes(self._text[begin:stop])
            begin = stop + 1

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> Packed: ...

    def __getitem__(self, place: int | slice) -> Any:
        if isinstance(place, slice):
            first, last, _ = place.indices(len(self))
            return Packed(self._text, self._stops[first : max(first, last)], self._begins(first))
        place = range(len(self))[place]
        return bytes(self._text[self._begins(place) : int(self._stops[place])])

    def _begins(self, place: int) -> int:
        return int(self._stops[place - 1]) + 1 if place else self._begin

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> Any:
        text, stops = self.arrays()
        return _unpickled, (text[: int(stops[-1]) + 1 if len(stops) else 0], stops)


def _unpickled(text: np.ndarray, stops: np.ndarray) -> Packed:
    return Packed(text.data, stops)
