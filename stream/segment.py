"""The segment being read: what has been read since the head version, in order, and the position after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from store.types import Accounts, Cursor, HeldEvent, Position, Run, Segment, TopicPosition, Version
from stream.gate import RAISED, Verdicts
from stream.log import Batch, Span

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

    def __init__(self, topic: str, parent: Version) -> None:
        self.topic = topic
        self.parent = parent
        self.held: list[HeldEvent] = []
        self.held_bytes = 0
        self.accepted = 0
        self.raised = False
        self._learner: Counts = parent.accounts
        self._runs: list[Run] = []
        self._identity = parent.position.topics[topic].identity
        self._cursors = dict(parent.position.topics[topic].cursors)

    @classmethod
    def after(cls, topic: str, parent: Version) -> OpenSegment:
        """Begin the segment that follows a version."""
        return cls(topic, parent)

    def extend(self, batch: Batch, verdicts: Verdicts, learner: Counts) -> None:
        """Take in what was read, what was said of it, and what the learner has done with it."""
        self._learner = learner
        for span in batch.spans:
            self._extend_runs(span)
            self._cursors[span.partition] = span.cursor(self._cursors.get(span.partition, UNREAD))
        self.accepted += len(verdicts.xs)
        self.held.extend(verdicts.held)
        self.raised = self.raised or any(held.reason == RAISED for held in verdicts.held)
        self.held_bytes += sum(len(held.raw or b"") for held in verdicts.held)

    def count(self, learner: Counts) -> None:
        """Take over what the learner has done without reading."""
        self._learner = learner

    def lose(self, earliest: Mapping[int, int]) -> None:
        """Pass over what the log no longer has: a gap in each partition that begins after where we are."""
        for partition, first in sorted(earliest.items()):
            cursor = self._cursors.get(partition, UNREAD)
            if cursor.next_offset < first:
                self._runs.append(Run(self.topic, partition, cursor.next_offset, first, 0, "gap"))
                self._cursors[partition] = Cursor(first)

    def _extend_runs(self, span: Span) -> None:
        """Grow the last run if the span continues it, else begin another."""
        last = self._runs[-1] if self._runs else None
        if last is not None and (last.partition, last.stop, last.kind) == (span.partition, span.start, "read"):
            self._runs[-1] = Run(self.topic, last.partition, last.start, span.stop, last.events + len(span))
        else:
            self._runs.append(Run(self.topic, span.partition, span.start, span.stop, len(span)))

    @property
    def read(self) -> int:
        """Events read since the parent."""
        return self.accepted + len(self.held)

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
            held=before.held + len(self.held),
            pending=self._learner.pending,
            expired=self._learner.expired,
        )

    def position(self) -> Position:
        """Return the position after what was read."""
        return Position({**self.parent.position.topics, self.topic: TopicPosition(self._identity, dict(self._cursors))})

    def reached(self, ends: Mapping[int, int] | None) -> bool:
        """Tell whether every partition has been read up to its end; never, when there are none."""
        if ends is None:
            return False
        return all(self._cursors.get(partition, UNREAD).next_offset >= end for partition, end in ends.items())
