"""Asks the brokers about one topic: its identity, its partitions, where they begin and end.

Every question has a deadline. The topic is never created by asking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from stream.errors import ConfigError, LogUnreachable, StreamError
from stream.kafka.address import common_settings

ASK_S_MAX = 10.0
"""Long enough for an election of leaders, short enough for a person who mistyped the address."""

EARLIEST: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
LATEST: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]

AGAIN_S = 0.1

ELECTING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
)
"""Answers while a partition changes its leader: asked again. The admin client, unlike the consumer, does not."""

WATCH_S = 5.0
"""How often a running log looks for new partitions and the end; promised are 30 s."""


class Outage:
    """Tells once that the brokers are gone, and once that they are back; `quiet` while errors tell it themselves."""

    def __init__(self, bootstrap: str) -> None:
        self.reason = ""
        self.quiet = True
        self._bootstrap = bootstrap
        self._since: float | None = None
        self._log = structlog.get_logger("tidemark.kafka")

    def note(self, error: KafkaError) -> None:
        """Take an error of librdkafka (its error callback). All brokers down is an outage; the rest may explain it."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  (librdkafka's own codes begin so)
            self.begin(error.str())
        else:
            self.reason = error.str()

    def begin(self, what: str) -> None:
        """Warn, unless that was done."""
        if self._since is None and not self.quiet:
            self._since = time.monotonic()
            self._log.warning("kafka is out of reach", brokers=self._bootstrap, what=what, why=self.reason)

    def end(self, asked_s: float) -> None:
        """Say that it is over: a question asked at `asked_s` was answered. Events prove nothing (prefetch)."""
        if self._since is not None and self._since < asked_s:
            self._log.info("kafka is back", brokers=self._bootstrap, after_s=round(time.monotonic() - self._since, 1))
            self._since = None
            self.reason = ""


@dataclass(frozen=True, slots=True)
class News:
    """What is known of a topic at one moment. `ends` are the next offsets at the end of each partition asked for."""

    topic_id: str
    partitions: tuple[int, ...]
    ends: Mapping[int, int]


class KafkaTopic:
    """One topic, asked about through an admin client. Raises `ConfigError` for settings that do not exist."""

    def __init__(self, bootstrap: str, topic: str, settings: Mapping[str, str], outage: Outage) -> None:
        self.topic = topic
        self._bootstrap = bootstrap
        self._outage = outage
        self._admin: AdminClient = client(
            AdminClient, {**common_settings(bootstrap, settings), "error_cb": outage.note}
        )

    def identity(self) -> str:
        """Return cluster id and topic id. Blocks up to `ASK_S_MAX`; raises `ConfigError` if there is no such topic."""
        cluster = self._answer(self._admin.describe_cluster(request_timeout=ASK_S_MAX)).cluster_id
        return f"{cluster}/{_topic_id(self._describe())}"

    def partitions(self) -> tuple[int, ...]:
        """Return the partitions there are now. Blocks and raises as `identity`."""
        return _partitions(self._describe())

    def earliest(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the first offset that each partition still has. Blocks up to `ASK_S_MAX`."""
        return self._offsets(tuple(partitions), EARLIEST)

    def end(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the next offset at the end of each partition, before any transaction that is still open."""
        return self._offsets(tuple(partitions), LATEST)

    def since(self, partitions: Iterable[int], moment_ms: int) -> dict[int, int]:
        """Return the first offset at or after a time, the end where there is none."""
        partitions = tuple(partitions)
        end = self.end(partitions)
        found = self._offsets(partitions, OffsetSpec.for_timestamp(moment_ms))
        return {partition: end[partition] if offset < 0 else offset for partition, offset in found.items()}

    def create(self, partitions: int) -> tuple[int, ...]:
        """Create the topic, with the brokers' own number of replicas, unless it exists. Return its partitions."""
        future = self._admin.create_topics([NewTopic(self.topic, partitions)], request_timeout=ASK_S_MAX)[self.topic]
        try:
            future.result(ASK_S_MAX * 2)
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._error(failure.args[0]) from failure
        deadline = time.monotonic() + ASK_S_MAX
        while True:  # a topic that was just created is not known to every broker at once
            try:
                return self.partitions()
            except ConfigError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)

    def ask(self, partitions: Iterable[int]) -> Question:
        """Ask for news without waiting for it."""
        described = self._admin.describe_topics(TopicCollection([self.topic]), request_timeout=ASK_S_MAX)
        return Question(described[self.topic], self._list(partitions, LATEST))

    def serve(self) -> None:
        """Let librdkafka deliver its errors and log lines."""
        self._admin.poll(0)

    def _answer(self, future: Future[Any]) -> Any:
        """Wait for an answer; turn what librdkafka raises into this package's errors."""
        try:
            return future.result(ASK_S_MAX * 2)
        except KafkaException as failure:
            raise self._error(failure.args[0]) from failure

    def _error(self, error: KafkaError) -> StreamError:
        """Return what an error of librdkafka means to the user."""
        self.serve()
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return ConfigError(
                f"expected a topic {self.topic!r} at {self._bootstrap}, found none",
                "create it, or write to it by tidemark produce FILE",
            )
        why = f" ({self._outage.reason})" if self._outage.reason else ""
        return LogUnreachable(
            f"Kafka at {self._bootstrap} did not answer for the topic {self.topic!r}: {error.str()}{why}",
            "is the broker running and the address right? [source.kafka] holds its security settings",
        )

    def _describe(self) -> Any:
        described = self._admin.describe_topics(TopicCollection([self.topic]), request_timeout=ASK_S_MAX)
        return self._answer(described[self.topic])

    def _offsets(self, partitions: tuple[int, ...], spec: OffsetSpec) -> dict[int, int]:
        """Ask until every partition has a leader that answers, or `ASK_S_MAX` is over."""
        deadline = time.monotonic() + ASK_S_MAX
        while True:
            futures = self._list(partitions, spec)
            try:
                return {partition: future.result(ASK_S_MAX * 2).offset for partition, future in futures.items()}
            except KafkaException as failure:
                if failure.args[0].code() not in ELECTING or time.monotonic() > deadline:
                    raise self._error(failure.args[0]) from failure
            time.sleep(AGAIN_S)

    def _list(self, partitions: Iterable[int], spec: OffsetSpec) -> dict[int, Future[Any]]:
        wanted = {TopicPartition(self.topic, partition): spec for partition in sorted(partitions)}
        if not wanted:
            return {}
        level = IsolationLevel.READ_COMMITTED
        futures = self._admin.list_offsets(wanted, isolation_level=level, request_timeout=ASK_S_MAX)
        return {place.partition: future for place, future in futures.items()}


