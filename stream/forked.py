"""Work in a fork of this process: a copy of all that is in memory, made in milliseconds, works while we go on.

1. The copy lets go of all that is open here (the log, the store, the terminal), so that it can touch none of it, and
   ignores SIGINT and SIGTERM, which a terminal sends to both. It ends with `os._exit`: no exit handler runs twice.
2. What it made comes back by a file that has no name: nothing is left of it, whoever dies first.
3. A copy that raises, dies or takes too long brings nothing: `Lost`. It kills itself when its time is up, so that one
   whose parent died ends, too.

Only on Linux: elsewhere a fork is missing, or unsafe in a process with threads. Of our threads (librdkafka's) the copy
has none, and it must not call into them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Collection
from functools import partial
from typing import IO, Any, NoReturn

CAN_FORK = sys.platform == "linux"

STEP_S = 0.002
"""How often it is looked whether a copy that is waited for is done."""

LOOK_S = 0.5
"""How often a copy looks whether the process that made it is still there."""

STDERR = 2

_RAISED = 1


def give_back() -> None:
    """Give memory that is free back to the system, where that can be done: a fork takes time for each page there is."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if CAN_FORK else None
    if trim is not None:
        trim(0)


class Lost(Exception):
    """A copy brought nothing. `raised`: the work raised, and will probably do so here, too."""

    def __init__(self, why: str, *, raised: bool = False) -> None:
        super().__init__(why)
        self.raised = raised


class Forked:
    """One piece of work in a forked process. Ask until it is `done`, or `abandon` it: either reaps the process."""

    def __init__(self, pid: int, out: IO[bytes], within_s: float) -> None:
        self.pid = pid
        self._out = out
        self._within_s = within_s
        self._deadline = time.monotonic() + within_s

    @classmethod
    def begin(cls, work: Callable[[], Any], *, within_s: float) -> Forked:
        """Fork, and let the copy do the work, whose result can be pickled. Raises OSError where it cannot."""
        out = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the work is done
        try:
            pid = fork(partial(_work, work, out.fileno(), within_s), out.fileno())
        except OSError:
            out.close()
            raise
        return cls(pid, out, within_s)

    def done(self) -> bool:
        """Tell whether it has made what it was to make; it takes no time. Raises `Lost`."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # whoever started us reaps for us
            pid, status = self.pid, 0
        if pid == 0:
            if time.monotonic() < self._deadline:
                return False
            self.abandon()
            raise Lost(f"not done within {self._within_s:.0f} s")
        if code := os.waitstatus_to_exitcode(status):
            self._out.close()
            raise Lost("it raised" if code == _RAISED else f"it ended with {code}", raised=code == _RAISED)
        return True

    def made(self) -> Any:
        """Return what it made, once it is done: in any thread, but once only. Raises `Lost`."""
        with self._out:
            self._out.seek(0)
            try:
                return pickle.load(self._out)  # noqa: S301 - our own copy wrote it
            except (EOFError, pickle.UnpicklingError) as error:
                raise Lost(f"what it wrote is not whole: {error}") from error

    def abandon(self) -> None:
        """Kill it, and forget what it made."""
        self._out.close()
        end(self.pid)


def fork(work: Callable[[], object], *keep: int) -> int:
    """Fork, and return the process id of the copy: of what is open it keeps these files, works, and ends.

    Raises OSError where it cannot.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: see above
        pid = os.fork()
    if pid == 0:
        _be_copy(work, keep)
    return pid


class Copy:
    """A copy that works until it is killed; else it ends by itself, or when this process does."""

    def __init__(self, work: Callable[[], object], *keep: int) -> None:
        self.pid = fork(partial(_serve, work, os.getpid()), *keep)
        self._alive = True

    def kill(self) -> None:
        """Kill it, and reap it."""
        if self._alive:
            self._alive = False
            end(self.pid)

    def join(self) -> None:
        """See `kill`."""


def _serve(work: Callable[[], object], maker: int) -> None:
    gc.freeze()  # what was garbage before is closed by nobody
    gc.enable()
    threading.Thread(target=_end_with, args=(maker,), daemon=True).start()
    work()


def _end_with(maker: int) -> None:
    while os.getppid() == maker:
        time.sleep(LOOK_S)
    os._exit(_RAISED)


def end(pid: int) -> None:
    """Kill a copy, and reap it."""
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # somebody else reaped it


def _be_copy(work: Callable[[], object], keep: Collection[int]) -> NoReturn:
    code = _RAISED
    try:
        for ignored in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ignored, signal.SIG_IGN)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        gc.disable()  # what is garbage here is closed by nobody
        _let_go(keep)
        work()
        code = 0
    finally:
        os._exit(code)


def _work(work: Callable[[], Any], out: int, within_s: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, within_s)
    made = pickle.dumps(work(), protocol=5)
    with open(out, "wb") as file:
        file.write(made)


def _let_go(keep: Collection[int]) -> None:
    """Close all files but these; what is written to the terminal goes nowhere, unless it is kept."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in {*range(3)} - {*keep}:
        os.dup2(nowhere, standard)
    kept = sorted({*range(3), *keep})
    for before, after in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(before + 1, after)
