"""Rebuild: head again, as if what is quarantined had never come.

1. The segments since the base of the plan are read again in recorded order, judged by today's gate and quarantine, into
   a branch of versions: one for each, so that a rebuild that was killed goes on where it was.
2. A version of the branch is committed while the next segment is replayed.
3. The trainer goes on all the while. When the branch is within one version of head, or after three laps, head moves to
   it in one transaction; the trainer reads again what lies beyond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from learners import Learner, LearnFailed
from store import ModelStore
from store.errors import RebuildOutdated
from store.offsets import Offsets
from store.rebuilds import Rebuild
from store.types import Hold, NewVersion, Ref, Run, Segment, Version
from stream.again import read_segment
from stream.aside import Aside
from stream.branch import Branch
from stream.config import Config
from stream.draft import new_version
from stream.errors import LogLost, ModelRuined
from stream.feed import Feed
from stream.forms import why_rows
from stream.gate import Gate, Recorded, open_gate
from stream.held import QUARANTINED, RAISED, TAINTED, TOO_OLD
from stream.log import Batch, Ends
from stream.owner import who
from stream.plan import Plan, parent_of, point, replayable_from, rewritten_since, trained, union
from stream.quarantine import Quarantine
from stream.replay import learner_at, struck
from stream.runs import OpenRun
from stream.schedule import events_max
from stream.schema import Schema
from stream.segment import UNREAD, OpenSegment
from stream.taint import Taint, asked_before
from stream.times import TIME_AHEAD

LAPS_MAX = 3
FROM_THE_RECORD = (TIME_AHEAD, TOO_OLD, RAISED, TAINTED)
"""Reasons that depend on when an event was read, or on the model then: what was held for them stays held."""


@dataclass(slots=True)
class Rebuilder:
    """Carries out one plan. `open_feed` opens the log for one lap: its end is where it is then.

    `tell` is called with the number of events replayed. `accept_gap`: go on without what the log has lost.
    `take_over`: do not wait for another process's rebuild.
    """

    store: ModelStore
    open_feed: Callable[[], Feed]
    config: Config
    plan: Plan
    run: OpenRun
    tell: Callable[[int], None]
    accept_gap: bool = False
    take_over: bool = False
    feed: Feed = field(init=False)
    quarantine: Quarantine = field(init=False)
    earliest: Ends = field(default_factory=dict)
    ruinous: list[Hold] = field(default_factory=list)  # of the whole lineage: some were pending, and struck out later

    def rebuild(self, why: str) -> tuple[Ref, Rebuild]:
        """Rebuild, and move head. Raises RebuildOutdated if the quarantine changed, `LogLost` if events are gone."""
        assert self.plan.base is not None, "there is something to rebuild"
        process = self.run.process
        rebuild = self.store.rebuild_begin(
            self.plan.base.version,
            self.plan.revision,
            who=who(),
            why=why,
            host=process.host,
            pid=process.pid,
            pid_started=process.started,
            take_over=self.take_over,
        )
        with Aside() as aside:
            rebuild = self._in_laps(rebuild, aside)
        return self.store.rebuild_swap(rebuild, who=who(), why=why), rebuild

    def _in_laps(self, rebuild: Rebuild, aside: Aside) -> Rebuild:
        """Let the branch grow until it covers head, or nearly."""
        learner: Learner | None = None
        at = rebuild.tip
        for lap in range(1_000_000):
            rebuild = self._onto_lineage(rebuild)
            todo = self._todo(rebuild)
            if lap and (len(todo) <= 1 or lap >= LAPS_MAX) and not self._passes_over(todo):
                break
            with closing(self.open_feed()) as self.feed:
                self.earliest = self.feed.earliest()
                self.quarantine = Quarantine(self.plan.revision, self.plan.entries, self.feed, self.config)
                branch = Branch(self.store, aside, rebuild)
                if learner is None or at != rebuild.tip:
                    learner = learner_at(self.store, self.feed, self.config, branch.tip, self.tell)
                for version in todo:
                    learner = self._one(learner, branch, version)
                branch.land()
            rebuild = branch.rebuild
            at = rebuild.tip
        return rebuild

    def _todo(self, rebuild: Rebuild) -> list[Version]:
        lineage = self.store.lineage(trained(self.store).version)
        line = {version.version for version in lineage}
        ruined = [each for reason in (RAISED, TAINTED) for each in self.store.all_holds(reason=reason)]
        self.ruinous = [hold for number, hold in ruined if number in line]
        return [version for version in lineage if version.version > rebuild.covers]

    def _passes_over(self, todo: Sequence[Version]) -> bool:
        """Tell whether one of these versions skipped or lost something: the branch must do so too."""
        passed = {version for version, _ in self.store.passed_over(todo[-1].version)} if todo else set()
        return any(version.version in passed for version in todo)

    def _onto_lineage(self, rebuild: Rebuild) -> Rebuild:
        """Go back along the branch to what head descends from, if head was moved since."""
        line = {version.version for version in self.store.lineage(trained(self.store).version)}
        if rebuild.base not in line:
            self.store.rebuild_end(rebuild, "abandoned")
            raise RebuildOutdated(f"head was moved, and no longer descends from version {rebuild.base}")
        if rebuild.covers in line:
            return rebuild
        tip = self.store.version(rebuild.tip)
        while tip.version != rebuild.base and tip.covers not in line:
            tip = self.store.version(parent_of(tip))
        if tip.version == rebuild.base or tip.covers is None:  # the base may be of an older rebuild: it covers itself
            return self.store.rebuild_back(rebuild, rebuild.base, rebuild.base)
        return self.store.rebuild_back(rebuild, tip.version, tip.covers)

    def _one(self, learner: Learner, branch: Branch, version: Version) -> Learner:
        """Do again what a version did, without what is quarantined, and save it in the branch, after its tip."""
        if version.kind == "skip":
            branch.save(self._skipped(branch.land(), version))
            return learner
        gate = self._gate(branch.tip)
        again = open_gate(self.feed, self.config, Schema.from_json(branch.tip.schema), live=False)
        taint = Taint(self.feed, gate, again, self.store)
        while True:
            segment = branch.segment(self.feed.topics)
            try:
                taint.strike(learner, segment)
                new = self._replayed(learner, gate, segment, version, branch)
            except (LearnFailed, ModelRuined) as failed:
                tip = branch.land(segment)
                taint.find(segment, failed, lambda: None)
                learner = learner_at(self.store, self.feed, self.config, tip, lambda _: None)
                continue
            branch.save(new, segment)
            return learner

    def _gate(self, tip: Version) -> Gate:
        schema = Schema.from_json(tip.schema)
        gate = open_gate(self.feed, self.config, schema, live=True, columns=self._in_columns(tip))
        gate.quarantine = self.quarantine
        return gate

    def _in_columns(self, tip: Version) -> bool:
        return why_rows(self.config, tip.recipe, Schema.from_json(tip.schema)) is None

    def _skipped(self, tip: Version, version: Version) -> NewVersion:
        """Return a skip again: the tip's model, where the skip went to."""
        segment = OpenSegment.after(self.feed.topics, tip)
        for run in self.store.segment(version.version).runs:
            segment.pass_over(run)
        return NewVersion(
            kind="skip",
            parent=tip.version,
            state=self.store.payload(tip.version),
            position=version.position,
            segment=segment.segment(),
            accounts=tip.accounts,
            proof=tip.proof,
            recipe=tip.recipe,
            identity=tip.identity,
            schema=tip.schema,
            config_hash=tip.config_hash,
            environment=tip.environment,
            token=f"{version.token}-{self.plan.revision}-{tip.version}",
            reason=version.reason,
            run=self.run.run,
            quarantine=self.plan.revision,
            covers=version.version,
        )

    def _replayed(
        self, learner: Learner, gate: Gate, segment: OpenSegment, version: Version, branch: Branch
    ) -> NewVersion:
        if version.kind in ("freeze", "thaw"):
            learner.switch(static=version.kind == "freeze")
        gate.memory.recall(learner.beside)
        recorded = self.store.segment(version.version)
        self._strike(learner, segment, recorded, version)
        lost, left = self._clip(recorded, version)
        known = self._known(version, recorded.holds)
        for run in lost:
            segment.pass_over(run)
        most = events_max(columns=self._in_columns(segment.parent))
        for batch in read_segment(self.feed, left, version.position, events_max=most):
            kept = self._due(batch, segment, branch.land(segment)) if batch.late else batch
            verdicts = gate.judge(kept, known)
            try:
                verdicts.teach(learner)
            finally:
                segment.extend(kept, verdicts, learner)
            self.tell(len(batch))
        if self.store.has_point(version.version, version.accounts.learned):
            learner.point()  # the last point of a series, at the end of a log
        gate.memory.write(learner.beside)
        branch.land(segment)
        new = new_version(learner, segment, self.run.run, self.config.hash, version.reason, version.kind)
        return replace(new, quarantine=self.plan.revision, covers=version.version)

    def _known(self, version: Version, holds: Sequence[Hold]) -> Recorded:
        """Return what was held that stays held: it cannot be judged again, or is learned later in a late run."""
        late = union(entry.offsets for entry in self.plan.entries if entry.release == "late")
        late -= rewritten_since(version, self.plan.entries)
        known: dict[tuple[str, int], dict[int, str]] = {}
        for hold in (*holds, *self.ruinous):
            stays = hold.reason == QUARANTINED and late.has(hold.topic, hold.partition, hold.offset)
            if stays or hold.reason in FROM_THE_RECORD:
                known.setdefault((hold.topic, hold.partition), {})[hold.offset] = hold.reason
        return known

    def _strike(self, learner: Learner, segment: OpenSegment, recorded: Segment, version: Version) -> None:
        """Strike out again what was pending before the base; what came after it is held as it is read."""
        assert self.plan.base is not None
        before = self.plan.base
        position, asked = before.position.topics[self.feed.topics[0]].cursors, asked_before(before)
        if numbers := [number for number in struck(version) if number < asked and number not in learner.struck]:
            out = {
                point(hold)
                for hold in recorded.holds
                if not recorded.has_read(hold) and hold.offset < position.get(hold.partition, UNREAD).next_offset
            }
            learner.strike(numbers)
            segment.strike(numbers, [held for held in self.store.held() if point(held.hold()) in out], learner)

    def _due(self, batch: Batch, segment: OpenSegment, parent: Version) -> Batch:
        """Leave out of a late batch what this lineage has learned in its place, and what is held again."""
        assert self.plan.base is not None
        line = {version.version for version in self.store.lineage(parent.version)}
        held = [point(hold) for version, hold in self.store.all_holds(reason=QUARANTINED) if version in line]
        held += [point(hold.hold()) for hold in segment.held if hold.reason == QUARANTINED]
        active = union(entry.offsets for entry in self.plan.entries if entry.active)
        due = Offsets.of(held) - active
        topic = self.feed.topics[0]
        spans = [
            span.part([i for i, offset in enumerate(span.offsets) if due.has(topic, span.partition, offset)])
            for span in batch.spans
        ]
        return Batch(tuple(spans), late=True)

    def _clip(self, segment: Segment, version: Version) -> tuple[list[Run], Segment]:
        """Return what the log has lost of a segment, as gaps, and the rest. Raises `LogLost` unless accepted."""
        lost: list[Run] = []
        left: list[Run] = []
        for run in segment.runs:
            first = self.earliest.get(run.topic, {}).get(run.partition, 0)
            if run.kind in ("skip", "gap"):
                lost.append(run)
            elif run.start >= first:
                left.append(run)
            elif not self.accept_gap:
                raise LogLost(*_too_old(self.store, self.earliest, version, run, first))
            elif run.kind == "read":
                stop = min(run.stop, first)
                lost.append(Run(run.topic, run.partition, run.start, stop, 0, "gap"))
                left += [replace(run, start=first)] if first < run.stop else []
        return lost, Segment(tuple(left), segment.holds)


def _too_old(store: ModelStore, earliest: Ends, version: Version, run: Run, first: int) -> Iterator[str]:
    """Say what is gone, and from which version on a rebuild is possible."""
    since = replayable_from(store, earliest)
    yield (
        f"expected the events that version {version.version} read, found that {run.topic}[{run.partition}] now begins "
        f"at offset {first:,}, after {run.start:,}"
    )
    possible = "no version" if since is None else f"version {since.version}"
    yield (
        f"a clean rebuild is possible from {possible} on; to go on without what is lost, and record the gap: "
        "tidemark rebuild --accept-gap"
    )
