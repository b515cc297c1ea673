"""Aside: one thread that works at the store while the loop learns: one piece after another, in the order given.

The interpreter lets one thread compute at a time. What the database and the disk do, they do beside the loop; what is
computed here takes turns with it, and turns are short: see `TURN_S`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

Made = TypeVar("Made")

TURN_S = 0.0005
"""How long one thread computes while the other waits: about so long the loop pauses at a time (Python's own: 5 ms)."""


class Aside:
    """One thread, made when it is needed. Used in a `with`: at its end all that was begun has ended, and so has it."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._turn_s = TURN_S

    def begin(self, work: Callable[[], Made]) -> Future[Made]:
        """Let the thread do this next. The future tells what came of it: what was raised there, it raises."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "tidemark-aside")
        return self._pool.submit(work)

    def __enter__(self) -> Self:
        self._turn_s = sys.getswitchinterval()
        sys.setswitchinterval(min(TURN_S, self._turn_s))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setswitchinterval(self._turn_s)
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
