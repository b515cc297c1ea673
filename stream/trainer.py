"""The trainer: test, then train, on every event, from the head version on. The only loop that learns live.

Invariants: an event is learned only after it was predicted; a version is saved with the position after the last event
that it read, in one transaction; when head moved, what was not saved is forgotten and read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from learners import Learner, LearnFailed
from store import ModelStore
from store.entries import Entry
from store.types import Version, VersionKind
from stream.draft import new_version, score_points
from stream.errors import LearnerTainted, LogLost, ModelRuined, OtherLineage
from stream.feed import Feed
from stream.gate import Gate
from stream.hold import wait_in_hold
from stream.late import Late
from stream.log import POLL_S_MAX, Batch
from stream.owner import TRAINING, WATCH_S, Owner, Vitals, who
from stream.plan import wrongly_learned
from stream.quarantine import Quarantine
from stream.saver import Saver
from stream.schedule import Schedule
from stream.segment import OpenSegment
from stream.stop import Stop
from stream.taint import Taint


@dataclass(slots=True)
class Trainer:
    """One model's training: its feed (which knows where to stop), gate, store and owner.

    `lineage`: a version with the recipe and the schema that it is made for; it goes on from no other.
    `tell` is called with the vitals after every batch; it must be cheap. `static`: the model is not to learn.
    """

    lineage: Version
    feed: Feed
    gate: Gate
    store: ModelStore
    owner: Owner
    schedule: Schedule
    stop: Stop
    run: int
    config_hash: str
    tell: Callable[[Vitals, Learner], None]
    quarantine: Callable[[int, list[Entry]], Quarantine]
    late: Late
    taint: Taint
    static: bool = False
    saver: Saver = field(init=False)
    _lag: int | None = field(init=False, default=None)
    _lagged_at: float = field(init=False, default=float("-inf"))

    def __post_init__(self) -> None:
        self.saver = Saver(
            self.store, self.owner, self.schedule, self.feed, self.gate, self.taint, self.run, self.config_hash
        )

    def train(self) -> Version:
        """Learn until told to stop, or at the end; return head. On `HeadMoved` and `SnapshotLost` call again.

        It goes on from where head is then. Raises `OtherLineage` where head has another recipe or schema.
        """
        head, ref = self.store.head()
        if (head.identity, head.schema) != (self.lineage.identity, self.lineage.schema):
            raise OtherLineage(f"version {head.version} has another recipe or schema than {self.lineage.version}")
        learner = self._restored(head)
        self.taint.check(head, learner)
        self.owner.follows(ref)
        with self.owner.aside, self.owner.eyes, self.saver:
            self._hold(head, learner)
            if self.gate.memory.tripped:
                return head
            self.feed.seek(head.position)
            segment = OpenSegment.after(self.feed.topics, head)
            if learner.static != self.static:
                segment = self._switch(learner, segment)
            segment = self._strike(learner, segment)
            self._obey(segment.parent)
            return self._loop(learner, segment)

    def _loop(self, learner: Learner, segment: OpenSegment) -> Version:
        """Go on from a learner as head has it. The only loop that learns live."""
        while not self._ends(segment):
            events_max = self.schedule.events_max(segment, self.taint.room(segment))
            batch = self.late.poll(events_max) if self.late else self.feed.poll(POLL_S_MAX, events_max)
            self.owner.see()
            if self.owner.quarantine != self.gate.revision:
                self._settle(segment)
                if segment.records:
                    segment = self._save(learner, segment, "the quarantine changed")
                self._obey(segment.parent)
            self._test_then_train(learner, batch, segment)
            self.saver.poll()
            waits = self.saver.busy or (bool(batch) and learner.away)
            due = self.schedule.due(segment, time.monotonic(), busy=waits)
            if due or self.taint.room(segment) == 0:
                segment = self._save(learner, segment, "due", aside=True)
            vitals = self._vitals(segment, TRAINING if batch else "idle")
            del batch  # the next one takes its memory, which is still in the processor's cache
            self.owner.check(vitals, time.monotonic())
            self._publish_late(segment)
            self.tell(vitals, learner)

        return self._finish(learner, segment)

    def _settle(self, segment: OpenSegment) -> None:
        """Wait for the version that is in flight: from here on the number of the one before the segment is known."""
        if not self.saver.busy:
            return
        vitals = self._vitals(segment, "saving")
        self.saver.finish(lambda: self.owner.check(vitals, time.monotonic()))

    def _restored(self, head: Version) -> Learner:
        """Return the learner of head; what the gate remembers, too, is as it was there."""
        learner = Learner.restore(self.store.payload(head.version), head.proof.golden)
        self.gate.memory.recall(learner.beside)
        if self.gate.memory.tripped and self.store.resumed(head.version):
            self.gate.memory.resume()
        return learner

    def _hold(self, head: Version, learner: Learner) -> None:
        """Wait where the breaker tripped; raise `BreakerTripped` where training is to end by itself."""

        def beat(vitals: Vitals) -> None:
            self.owner.check(vitals, time.monotonic())
            self.tell(vitals, learner)

        wait_in_hold(self.store, head, self.gate.memory, self.stop, beat, ends=self.feed.ends is not None)

    def _ends(self, segment: OpenSegment) -> bool:
        """Tell whether nothing more is to be read: stopped, at the end, or the breaker tripped."""
        if self.stop.requested or self.gate.memory.tripped:
            return True
        return not self.late and segment.reached(self.feed.ends)

    def _obey(self, head: Version) -> None:
        """Judge by the quarantine as it is now; find what was released late, and is still to be learned."""
        revision, entries = self.store.quarantine()
        self.gate.quarantine = self.quarantine(revision, entries)
        self.owner.quarantine = revision
        self.late.find(self.store, self.feed.topics[0], head, entries)
        self.saver.clean = not wrongly_learned(self.store, head, entries)

    def _test_then_train(self, learner: Learner, batch: Batch, segment: OpenSegment) -> None:
        """Learn a batch, and note how long it took. Raises `LearnerTainted` if that ruined the model."""
        began, before, failed = time.perf_counter(), segment.records, None
        verdicts = self.gate.judge(batch)
        try:
            verdicts.teach(learner)
        except LearnFailed as raised:
            failed = raised
        segment.extend(verdicts.batch, verdicts, learner)
        if failed is not None or self.taint.doubts(learner, segment):
            raise self._tainted(segment, failed, sound_at=before) from failed
        self.schedule.learned(len(verdicts.batch), time.perf_counter() - began)

    def _tainted(
        self, segment: OpenSegment, failed: Exception | None, *, sound_at: int = 0, closing: bool = False
    ) -> LearnerTainted:
        """Find out what ruined the model; return what to raise. Then go on from head, in small steps."""
        self._settle(segment)
        vitals = self._vitals(segment, TRAINING)

        def beat() -> None:
            self.owner.check(vitals, time.monotonic())
            if self.stop.requested:
                raise LearnerTainted("who ruined the model is not known: told to stop")

        self.schedule.restart()
        return self.taint.find(segment, failed, beat, sound_at=sound_at, closing=closing)

    def _strike(self, learner: Learner, segment: OpenSegment) -> OpenSegment:
        """Save a version that read nothing, in which pending events that ruin the model expire; if there are any."""
        if not self.taint.strike(learner, segment):
            return segment
        return self._save(learner, segment, "without pending events that ruin the model")

    def _switch(self, learner: Learner, segment: OpenSegment) -> OpenSegment:
        """Save a version that read nothing: from it on the model is static, or learns again, as it is configured."""
        learner.switch(static=self.static)
        if self.static:
            return self._save(learner, segment, "static from here on", "freeze")
        return self._save(learner, segment, "learns again from here on", "thaw")

    def _finish(self, learner: Learner, segment: OpenSegment) -> Version:
        """Save what is not saved; at the end of the log also the last point of the score series."""
        self._settle(segment)
        self.owner.check(self._vitals(segment, "stopping"), time.monotonic(), at_once=True)
        at_end = segment.reached(self.feed.ends)
        if at_end:
            learner.point()
        if segment.records:
            return self._save(learner, segment, "end of the log" if at_end else "stopped").parent
        if at_end:
            self.store.add_points(segment.parent.version, score_points(learner.seal().points))
        return segment.parent

    def close_labels(self) -> Version:
        """Save a closing version after head: every label that is known and pending is revealed and learned.

        Training never goes on from it: the next `train` first moves head to its parent.
        """
        head, ref = self.store.head()
        self.owner.follows(ref)
        learner = self._restored(head)
        if head.kind == "closing" or not learner.pending:
            return head
        segment = OpenSegment.after(self.feed.topics, head)
        try:
            learner.close()
            learner.point()
            segment.count(learner)
            self.gate.memory.write(learner.beside)
            new = new_version(learner, segment, self.run, self.config_hash, "closed", kind="closing")
        except (LearnFailed, ModelRuined) as failed:
            raise self._tainted(segment, failed, closing=True) from failed
        return self.store.save(new, ref=ref, who=who())[0]

    def accept_gap(self) -> None:
        """Save a version with head's model and a position after what the log has lost; the gap is in its segment."""
        head, ref = self.store.head()
        self.owner.follows(ref)
        learner = self._restored(head)
        segment = OpenSegment.after(self.feed.topics, head)
        segment.lose(self.feed.earliest())
        if segment.empty:
            raise LogLost(
                "expected the log's first events after head's position, found none lost", "see `tidemark doctor`"
            )
        self.gate.memory.write(learner.beside)
        new = new_version(learner, segment, self.run, self.config_hash, "events were lost by the log")
        self.store.save(new, ref=ref, who=who())

    def _save(
        self, learner: Learner, segment: OpenSegment, reason: str, kind: VersionKind = "save", *, aside: bool = False
    ) -> OpenSegment:
        """Save a version and return the segment after it; `aside`, if it may be made while training goes on.

        What is saved for fear of an event that ruins the model must be there before that is read: in line.
        """
        self._settle(segment)
        try:
            if aside and not segment.raised and self.taint.room(segment) is None:
                return self.saver.begin(learner, segment, reason)
            return self.saver.save(learner, segment, reason, kind)
        except (LearnFailed, ModelRuined) as failed:
            raise self._tainted(segment, failed) from failed

    def _publish_late(self, segment: OpenSegment) -> None:
        """Let champion follow a head that was saved before it was due, when nothing new comes to be saved."""
        if segment.records or self.saver.busy or not self.saver.clean:
            return
        if self.schedule.publishes(segment, time.monotonic()):
            self.owner.check(self._vitals(segment, "idle"), time.monotonic(), at_once=True)
            self.store.move("champion", segment.parent.version, kind="publish", who=who(), why="due")
            self.schedule.published(time.monotonic())

    def _vitals(self, segment: OpenSegment, state: str) -> Vitals:
        accounts, now = segment.accounts(), time.monotonic()
        if state != TRAINING or now - self._lagged_at >= WATCH_S:
            self._lagged_at, self._lag = now, self.feed.lag()
        head = segment.parent
        counts = (accounts.read, accounts.learned, accounts.held)
        return Vitals(state, head.version, *counts, self._lag, scores=head.proof.scores)
