"""Reading ahead: a second process reads and decodes stretches of a course in columns, while this one learns.

1. Both take stretches from the front, each the next that nobody has taken. Here they are learned in their order; while
   one is awaited from the other process, the next is read here. So neither is idle, whoever is faster.
2. What is read is the same, whoever reads it: no result changes. The second process takes some seconds to begin, and
   until then this one simply goes on.
3. Only where the gate remembers nothing from one stretch to the next.
"""

from __future__ import annotations

import pickle
import queue
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from stream.backtest.hear import Hear
from stream.backtest.reader import Errand, bare, be, take, unpacked
from stream.backtest.reading import Reading
from stream.backtest.spawned import context, unheard
from stream.errors import LogUnreachable
from stream.gate import Verdicts

LOOK_S = 0.1

BATCHES_MAX = 32
"""So many batches of either process may wait for their turn: of 8,192 events with eight features some 20 MB."""


@dataclass(slots=True)
class _Own:
    """A stretch that is read here: what waits for its turn, and what is yet to be read."""

    place: int
    rest: Iterator[Verdicts]
    waiting: list[Verdicts] = field(default_factory=list)


class ReadAhead:
    """A process that reads for this one. Used in a `with`, at whose end it is ended."""

    def __init__(self, errand: Errand, first: int, reading: Reading) -> None:
        """`first` is the number of the stretch from which on is read; `reading` is this process's own."""
        self._errand = errand
        self._reading = reading
        self._next = context.Value("q", first)
        self._theirs: queue.Queue[Any] = queue.Queue(BATCHES_MAX)
        self._own: _Own | None = None

    @property
    def waiting(self) -> int:
        """How many batches of the other process wait for their turn."""
        return self._theirs.qsize()

    def stretch(self, place: int, hear: Hear) -> Iterator[Verdicts]:
        """Give out what is accepted of the stretch with this number: stretches are asked for in their order.

        Raises as `Reading.stretch`.
        """
        if self._own is None:
            self._begin_own(take(self._next, place), at=place)
        own = self._own
        if own is None or own.place != place:
            yield from self._received(hear)
            return
        self._own = None
        yield from own.waiting
        yield from own.rest

    def _begin_own(self, place: int, *, at: int | None = None) -> None:
        """Begin to read a stretch that was taken here."""
        if place < len(self._errand.course.stretches) and at in (None, place):
            self._own = _Own(place, self._reading.stretch(self._errand.course.stretches[place]))

    def _received(self, hear: Hear) -> Iterator[Verdicts]:
        """Give out the next stretch of the other process."""
        while True:
            try:
                found = self._theirs.get(timeout=0.0 if self._read_on() else LOOK_S)
            except queue.Empty:
                hear.advance(0)
                continue
            if isinstance(found, bytes):
                found = pickle.loads(found)  # noqa: S301 - our own process
            if isinstance(found, Exception):
                raise found
            if found is None:
                return
            yield unpacked(found)

    def _read_on(self) -> bool:
        """Read a little ahead while the other process is awaited; tell whether there is more to read."""
        if not self._theirs.empty():
            return True
        if self._own is None:
            self._begin_own(take(self._next))
        own = self._own
        if own is None or len(own.waiting) >= BATCHES_MAX:
            return False
        for verdicts in own.rest:
            own.waiting.append(bare(verdicts))
            return True
        return False

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
            self.process = context.Process(target=be, args=(theirs, self._next), daemon=True)
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
