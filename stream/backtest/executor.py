"""Who carries out journeys: this process, or several. An engine of a cluster can take their place.

A journey is plain values that pickle, and gives plain values: whoever runs it changes no result.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from stream.backtest.hear import Hear, Interrupted
from stream.backtest.journey import Journey
from stream.backtest.readout import ReadOut
from stream.backtest.spawned import begun, context, unheard
from stream.backtest.trial import Outcome
from stream.collector import collecting_seldom

LOOK_S = 0.1

_told: Any = None
_stop: Any = None


class Executor(Protocol):
    """Carries out journeys."""

    def run(self, journeys: Sequence[Journey], hear: Hear) -> Iterator[list[Outcome]]:
        """Carry them out, and give the outcomes of each as it ends. Raises `Interrupted` when `hear` does."""
        ...


class Here:
    """One after the other in this process."""

    def run(self, journeys: Sequence[Journey], hear: Hear) -> Iterator[list[Outcome]]:
        """See `Executor.run`."""
        for journey in journeys:
            yield journey.go(hear)


class Processes:
    """Side by side, in processes of their own (spawned: none inherits a connection or a lock).

    Where all go along one course at the same time, it is read here, once for all.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    def run(self, journeys: Sequence[Journey], hear: Hear) -> Iterator[list[Outcome]]:
        """See `Executor.run`. When it is to stop, every process ends with its batch."""
        told, stop = context.Queue(), context.Event()
        with (
            self._read_out(journeys) as ends,
            ProcessPoolExecutor(self.count, context, _begin, (told, stop)) as pool,
        ):
            with unheard():
                waiting = {pool.submit(_go, journey, end) for journey, end in zip(journeys, ends, strict=True)}
            try:
                while waiting:
                    _listen(told, hear)
                    for future in [each for each in waiting if each.done()]:
                        waiting.remove(future)
                        yield future.result()
                _listen(told, hear, wait=False)
            except BaseException:
                stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                _keep_the_rest(told, hear)
                raise

    @contextmanager
    def _read_out(self, journeys: Sequence[Journey]) -> Iterator[Sequence[Any]]:
        """Begin to read for all journeys, if that can be; give a pipe for each, or None."""
        first = journeys[0]
        together = 1 < len(journeys) <= self.count and all(first.goes_with(each) for each in journeys)
        if not together:
            yield [None] * len(journeys)
            return
        errand = first.errand(columns=all(each.in_columns() for each in journeys))
        with collecting_seldom(), ReadOut(errand, first.place, len(journeys)) as out:
            yield out.ends


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


def _listen(told: Any, hear: Hear, *, wait: bool = True) -> None:
    """Hand on what was told so far."""
    try:
        number, states = told.get(timeout=LOOK_S) if wait else told.get_nowait()
        while True:
            if states is None:
                hear.advance(number)
            else:
                hear.keep(number, states)
            number, states = told.get_nowait()
    except queue.Empty:
        hear.advance(0)


def _keep_the_rest(told: Any, hear: Hear) -> None:
    """Keep the states that were told before the end."""
    while True:
        try:
            place, states = told.get_nowait()
        except queue.Empty:
            return
        if states is not None:
            hear.keep(place, states)


def executor(workers: int) -> Executor:
    """Return who carries out journeys with so many processes."""
    return Here() if workers == 1 else Processes(workers)
