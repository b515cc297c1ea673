"""What is received of another process that reads: batches, judged or not, through a pipe. A few wait for their turn."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from stream.aside import TURN_S
from stream.backtest.hear import Hear
from stream.backtest.parcels import receive, unwrap
from stream.backtest.reader import unpacked
from stream.backtest.reading import Reading
from stream.backtest.stretch import Course
from stream.errors import LogUnreachable
from stream.gate import Verdicts
from stream.log import Batch

LOOK_S = 0.1

BATCHES_MAX = 32
"""So many batches of the other process may wait for their turn: of 8,192 events with eight features some 20 MB."""


class Received:
    """All that comes through a pipe from `read_out`, stretch by stretch. Used in a `with`, at whose end nobody listens.

    `columns`: it is learned in columns, else it is put into rows.
    """

    def __init__(self, pipe: Any, course: Course, *, columns: bool) -> None:
        self._pipe = pipe
        self._course = course
        self._columns = columns
        self._came: queue.Queue[Any] = queue.Queue(BATCHES_MAX)
        self._over = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._turn_s = sys.getswitchinterval()

    @property
    def waiting(self) -> int:
        """How many batches wait for their turn."""
        return self._came.qsize()

    def stretch(self, place: int, reading: Reading, hear: Hear) -> Iterator[Verdicts]:
        """Give out what is accepted of the stretch with this number: stretches are asked for in their order.

        `reading` is this process's own. Raises as `Reading.stretch`, and what was raised where it is read.
        """
        return reading.judged(self._course.stretches[place], self._batches(hear))

    def _batches(self, hear: Hear) -> Iterator[Batch | Verdicts]:
        """Give out the next stretch, judged or not."""
        while True:
            try:
                found = self._came.get(timeout=LOOK_S)
            except queue.Empty:
                hear.advance(0)
                continue
            if not isinstance(found, Exception):
                found = unwrap(found)
            if isinstance(found, Exception):
                raise found
            self._note()
            if found is None:
                return
            yield unpacked(found, rows=not self._columns)

    def _note(self) -> None:
        """Take notice that a batch was taken, or the end of a stretch."""

    def _listen(self) -> None:
        """Take in what comes, until nobody waits for it."""
        try:
            while not self._over:
                if self._pipe.poll(LOOK_S):
                    self._came.put(receive(self._pipe))
        except (EOFError, OSError):
            self._came.put(
                LogUnreachable(
                    "the process that reads ahead has ended without a word",
                    "again with --workers 1, this one reads by itself",
                )
            )

    def __enter__(self) -> Self:
        sys.setswitchinterval(min(TURN_S, self._turn_s))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        while self._thread.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                self._came.get(timeout=LOOK_S)
        self._pipe.close()
        sys.setswitchinterval(self._turn_s)
