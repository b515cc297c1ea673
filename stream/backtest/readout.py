"""Reading out: a process reads and decodes a course once, for several that learn.

Each of them is told all of it through a pipe of its own. None runs ahead of another by more than what waits there for
its turn: the slowest tells how fast is read. So all must listen at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from stream.backtest.parcels import send
from stream.backtest.reader import Errand, read_out
from stream.backtest.spawned import begun, context, pipe, unheard
from stream.collector import collecting_seldom


class ReadOut:
    """A process that reads for others. Used in a `with`, around all the time in which these listen at the `ends`."""

    def __init__(self, errand: Errand, first: int, listeners: int) -> None:
        """`first` is the number of the stretch from which on is read."""
        pipes = [pipe() for _ in range(listeners)]
        self.ends: Sequence[Any] = [ours for ours, _ in pipes]
        self._theirs = [theirs for _, theirs in pipes]
        self._process = context.Process(target=be, args=(errand.bare(), first, self._theirs), daemon=True)

    def __enter__(self) -> Self:
        with unheard():
            self._process.start()
        for end in self._theirs:
            end.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        for end in self.ends:
            end.close()


@collecting_seldom()
def be(errand: Errand, first: int, pipes: Sequence[Any]) -> None:
    """Be the process that reads."""
    begun()
    with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits for it
        for found in read_out(errand, lambda: first):
            for each in pipes:
                send(each, found)
