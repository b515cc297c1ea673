"""Reading ahead: a second process reads and decodes stretches of a course, while this one learns.

1. The other process is a copy of this one, which begins at once; or where none can be made, one that is spawned, and
   needs half a second. Until it has begun, this one reads. Then the other takes the next stretch that was not, and all
   that follow: it goes on where it is, and no log is asked to seek. One that hangs as it begins takes nothing.
2. What is read is the same, whoever reads it and whoever judges it: no result changes. As long as this process has
   nothing to do, it is given records as they are, and decodes and judges them itself.
3. Only where the gate remembers nothing from one stretch to the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from types import TracebackType
from typing import Any, Self

from stream.backtest.hear import Hear
from stream.backtest.reader import TAKEN, Errand, be, be_copy
from stream.backtest.reading import Reading
from stream.backtest.received import Received
from stream.backtest.spawned import context, pipe, unheard
from stream.forked import CAN_FORK, STDERR, STEP_S, Copy
from stream.gate import Verdicts

READY_S = 0.5
"""So long this process waits for its copy to begin to read: that one needs nothing but a connection to the log."""


class ReadAhead(Received):
    """A process that reads for this one. Used in a `with`, at whose end it is ended."""

    def __init__(self, errand: Errand, first: int, *, fork: bool = CAN_FORK) -> None:
        """`first` is the number of the stretch from which on is read. `fork`: the process is a copy of this one."""
        ours, self._theirs = pipe()
        super().__init__(ours, errand.course, columns=errand.columns)
        self._fork = fork
        self._errand = errand
        self._following = context.Value("q", first)
        self._taken = context.Value("q", 0, lock=False)  # written here only: who reads it may be killed meanwhile

    def stretch(self, place: int, reading: Reading, hear: Hear) -> Iterator[Verdicts]:
        """See `Received.stretch`."""
        if self._is_mine(place):
            return reading.stretch(self._errand.course.stretches[place])
        return super().stretch(place, reading, hear)

    def _is_mine(self, place: int) -> bool:
        """Take a stretch, unless the other process has taken it with all that follow."""
        with self._following.get_lock():
            mine = bool(self._following.value == place)
            if mine:
                self._following.value += 1
        return mine

    def _note(self) -> None:
        self._taken.value += 1

    def __enter__(self) -> Self:
        told = (self._errand.bare(), self._theirs, self._following, self._taken)
        if self._fork:
            self.process: Any = Copy(partial(be_copy, *told), self._theirs.fileno(), STDERR)
        else:
            with unheard():
                self.process = context.Process(target=be, args=told, daemon=True)
                self.process.start()
        self._theirs.close()
        super().__enter__()
        deadline = time.monotonic() + READY_S
        while self._fork and self._following.value != TAKEN and time.monotonic() < deadline:
            time.sleep(STEP_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.join()
        super().__exit__(kind, error, trace)
