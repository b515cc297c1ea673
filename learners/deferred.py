"""A model of which one part is built later: only the rest of it is written down while others wait."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from typing import Any

from learners.ways import Ways

HOLE = "part"


class Deferred:
    """Stands for a model in what is pickled. `build` returns the part as it is now, in any thread, as often as asked.

    Where that can be pickled, so can what is deferred: then it may be built in another process.

    >>> deferred = Deferred({"a": [1], "b": (part := [2])}, part, lambda: [3])
    >>> part.append(9)
    >>> deferred.built()
    {'a': [1], 'b': [3]}
    """

    def __init__(self, model: Any, part: Any, build: Callable[[], Any]) -> None:
        buffer = io.BytesIO()
        _Pickler(buffer, part).dump(model)
        self._rest = buffer.getvalue()
        self._build = build

    def for_later(self) -> Deferred:
        """Return what does not change any more."""
        return self

    def built(self) -> Any:
        """Return the model."""
        return _Unpickler(io.BytesIO(self._rest), self._build()).load()


class _Pickler(pickle.Pickler):
    dispatch_table = Ways(apart=False)

    def __init__(self, file: io.BytesIO, part: Any) -> None:
        super().__init__(file, protocol=5)
        self._part = part

    def persistent_id(self, obj: Any) -> str | None:
        """Leave a hole for the part."""
        return HOLE if obj is self._part else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, part: Any) -> None:
        super().__init__(file)
        self._part = part

    def persistent_load(self, pid: Any) -> Any:
        """Put the part where the hole is."""
        assert pid == HOLE, "there is but one"
        return self._part
