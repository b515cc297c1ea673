"""The scribe: a process beside the loop that proves one learner after the other, of which only arrays were copied.

1. It is forked once, when training begins, and waits. What was written down is sent to it, and it sends back what a
   version keeps: a tree is built, pickled, loaded and asked there. Here, in a thread, all of that would take turns with
   the loop: a tree of 1 MB for 0.1 s, and up to 20 ms at a time.
2. It lets go of all that is open here, as every copy does (`stream.forked`), and gives nothing to anybody else.
3. One that raises, dies or takes too long brings nothing: `Lost`. It ends when its trainer does: when nobody can send
   to it any more, or when its time is up.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Timer

from learners import Sealed
from learners.written import Written
from stream.forked import Lost, end, fork

PROOF_S_MAX = 30.0
"""How long one proof may take, beside whatever else the processor does: three hundred times what 1 MB needs."""


class Scribe:
    """One such process. Made in the main thread; `proved` in any, by one at a time. `end` it."""

    def __init__(self, pid: int, connection: Connection, within_s: float) -> None:
        self.pid = pid
        self._connection = connection
        self._within_s = within_s

    @classmethod
    def begin(cls, within_s: float = PROOF_S_MAX) -> Scribe:
        """Fork. Raises OSError where it cannot."""
        ours, theirs = Pipe()
        with theirs:
            try:
                return cls(fork(partial(_serve, theirs, within_s), theirs.fileno()), ours, within_s)
            except OSError:
                ours.close()
                raise

    def proved(self, written: Written) -> Sealed:
        """Return what `Written.proved` returns, made over there. Raises `Lost`; unless it raised, `end` it then."""
        watch = Timer(self._within_s, self._kill)
        watch.daemon = True
        watch.start()
        try:
            self._connection.send_bytes(written.sent())
            sealed, why = pickle.loads(self._connection.recv_bytes())  # noqa: S301 - our own copy wrote it
        except (EOFError, OSError) as error:
            raise Lost("the process that proves it has ended, or took too long") from error
        finally:
            watch.cancel()
        if sealed is None:
            raise Lost(f"it raised {why}", raised=True)
        found: Sealed = replace(sealed, points=written.points)
        return found

    def end(self) -> None:
        """Kill it, and reap it; who waits for a proof in another thread is told, and the last to know of it closes."""
        end(self.pid)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):  # somebody else reaped it
            os.kill(self.pid, signal.SIGKILL)


def _serve(connection: Connection, within_s: float) -> None:
    """Be the process."""
    gc.freeze()  # what was garbage before is closed by nobody
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, within_s)
        made: tuple[Sealed | None, str]
        try:
            made = Written.received(data).proved(), ""
        except Exception as error:  # noqa: BLE001 - as in line: the model may be the user's own, and raise anything
            made = None, repr(error)
        connection.send_bytes(pickle.dumps(made, protocol=5))
        del data, made
        signal.setitimer(signal.ITIMER_REAL, 0)
        gc.collect()
