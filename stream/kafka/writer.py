"""Appends events to a topic of Apache Kafka, as `tidemark produce` does: each once, in order, on all replicas."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from stream.errors import LogUnreachable
from stream.kafka.address import WRITER_SETTINGS, common_settings
from stream.kafka.topic import KafkaTopic, Outage, client

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
        asked = KafkaTopic(bootstrap, topic, settings, self._outage)
        self.partitions = len(asked.partitions() if partitions is None else asked.create(partitions))
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

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        self._error = self._error or error

    def _failed(self, what: str) -> LogUnreachable:
        why = f" ({self._outage.reason})" if self._outage.reason else ""
        return LogUnreachable(
            f"{self._topic_name}: not all events were written: {what}{why}",
            "events before the failure may be in the topic: count them before you write again",
        )
