"""Reading out: this process reads and decodes a course once, for several others that learn.

Each of them is told all of it through a pipe of its own. None runs ahead of another by more than what waits there for
its turn: the slowest tells how fast is read. Nothing is read out unless all of them listen at the same time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from stream.backtest.reader import Errand, read_out
from stream.backtest.spawned import context

END_S_MAX = 1.0


class ReadOut:
    """A thread that reads for other processes. Used in a `with`, around all the time in which these listen."""

    def __init__(self, errand: Errand, first: int, listeners: int) -> None:
        """`first` is the number of the stretch from which on is read."""
        pipes = [context.Pipe(duplex=False) for _ in range(listeners)]
        self.ends: Sequence[Any] = [end for end, _ in pipes]
        self._pipes = [pipe for _, pipe in pipes]
        self._errand = errand
        self._first = first
        self._thread = threading.Thread(target=self._go, daemon=True)

    def _go(self) -> None:
        with suppress(OSError):  # nobody waits for it any more
            for found in read_out(self._errand, lambda: self._first):
                for pipe in self._pipes:
                    pipe.send_bytes(found)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in self.ends:
            end.close()
        self._thread.join(END_S_MAX)  # what was sent to a process that never listened waits until this one ends
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.close()
