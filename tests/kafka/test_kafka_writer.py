"""Writing to a real broker, and the settings that are not the user's to choose."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from stream.errors import ConfigError, LogUnreachable
from stream.kafka import KafkaLog, KafkaWriter
from stream.sources import open_log, open_writer
from tests.kafka.broker import Broker
from tests.laws.places import Reader

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("enable.auto.commit", "true"),
        ("auto.commit.enable", "true"),
        ("enable.auto.offset.store", "true"),
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_uncommitted"),
        ("check.crcs", "false"),
        ("allow.auto.create.topics", "true"),
        ("enable.partition.eof", "false"),
        ("bootstrap.servers", "other:1"),
        ("plugin.library.paths", "x.so"),
        ("ssl.engine.location", "x.so"),
        ("ssl.providers", "legacy"),
        ("no.such.setting", "1"),
        ("fetch.wait.max.ms", "soon"),
    ],
)
def test_settings_that_are_ours_refused_or_unknown(kafka: Broker, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key) as found:
        KafkaLog(kafka.bootstrap, kafka.topic(), settings={key: value}, group="g")
    assert found.value.hint


def test_writing(kafka: Broker, tmp_path: Path) -> None:
    url = f"kafka://{kafka.bootstrap}/w{time.time_ns()}"
    writer = open_writer(url, base=tmp_path, settings={"fetch.wait.max.ms": "10"}, partitions=3)
    assert writer.partitions == 3
    for number in range(5000):
        writer.write(b"%d" % number, number % 3)
    writer.close()
    writer.close()
    assert open_writer(url, base=tmp_path, settings={}, partitions=9).partitions == 3
    log = open_log(url, base=tmp_path, until_end=True, settings={}, group="g")
    assert Reader(log).to_end() == {p: [b"%d" % number for number in range(p, 5000, 3)] for p in range(3)}
    log.close()


def test_what_was_not_written_is_told(kafka: Broker) -> None:
    topic = kafka.topic(max_message_bytes=1000)
    writer = KafkaWriter(kafka.bootstrap, topic, settings={})
    writer.write(b"x" * 5000)
    with pytest.raises(LogUnreachable, match=r"not all events were written.*too large"):
        writer.close()
    with pytest.raises(LogUnreachable, match="too large"):
        KafkaWriter(kafka.bootstrap, topic, settings={}).write(b"x" * 50_000_000)
