"""When a version is due, how large a batch may be, and when champion follows. Policy only: `now` is passed in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stream.config import Config
from stream.log import EVENTS_PER_POLL_MAX
from stream.segment import OpenSegment

BATCH_S_MAX = 0.2
"""About how long one batch may be learned: the trainer looks for a moved head between batches, and a slow model too
must follow a rollback within a second."""

COLUMNS_PER_BATCH_MAX = 8192
"""How many events a batch in columns may have: what is done once a batch would cost more than the learning itself.

Measured, to consume and decode: 1.8 us an event at 500, 1.9 at 2,000 and 8,192 (they do not fit the processor's cache).
"""

COLUMNS_LIVE_MAX = 16_384
"""The same for a trainer, which holds one batch, while others hold dozens.

Measured, to train a linear model from Kafka: 1.13 us an event at 8,192, 1.0 at 16,384 and at 32,768, for 5 and 20 MB
more.
"""

EVENTS_FIRST = 8
"""The size of the first batch, before the speed of the model is known."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When to save and publish. Times in seconds, counts in events; None is never."""

    every_events: int
    every_s: float
    held_bytes_max: int
    publish_events: int | None
    publish_s: float | None
    fork_s: float

    @classmethod
    def of(cls, config: Config) -> Policy:
        """Return what the configuration says."""
        publish = config.publish.every
        return cls(
            every_events=config.snapshots.every_events,
            every_s=config.snapshots.every.total_seconds(),
            held_bytes_max=config.snapshots.held_bytes_max,
            publish_events=config.publish.every_events,
            publish_s=publish.total_seconds() if publish is not None else None,
            fork_s=config.snapshots.fork_from.total_seconds(),
        )


class Schedule:
    """Applies the policy to one trainer. Times are monotonic seconds.

    `published_ago_s` and `unpublished` (learned events) tell how far head is ahead of champion at the start. No batch
    has more than `most` events, however fast the model is.
    """

    def __init__(
        self,
        policy: Policy,
        now: float,
        *,
        published_ago_s: float | None = None,
        unpublished: int = 0,
        most: int = EVENTS_PER_POLL_MAX,
    ) -> None:
        self._policy = policy
        self._most = most
        self._saved_at = now
        self._published_at = now - published_ago_s if published_ago_s is not None else float("-inf")
        self._unpublished = unpublished
        self._event_s: float | None = None
        self._batch_max = EVENTS_FIRST

    def events_max(self, segment: OpenSegment, room: int | None = None) -> int:
        """Return how many events the next batch may have: a version that is due by events ends right there.

        `room`: at most so many, for another reason.
        """
        left = self._policy.every_events - segment.read
        return max(1, min(self._batch_max, left if room is None else min(left, room)))

    def learned(self, events: int, took_s: float) -> None:
        """Note how long a batch took, so that the next ones keep to about BATCH_S_MAX."""
        if not events:
            return
        event_s = took_s / events
        self._event_s = event_s if self._event_s is None else 0.7 * self._event_s + 0.3 * event_s
        fits = int(BATCH_S_MAX / max(self._event_s, event_s, 1e-9))
        self._batch_max = max(1, min(self._most, fits, self._batch_max * 4))

    def restart(self) -> None:
        """Begin with small batches again: something went wrong in a large one."""
        self._batch_max = EVENTS_FIRST

    def due(self, segment: OpenSegment, now: float, *, busy: bool = False) -> bool:
        """Tell whether a version is due: by events, by time, by held bytes in memory, or to be past a bad event.

        `busy`: the one before is being made still, or the learner is away. Then time alone makes none due: training had
        to wait for it.
        """
        if not segment.records:
            return False
        return (
            segment.raised
            or segment.read >= self._policy.every_events
            or (now - self._saved_at >= self._policy.every_s and not busy)
            or segment.held_bytes >= self._policy.held_bytes_max
        )

    def publishes(self, segment: OpenSegment, now: float) -> bool:
        """Tell whether champion follows the version that is about to be saved."""
        policy, unpublished = self._policy, self._unpublished + segment.learned
        if not unpublished:
            return False
        by_events = policy.publish_events is not None and unpublished >= policy.publish_events
        return by_events or (policy.publish_s is not None and now - self._published_at >= policy.publish_s)

    def forks(self, took_s: float) -> bool:
        """Tell whether a version is made in a forked process, if in line it takes so many seconds of the processor."""
        return took_s >= self._policy.fork_s

    def never_fork(self) -> None:
        """From now on, make all versions in line."""
        self._policy = replace(self._policy, fork_s=float("inf"))

    def begun(self, now: float) -> None:
        """Note that a version is being made, or was."""
        self._saved_at = now

    def saved(self, segment: OpenSegment, now: float, *, published: bool) -> None:
        """Note that a version was saved."""
        self._unpublished += segment.learned
        if published:
            self.published(now)

    def published(self, now: float) -> None:
        """Note that champion is where head is."""
        self._published_at = now
        self._unpublished = 0


def events_max(*, columns: bool, live: bool = False) -> int:
    """Return how many events a batch may have in this form; `live`: of a trainer."""
    if not columns:
        return EVENTS_PER_POLL_MAX
    return COLUMNS_LIVE_MAX if live else COLUMNS_PER_BATCH_MAX
