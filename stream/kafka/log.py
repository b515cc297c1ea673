"""A topic of Apache Kafka as a log: assigned, never subscribed, since the store knows where we are.

Invariants: nothing uncommitted, aborted or damaged is given out; the next offset comes from Kafka, which tells it at
the end of a partition (behind control records) and otherwise with the record; an offset that is gone is an error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from store.types import Cursor, TopicPosition
from stream.errors import LogLost, LogMismatch, LogUnreachable, StreamError
from stream.kafka.address import consumer_settings
from stream.kafka.messages import BareHaul, Haul, place_of
from stream.kafka.topic import ASK_S_MAX, KafkaTopic, News, Outage, Watch, client
from stream.log import EVENTS_PER_POLL_MAX, Batch, Format, record_hash
from stream.starts import start_offsets

LINGER_S = 0.005
"""How long a poll waits for more events once it has one: a full pipe fills a batch sooner, a trickle is not delayed."""

EVENTS_AT_ONCE = 1024
"""So many are asked of librdkafka at a time, for a batch of more."""

COMMIT_S_MIN = 1.0
COMMIT_ANSWER_S_MAX = 10.0
LAST_COMMIT_S_MAX = 1.0
CLOSE_S_MAX = 5.0

EOF = KafkaError._PARTITION_EOF  # noqa: SLF001  (librdkafka's own codes begin so)
OUT_OF_RANGE = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
PASSING = (
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
    KafkaError._TRANSPORT,  # noqa: SLF001
    KafkaError._RESOLVE,  # noqa: SLF001
    KafkaError._TIMED_OUT,  # noqa: SLF001
)
"""Errors that librdkafka mends itself, by trying again."""


class KafkaLog:
    """One topic, read by one consumer that is in no group; `group` only names where offsets are committed.

    Raises `ConfigError` for settings that are ours, refused or unknown, and for a topic that does not exist;
    `LogUnreachable` when no broker answers within about ten seconds. `bare`: times and keys of records are not needed.
    """

    def __init__(
        self, bootstrap: str, topic: str, *, settings: Mapping[str, str], group: str, bare: bool = False
    ) -> None:
        self._haul = BareHaul if bare else Haul
        self.topic = topic
        self.format = Format("json")
        self.finite = False
        self._outage = Outage(bootstrap)
        self._topic = KafkaTopic(bootstrap, topic, settings, self._outage)
        self.identity = self._topic.identity()
        wanted = {
            **consumer_settings(bootstrap, settings, group, bare=bare),
            "error_cb": self._outage.note,
            "on_commit": self._on_commit,
        }
        self._consumer: Consumer = client(Consumer, wanted)
        self._outage.quiet = False
        self._watch = Watch(self._topic, self._outage)
        self._next: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._failure: StreamError | None = None
        self._commit: TopicPosition | None = None
        self._committing = False
        self._committed_s = 0.0
        self._closed = False

    def start(self, where: str | int | Mapping[int, int]) -> TopicPosition:
        """See `Log.start`. A time is that of the records, as their producers or the broker wrote it."""
        offsets = start_offsets(where, self.earliest, self.end, self._since)
        return TopicPosition(self.identity, {partition: Cursor(offset) for partition, offset in offsets.items()})

    def seek(self, position: TopicPosition) -> None:
        """See `Log.seek`. A last record that retention or compaction took away cannot be checked, and is let pass."""
        identity = self._topic.identity()
        if identity != position.identity:
            raise LogMismatch(
                f"expected the topic {self.topic} with the identity {position.identity}, found {identity}",
                "the topic was made anew or this is another cluster: train a new model, or go back to the old one",
            )
        self.identity, self._failure = identity, None
        first, end = self.earliest(), self.end()
        cursors = {partition: position.cursors.get(partition, Cursor(0)) for partition in first}
        for partition in position.cursors.keys() - first.keys():
            raise LogMismatch(f"partition {partition} is gone from the topic {self.topic}", "is this the same topic?")
        for partition, cursor in cursors.items():
            self._check_range(partition, cursor.next_offset, first[partition], end[partition])
        self._check_last({p: c for p, c in cursors.items() if c.last_offset is not None and first[p] <= c.last_offset})
        self._assign({partition: cursor.next_offset for partition, cursor in cursors.items()})
        self._ends = end

    def poll(self, timeout_s: float, events_max: int = EVENTS_PER_POLL_MAX) -> Batch:
        """See `Log.poll`. Outages of the brokers are ridden out, with a warning."""
        assert self._next, "seek first"
        deadline = time.monotonic() + timeout_s
        self._send_commit()
        self._take_news(self._watch.look(self._next))
        if self._failure:
            raise self._failure
        batch = self._batch(self._consume(self._haul(), events_max, min(LINGER_S, timeout_s)))
        while not batch.spans:
            if self._failure:
                raise self._failure
            left = deadline - time.monotonic()
            if left <= 0:
                break
            first = self._consume(self._haul(), 1, left)
            batch = self._batch(self._consume(first, events_max - 1, LINGER_S) if first else first)
        return batch

    def _consume(self, haul: Haul, events_max: int, timeout_s: float) -> Haul:
        """Take in the next messages, some at a time, until there are none for so long."""
        while events_max:
            asked = min(events_max, EVENTS_AT_ONCE)
            haul.take(messages := self._consumer.consume(asked, timeout_s))
            events_max -= asked
            if len(messages) < asked:
                break
        return haul

    def where(self) -> dict[int, int]:
        """See `Log.where`."""
        return dict(self._next)

    def end(self) -> dict[int, int]:
        """See `Log.end`: before any transaction that is still open."""
        return self._topic.end(self._topic.partitions())

    def earliest(self) -> dict[int, int]:
        """See `Log.earliest`."""
        return self._topic.earliest(self._topic.partitions())

    def lag(self) -> int | None:
        """See `Log.lag`. The end is at most some seconds old, and may lie behind a transaction that is still open."""
        if not self._next:
            return None
        lag = 0
        for partition, offset in self._next.items():
            _, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            lag += max(0, high - offset, self._ends.get(partition, 0) - offset)
        return lag

    def commit(self, position: TopicPosition) -> None:
        """See `Log.commit`. At most one a second is sent; the last one when closing."""
        self._commit = position
        self._send_commit()

    def close(self) -> None:
        """See `Log.close`. Librdkafka may hang here; it is left behind after `CLOSE_S_MAX`."""
        if self._closed:
            return
        self._closed = True
        deadline = time.monotonic() + LAST_COMMIT_S_MAX
        while self._commit is not None and self._committing and time.monotonic() < deadline:
            self._consumer.poll(0.02)  # brings the answer to the commit under way
        self._committed_s = 0.0
        self._send_commit()
        closing = threading.Thread(target=self._consumer.close, name="kafka-close", daemon=True)
        closing.start()
        closing.join(CLOSE_S_MAX)

    def _assign(self, offsets: Mapping[int, int]) -> None:
        self._consumer.assign([TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items()])
        self._next = dict(offsets)

    def _check_range(self, partition: int, offset: int, first: int, end: int) -> None:
        """Raise unless the log still has everything from `offset` on."""
        if offset < first:
            raise LogLost(
                f"the events {offset} to {first} (exclusive) of partition {partition} of {self.topic} are gone: "
                f"Kafka now begins at {first}",
                "retention was faster than training: raise retention.ms; "
                "go on without them, with the gap recorded: tidemark train --accept-gap",
            )
        if offset > end:
            raise LogMismatch(
                f"expected {self.topic} to reach offset {offset} in partition {partition}, found its end at {end}",
                "the topic was made anew or cut short",
            )

    def _check_last(self, cursors: Mapping[int, Cursor]) -> None:
        """Read the last record of each cursor again and compare. Moves the consumer."""
        unknown = {partition: cursor for partition, cursor in cursors.items() if cursor.last_offset is not None}
        if not unknown:
            return
        self._assign({partition: cursor.last_offset or 0 for partition, cursor in unknown.items()})
        deadline = time.monotonic() + ASK_S_MAX
        while unknown:
            if time.monotonic() > deadline:
                raise LogUnreachable(
                    f"{self.topic}: the last records could not be read in {ASK_S_MAX:g} s: {self._outage.reason}",
                    "is the broker running?",
                )
            for message in self._consumer.consume(EVENTS_PER_POLL_MAX, 0.05):
                cursor = unknown.pop(place_of(message)[0], None)
                if cursor is not None:
                    self._check_record(cursor, message)

    def _check_record(self, cursor: Cursor, message: Message) -> None:
        """Compare a record with the cursor's last, if it is that one; compaction may have taken it."""
        partition, offset = place_of(message)
        error = message.error()
        if error is not None and error.code() != EOF:
            raise self._failed(partition, offset, error)
        if error is None and offset == cursor.last_offset and record_hash(message.value() or b"") != cursor.last_hash:
            raise LogMismatch(
                f"{self.topic}: the event at partition {partition}, offset {offset} is not the one that was read there",
                "the topic was made anew, or is another one",
            )

    def _batch(self, haul: Haul) -> Batch:
        """Put what came in order. Failures wait until what came before them was given out."""
        stops: dict[int, int] = {}
        for message, error in haul.told:
            if error.code() == EOF:
                partition, stops[partition] = place_of(message)
            elif error.fatal() or (error.code() not in PASSING and place_of(message)[0] >= 0):
                self._failure = self._failure or self._failed(*place_of(message), error)
            else:  # about no partition: the group, say, which only takes advice
                self._outage.note(error)
        spans = [haul.span(p, self._next[p], stops.get(p, 0)) for p in sorted(haul.partitions | stops.keys())]
        self._next |= {span.partition: span.stop for span in spans}
        return Batch(tuple(span for span in spans if span.stop > span.start))

    def _failed(self, partition: int, offset: int, error: KafkaError) -> StreamError:
        """Return what a record's error means: lost, not the same log, or out of reach."""
        if error.code() == OUT_OF_RANGE:
            try:
                if (identity := self._topic.identity()) != self.identity:
                    return self._made_anew(identity)
                self._check_range(partition, offset, self.earliest()[partition], self.end()[partition])
            except StreamError as found:
                return found
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):  # noqa: SLF001
            return LogLost(f"the topic {self.topic} is gone: {error.str()}", "was it deleted?")
        return LogUnreachable(
            f"{self.topic}: partition {partition} cannot be read at offset {offset}: {error.str()}",
            "see the broker's log; what was read before is safe",
        )

    def _made_anew(self, identity: str) -> LogMismatch:
        return LogMismatch(
            f"the topic {self.topic} was made anew: expected the identity {self.identity}, found {identity}",
            "train a new model, or bring the old topic back",
        )

    def _take_news(self, news: News | None) -> None:
        if news is None:
            return
        if not self.identity.endswith(f"/{news.topic_id}"):
            self._failure = self._failure or self._made_anew(news.topic_id)
            return
        self._ends = dict(news.ends)
        new = [partition for partition in news.partitions if partition not in self._next]
        if new:
            self._consumer.incremental_assign([TopicPartition(self.topic, partition, 0) for partition in new])
            self._next |= dict.fromkeys(new, 0)

    def _since(self, moment_ms: int) -> dict[int, int]:
        return self._topic.since(self._topic.partitions(), moment_ms)

    def _on_commit(self, _error: Any, _places: Any) -> None:
        self._committing = False

    def _send_commit(self) -> None:
        """Send the last commit asked for, if it is time and none is under way: two at once may land in any order."""
        now = time.monotonic()
        if self._commit is None or now < self._committed_s + (
            COMMIT_ANSWER_S_MAX if self._committing else COMMIT_S_MIN
        ):
            return
        position, self._commit, self._committed_s, self._committing = self._commit, None, now, True
        places = [TopicPartition(self.topic, p, cursor.next_offset) for p, cursor in position.cursors.items()]
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
        except (KafkaException, RuntimeError) as failure:  # advice may be lost
            self._committing = False
            structlog.get_logger("tidemark.kafka").debug("offsets not committed", why=str(failure))
