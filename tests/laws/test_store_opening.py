"""Opening a store: what is made, what is refused, what is migrated."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from store import (
    Refused,
    Store,
    StoreError,
    StoreMissing,
    StoreNewer,
    StoreOlder,
    StoreUnreachable,
    revisions,
)
from store.engine import transaction
from store.schema import REVISION_TABLE, SCHEMA_REVISION, metadata
from store.types import ScorePoint
from tests.store.values import counts, genesis, run_of, save

ADDED_IN_0002 = (
    ("versions", "details"),
    ("score_points", "baselines"),
    ("score_points", "clock_us"),
    ("segment_runs", "merged"),
)
ADDED_IN_0004 = (("owners", "quarantine"), ("models", "quarantine"), ("versions", "quarantine"), ("versions", "covers"))
ADDED_IN_0003 = (("held_events", "sha256"), ("held_events", "held_at"))
ADDED_IN_0005 = (("versions", "beside"),)

# -- opening


def test_a_store_that_is_not_there_is_not_made_by_looking(store_url: str) -> None:
    with pytest.raises(StoreMissing):
        Store.open(store_url)
    if store_url.startswith("sqlite"):
        assert not Path(store_url.removeprefix("sqlite:///")).exists()
        Path(store_url.removeprefix("sqlite:///")).touch()
        with pytest.raises(StoreMissing):
            Store.open(store_url)
    Store.open(store_url, create=True).close()
    with Store.open(store_url) as again:
        assert again.models() == []


def test_many_may_create_a_store_at_once(store_url: str) -> None:
    def create(_: int) -> None:
        Store.open(store_url, create=True).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(create, range(4)))
    with Store.open(store_url) as store:
        assert counts(store)["models"] == 0


def test_the_migrations_make_the_tables_of_the_schema(store: Store) -> None:
    with transaction(store._engine, write=True) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_a_newer_schema_is_refused_and_left_alone(store: Store, store_url: str) -> None:
    with transaction(store._engine, write=True) as connection:
        connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '9999'"))
    for attempt in (
        lambda: Store.open(store_url),
        lambda: Store.open(store_url, create=True),
        lambda: Store.upgrade(store_url),
    ):
        with pytest.raises(StoreNewer, match="9999"):
            attempt()


def test_an_older_schema_asks_for_an_upgrade(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Store.upgrade(store_url) == (SCHEMA_REVISION, SCHEMA_REVISION)
    with transaction(store._engine, write=True) as connection:
        connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '0000'"))
    monkeypatch.setattr(revisions, "REVISIONS", ("0000", SCHEMA_REVISION))
    for create in (False, True):
        with pytest.raises(StoreOlder) as caught:
            Store.open(store_url, create=create)
        assert "db upgrade" in caught.value.hint
        assert caught.value.exit_code == 2


def test_an_upgrade_from_the_first_schema_keeps_what_was_saved(store_url: str) -> None:
    with Store.open(store_url, create=True) as store:
        model = store.model("m")
        model.create(genesis(), config={}, who="ann")
        saved = save(model, points=(ScorePoint(5, {"Accuracy": {"cumulative": 0.5}}),))
        segment = model.segment(saved.version)
        with transaction(store._engine, write=True) as connection:
            for table in ("trials", "rebuilds", "quarantine_changes", "quarantine_ranges", "quarantine", "resumes"):
                connection.execute(text(f"DROP TABLE {table}"))
            for table, column in (*ADDED_IN_0002, *ADDED_IN_0003, *ADDED_IN_0004, *ADDED_IN_0005):
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
            connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '0001'"))
    assert Store.upgrade(store_url) == ("0001", SCHEMA_REVISION)
    with Store.open(store_url) as store:
        model = store.model("m")
        assert (model.head()[0], model.segment(saved.version)) == (saved, segment)
        assert model.points(saved.version) == [(saved.version, ScorePoint(5, {"Accuracy": {"cumulative": 0.5}}))]


def test_an_upgrade_from_the_fourth_schema_keeps_what_was_saved(store_url: str) -> None:
    with Store.open(store_url, create=True) as store:
        model = store.model("m")
        model.create(genesis(), config={"model.learner": "x"}, who="ann")
        saved = save(model, quarantine=3)
        model.move("champion", saved.version, kind="promote", who="ann", why="good")
        run_of(model)
        before = (model.versions(), model.refs(), model.moves(), model.runs(), model.config(), model.payload(2))
        with transaction(store._engine, write=True) as connection:
            connection.execute(text("DROP TABLE trials"))
            for table, column in ADDED_IN_0005:
                connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
            connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '0004'"))
    with pytest.raises(StoreOlder):
        Store.open(store_url)
    assert Store.upgrade(store_url) == ("0004", SCHEMA_REVISION)
    with Store.open(store_url) as store:
        model = store.model("m")
        assert before == (
            *(model.versions(), model.refs(), model.moves()),
            *(model.runs(), model.config(), model.payload(2)),
        )
        assert [version.beside for version in model.versions()] == [False, False]
        assert model.trials(1) == []


def test_upgrade_makes_the_tables_of_an_empty_database(store_url: str) -> None:
    if store_url.startswith("sqlite"):
        Path(store_url.removeprefix("sqlite:///")).touch()
    assert Store.upgrade(store_url) == (None, SCHEMA_REVISION)
    Store.open(store_url).close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:///{tmp}/not-a-database", StoreError),
        ("sqlite:///{tmp}/none/store.db", Refused),
        ("sqlite://", Refused),
        ("mysql://localhost/x", Refused),
        ("what", Refused),
        ("postgresql+psycopg://nobody@127.0.0.1:1/none", StoreUnreachable),
    ],
)
def test_what_is_no_store_is_refused_with_a_hint(tmp_path: Path, url: str, kind: type[StoreError]) -> None:
    (tmp_path / "not-a-database").write_text("these are words, not pages of a database\n" * 200)
    with pytest.raises(StoreError) as caught:
        Store.open(url.format(tmp=tmp_path), create=True)
    assert type(caught.value) is kind
    assert str(caught.value)
    assert (tmp_path / "not-a-database").read_text().startswith("these are words")


def test_a_password_is_in_no_message(postgres_url: str) -> None:
    with pytest.raises(StoreUnreachable) as caught:
        Store.open("postgresql+psycopg://ann:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(caught.value)
