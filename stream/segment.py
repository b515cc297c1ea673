"""The segment being read: what has been read since the head version, in order, and the position after it."""

from __future__ import annotations

from collections.abc import Mapping

from store.types import Accounts, Cursor, HeldEvent, Position, Run, Segment, TopicPosition, Version
from stream.gate import Verdicts
from stream.log import Batch, Span

UNREAD = Cursor(0)


class OpenSegment:
    """Grows with every batch, until it is saved with a version. Not shared.

    Invariant: accounts.read == accounts.learned + accounts.held, and equals the parent's plus the events of the runs.
    """

    def __init__(self, topic: str, parent: Version) -> None:
        self.topic = topic
        self.parent = parent
        self.held: list[HeldEvent] = []
        self.held_bytes = 0
        self.learned = 0
        self._runs: list[Run] = []
        self._identity = parent.position.topics[topic].identity
        self._cursors = dict(parent.position.topics[topic].cursors)

    @classmethod
    def after(cls, topic: str, parent: Version) -> OpenSegment:
        """Begin the segment that follows a version."""
        return cls(topic, parent)

    def extend(self, batch: Batch, verdicts: Verdicts) -> None:
        """Take in what was read and what was said of it."""
        for span in batch.spans:
            self._extend_runs(span)
            self._cursors[span.partition] = span.cursor(self._cursors.get(span.partition, UNREAD))
        self.learned += len(verdicts.xs)
        self.held.extend(verdicts.held)
        self.held_bytes += sum(len(held.raw or b"") for held in verdicts.held)

    def _extend_runs(self, span: Span) -> None:
        """Grow the last run if the span continues it, else begin another."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.partition == span.partition and last.stop == span.start:
            self._runs[-1] = Run(self.topic, last.partition, last.start, span.stop, last.events + len(span))
        else:
            self._runs.append(Run(self.topic, span.partition, span.start, span.stop, len(span)))

    @property
    def read(self) -> int:
        """Events read since the parent."""
        return self.learned + len(self.held)

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
            learned=before.learned + self.learned,
            held=before.held + len(self.held),
            pending=before.pending,
            expired=before.expired,
        )

    def position(self) -> Position:
        """Return the position after what was read."""
        return Position({**self.parent.position.topics, self.topic: TopicPosition(self._identity, dict(self._cursors))})

    def reached(self, ends: Mapping[int, int] | None) -> bool:
        """Tell whether every partition has been read up to its end; never, when there are none."""
        if ends is None:
            return False
        return all(self._cursors.get(partition, UNREAD).next_offset >= end for partition, end in ends.items())
