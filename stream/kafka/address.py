"""Where a topic is, and which of librdkafka's settings are whose.

Some settings are ours, since the promises of the log rest on them; some are refused, since they load foreign code into
the process. All others are the user's, and go to librdkafka as they are.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stream.errors import ConfigError

URL = re.compile(r"kafka://(?P<bootstrap>[^/?#@\s]+)/(?P<topic>[A-Za-z0-9._-]{1,249})")

OWNED = {
    "enable.auto.commit": "false",  # the store, not Kafka, knows where we are
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "error",  # offsets that are gone are an error, never another place
    "isolation.level": "read_committed",
    "check.crcs": "true",
    "allow.auto.create.topics": "false",
    "enable.partition.eof": "true",  # tells the next offset behind control records and gaps
}
ELSEWHERE = {
    "bootstrap.servers": "[source] log names the brokers",
    "metadata.broker.list": "[source] log names the brokers",
    "auto.commit.enable": "the store, not Kafka, knows where we are",
    "transactional.id": "tidemark produce needs no transactions",
    "enable.idempotence": "tidemark produce always sets it",
    "acks": "tidemark produce always waits for all replicas",
    "request.required.acks": "tidemark produce always waits for all replicas",
}
REFUSED = ("plugin.library.paths", "ssl.engine.location", "ssl.providers")

CONSUMER_DEFAULTS = {
    "queued.max.messages.kbytes": "8192",  # bounds memory; twice as much takes 26 MB more, and is no faster
    "fetch.queue.backoff.ms": "5",  # with the bound above, 1000 (the default) would stop a fast reader for a second
    "fetch.wait.max.ms": "100",  # a seek waits for the fetch that is under way; 500 is too long after a rollback
    "reconnect.backoff.max.ms": "2000",  # a broker that is back is found again soon
}
BARE_DEFAULTS = {"max.partition.fetch.bytes": "4194304"}
"""Of a log that is read for its values alone, from end to end: a tenth faster than by 1 MB at a time."""

WRITER_SETTINGS = {"enable.idempotence": "true", "acks": "all", "linger.ms": "5"}
CONSUMER_ONLY = ("fetch.", "queued.", "group.", "session.", "heartbeat.", "partition.assignment", "max.poll.")


@dataclass(frozen=True, slots=True)
class Address:
    """The brokers to ask first, and the topic."""

    bootstrap: str
    topic: str


def parse_url(url: str) -> Address:
    """Read kafka://host:port,host2:port/topic. Raises `ConfigError`.

    >>> parse_url("kafka://a:9092,b:9092/elec2")
    Address(bootstrap='a:9092,b:9092', topic='elec2')
    """
    match = URL.fullmatch(url)
    if match is None:
        raise ConfigError(
            f"expected kafka://host:port/topic, found {url!r}",
            "several brokers are separated by commas; user names and passwords belong in [source.kafka]",
        )
    return Address(match["bootstrap"], match["topic"])


def check_settings(settings: Mapping[str, str]) -> None:
    """Raise `ConfigError` for a setting that is ours or refused.

    >>> check_settings({"security.protocol": "SASL_SSL"})
    >>> check_settings({"isolation.level": "read_uncommitted"})
    Traceback (most recent call last):
    stream.errors.ConfigError: [source.kafka] "isolation.level" is not yours to set: it is always "read_committed"
    """
    for key, value in settings.items():
        where = f'[source.kafka] "{key}"'
        if key in REFUSED:
            raise ConfigError(f"{where} is refused: it loads foreign code into the process", "remove it")
        if key in ELSEWHERE:
            raise ConfigError(f"{where} is not yours to set: {ELSEWHERE[key]}", "remove it")
        if key in OWNED and value != OWNED[key]:
            raise ConfigError(f'{where} is not yours to set: it is always "{OWNED[key]}"', "remove it")


def common_settings(bootstrap: str, settings: Mapping[str, str]) -> dict[str, object]:
    """Return what every client of librdkafka gets: the user's settings, checked, without those of consumers alone."""
    check_settings(settings)
    users = {key: value for key, value in settings.items() if key not in OWNED and not key.startswith(CONSUMER_ONLY)}
    return {"client.id": "tidemark", **users, "bootstrap.servers": bootstrap, "logger": _logger()}


def consumer_settings(
    bootstrap: str, settings: Mapping[str, str], group: str, *, bare: bool = False
) -> dict[str, object]:
    """Return the settings of the consumer. The group is for committed offsets only; the user may name another."""
    check_settings(settings)
    return {
        "client.id": "tidemark",
        "group.id": group,
        **CONSUMER_DEFAULTS,
        **(BARE_DEFAULTS if bare else {}),
        **settings,
        **OWNED,
        "bootstrap.servers": bootstrap,
        "logger": _logger(),
    }


def _logger() -> logging.Logger:
    """Return where librdkafka's own lines go: to whoever listens to the logger, not raw to standard error."""
    logger = logging.getLogger("librdkafka")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
