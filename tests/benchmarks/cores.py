"""Who runs on which core: what is measured on one, the broker and everything else on the others."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """The cores of what is measured, and of all else; None where there is one core only, or none can be chosen."""

    measured: tuple[int, ...] | None
    others: tuple[int, ...] | None

    @classmethod
    def of_machine(cls) -> Cores:
        """Return the last core for what is measured."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        all_cores = sorted(os.sched_getaffinity(0))
        return cls((all_cores[-1],), tuple(all_cores[:-1])) if len(all_cores) > 1 else cls(None, None)

    @property
    def every(self) -> tuple[int, ...] | None:
        """All cores, for what is measured on more than one."""
        return None if self.measured is None or self.others is None else (*self.others, *self.measured)

    def told(self) -> str:
        """Say it in words."""
        if self.measured is None:
            return "nothing is pinned: there is one core, or cores cannot be chosen here"
        return "each contestant is pinned to one core, the broker to the others"


@contextlib.contextmanager
def pinned(cores: Collection[int] | None) -> Iterator[None]:
    """Start what is started here on these cores: processes and threads have those of the thread that starts them."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
