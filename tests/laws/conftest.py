"""The two databases that every law of the store runs on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import ModelStore, Store
from tests.store.values import Clock, genesis

_numbers = itertools.count(1)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address where no store is yet, on each database in turn."""
    url: str = request.getfixturevalue("postgres_url" if request.param == "postgresql" else "sqlite_url")
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(store_url: str, clock: Clock) -> Iterator[Store]:
    with Store.open(store_url, create=True, clock=clock) as opened:
        yield opened


@pytest.fixture
def model(store: Store) -> ModelStore:
    made = store.model("elec2")
    made.create(genesis(), config={"model": {"name": "elec2"}}, who="ann")
    return made