class Question:
    """News that was asked for and may not be here yet."""

    def __init__(self, described: Future[Any], ends: dict[int, Future[Any]]) -> None:
        self._described = described
        self._ends = ends

    def done(self) -> bool:
        """Whether the answer, or a failure, is here."""
        return self._described.done() and all(future.done() for future in self._ends.values())

    def news(self) -> News:
        """Return the answer. Raises `KafkaException`."""
        described = self._described.result()
        ends = {partition: future.result().offset for partition, future in self._ends.items()}
        return News(_topic_id(described), _partitions(described), ends)


class Watch:
    """Looks after a topic while it is read, without ever blocking: every `WATCH_S` one question is under way."""

    def __init__(self, topic: KafkaTopic, outage: Outage) -> None:
        self._topic = topic
        self._outage = outage
        self._question: Question | None = None
        self._asked_s = time.monotonic()
        self._next_s = self._asked_s + WATCH_S

    def look(self, partitions: Iterable[int]) -> News | None:
        """Return news if some came. Asks again when it is time. Failures are outages; they mend or librdkafka tells."""
        now = time.monotonic()
        if self._question is None:
            if now >= self._next_s:
                self._asked_s, self._next_s = now, now + WATCH_S
                self._topic.serve()
                self._question = self._topic.ask(partitions)
            return None
        if not self._question.done():
            return None
        question, self._question = self._question, None
        try:
            news = question.news()
        except KafkaException as failure:
            self._outage.begin(failure.args[0].str())
            return None
        self._outage.end(self._asked_s)
        return news


def client(kind: Callable[[dict[str, Any]], Any], settings: Mapping[str, object]) -> Any:
    """Make a client of librdkafka; a setting that it does not know or take is a `ConfigError`."""
    try:
        return kind(dict(settings))
    except (KafkaException, TypeError) as failure:
        raise ConfigError(
            f"[source.kafka]: {failure}", "see librdkafka's CONFIGURATION.md for the settings"
        ) from failure


def _topic_id(described: Any) -> str:
    """Return the id as Kafka's own tools print it (URL-safe base64)."""
    return str(described.topic_id).replace("+", "-").replace("/", "_")


def _partitions(described: Any) -> tuple[int, ...]:
    return tuple(sorted(info.id for info in described.partitions))
