"""The saver: makes a version of what was learned and moves head to it, in line or in a fork while training goes on.

1. A version is made of the learner: sealed, compressed, hashed. Where the last one took long, a forked process makes
   it; here training goes on with the next segment. The version is committed here, as ever: one transaction, with the
   compare-and-swap, refused when head moved.
2. At most one is in flight. Whatever needs the number of the version (or head where it is) finishes it first: the next
   version that is due, a change of the quarantine, the search for who ruined the model, the end.
3. A fork that brings nothing (killed, out of time, or the model is ruined) costs time, no event and no version: head is
   where it was, training begins anew from there, as after a rollback, and the same version is made in line.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from learners import Learner, Point
from store import ModelStore
from store.blobs import pack
from store.types import NewVersion, Proof, ScorePoint, Version, VersionKind
from stream.environment import environment
from stream.errors import ModelRuined, SnapshotLost
from stream.feed import Feed
from stream.forked import CAN_FORK, STEP_S, Forked, Lost
from stream.gate import Gate
from stream.hold import brief
from stream.memory import details_of
from stream.owner import Owner, who
from stream.schedule import Schedule
from stream.segment import OpenSegment
from stream.taint import Taint

FORK_S_MIN = 30.0
COSTS_MAX = 20
"""A fork is given up after 20 times what the last version took, and 30 s at least: it shares the processor."""

LOSSES_MAX = 3
"""So many forks may be lost in one run: then something is wrong with forks here, and all versions are made in line."""


@dataclass(frozen=True, slots=True)
class _InFlight:
    """A version that is being made in a fork: of which segment, and which segment follows it."""

    forked: Forked
    learner: Learner
    segment: OpenSegment
    following: OpenSegment


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
        new, self._bytes = self._make(learner, segment, reason, kind)
        self._took_s, self._in_line = time.thread_time() - began, False
        self._schedule.begun(time.monotonic())
        return OpenSegment.after(segment.topics, self._commit(new, segment))

    def begin(self, learner: Learner, segment: OpenSegment, reason: str) -> OpenSegment:
        """Save a version in a fork if that pays, else in line; return the segment that follows it."""
        assert self._flight is None, "finish what is in flight first"
        if self._in_line or not CAN_FORK or not self._schedule.forks(self._took_s):
            return self.save(learner, segment, reason)
        try:
            forked = Forked.begin(
                lambda: self._make(learner, segment, reason, "save"),
                within_s=max(FORK_S_MIN, COSTS_MAX * self._took_s),
            )
        except OSError:  # no memory or no process to be had
            return self.save(learner, segment, reason)
        self._schedule.begun(time.monotonic())
        learner.end_segment()
        learner.doubt.renew()
        following = OpenSegment.meanwhile(segment)
        segment.count(following.parent.accounts)  # what is learned from here on is no longer its own
        self._flight = _InFlight(forked, learner, segment, following)
        return following

    def poll(self) -> None:
        """Commit what is in flight if it was made. Raises `SnapshotLost`, and as `ModelStore.save`."""
        if (flight := self._flight) is None:
            return
        try:
            made = flight.forked.poll()
        except Lost as lost:
            self._flight, self._in_line = None, True
            self._losses += not lost.raised
            if self._losses >= LOSSES_MAX:
                self._schedule.never_fork()
            raise SnapshotLost(f"a version that was made in a forked process is lost: {lost}") from lost
        if made is None:
            return
        self._flight = None
        new, state_bytes = made
        self._took_s *= state_bytes / self._bytes  # in line it would take about so long
        self._bytes = state_bytes
        flight.following.saved(self._commit(new, flight.segment))
        flight.learner.doubt.sealed(new.proof.golden)

    def finish(self, beat: Callable[[], None]) -> None:
        """Wait for what is in flight, and commit it; `beat` is called again and again. Raises as `poll`."""
        self.poll()
        while self._flight is not None:
            beat()
            time.sleep(STEP_S)
            self.poll()

    def _make(self, learner: Learner, segment: OpenSegment, reason: str, kind: VersionKind) -> tuple[NewVersion, int]:
        """Return the version with its bytes packed, and how many they were before."""
        self._gate.memory.write(learner.beside)
        reason = brief(tripped) if (tripped := self._gate.memory.tripped) else reason
        new = new_version(learner, segment, self._run, self._config_hash, reason, kind)
        return replace(new, state=b"", packed=pack(new.state), quarantine=self._gate.revision), len(new.state)

    def _commit(self, new: NewVersion, segment: OpenSegment) -> Version:
        """Save a version in one transaction, move head to it, and tell the log how far we are, as advice."""
        publish = self.clean and self._schedule.publishes(segment, time.monotonic())
        head, ref = self._store.save(new, ref=self._owner.ref, who=who(), publish=publish)
        self._owner.follows(ref)
        self._schedule.saved(segment, time.monotonic(), published=publish)
        self._feed.commit(head.position)
        self._taint.saved(segment)
        return head

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._flight is not None:
            self._flight.forked.abandon()
            self._flight = None


def new_version(
    learner: Learner, segment: OpenSegment, run: int | None, config_hash: str, reason: str, kind: VersionKind = "save"
) -> NewVersion:
    """Seal the learner and return the version that follows the segment's parent. Raises `ModelRuined`."""
    sealed = learner.seal()
    if sealed.ruin is not None:
        raise ModelRuined(sealed.ruin, "roll back to a version from before it was ruined")
    parent = segment.parent
    return NewVersion(
        kind=kind,
        parent=parent.version,
        state=sealed.state,
        position=segment.position(),
        segment=segment.segment(),
        accounts=segment.accounts(),
        proof=Proof(
            sealed.digest,
            sealed.golden,
            sealed.scores,
            sealed.baselines,
            {**sealed.details, **details_of(learner.beside)},
        ),
        recipe=parent.recipe,
        identity=parent.identity,
        schema=parent.schema,
        config_hash=config_hash,
        environment=environment(),
        token=uuid.uuid4().hex,
        reason=reason,
        points=score_points(sealed.points),
        held=tuple(segment.held),
        run=run,
    )


def score_points(points: Sequence[Point]) -> tuple[ScorePoint, ...]:
    """Return points of the series as the store keeps them."""
    return tuple(ScorePoint(point.learned, point.scores, point.baselines, point.clock_us) for point in points)
