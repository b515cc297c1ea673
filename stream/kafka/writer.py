"""Appends events to a topic of Apache Kafka, as `tidemark produce` does: each once, in order, on all replicas."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.cimpl import NewTopic

from stream.errors import ConfigError, LogUnreachable
from stream.kafka.address import WRITER_SETTINGS, common_settings
from stream.kafka.topic import ASK_S_MAX, KafkaTopic, Outage, client

FLUSH_S_MAX = 60.0
"""How long the last events may take to be acknowledged, and a full queue to have room again."""

SERVE_EVERY = 1000
"""Delivery reports are taken in after this many events."""


class KafkaWriter:
    """Writes to a topic; with `partitions` given, a topic that does not exist is created with as many.

    Raises `ConfigError` for wrong settings and for a topic that does not exist, `LogUnreachable` when nothing answers.
    """

    def __init__(
        self, bootstrap: str, topic: str, *, settings: Mapping[str, str], partitions: int | None = None
    ) -> None:
        self._topic_name = topic
        self._outage = Outage(bootstrap)
        self._topic = KafkaTopic(bootstrap, topic, settings, self._outage)
        if partitions is not None:
            self._create(partitions)
        self.partitions = len(self._wait_for_partitions(ASK_S_MAX if partitions is not None else 0))
        wanted = {**common_settings(bootstrap, settings), **WRITER_SETTINGS, "error_cb": self._outage.note}
        self._producer: Producer = client(Producer, wanted)
        self._error: KafkaError | None = None
        self._written = 0

    def write(self, value: bytes, partition: int = 0) -> None:
        """See `Writer.write`. Raises `LogUnreachable` for this event or for one before it that was not delivered."""
        deadline = time.monotonic() + FLUSH_S_MAX
        while True:
            try:
                self._producer.produce(self._topic_name, value, partition=partition, on_delivery=self._delivered)
                break
            except BufferError:  # librdkafka's queue is full
                self._producer.poll(0.1)
                if time.monotonic() > deadline:
                    raise self._failed(f"nothing was acknowledged in {FLUSH_S_MAX:g} s") from None
            except KafkaException as failure:
                raise self._failed(failure.args[0].str()) from failure
        self._written += 1
        if self._written % SERVE_EVERY == 0:
            self._producer.poll(0)
        if self._error:
            raise self._failed(self._error.str())

    def close(self) -> None:
        """See `Writer.close`. Waits up to `FLUSH_S_MAX`."""
        waiting = self._producer.flush(FLUSH_S_MAX)
        if self._error:
            raise self._failed(self._error.str())
        if waiting:
            raise self._failed(f"{waiting} events were not acknowledged in {FLUSH_S_MAX:g} s")

    def _create(self, partitions: int) -> None:
        future = self._topic.admin.create_topics([NewTopic(self._topic_name, partitions)], request_timeout=ASK_S_MAX)
        try:
            future[self._topic_name].result(ASK_S_MAX * 2)
        except KafkaException as failure:
            if failure.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self._topic.error(failure.args[0]) from failure

    def _wait_for_partitions(self, wait_s: float) -> tuple[int, ...]:
        """Return the partitions; a topic that was just created is not known to every broker at once."""
        deadline = time.monotonic() + wait_s
        while True:
            try:
                return self._topic.partitions()
            except ConfigError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(0.1)

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._error = self._error or error

    def _failed(self, what: str) -> LogUnreachable:
        why = f" ({self._outage.reason})" if self._outage.reason else ""
        return LogUnreachable(
            f"{self._topic_name}: not all events were written: {what}{why}",
            "events before the failure may be in the topic: count them before you write again",
        )
