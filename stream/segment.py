"""The segment being read: what has been read since the head version, in order, and the position after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from store.offsets import Offsets
from store.types import Accounts, Cursor, HeldEvent, Position, Run, Segment, TopicPosition, Version
from stream.gate import Verdicts
from stream.held import RAISED, TAINTED
from stream.log import Batch, Ends, Key, Merged, Span

UNREAD = Cursor(0)


class Counts(Protocol):
    """What a learner counts along its lineage."""

    @property
    def learned(self) -> int:
        """Events learned."""

    @property
    def pending(self) -> int:
        """Events predicted, whose label has not come."""

    @property
    def expired(self) -> int:
        """Events whose label never came."""


class OpenSegment:
    """Grows with every batch, until it is saved with a version. Not shared.

    Invariant: the accounts balance, and what was read is the parent's plus the events of the runs.
    """

    def __init__(self, topics: Sequence[str], parent: Version) -> None:
        self.topics = tuple(topics)
        self.parent = parent
        self.held: list[HeldEvent] = []
        self.held_bytes = 0
        self.held_events = 0
        self.records = 0
        self.accepted = 0
        self.raised = False
        self.late = 0
        self.struck: list[int] = []
        self._learner: Counts = parent.accounts
        self._runs: list[Run] = []
        self._groups = 0
        self._last: Key | None = None
        self._cursors = {topic: dict(parent.position.topics[topic].cursors) for topic in topics}

    @classmethod
    def after(cls, topics: Sequence[str], parent: Version) -> OpenSegment:
        """Begin the segment that follows a version; `topics`: that of events, and that of labels if there is one."""
        return cls(topics, parent)

    @classmethod
    def meanwhile(cls, segment: OpenSegment) -> OpenSegment:
        """Begin the segment that follows one whose version is still being made: until `saved`, its number is head's."""
        parent = replace(segment.parent, position=segment.position(), accounts=segment.accounts())
        return cls(segment.topics, parent)

    def saved(self, parent: Version) -> None:
        """Take in that the version which it follows was saved."""
        assert parent.accounts == self.parent.accounts, "it follows that version"
        self.parent = parent

    def _extend_late(self, batch: Batch, verdicts: Verdicts) -> None:
        """Take in events behind our position that were held, and are learned now: a late run for each stretch."""
        topic = self.topics[0]
        for span in batch.spans:
            late = Offsets.points(topic, span.partition, span.offsets)
            self._runs += (Run(topic, p, start, stop, stop - start, "late") for _, p, start, stop in late)
        self.late += len(verdicts.xs)
        self._hold(len(batch), verdicts)

    def extend(self, batch: Batch, verdicts: Verdicts, learner: Counts) -> None:
        """Take in what was read, what was said of it, and what the learner has done with it."""
        self._learner = learner
        if batch.late:
            self._extend_late(batch, verdicts)
            return
        group = self._group(batch.merged)
        for topic, spans in zip(self.topics, (batch.spans, batch.labels), strict=False):
            cursors = self._cursors[topic]
            for span in spans:
                self._extend_runs(topic, span, group)
                cursors[span.partition] = span.cursor(cursors.get(span.partition, UNREAD))
        self.accepted += len(verdicts.xs)
        self.held_events += sum(held.topic == self.topics[0] for held in verdicts.held)
        self._hold(len(batch), verdicts)

    def _hold(self, records: int, verdicts: Verdicts) -> None:
        self.records += records
        self.held.extend(verdicts.held)
        self.raised = self.raised or any(held.reason in (RAISED, TAINTED) for held in verdicts.held)
        self.held_bytes += sum(len(held.raw or b"") for held in verdicts.held)

    def strike(self, numbers: Sequence[int], held: Sequence[HeldEvent], learner: Counts) -> None:
        """Take in that events of older segments were struck out: they had been pending, and expired."""
        self.struck += numbers
        self.held.extend(held)
        self._learner = learner

    def count(self, learner: Counts) -> None:
        """Take over what the learner has done without reading."""
        self._learner = learner

    def lose(self, earliest: Ends) -> None:
        """Pass over what the logs no longer have: a gap in each partition that begins after where we are."""
        for topic in self.topics:
            for partition, first in sorted(earliest[topic].items()):
                cursor = self._cursors[topic].get(partition, UNREAD)
                if cursor.next_offset < first:
                    self.pass_over(Run(topic, partition, cursor.next_offset, first, 0, "gap"))

    def pass_over(self, run: Run) -> None:
        """Pass over what was skipped or lost, once more."""
        self._runs.append(run)
        self._cursors[run.topic][run.partition] = Cursor(run.stop)

    def _group(self, merged: Merged | None) -> int | None:
        """Return the number of the runs that a batch's spans belong to; None where nothing is merged.

        A batch whose records all come after the last one's is one with it: their order together is the same.
        """
        if merged is None:
            return None
        if self._groups == 0 or (self._last is not None and merged.first is not None and merged.first < self._last):
            self._groups += 1
        self._last = merged.last or self._last
        return self._groups

    def _extend_runs(self, topic: str, span: Span, group: int | None) -> None:
        """Grow the run that the span continues, else begin another: the last one, or the one of its group."""
        for place in range(len(self._runs) - 1, -1, -1):
            run = self._runs[place]
            if run.merged != group or (group is None and place < len(self._runs) - 1):
                break
            if (run.topic, run.partition, run.stop, run.kind) == (topic, span.partition, span.start, "read"):
                self._runs[place] = replace(run, stop=span.stop, events=run.events + len(span))
                return
        self._runs.append(Run(topic, span.partition, span.start, span.stop, len(span), "read", group))

    @property
    def read(self) -> int:
        """Events read since the parent."""
        return self.accepted + self.held_events

    @property
    def learned(self) -> int:
        """Events learned since the parent."""
        return self._learner.learned - self.parent.accounts.learned

    @property
    def empty(self) -> bool:
        """Whether nothing was read, no stretch without events either."""
        return not self._runs

    def segment(self) -> Segment:
        """Return it as a version keeps it."""
        return Segment(tuple(self._runs), tuple(held.hold() for held in self.held))

    def accounts(self) -> Accounts:
        """Return the accounts along the lineage up to here."""
        before = self.parent.accounts
        return Accounts(
            read=before.read + self.read,
            learned=self._learner.learned,
            held=before.held + self.held_events - self.late,
            pending=self._learner.pending,
            expired=self._learner.expired,
        )

    def position(self) -> Position:
        """Return the position after what was read."""
        topics = dict(self.parent.position.topics)
        for topic, cursors in self._cursors.items():
            topics[topic] = TopicPosition(topics[topic].identity, dict(cursors))
        return Position(topics)

    def reached(self, ends: Ends | None) -> bool:
        """Tell whether every partition has been read up to its end; never, when there are none."""
        if ends is None:
            return False
        return all(
            cursors.get(partition, UNREAD).next_offset >= end
            for topic, cursors in self._cursors.items()
            for partition, end in ends[topic].items()
        )


def reasons_of(segment: Segment) -> dict[tuple[str, int], dict[int, str]]:
    """Return what a segment held: (topic, partition) to offset to reason."""
    recorded: dict[tuple[str, int], dict[int, str]] = {}
    for hold in segment.holds:
        recorded.setdefault((hold.topic, hold.partition), {})[hold.offset] = hold.reason
    return recorded
