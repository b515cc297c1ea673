"""Python's garbage collector while a stream is read.

It looks at what is new after every 700 objects, but a batch alone is thousands, of which none is garbage: records, then
numbers. They go when the batch goes, by their counts. Looking at them cost a tenth of compiled training.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_MAX = 100_000
"""So many objects more than before make the collector look: several of the largest batches, some megabytes."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Let the collector look at new objects once they are many; afterwards, as before. For the whole process.

    >>> before = gc.get_threshold()
    >>> with collecting_seldom():
    ...     gc.get_threshold()[0] == NEW_MAX
    True
    >>> gc.get_threshold() == before
    True
    """
    before = gc.get_threshold()
    gc.set_threshold(max(NEW_MAX, before[0]) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
