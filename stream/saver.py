"""The saver: makes a version of what was learned and moves head to it, while training goes on.

1. The learner is written down in line, or where that took long the last time, in a forked process. Training goes on
   with the next segment. What was written is proved, compressed, hashed and committed aside: in one transaction, with
   the compare-and-swap, refused when head moved.
2. At most one is in flight. Whatever needs the number of the version (or head where it is) finishes it first: the next
   version that is due by events, a change of the quarantine, the search for who ruined the model, the end. Until it is
   made, none is due by time.
3. What follows from a version (what is told to the log, above all) is done here in the loop, once it is committed.
4. A version that cannot be made (its fork was killed, is out of time, or the model is ruined) costs time, no event and
   no version: head is where it was, training begins anew from there, as after a rollback, and the same version is made
   in line, from beginning to end.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from learners import Learner
from learners.golden import sound_inputs
from learners.written import Written
from store import ModelStore
from store.envelope import pack
from store.types import NewVersion, Ref, Version, VersionKind
from stream.draft import Prove, draft
from stream.errors import SnapshotLost
from stream.feed import Feed
from stream.forked import CAN_FORK, STEP_S, Forked, Lost, give_back
from stream.gate import Gate
from stream.hold import brief
from stream.owner import Owner, who
from stream.schedule import Schedule
from stream.scribe import Scribe
from stream.segment import OpenSegment
from stream.taint import Taint

FORK_S_MIN = 30.0
COSTS_MAX = 20
"""A fork is given up after 20 times what the last version took, and 30 s at least: it shares the processor."""

LOSSES_MAX = 3
"""So many forks may be lost in one run: then something is wrong with forks here, and all versions are made in line."""


_Make = Callable[[], tuple[NewVersion, int]]
"""Makes a version of what was written down, with its bytes packed, and tells how many they were before."""

_Saved = tuple[list[dict[str, Any]], int, Version, Ref]
"""Golden inputs that were answered soundly, the bytes before they were packed, and head."""


@dataclass(slots=True)
class _InFlight:
    """A version that is being made, of which segment, and which follows it: until it is `saving`, in a fork."""

    learner: Learner
    segment: OpenSegment
    following: OpenSegment
    forked: Forked | None = None
    publish: bool = False
    saving: Future[_Saved] | None = None


class Saver:
    """Makes versions for one trainer. Used in a `with`: what is in flight at its end is given up.

    `clean`: head's lineage has learned nothing that is quarantined; else champion does not follow it.
    """

    def __init__(
        self,
        store: ModelStore,
        owner: Owner,
        schedule: Schedule,
        feed: Feed,
        gate: Gate,
        taint: Taint,
        run: int,
        config_hash: str,
    ) -> None:
        self._store = store
        self._owner = owner
        self._schedule = schedule
        self._feed = feed
        self._gate = gate
        self._taint = taint
        self._run = run
        self._config_hash = config_hash
        self._flight: _InFlight | None = None
        self._scribe: Scribe | None = None
        self._took_s, self._bytes = 0.0, 1
        self._in_line = True
        self._losses = 0
        self.clean = True

    @property
    def busy(self) -> bool:
        """Whether a version is in flight."""
        return self._flight is not None

    def save(self, learner: Learner, segment: OpenSegment, reason: str, kind: VersionKind = "save") -> OpenSegment:
        """Save a version in line; return the segment that follows it. Raises `ModelRuined` and as `ModelStore.save`."""
        assert self._flight is None, "finish what is in flight first"
        began = time.thread_time()
        make = self._write(learner, segment, reason, kind)
        took_s = time.thread_time() - began
        new, self._bytes = make()
        self._took_s, self._in_line = took_s, False
        self._schedule.begun(time.monotonic())
        publish = self._publishes(segment)
        head, ref = self._store.save(new, ref=self._owner.ref, who=who(), publish=publish)
        self._saved(segment, head, ref, publish=publish)
        learner.doubt.sealed(sound_inputs(new.proof.golden))
        if self._schedule.forks(took_s):
            del make, new
            gc.collect()  # copies of the learner that it was restored by
            give_back()
        return OpenSegment.after(segment.topics, head)

    def begin(self, learner: Learner, segment: OpenSegment, reason: str) -> OpenSegment:
        """Begin to save a version, in a fork if that pays; return the segment that follows it."""
        assert self._flight is None, "finish what is in flight first"
        forked = None if self._in_line else self._fork(learner, segment, reason)
        if forked is None and (self._in_line or learner.exclusive):
            following = self.save(learner, segment, reason)
            if learner.will_lend:
                self._scribe_at_hand()  # its process is forked where training waits anyway
            return following
        make: _Make | None = None
        if forked is None:
            prove = self._prover(learner)
            began = time.thread_time()
            make = self._write(learner, segment, reason, "save", prove)
            self._took_s = time.thread_time() - began
        else:
            learner.renew()
            learner.doubt.renew()
        self._schedule.begun(time.monotonic())
        following = OpenSegment.meanwhile(segment)
        segment.count(following.parent.accounts)  # what is learned from here on is no longer its own
        self._flight = _InFlight(learner, segment, following, forked)
        if make is not None:
            self._save_aside(self._flight, make)
        return following

    def poll(self) -> None:
        """Take in what is in flight if it was saved. Raises `SnapshotLost`, and as `ModelStore.save`."""
        if (flight := self._flight) is None:
            return
        if flight.saving is not None:
            if flight.saving.done():
                self._landed(flight, flight.saving)
            return
        assert flight.forked is not None, "it is being made"
        try:
            if flight.forked.done():
                self._save_aside(flight, flight.forked.made)
        except Lost as lost:
            raise self._lost(flight, lost) from lost

    def finish(self, beat: Callable[[], None]) -> None:
        """Wait for what is in flight, and take it in; `beat` is called again and again. Raises as `poll`."""
        self.poll()
        while (flight := self._flight) is not None:
            beat()
            if flight.saving is None:
                time.sleep(STEP_S)
            else:
                wait([flight.saving], STEP_S)
            self.poll()

    def _prover(self, learner: Learner) -> Prove:
        """Return who proves what is written of a learner: where its model is yet to be built, the scribe."""
        scribe = self._scribe_at_hand() if learner.lends else None
        return Written.proved if scribe is None else scribe.proved

    def _scribe_at_hand(self) -> Scribe | None:
        """Return the scribe, which is forked now if there is none yet; None where none can be had."""
        if not CAN_FORK or self._losses >= LOSSES_MAX:
            return None
        with suppress(OSError):  # no memory or no process to be had
            self._scribe = self._scribe or Scribe.begin()
        return self._scribe

    def _dismiss(self) -> None:
        """End the scribe, if there is one."""
        scribe, self._scribe = self._scribe, None
        if scribe is not None:
            scribe.end()

    def _write(
        self, learner: Learner, segment: OpenSegment, reason: str, kind: VersionKind, prove: Prove = Written.proved
    ) -> _Make:
        """Write the learner down; return what makes a version of that, wherever it is called."""
        self._gate.memory.write(learner.beside)
        reason = brief(tripped) if (tripped := self._gate.memory.tripped) else reason
        version = draft(learner, segment, self._run, self._config_hash, reason, kind, prove)
        revision = self._gate.revision

        def make() -> tuple[NewVersion, int]:
            new = version()
            return replace(new, state=b"", packed=pack(new.state), quarantine=revision), len(new.state)

        return make

    def _fork(self, learner: Learner, segment: OpenSegment, reason: str) -> Forked | None:
        """Let a forked process make the version, if that pays; None if it does not, or cannot be done."""
        if not CAN_FORK or learner.lends or not self._schedule.forks(self._took_s):
            return None

        def work() -> tuple[NewVersion, int]:
            return self._write(learner, segment, reason, "save")()

        try:
            return Forked.begin(work, within_s=max(FORK_S_MIN, COSTS_MAX * self._took_s))
        except OSError:  # no memory or no process to be had
            return None

    def _publishes(self, segment: OpenSegment) -> bool:
        return self.clean and self._schedule.publishes(segment, time.monotonic())

    def _save_aside(self, flight: _InFlight, make: _Make) -> None:
        """Let the version be made and saved aside: one transaction, which moves head."""
        flight.publish = self._publishes(flight.segment)
        ref = self._owner.ref

        def save() -> _Saved:
            try:
                new, state_bytes = make()
            except Lost:
                raise
            except Exception as error:
                raise Lost(f"it raised {error!r}", raised=True) from error
            saved = self._store.save(new, ref=ref, who=who(), publish=flight.publish)
            inputs = sound_inputs(new.proof.golden)
            del new
            if flight.forked is not None:
                give_back()
            return inputs, state_bytes, *saved

        self._owner.moving = True
        flight.saving = self._owner.aside.begin(save)

    def _landed(self, flight: _InFlight, saving: Future[_Saved]) -> None:
        """Take in what became of a version."""
        self._flight, self._owner.moving = None, False
        try:
            inputs, state_bytes, head, ref = saving.result()
        except Lost as lost:
            raise self._lost(flight, lost) from lost
        if flight.forked is not None:
            self._took_s *= state_bytes / self._bytes  # in line it would take about so long
        self._bytes = state_bytes
        flight.following.saved(head)
        self._saved(flight.segment, head, ref, publish=flight.publish)
        flight.learner.doubt.sealed(inputs)

    def _saved(self, segment: OpenSegment, head: Version, ref: Ref, *, publish: bool) -> None:
        """Go on from a version that was saved, and tell the log how far we are, as advice."""
        self._owner.follows(ref)
        self._schedule.saved(segment, time.monotonic(), published=publish)
        self._feed.commit(head.position)
        self._taint.saved(segment)

    def _lost(self, flight: _InFlight, lost: Lost) -> SnapshotLost:
        """Note that a version is lost; return what to raise."""
        self._flight, self._in_line = None, True
        self._losses += not lost.raised
        self._dismiss()
        if self._losses >= LOSSES_MAX:
            self._schedule.never_fork()
        where = "aside" if flight.forked is None else "in a forked process"
        return SnapshotLost(f"a version that was made {where} is lost: {lost}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        flight, self._flight, self._owner.moving = self._flight, None, False
        self._dismiss()
        if flight is None:
            return
        if flight.saving is None:
            assert flight.forked is not None, "it is being made"
            flight.forked.abandon()
        elif not flight.saving.cancel() and flight.saving.exception() is None:
            _, _, head, ref = flight.saving.result()  # it was too late to give it up
            self._saved(flight.segment, head, ref, publish=flight.publish)
