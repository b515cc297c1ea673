"""Kafka as a log. Only this package imports confluent_kafka (librdkafka)."""

from stream.kafka.address import Address, parse_url
from stream.kafka.log import KafkaLog
from stream.kafka.writer import KafkaWriter

__all__ = ["Address", "KafkaLog", "KafkaWriter", "parse_url"]
