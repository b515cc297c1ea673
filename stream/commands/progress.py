"""How far long work is: a bar on a terminal with the time that is left, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_S = 10.0


class _Lines:
    """Writes a line to standard error at most every LINE_S; none for what is over sooner."""

    def __init__(self, what: str, total: int | None) -> None:
        self._what, self._total, self._done = what, total, 0
        self._at = time.monotonic()

    def advance(self, events: int) -> None:
        self._done += events
        if time.monotonic() - self._at >= LINE_S:
            self._at = time.monotonic()
            of = "" if self._total is None else f" of {self._total:,}"
            sys.stderr.write(f"{self._what}: {self._done:,}{of} events\n")


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show how far it is; give what is to be told the events. `total` may be unknown."""
    if not sys.stderr.isatty():
        yield _Lines(what, total).advance
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda events: bar.advance(task, events)
