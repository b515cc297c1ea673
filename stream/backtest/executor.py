"""Who carries out journeys: this process, or several. An engine of a cluster can take their place.

A journey is plain values that pickle, and gives plain values: whoever runs it changes no result.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol, Self

from stream.backtest.hear import Hear, Interrupted
from stream.backtest.journey import Journey
from stream.backtest.readout import ReadOut
from stream.backtest.spawned import begun, context, unheard
from stream.backtest.trial import Outcome

LOOK_S = 0.1

_told: Any = None
_stop: Any = None


class HearAll(Hear, Protocol):
    """Who is told what journeys came to, too."""

    def end(self, outcomes: Sequence[Outcome]) -> None:
        """Take what the trials of one journey came to."""


class Executor(Protocol):
    """Carries out journeys."""

    def run(self, journeys: Sequence[Journey], hear: HearAll) -> None:
        """Carry them out, and tell the outcomes of each as it ends. Raises `Interrupted` when `hear` does."""


class Here:
    """One after the other in this process."""

    def run(self, journeys: Sequence[Journey], hear: HearAll) -> None:
        """See `Executor.run`."""
        for journey in journeys:
            hear.end(journey.go(hear))


class Processes:
    """Side by side: one journey in this process, the others in processes of their own.

    These are spawned: none inherits a connection or a lock. They begin within two seconds; this one goes on meanwhile.
    Where all go along one course at the same time, it is read once for all (`ReadOut`).
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def run(self, journeys: Sequence[Journey], hear: HearAll) -> None:
        """See `Executor.run`. When it is to stop, every process ends with its batch."""
        with self._read_out(journeys) as pipes, _Crew(self.count - 1, zip(journeys, pipes, strict=True), hear) as crew:
            crew.run()

    @contextmanager
    def _read_out(self, journeys: Sequence[Journey]) -> Iterator[Sequence[Any]]:
        """Let a process read for all journeys, if that can be; give a pipe for each, or None."""
        first = journeys[0]
        together = 1 < len(journeys) <= self.count and all(first.goes_with(each) for each in journeys)
        if not together:
            yield [None] * len(journeys)
            return
        errand = first.errand(columns=all(each.in_columns() for each in journeys))
        with ReadOut(errand, first.place, len(journeys)) as out:
            yield out.ends


class _Crew:
    """This process and those that it began. Hears what each of them tells, again and again while it learns itself.

    Used in a `with`: when that is left by an error, all stop, and what they told before is kept.
    """

    def __init__(self, count: int, journeys: Iterator[tuple[Journey, Any]], hear: HearAll) -> None:
        self._hear = hear
        self._rest = deque(journeys)
        self._count = count
        self._under_way: list[Future[list[Outcome]]] = []
        self._told, self._stop = context.Queue(), context.Event()
        self._pool = ProcessPoolExecutor(count, context, _begin, (self._told, self._stop))

    def run(self) -> None:
        """Carry all out."""
        while self._rest or self._under_way:
            own = self._rest.popleft() if self._rest else None
            self._deal()
            if own is None:
                self._look(wait=True)
            else:
                journey, pipe = own
                self._hear.end(journey.go(self, pipe))

    def advance(self, events: int) -> None:
        """See `Hear`: of the journey of this process."""
        self._hear.advance(events)
        self._look()

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        """See `Hear`."""
        self._hear.keep(place, states)

    def _deal(self) -> None:
        """Let those who have none go on the next journeys."""
        with unheard():
            while self._rest and len(self._under_way) < self._count:
                self._under_way.append(self._pool.submit(_go, *self._rest.popleft()))

    def _look(self, *, wait: bool = False) -> None:
        """Hand on what was told, and take what came to an end."""
        for number, states in _all_of(self._told, LOOK_S if wait else None):
            if states is None:
                self._hear.advance(number)
            else:
                self._hear.keep(number, states)
        if wait:
            self._hear.advance(0)
        for future in [each for each in self._under_way if each.done()]:
            self._under_way.remove(future)
            self._hear.end(future.result())
            self._deal()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        for number, states in _all_of(self._told, None):
            if states is not None:
                self._hear.keep(number, states)
        for future in self._under_way:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._hear.end(future.result())


def _begin(told: Any, stop: Any) -> None:
    global _told, _stop
    _told, _stop = told, stop
    begun()


class _Far:
    """Tells the process that made this one."""

    def advance(self, events: int) -> None:
        if _stop.is_set():
            raise Interrupted
        _told.put((events, None))

    def keep(self, place: int, states: Mapping[int, bytes]) -> None:
        _told.put((place, states))


def _go(journey: Journey, pipe: Any) -> list[Outcome]:
    return journey.go(_Far(), pipe)


def _all_of(told: Any, wait_s: float | None) -> Iterator[tuple[int, Mapping[int, bytes] | None]]:
    """Give out what was told so far; wait so long for the first, if at all."""
    try:
        yield told.get_nowait() if wait_s is None else told.get(timeout=wait_s)
        while True:
            yield told.get_nowait()
    except queue.Empty:
        return


def executor(workers: int) -> Executor:
    """Return who carries out journeys with so many processes."""
    return Here() if workers == 1 else Processes(workers)
