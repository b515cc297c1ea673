"""The values that the store keeps: positions, segments, versions, references, runs.

All are frozen. Offsets are half-open: [start, stop). A *next offset* is the first offset not yet read; it comes from
the log, nobody adds one to an offset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from store.envelope import Blob

RunKind = Literal["read", "late", "skip", "gap"]
VersionKind = Literal["genesis", "save", "skip", "closing", "freeze", "thaw"]
MoveKind = Literal[
    "genesis", "save", "rewind", "skip", "undo", "promote", "publish", "reopen", "rebuild", "protect", "adopt"
]
HoldKind = Literal["malformed", "suspect"]
Scores = Mapping[str, Mapping[str, float | None]]
"""Metric name to {"cumulative", "window", "since_last", "low", "high"}, and "faded" if there is a fading factor: low
and high are a confidence sequence of the cumulative value, None where there is none."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where one partition stands: the next offset, and which record was read last, with its hash.

    >>> Cursor(next_offset=0)
    Cursor(next_offset=0, last_offset=None, last_hash=None)
    """

    next_offset: int
    last_offset: int | None = None
    last_hash: str | None = None


@dataclass(frozen=True, slots=True)
class TopicPosition:
    """Where one topic stands: its identity (Kafka: cluster id and topic id; file: name) and a cursor a partition."""

    identity: str
    cursors: Mapping[int, Cursor]


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset of every partition of every topic, with what is needed to know the log again.

    >>> p = Position({"elec2": TopicPosition("elec2", {0: Cursor(45312, 45311, "ab12")})})
    >>> p.next_offsets()
    {'elec2': {0: 45312}}
    >>> Position.from_json(p.to_json()) == p
    True
    """

    topics: Mapping[str, TopicPosition]

    def next_offsets(self) -> dict[str, dict[int, int]]:
        """Return {topic: {partition: next offset}}."""
        return {
            name: {partition: cursor.next_offset for partition, cursor in sorted(topic.cursors.items())}
            for name, topic in sorted(self.topics.items())
        }

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for a JSON column."""
        return {
            name: {
                "identity": topic.identity,
                "cursors": {
                    str(partition): [cursor.next_offset, cursor.last_offset, cursor.last_hash]
                    for partition, cursor in sorted(topic.cursors.items())
                },
            }
            for name, topic in sorted(self.topics.items())
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Position:
        """Read back what `to_json` gave."""
        topics = {}
        for name, topic in value.items():
            cursors = {int(partition): Cursor(*cursor) for partition, cursor in topic["cursors"].items()}
            topics[name] = TopicPosition(topic["identity"], cursors)
        return cls(topics)


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch [start, stop) of one partition, read in one go; `events` counts its records (offsets have gaps).

    Runs of a segment that have the same number `merged` were read together, and their records merged by event time.
    """

    topic: str
    partition: int
    start: int
    stop: int
    events: int
    kind: RunKind = "read"
    merged: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """An event that was held when a version read it: its coordinates and reason code."""

    topic: str
    partition: int
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """A held event as kept for a person: why, in words, its raw bytes, the record's timestamp (ms since 1970).

    `sha256` is that of its bytes, in hexadecimal; with or without them it tells an event from another. Both are None
    where nothing is to be kept of it. `held_at` is when, in UTC; None in what was kept by older programs.
    """

    topic: str
    partition: int
    offset: int
    kind: HoldKind
    reason: str
    detail: str
    raw: bytes | None
    timestamp_ms: int | None
    sha256: str | None = None
    held_at: datetime | None = None

    def hold(self) -> Hold:
        """Return what the segment of a version keeps of it."""
        return Hold(self.topic, self.partition, self.offset, self.reason)


@dataclass(frozen=True, slots=True)
class Segment:
    """What a version read since its parent: runs in the order they were read, and every hold among them.

    A hold of what it has not read is of an event of before: it was pending, and was struck out.
    """

    runs: tuple[Run, ...] = ()
    holds: tuple[Hold, ...] = ()

    @property
    def events(self) -> int:
        """Events read (not skipped, not lost)."""
        return sum(run.events for run in self.runs if run.kind in ("read", "late"))

    def has_read(self, hold: Hold) -> bool:
        """Tell whether an event is among those that were read.

        >>> Segment((Run("t", 0, 5, 9, 4),)).has_read(Hold("t", 0, 9, "learner_raised"))
        False
        """
        place = hold.topic, hold.partition
        return any(
            (run.topic, run.partition) == place and run.start <= hold.offset < run.stop and run.kind in ("read", "late")
            for run in self.runs
        )


@dataclass(frozen=True, slots=True)
class Accounts:
    """Events, cumulative along the lineage. Invariant: read == learned + held + pending + expired.

    >>> Accounts(read=3, learned=2, held=1).balanced
    True
    """

    read: int = 0
    learned: int = 0
    held: int = 0
    pending: int = 0
    expired: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every event read is accounted for exactly once."""
        return self.read == self.learned + self.held + self.pending + self.expired


@dataclass(frozen=True, slots=True)
class ScorePoint:
    """The scores after `events` learned events (cumulative): one point of the score series.

    `clock_us` is the event time then, in microseconds since 1970, where labels come later: None elsewhere.
    """

    events: int
    scores: Scores
    baselines: Mapping[str, Scores] = field(default_factory=dict)
    clock_us: int | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """What verify compares: a digest of all predictions of the segment, golden predictions, scores.

    `digest` is hexadecimal. `golden` is JSON text: inputs and their predictions, floats in hexadecimal. `details` are
    plain values: what else is known of the predictions so far, for `show` and `report`.
    """

    digest: str
    golden: str
    scores: Scores
    baselines: Mapping[str, Scores]
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewVersion:
    """All that `save` writes of a version; the store gives it its number.

    `state` is the learner as bytes, not compressed; `packed` is saved instead if given. `token` is unique to this
    attempt: after a cut at commit it tells whether this very version was saved. `quarantine` is the revision it was
    judged by; `covers` the version that a rebuilt one stands for, whose segment it read again.
    """

    kind: VersionKind
    parent: int | None
    state: bytes
    position: Position
    segment: Segment
    accounts: Accounts
    proof: Proof
    recipe: str
    identity: str
    schema: Mapping[str, Any]
    config_hash: str
    environment: Mapping[str, str]
    token: str
    reason: str
    points: Sequence[ScorePoint] = ()
    held: tuple[HeldEvent, ...] = ()
    run: int | None = None
    quarantine: int = 0
    covers: int | None = None
    packed: Blob | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version as the store knows it, without its bytes and segment. `blob` is None when its bytes were expired.

    `recipe` is as the user wrote it, `identity` its canonical form. `size` is the stored size in bytes. `beside`: it
    was saved on a branch of its own, and no reference moved.
    """

    model: str
    version: int
    kind: VersionKind
    parent: int | None
    position: Position
    accounts: Accounts
    proof: Proof
    recipe: str
    identity: str
    schema: Mapping[str, Any]
    config_hash: str
    environment: Mapping[str, str]
    token: str
    reason: str
    blob: str | None
    size: int
    created_at: datetime
    run: int | None
    quarantine: int = 0
    covers: int | None = None
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference: where it points, how often it moved, and which epoch owns it (only head has owners)."""

    name: str
    version: int
    moves: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of the log of reference moves. `move` is the reference's move counter after it."""

    ref: str
    move: int
    kind: MoveKind
    old: int | None
    new: int
    who: str
    why: str
    at: datetime
    epoch: int
