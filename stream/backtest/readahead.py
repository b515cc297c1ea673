"""Reading ahead: a second process reads and decodes stretches of a course, while this one learns.

1. Until the other process has begun, this one reads. Then the other takes the next stretch that was not, and all that
   follow: it goes on where it is, and no log is asked to seek.
2. What is read is the same, whoever reads it and whoever judges it: no result changes. As long as this process has
   nothing to do, it is given records as they are, and decodes and judges them itself.
3. Only where the gate remembers nothing from one stretch to the next.
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from stream.backtest.hear import Hear
from stream.backtest.reader import Errand, be, unpacked
from stream.backtest.reading import Reading
from stream.backtest.spawned import context, unheard
from stream.errors import LogUnreachable
from stream.gate import Verdicts
from stream.log import Batch

LOOK_S = 0.1

BATCHES_MAX = 32
"""So many batches of the other process may wait for their turn: of 8,192 events with eight features some 20 MB."""


class ReadAhead:
    """A process that reads for this one. Used in a `with`, at whose end it is ended."""

    def __init__(self, errand: Errand, first: int) -> None:
        """`first` is the number of the stretch from which on is read."""
        self._errand = errand
        self._following = context.Value("q", first)
        self._taken = context.Value("q", 0)
        self._theirs: queue.Queue[Any] = queue.Queue(BATCHES_MAX)

    @property
    def waiting(self) -> int:
        """How many batches of the other process wait for their turn."""
        return self._theirs.qsize()

    def stretch(self, place: int, reading: Reading, hear: Hear) -> Iterator[Verdicts]:
        """Give out what is accepted of the stretch with this number: stretches are asked for in their order.

        `reading` is this process's own. Raises as `Reading.stretch`.
        """
        stretch = self._errand.course.stretches[place]
        found = reading.batches(stretch) if self._is_mine(place) else self._received(hear)
        return reading.judged(stretch, found)

    def _is_mine(self, place: int) -> bool:
        """Take a stretch, unless the other process has taken it with all that follow."""
        with self._following.get_lock():
            mine = bool(self._following.value == place)
            if mine:
                self._following.value += 1
        return mine

    def _received(self, hear: Hear) -> Iterator[Batch | Verdicts]:
        """Give out the next stretch of the other process, judged by it or not."""
        while True:
            try:
                found = self._theirs.get(timeout=LOOK_S)
            except queue.Empty:
                hear.advance(0)
                continue
            if isinstance(found, bytes):
                found = pickle.loads(found)  # noqa: S301 - our own process
            if isinstance(found, Exception):
                raise found
            if found is None:
                return
            self._taken.value += 1
            yield unpacked(found, rows=not self._errand.columns)

    def _listen(self) -> None:
        """Say what is to be read; take in what the other process tells, until it ends."""
        try:
            self._pipe.send(self._errand)
            while True:
                self._theirs.put(self._pipe.recv_bytes())
        except (EOFError, OSError):
            self._theirs.put(
                LogUnreachable(
                    "the process that reads ahead has ended without a word",
                    "again with --workers 1, this one reads by itself",
                )
            )

    def __enter__(self) -> Self:
        self._pipe, theirs = context.Pipe()
        with unheard():
            self.process = context.Process(target=be, args=(theirs, self._following, self._taken), daemon=True)
            self.process.start()
        theirs.close()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.join()
        while self._thread.is_alive():  # it may wait for room
            with suppress(queue.Empty):
                self._theirs.get(timeout=LOOK_S)
        self._pipe.close()
