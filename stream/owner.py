"""The owner of a head: claims it, watches whether it moved or was taken, and tells the world that it lives.

Looks at the store at most every WATCH_S, never for each event; tells of itself every BEAT_S. What it tells is written
aside while events come.
"""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
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

    `detail` says why, where it waits for a person.
    """

    state: str
    version: int
    read: int
    learned: int
    held: int
    lag: int | None
    detail: str = ""


class Owner:
    """Owns head under one epoch. Times are monotonic seconds. `quarantine`: its revision, as last seen.

    `moving`: a version is being saved aside, which moves head; until it is known how that went, only the save can tell
    whether another moved it. `aside` is to be used in a `with` around all checks.
    """

    def __init__(self, store: ModelStore, process: Process, run: int, epoch: int) -> None:
        self._store = store
        self._process = process
        self._run = run
        self._ref: Ref | None = None
        self._watched_at = self._beaten_at = float("-inf")
        self._pace: deque[tuple[float, int]] = deque(maxlen=6)
        self._telling: Future[None] | None = None
        self.epoch = epoch
        self.aside = Aside()
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
        self._beaten_at = float("-inf")
        if ref.epoch > self.epoch:
            raise Fenced(expected=self.epoch, found=ref.epoch)
        self._ref = ref

    def check(self, vitals: Vitals, now: float, *, at_once: bool = False) -> None:
        """Raise `HeadMoved` or `Fenced` if head is not where it was; tell of us. Cheap when called often.

        `at_once` looks and tells now, however short ago it did. Raises what the store raised, here or aside.
        """
        patience_s = 2 * WATCH_S if self.moving else WATCH_S  # while two work at the store, each waits for the other
        if now - self._watched_at < patience_s and not at_once:
            return
        self._watched_at = now
        known = self.ref
        found, self.quarantine = self._store.look()
        if found.epoch > self.epoch:
            raise Fenced(expected=self.epoch, found=found.epoch)
        if found.moves != known.moves and not self.moving:
            raise HeadMoved("head", expected=known.moves, found=found.moves)
        if now - self._beaten_at >= BEAT_S or at_once or self.quarantine != self._told:
            self._tell(vitals, now)
        if at_once or vitals.state != TRAINING:
            self._heard()

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
