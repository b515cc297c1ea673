"""Processes of a backtest: spawned, so that none inherits a connection or a lock. The one that made them hears Ctrl-C.

They end when that one is gone, however it went.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.util import Finalize
from typing import Any

if sys.platform == "linux":
    import fcntl

LAST = -100
"""After all that `multiprocessing` does at the end of a process: what was put into queues is sent by then."""

context = multiprocessing.get_context("spawn")


PIPE_BYTES = 1 << 20
"""What a pipe takes at once, where the system lets it: most of a batch. By 64 KB at a time, the thread that listens had
to wait for the interpreter again and again."""


def pipe() -> tuple[Any, Any]:
    """Return both ends of a pipe: where it is read, and where it is written."""
    ours, theirs = context.Pipe(duplex=False)
    if sys.platform == "linux":
        with suppress(OSError):
            fcntl.fcntl(theirs.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return ours, theirs


@contextmanager
def unheard() -> Iterator[None]:
    """Begin processes that never hear of Ctrl-C, not even while they begin: it is for the one that makes them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begun() -> None:
    """Begin a process: signals are for the one that made it, and when that one is killed, it ends.

    At its end it does not take apart what it loaded, module by module: that took as long as a million events.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    maker = multiprocessing.parent_process()
    assert maker is not None
    threading.Thread(target=_end_with, args=(maker,), daemon=True).start()
    Finalize(None, _end, exitpriority=LAST)


def _end() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with(maker: Any) -> None:
    maker.join()
    os._exit(1)
