"""From the `log` of a configuration to a log or a writer: kafka://host:port/topic, or file:path."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from stream.appender import FileLogWriter
from stream.config import Config
from stream.errors import ConfigError, StreamError
from stream.feed import Feed
from stream.files import FileLog
from stream.log import Log, Writer
from stream.merge import MergedFeed
from stream.moments import moments_of


def open_log(
    url: str, *, base: Path, until_end: bool, settings: Mapping[str, str], group: str, bare: bool = False
) -> Log:
    """Open a log; a relative path is relative to `base`. `until_end` fixes the end of files where it is now.

    `bare`: times and keys of records are not needed.

    Raises `ConfigError` for what is no log, `LogUnreachable` for one that cannot be read.
    """
    if url.startswith("kafka:"):
        # Loading librdkafka takes a tenth of a second, which commands on files need not spend.
        from stream.kafka import KafkaLog, parse_url  # noqa: PLC0415

        logs_to_stderr()
        address = parse_url(url)
        return KafkaLog(address.bootstrap, address.topic, settings=settings, group=group, bare=bare)
    return FileLog(file_path(url, base), until_end=until_end)


def open_feed(config: Config, *, until_end: bool, group: str, bare: bool = False) -> Feed:
    """Open the configured log of events, `bare` or not, and that of labels if they have one. Raises as `open_log`."""
    base, settings = config.base, config.source.kafka
    events = open_log(config.source.log, base=base, until_end=until_end, settings=settings, group=group, bare=bare)
    if config.labels is None or config.labels.log is None:
        return Feed(events)
    try:
        labels = open_log(config.labels.log, base=base, until_end=until_end, settings=settings, group=group)
        if labels.topic == events.topic:
            labels.close()
            raise ConfigError(
                f"expected two topics, found {events.topic} for events and for labels",
                "the topic of a file is its name up to the first dot: rename one",
            )
    except StreamError:
        events.close()
        raise
    times = (moments_of(config.labels.moment, labels.format), moments_of(config.source.moment, events.format))
    idle_s, ahead_s = config.labels.idle.total_seconds(), config.gate.ahead.total_seconds()
    return MergedFeed(events, labels, times, idle_s=idle_s, ahead_s=ahead_s)


def logs_to_stderr() -> None:
    """Write logs as JSON on standard error, unless somebody chose otherwise: standard output is for results."""
    import structlog  # noqa: PLC0415 - a tenth of a second, which who reads files need not spend

    if not structlog.is_configured():
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        )


def open_writer(url: str, *, base: Path, settings: Mapping[str, str], partitions: int | None = None) -> Writer:
    """Open a log for writing to its end. Where it does not exist it is made, with `partitions` if that many are wanted.

    Raises `ConfigError` for what cannot be written to, `LogUnreachable` for what is out of reach.
    """
    if url.startswith("kafka:"):
        from stream.kafka import KafkaWriter, parse_url  # noqa: PLC0415  (as above)

        address = parse_url(url)
        return KafkaWriter(address.bootstrap, address.topic, settings=settings, partitions=partitions)
    return FileLogWriter(file_path(url, base), partitions=partitions or 1)


def file_path(url: str, base: Path) -> Path:
    """Return the path that a file URL means. Raises `ConfigError` for any other URL.

    >>> file_path("file:topics/elec2/", Path("/srv")).as_posix()
    '/srv/topics/elec2'
    >>> file_path("file:///data/elec2.csv", Path("/srv")).as_posix()
    '/data/elec2.csv'
    """
    scheme, colon, path = url.partition(":")
    if scheme != "file" or not colon or not path:
        raise ConfigError(
            f"expected a log such as kafka://host:port/topic or file:path, found {url!r}",
            "see [source] log in the README",
        )
    return base / path.removeprefix("//")
