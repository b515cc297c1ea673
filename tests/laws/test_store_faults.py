"""The store under faults: cut connections, a full disk, a lock that is not let go, kills."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event, func, select, text

from store import (
    ModelStore,
    Store,
    StoreError,
    StoreUnreachable,
)
from store.engine import _WRITES, transaction
from store.schema import blobs, versions
from tests.store.values import child, counts, genesis, save

# -- faults


def test_a_connection_cut_before_the_commit_saves_nothing(postgres_url: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        with cut_at_commit(store, postgres_url, committed=False), pytest.raises(StoreUnreachable):
            model.create(genesis(), config={}, who="ann")
        assert not model.exists()
        model.create(genesis(), config={}, who="ann")
        before, (version, ref) = counts(store), model.head()
        with cut_at_commit(store, postgres_url, committed=False), pytest.raises(StoreUnreachable):
            model.save(child(version), ref=ref, who="ann")
        assert counts(store) == before
        assert save(model).version == 2


def test_a_connection_cut_after_the_commit_has_saved(postgres_url: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        with cut_at_commit(store, postgres_url, committed=True):
            version, ref = model.create(genesis(), config={}, who="ann")
        with cut_at_commit(store, postgres_url, committed=True):
            saved = model.save(child(version), ref=ref, who="ann", publish=True)
        assert saved == model.head()
        assert [v.version for v in model.versions()] == [1, 2]


class cut_at_commit:  # noqa: N801 (reads as a statement)
    """Terminate the server's side of the next connection that commits what it wrote, before or after it has."""

    def __init__(self, store: Store, url: str, *, committed: bool) -> None:
        self.engine, self.url, self.committed = store._engine, url.replace("+psycopg", ""), committed
        self.done = False

    def __enter__(self) -> None:
        event.listen(self.engine, "commit", self.cut)

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "commit", self.cut)
        assert self.done

    def cut(self, connection: object) -> None:
        if self.done or not connection.get_execution_options()[_WRITES]:
            return
        self.done = True
        raw = connection.connection.dbapi_connection
        if self.committed:
            raw.execute("COMMIT")
        with psycopg.connect(self.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [raw.info.backend_pid])
        if self.committed:
            connection.exec_driver_sql("SELECT 1")


def test_a_full_disk_is_told_and_leaves_the_store_whole(sqlite_url: str) -> None:
    with Store.open(sqlite_url, create=True) as store:
        model = store.model("elec2")
        model.create(genesis(), config={}, who="ann")
        before, (version, ref) = counts(store), model.head()

        def limit(raw: object, *_: object) -> None:
            raw.execute("PRAGMA max_page_count = 60")

        event.listen(store._engine, "checkout", limit)
        with pytest.raises(StoreError, match="disk is full") as caught:
            model.save(child(version, state=os.urandom(1_000_000)), ref=ref, who="ann")
        assert (caught.value.exit_code, type(caught.value)) == (1, StoreError)
        assert counts(store) == before
        assert save(model).version == 2


def test_a_store_that_is_locked_for_too_long_is_out_of_reach(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.engine.LOCK_WAIT_S_MAX", 0.1)
    with (
        Store.open(sqlite_url, create=True) as store,
        transaction(store._engine, write=True),
        pytest.raises(StoreUnreachable, match="another process held"),
    ):
        store.model("elec2").create(genesis(), config={}, who="ann")


_SAVES_IN_A_LOOP = """
    import os, sys
    sys.path.insert(0, {root!r})
    from store import Store
    from tests.store.values import child
    model = Store.open({url!r}).model("elec2")
    while True:
        version, ref = model.head()
        saved, _ = model.save(child(version, state=os.urandom(300_000)), ref=ref, who="loop", publish=True)
        print(saved.version, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_time_leaves_head_whole(store: Store, store_url: str, model: ModelStore) -> None:
    root = str(Path(__file__).parents[2])
    code = textwrap.dedent(_SAVES_IN_A_LOOP.format(root=root, url=store_url))
    chance = random.Random(20)
    said = 0
    for _ in range(10):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root) as process:
            assert process.stdout is not None
            said = max(said, int(process.stdout.readline()))
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            said = max([said, *(int(line) for line in process.stdout.read().split("\n")[:-1])])
        _wait_for_the_server(store)
        _assert_whole(store, model, said)
    print(f"{said} versions were saved over 10 kills")


def _wait_for_the_server(store: Store) -> None:
    """Wait until PostgreSQL has ended what the killed process asked: a commit may land after its client's death."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    until = time.monotonic() + 30
    while store._engine.dialect.name == "postgresql":
        with transaction(store._engine, write=False) as connection:
            if connection.scalar(others) == 0:
                return
        assert time.monotonic() < until, "the server's side of a killed process did not end within 30 s"
        time.sleep(0.01)


def _assert_whole(store: Store, model: ModelStore, said: int) -> None:
    version, ref = model.head()
    everything = model.versions()
    assert version.version == ref.version == len(everything) == ref.moves >= said
    assert len(model.payload(version.version)) == 300_000
    assert [len(model.segment(each.version).runs) for each in everything] == [0] + [1] * (len(everything) - 1)
    champion = model.ref("champion")
    assert champion is not None
    assert champion.version == ref.version
    with transaction(store._engine, write=False) as connection:
        used = select(versions.c.blob)
        assert connection.scalar(select(func.count()).select_from(blobs).where(blobs.c.sha256.not_in(used))) == 0
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
