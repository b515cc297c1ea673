"""Who carries out journeys: this process, or several. An engine of a cluster can take their place.

A journey is plain values that pickle, and gives plain values: whoever runs it changes no result.
"""

from __future__ import annotations

import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Protocol

from stream.backtest.hear import Hear, Interrupted
from stream.backtest.journey import Journey
from stream.backtest.spawned import begun, context, unheard
from stream.backtest.trial import Outcome

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
    """Side by side, in processes of their own (spawned: none inherits a connection or a lock)."""

    def __init__(self, count: int) -> None:
        self.count = count

    def run(self, journeys: Sequence[Journey], hear: Hear) -> Iterator[list[Outcome]]:
        """See `Executor.run`. When it is to stop, every process ends with its batch."""
        told, stop = context.Queue(), context.Event()
        with ProcessPoolExecutor(self.count, context, _begin, (told, stop)) as pool:
            with unheard():
                waiting = {pool.submit(_go, journey) for journey in journeys}
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


def _go(journey: Journey) -> list[Outcome]:
    return journey.go(_Far())


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
