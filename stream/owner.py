"""The owner of a head: claims it, watches whether it moved or was taken, and tells the world that it lives.

Looks at the store at most every WATCH_S, never for each event; tells of itself every BEAT_S. While events come it does
both aside. It tells where versions are saved, too, one thing after the other; it looks in a thread of its own, so no
look waits for a version. What a look found is compared with where head was when it was begun, and counts for the batch
that is read next.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import psutil

from store import ModelStore
from store.errors import Fenced, HeadMoved
from store.running import Heartbeat
from store.types import Ref
from stream.aside import Aside

WATCH_S = 0.25
BEAT_S = 1.0

OBEY_S_MAX = 15.0
"""How long a trainer may take to say that it obeys: it looks several times a second, but never within a batch."""

LOOK_S = 0.05

TRAINING = "training"
"""The state of a trainer that learned a batch just now, and is to read the next."""


@dataclass(frozen=True, slots=True)
class Process:
    """This process, as others can check whether it lives: a pid alone may be another's by now."""

    host: str
    pid: int
    started: float

    @classmethod
    def this(cls) -> Process:
        """Return the running one."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the trainer is doing: counts are cumulative along the lineage; `lag` in events, None if unknown.

    `detail` says why, where it waits for a person. `scores` are those of the version.
    """

    state: str
    version: int
    read: int
    learned: int
    held: int
    lag: int | None
    detail: str = ""
    scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


class Owner:
    """Owns head under one epoch. Times are monotonic seconds. `quarantine`: its revision, as last seen.

    `moving`: a version is being saved aside, which moves head; until it is known how that went, only the save can tell
    whether another moved it. `aside` and `eyes` are to be used in a `with` around all checks.
    """

    def __init__(self, store: ModelStore, process: Process, run: int, epoch: int) -> None:
        self._store = store
        self._process = process
        self._run = run
        self._ref: Ref | None = None
        self._watched_at = self._beaten_at = float("-inf")
        self._pace: deque[tuple[float, int]] = deque(maxlen=6)
        self._telling: Future[None] | None = None
        self._looking: Future[tuple[Ref, int]] | None = None
        self._moves: int | None = None
        self.epoch = epoch
        self.aside, self.eyes = Aside(), Aside()
        self.moving = False
        self.quarantine = self._told = 0
        self.events_per_s = 0.0

    @property
    def ref(self) -> Ref:
        """Where head is, as far as we know."""
        assert self._ref is not None, "asked before follows"
        return self._ref

    def follows(self, ref: Ref) -> None:
        """Remember where head is, and tell of it at the next check."""
        self._beaten_at, self._moves = float("-inf"), None
        if ref.epoch > self.epoch:
            raise Fenced(expected=self.epoch, found=ref.epoch)
        self._ref = ref

    def check(self, vitals: Vitals, now: float, *, at_once: bool = False) -> None:
        """Raise `HeadMoved` or `Fenced` if head is not where it was; tell of us. Cheap when called often.

        `at_once` looks and tells now, however short ago it did. Raises what the store raised, here or aside.
        """
        in_line = at_once or vitals.state != TRAINING
        seen = self._looking is not None and self._looking.done()
        if seen:
            self.see()
        patience_s = 2 * WATCH_S if self.moving else WATCH_S  # while two work at the store, each waits for the other
        if now - self._watched_at >= patience_s or at_once:
            self._watched_at, moves = now, None if self.moving else self.ref.moves
            if in_line:
                self._found(*self._store.look(), moves)
            elif self._looking is None:
                self._looking, self._moves = self.eyes.begin(self._store.look), moves
        elif not seen:
            return
        if now - self._beaten_at >= BEAT_S or at_once or self.quarantine != self._told:
            self._tell(vitals, now)
        if in_line:
            self._heard()

    def see(self) -> None:
        """Take in what a look finds that was begun, if one was: raises as `check`. Before a batch is judged."""
        looking, self._looking = self._looking, None
        if looking is not None:
            self._found(*looking.result(), self._moves)

    def _found(self, head: Ref, quarantine: int, moves: int | None) -> None:
        """Take in where head is, and compare how often it moved; with None where it was we who moved it."""
        self.quarantine = max(quarantine, self.quarantine)  # a look may be from before we last read it
        if head.epoch > self.epoch:
            raise Fenced(expected=self.epoch, found=head.epoch)
        if moves is not None and head.moves != moves:
            raise HeadMoved("head", expected=moves, found=head.moves)

    def _tell(self, vitals: Vitals, now: float) -> None:
        """Begin to write a heartbeat."""
        self._heard()
        self._beaten_at, self._told = now, self.quarantine
        if self._pace and vitals.read < self._pace[-1][1]:
            self._pace.clear()
        self._pace.append((now, vitals.read))
        then, read = self._pace[0]
        elapsed = now - then
        self.events_per_s = (vitals.read - read) / elapsed if elapsed > 0 else 0.0
        beat = Heartbeat(
            run=self._run,
            epoch=self.epoch,
            host=self._process.host,
            pid=self._process.pid,
            pid_started=self._process.started,
            state=vitals.state,
            at=datetime.now(UTC),
            version=vitals.version,
            read=vitals.read,
            learned=vitals.learned,
            held=vitals.held,
            lag=vitals.lag,
            events_per_s=self.events_per_s,
            quarantine=self.quarantine,
            detail=vitals.detail,
        )
        self._telling = self.aside.begin(partial(self._store.beat, beat))

    def _heard(self) -> None:
        """Take in how the last heartbeat was written."""
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.result()


def who() -> str:
    """Return the person or account that acts."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def obeyed(store: ModelStore, revision: int) -> bool | None:
    """Wait until the trainer judges by a revision from its next batch on; None if none runs, False if it does not say.

    What is put into the log after this has returned true is judged by it.
    """
    deadline = time.monotonic() + OBEY_S_MAX
    while store.owned(host=socket.gethostname(), now=datetime.now(UTC)):
        beat = store.heartbeat()
        if beat is not None and (beat.quarantine or 0) >= revision:
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK_S)
    return None
