"""What is true of Kafka alone, shown on a real broker: transactions, retention, re-creation, outages, settings."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import structlog
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.cimpl import NewPartitions

from store.types import Cursor, TopicPosition
from stream.errors import ConfigError, LogLost, LogMismatch, LogUnreachable
from stream.kafka import KafkaLog, KafkaWriter
from stream.kafka import topic as kafka_topic
from stream.log import Log, Span, join, record_hash
from tests.kafka.broker import Broker
from tests.kafka.nodes import free_port
from tests.laws.places import Reader

pytestmark = pytest.mark.kafka
Open = Callable[..., KafkaLog]


@pytest.fixture
def kafka_log(kafka: Broker, opened: Callable[[KafkaLog], KafkaLog]) -> Open:
    def make(topic: str, broker: Broker = kafka, **settings: str) -> KafkaLog:
        return opened(KafkaLog(broker.bootstrap, topic, settings=settings, group=f"g-{topic}"))

    return make


def write(broker: Broker, topic: str, *values: bytes | None, partition: int = 0, **more: object) -> None:
    producer = broker.producer(**more)
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def poll_for(seconds: float, log: Log) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        log.poll(0.2)


def offsets(position: TopicPosition) -> dict[int, int]:
    return {partition: cursor.next_offset for partition, cursor in position.cursors.items()}


def test_aborted_events_are_not_seen_and_control_records_are_passed(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    producer = kafka.producer(**{"transactional.id": topic})
    producer.init_transactions(30)
    for number in range(6):
        producer.begin_transaction()
        for part in range(2):
            producer.produce(topic, b"%d.%d" % (number, part), partition=0)
        producer.flush(30)
        (producer.abort_transaction if number % 2 else producer.commit_transaction)(30)
    reader = Reader(kafka_log(topic))
    wait_until(lambda: reader.log.end() == {0: 18})  # control records are written soon after the commit returned
    assert reader.to_end() == {0: [b"0.0", b"0.1", b"2.0", b"2.1", b"4.0", b"4.1"]}
    # 6 transactions of 2 events and a control record each: 18 offsets, the last of them no event
    assert reader.offsets() == {0: 18}
    assert reader.position.cursors[0].last_offset == 13
    assert Reader(kafka_log(topic), reader.position).to_end() == {0: []}

    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush(30)
    assert reader.log.end() == {0: 18}  # before the transaction that is still open
    assert not reader.poll(timeout_s=0.3).spans
    producer.commit_transaction(30)
    wait_until(lambda: reader.log.end() == {0: 20})
    assert reader.to_end() == {0: [b"open"]}


def test_the_position_within_a_gap_is_kept(kafka: Broker, kafka_log: Open) -> None:
    """The last record was compacted away: it cannot be checked, and is let pass."""
    soon = {"segment_ms": 100, "min_cleanable_dirty_ratio": 0.01, "max_compaction_lag_ms": 100}
    topic = kafka.topic(cleanup_policy="compact", **soon)
    producer = kafka.producer()
    for number in range(50):
        producer.produce(topic, b"%d" % number, key=b"same", partition=0)
    producer.flush(30)
    position = TopicPosition(kafka_log(topic).identity, {0: Cursor(20, 19, record_hash(b"19"))})
    assert len(Reader(kafka_log(topic), position).to_end()[0]) == 30
    deadline = time.monotonic() + 40
    while b"19" in Reader(kafka_log(topic)).to_end()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.3)
        producer.produce(topic, b"more", key=b"same", partition=0)  # rolls the segment
        producer.flush(30)
    rest = Reader(kafka_log(topic), position)
    assert set(rest.to_end()[0]) <= {b"49", b"more"}
    assert rest.offsets() == rest.log.end()


def test_a_tombstone_is_an_event_without_bytes(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    write(kafka, topic, b"a", None, b"b")
    reader = Reader(kafka_log(topic))
    reader.poll(2)
    assert Reader(kafka_log(topic), reader.position).to_end() == {0: [b"b"]}
    assert reader.seen == {0: [b"a", b""]}


def test_a_bare_log_brings_the_same_events_without_times_and_keys(kafka: Broker) -> None:
    """In several partitions, with offsets that are missing, a tombstone, and more than is asked of Kafka at a time."""
    topic = kafka.topic(partitions=2)
    producer = kafka.producer(**{"transactional.id": topic})
    producer.init_transactions(30)
    for number in range(4):
        producer.begin_transaction()
        for part in range(1500):
            value = None if part == 7 else b"%d.%d" % (number, part)
            producer.produce(topic, value, key=b"k", partition=part % 2)
        producer.flush(30)
        (producer.abort_transaction if number == 2 else producer.commit_transaction)(30)
    found = []
    for bare in (False, True):
        log = KafkaLog(kafka.bootstrap, topic, settings={}, group="g", bare=bare)
        wait_until(lambda log=log: sum(log.end().values()) == 4 * 1502)  # type: ignore[misc]
        log.seek(log.start("earliest"))
        spans: dict[int, list[Span]] = {0: [], 1: []}
        while log.where() != log.end():
            for span in log.poll(0.2, 4000).spans:
                spans[span.partition].append(span)
        log.close()
        whole = [join(each) for each in spans.values()]
        found.append([(each.start, each.stop, list(each.offsets), list(each.values)) for each in whole])
        assert all(set(each.keys) == ({None} if bare else {b"k"}) for each in whole)
        assert all((None in each.timestamps_ms) == bare for each in whole)
    assert found[0] == found[1]
    assert sum(len(values) for _, _, _, values in found[0]) == 4500


def test_events_that_retention_took_are_told(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    write(kafka, topic, *(b"%d" % number for number in range(100)))
    reader = Reader(kafka_log(topic))
    reader.poll(10)
    place = TopicPartition(topic, 0, 40)
    kafka.admin.delete_records([place])[place].result(30)
    with pytest.raises(LogLost, match=r"events 10 to 40 \(exclusive\) of partition 0 .* are gone") as lost:
        kafka_log(topic).seek(reader.position)
    assert "go on without them, with the gap recorded: tidemark train --accept-gap" in lost.value.hint
    assert "--skip" not in lost.value.hint
    with pytest.raises(LogLost, match="events 0 to 40"):
        kafka_log(topic).seek(TopicPosition(reader.log.identity, {}))
    log = kafka_log(topic)
    assert log.earliest() == {0: 40}
    assert offsets(log.start("earliest")) == {0: 40}
    log.seek(TopicPosition(log.identity, {0: Cursor(40, 39, record_hash(b"39"))}))  # gone, but nothing is missing
    assert log.poll(0.5, 1).spans[0].values == [b"40"]


def test_events_that_retention_takes_while_reading_are_told(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    reader = Reader(kafka_log(topic))
    reader.poll(timeout_s=0.1)
    write(kafka, topic, *(b"%d" % number for number in range(10)))
    reader.to_end()
    log = reader.log
    assert isinstance(log, KafkaLog)
    write(kafka, topic, *(b"%d" % number for number in range(10)))
    place = TopicPartition(topic, 0, 15)
    kafka.admin.delete_records([place])[place].result(30)
    log._assign({0: 5})  # as if it had been that slow
    with pytest.raises(LogLost, match=r"events (5|10) to 15"):  # 10: librdkafka had asked for what comes next
        poll_for(10, log)


def test_a_topic_made_anew_is_another_one(kafka: Broker, kafka_log: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_topic, "WATCH_S", 0.2)
    topic = kafka.topic()
    write(kafka, topic, b"a", b"b")
    reader = Reader(kafka_log(topic))
    reader.to_end()
    kafka.admin.delete_topics([topic])[topic].result(30)
    kafka.create(topic)
    write(kafka, topic, b"a", b"b", b"c")  # longer, and the same up to here
    with pytest.raises(LogMismatch, match=r"expected the topic .* with the identity"):
        kafka_log(topic).seek(reader.position)
    with pytest.raises(LogMismatch, match="was made anew"):
        poll_for(20, reader.log)


def test_a_topic_made_anew_that_is_shorter_is_told_as_another_one(kafka: Broker, kafka_log: Open) -> None:
    """The broker only says that the offset is out of range, long before anybody looks for news."""
    topic = kafka.topic()
    write(kafka, topic, b"a", b"b")
    reader = Reader(kafka_log(topic))
    reader.to_end()
    kafka.admin.delete_topics([topic])[topic].result(30)
    kafka.create(topic)
    with pytest.raises(LogMismatch, match="was made anew"):
        poll_for(20, reader.log)


def test_new_partitions_are_read_from_their_beginning(
    kafka: Broker, kafka_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_topic, "WATCH_S", 0.2)
    topic = kafka.topic()
    reader = Reader(kafka_log(topic))
    write(kafka, topic, b"a")
    assert reader.to_end() == {0: [b"a"]}
    kafka.admin.create_partitions([NewPartitions(topic, 2)])[topic].result(30)
    time.sleep(0.2)
    write(kafka, topic, b"b", b"c", partition=1)
    assert reader.to_end() == {0: [], 1: [b"b", b"c"]}
    later = Reader(kafka_log(topic), TopicPosition(reader.log.identity, {0: Cursor(1)}))
    assert later.to_end() == {0: [], 1: [b"b", b"c"]}


def test_starts_by_time(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    producer = kafka.producer()
    for second in range(10):
        producer.produce(topic, b"%d" % second, partition=0, timestamp=(1_767_225_600 + second) * 1000)
    producer.flush(30)
    log = kafka_log(topic)
    assert offsets(log.start("2026-01-01T00:00:04Z")) == {0: 4}
    assert offsets(log.start("2026-01-01T01:00:03.5+01:00")) == {0: 4}
    assert offsets(log.start("2025-01-01")) == {0: 0}
    assert offsets(log.start("2027-01-01")) == {0: 10}
    log.seek(log.start("2026-01-01T00:00:08"))
    (span,) = log.poll(0.5).spans
    assert span.timestamps_ms == [1_767_225_608_000, 1_767_225_609_000]


def test_an_outage_is_ridden_out_and_told_once(
    own_kafka: Broker,
    opened: Callable[[KafkaLog], KafkaLog],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    structlog.reset_defaults()  # a test before may have opened a log as commands do: logs to standard error
    monkeypatch.setattr(kafka_topic, "ASK_S_MAX", 2.0)
    monkeypatch.setattr(kafka_topic, "WATCH_S", 0.5)
    topic = own_kafka.topic()
    write(own_kafka, topic, b"a", b"b")
    reader = Reader(opened(KafkaLog(own_kafka.bootstrap, topic, settings={}, group="g")))
    assert reader.to_end() == {0: [b"a", b"b"]}
    own_kafka.stop()
    capfd.readouterr()
    began = time.monotonic()
    while time.monotonic() < began + 3:
        one = time.monotonic()
        assert not reader.poll(timeout_s=0.3).spans
        reader.log.commit(reader.position)
        assert time.monotonic() - one < 1
    assert reader.log.lag() == 0
    with pytest.raises(LogUnreachable, match="did not answer"):
        KafkaLog(own_kafka.bootstrap, topic, settings={}, group="g")
    told = capfd.readouterr()
    assert told.out.count("kafka is out of reach") == 1
    assert told.err == ""
    own_kafka.start()
    write(own_kafka, topic, b"c")
    deadline = time.monotonic() + 30
    while not reader.poll().spans:
        assert time.monotonic() < deadline
    assert reader.seen == {0: [b"c"]}
    told_back = ""
    while "kafka is back" not in told_back:
        assert time.monotonic() < deadline
        reader.poll(timeout_s=0.1)
        told_back += capfd.readouterr().out
    assert "out of reach" not in told_back
    own_kafka.stop()
    began = time.monotonic()
    reader.log.commit(reader.position)
    reader.log.close()
    assert time.monotonic() - began < 7


def test_nobody_there(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(kafka_topic, "ASK_S_MAX", 2.0)
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    with pytest.raises(LogUnreachable, match=f"{address}.*refused") as found:
        KafkaLog(address, "t", settings={}, group="g")
    assert time.monotonic() - began < 5
    assert found.value.hint
    with pytest.raises(LogUnreachable, match="refused"):
        KafkaWriter(address, "t", settings={}, partitions=1)
    assert capfd.readouterr().err == ""


def test_a_topic_that_is_not_there(kafka: Broker) -> None:
    for make in (KafkaLog, KafkaWriter):
        more = {"group": "g"} if make is KafkaLog else {}
        with pytest.raises(ConfigError, match="expected a topic 'absent'") as found:
            make(kafka.bootstrap, "absent", settings={}, **more)
        assert "produce" in found.value.hint
    assert "absent" not in kafka.admin.list_topics(timeout=10).topics


def test_commits_are_seen_by_lag_tools(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic(2)
    write(kafka, topic, b"a", b"b")
    write(kafka, topic, b"c", partition=1)
    reader = Reader(kafka_log(topic))
    reader.to_end()
    reader.log.commit(TopicPosition(reader.log.identity, {0: Cursor(1)}))
    reader.log.commit(reader.position)  # too soon after the first: sent when closing
    reader.log.close()
    tool = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"g-{topic}"})
    places = tool.committed([TopicPartition(topic, 0), TopicPartition(topic, 1)], timeout=10)
    tool.close()
    assert [place.offset for place in places] == [2, 1]


def test_settings_of_the_user_reach_librdkafka(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    write(kafka, topic, b"x" * 2000, b"y" * 2000)
    log = kafka_log(topic, **{"fetch.wait.max.ms": "10", "client.id": "me", "isolation.level": "read_committed"})
    assert Reader(log).to_end() == {0: [b"x" * 2000, b"y" * 2000]}


def test_a_trickle_is_not_delayed(kafka: Broker, kafka_log: Open) -> None:
    topic = kafka.topic()
    log = kafka_log(topic)
    log.seek(log.start("earliest"))
    producer = kafka.producer(**{"linger.ms": 0})
    log.poll(0.3)
    waits = []
    for _ in range(20):
        producer.produce(topic, b"x", partition=0)
        began = time.monotonic()
        while not log.poll(0.5).spans:
            producer.poll(0)
        waits.append(time.monotonic() - began)
    producer.flush(30)
    assert sorted(waits)[10] < 0.15, waits
