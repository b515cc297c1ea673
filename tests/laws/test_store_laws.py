"""The laws of the store, on SQLite and on a real PostgreSQL: what every ModelStore promises."""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, text, update

from store import (
    Accounts,
    BytesExpired,
    CorruptSnapshot,
    Cursor,
    Fenced,
    HeadMoved,
    Heartbeat,
    HeldEvent,
    ModelStore,
    NewVersion,
    NoSuchModel,
    NoSuchVersion,
    Owner,
    OwnerAlive,
    Position,
    Proof,
    Ref,
    Refused,
    Run,
    ScorePoint,
    Segment,
    Store,
    StoreError,
    StoreMissing,
    StoreNewer,
    StoreOlder,
    StoreUnreachable,
    TopicPosition,
    Version,
    revisions,
)
from store.engine import transaction
from store.schema import REVISION_TABLE, SCHEMA_REVISION, blobs, metadata, models, versions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = "here"


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


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


def position(*offsets: int) -> Position:
    return Position(
        {"t": TopicPosition("t", {p: Cursor(o, o - 1 if o else None, "ab") for p, o in enumerate(offsets)})}
    )


def genesis(state: bytes = b"untrained") -> NewVersion:
    return NewVersion(
        kind="genesis",
        parent=None,
        state=state,
        position=position(0, 0),
        segment=Segment(),
        accounts=Accounts(),
        proof=Proof("00", "[]", {"Accuracy": {"cumulative": None}}, {"NoChange": {"Accuracy": {"cumulative": None}}}),
        recipe="linear_model.LogisticRegression()",
        identity="LogisticRegression()",
        schema={"nswprice": {"type": "number"}},
        config_hash="c0ffee",
        environment={"python": "3.11"},
        token=uuid4().hex,
        reason="start",
    )


def child(parent: Version, *, events: int = 10, **changes: object) -> NewVersion:
    start = parent.position.next_offsets()["t"][0]
    new = replace(
        genesis(os.urandom(16)),
        kind="save",
        parent=parent.version,
        position=position(start + events, 0),
        segment=Segment((Run("t", 0, start, start + events, events),)),
        accounts=Accounts(read=start + events, learned=start + events),
        reason="every 10 events",
    )
    return replace(new, **changes)


def save(model: ModelStore, **changes: object) -> Version:
    version, ref = model.head()
    return model.save(child(version, **changes), ref=ref, who="ann")[0]


def counts(store: Store) -> dict[str, int]:
    with transaction(store._engine, write=False) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def run_of(model: ModelStore, *, pid: int | None = None, started: float | None = None) -> Owner:
    me = psutil.Process(pid)
    pid_started = me.create_time() if started is None else started
    run = model.start_run(
        command="train",
        config_hash="c0ffee",
        config={"a": 1},
        environment={},
        host=HOST,
        pid=me.pid,
        pid_started=pid_started,
        now=NOON,
    )
    return Owner(run, HOST, me.pid, pid_started)


def beat_of(owner: Owner, epoch: int, at: datetime, **changes: object) -> Heartbeat:
    beat = Heartbeat(
        owner.run, epoch, owner.host, owner.pid, owner.pid_started, "polling", at, 1, 5, 4, 1, None, 2.5, "x"
    )
    return replace(beat, **changes)


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


# -- models and versions


def test_what_was_saved_is_read_back(model: ModelStore, store: Store, clock: Clock) -> None:
    base, ref = model.head()
    assert (base.version, base.kind, ref) == (1, "genesis", Ref("head", 1, 1, 0))
    held = HeldEvent("t", 1, 3, "malformed", "json", "nul \0 and lone \ud800", b"\xff{", 1_700_000_000_000)
    new = child(
        base,
        position=Position({"t": TopicPosition("cluster/topic", {0: Cursor(9, 8, "ff"), 1: Cursor(4, None, None)})}),
        segment=Segment(
            (Run("t", 0, 0, 9, 8), Run("t", 1, 0, 4, 4, "late"), Run("t", 1, 9, 11, 0, "gap")), (held.hold(),)
        ),
        accounts=Accounts(12, 7, 1, 3, 1),
        held=(held,),
        points=(ScorePoint(5, {"Accuracy": {"cumulative": 0.1}}),),
        run=run_of(model).run,
    )
    clock.now = NOON + timedelta(seconds=1, microseconds=5)
    version, head = model.save(new, ref=ref, who="bob")
    assert head == Ref("head", 2, 2, 0)
    for name in (
        "kind", "parent", "position", "accounts", "proof", "recipe", "identity", "schema", "config_hash",
        "environment", "token", "reason", "run",
    ):  # fmt: skip
        assert getattr(version, name) == getattr(new, name)
    assert version.created_at == clock.now
    assert version.created_at.tzinfo is UTC
    assert model.payload(2) == new.state
    assert model.segment(2) == new.segment
    assert model.held() == [replace(held, detail="nul \ufffd and lone ?")]
    assert model.held_count() == 1
    assert model.points(2) == [(2, new.points[0])]
    assert model.head() == (version, head)
    assert [model.version(s) for s in (2, "2", "v2", "head")] == [version] * 4
    assert model.versions() == [base, version] == model.lineage(2)
    assert model.config() == {"model": {"name": "elec2"}}
    assert [(m.kind, m.old, m.new, m.move, m.who, m.epoch) for m in model.moves("head")] == [
        ("genesis", None, 1, 1, "ann", 0),
        ("save", 1, 2, 2, "bob", 0),
    ]
    assert store.models() == ["elec2"]


def test_a_model_is_made_once(model: ModelStore, store: Store) -> None:
    before = counts(store)
    with pytest.raises(Refused):
        model.create(genesis(b"other"), config={}, who="bob")
    assert counts(store) == before


def test_what_is_not_there_is_named(model: ModelStore, store: Store) -> None:
    none = store.model("none")
    assert not none.exists()
    assert none.ref("head") is None
    assert (none.refs(), none.versions(), none.runs(), none.held(), none.heartbeat()) == ([], [], [], [], None)
    for read in (none.head, none.watch, none.config, lambda: none.version("head"), lambda: none.version(1)):
        with pytest.raises(NoSuchModel, match="none"):
            read()
    for selector in (9, "v9", "challenger", "²", "-1", ""):
        with pytest.raises(NoSuchVersion):
            model.version(selector)
    for read_by_number in (model.payload, model.segment, model.lineage, model.points):
        with pytest.raises(NoSuchVersion):
            read_by_number(9)


def test_a_held_event_is_updated_when_read_again(model: ModelStore) -> None:
    first = HeldEvent("t", 0, 3, "malformed", "json", "one", b"{", None)
    again = replace(first, kind="suspect", reason="bound", detail="two", raw=None, timestamp_ms=5)
    save(model, held=(first, replace(first, offset=4)))
    save(model, held=(again, again))
    assert model.held() == [again, replace(first, offset=4)]
    assert model.held(limit=1) == [again]


def test_the_same_state_is_kept_once(model: ModelStore, store: Store) -> None:
    save(model, state=b"same" * 1000)
    before = counts(store)["blobs"]
    twin = store.model("twin")
    twin.create(genesis(b"same" * 1000), config={}, who="ann")
    save(model, state=b"same" * 1000)
    assert counts(store)["blobs"] == before
    assert model.payload(3) == twin.payload(1) == b"same" * 1000


@pytest.mark.parametrize("place", [0, 9, 20, -1])
def test_a_flipped_byte_is_seen_on_read(model: ModelStore, store: Store, place: int) -> None:
    version = save(model, state=b"weights" * 100)
    with transaction(store._engine, write=True) as connection:
        envelope = bytearray(connection.scalar(select(blobs.c.envelope).where(blobs.c.sha256 == version.blob)) or b"")
        envelope[place] ^= 1
        connection.execute(update(blobs).where(blobs.c.sha256 == version.blob).values(envelope=bytes(envelope)))
    with pytest.raises(CorruptSnapshot, match="version 2") as caught:
        model.payload(2)
    assert version.blob in str(caught.value)
    assert model.payload(1) == b"untrained"


def test_version_numbers_are_never_given_twice(model: ModelStore, store: Store) -> None:
    assert [save(model).version for _ in range(3)] == [2, 3, 4]
    model.move("head", 2, kind="rewind", who="ann", why="bad day")
    assert save(model).version == 5
    version, ref = model.head()
    with pytest.raises(HeadMoved):
        model.save(child(version), ref=replace(ref, moves=1), who="ann")
    assert save(model).version == 6
    assert [v.parent for v in model.versions()] == [None, 1, 2, 3, 2, 5]


# -- save: all or nothing


def test_a_save_is_refused_when_head_moved_and_nothing_is_written(model: ModelStore, store: Store) -> None:
    save(model)
    version, ref = model.head()
    model.move("head", 1, kind="rewind", who="bob", why="back")
    model.move("head", 2, kind="undo", who="bob", why="forth")  # at the same version again, two moves later
    before, head = counts(store), model.head()
    held = HeldEvent("t", 0, 3, "malformed", "json", "", b"{", None)
    new = child(version, held=(held,), points=(ScorePoint(5, {}),))
    with pytest.raises(HeadMoved) as caught:
        model.save(new, ref=ref, who="ann", publish=True)
    assert (caught.value.expected, caught.value.found, caught.value.exit_code) == (2, 4, 4)
    assert counts(store) == before
    assert model.head() == head


def test_a_save_of_an_old_owner_is_fenced_and_nothing_is_written(model: ModelStore, store: Store) -> None:
    one = model.claim(run_of(model), now=NOON)
    version, ref = model.head()
    assert ref.epoch == one == 1
    two = model.claim(run_of(model), take_over=True, now=NOON)
    before = counts(store)
    with pytest.raises(Fenced) as caught:
        model.save(child(version), ref=ref, who="ann")
    assert (caught.value.expected, caught.value.found) == (one, two)
    assert counts(store) == before
    with pytest.raises(Fenced):
        model.move("head", 1, kind="rewind", who="ann", why="", expected=ref)
    save(model)
    assert model.watch() == Ref("head", 2, 2, 2)


def test_a_save_that_fails_at_its_last_step_leaves_nothing(model: ModelStore, store: Store) -> None:
    version, ref = model.head()
    before = counts(store)

    def cut(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "INSERT INTO moves" in statement:
            raise InterruptedError

    event.listen(store._engine, "before_cursor_execute", cut)
    with pytest.raises(InterruptedError):
        model.save(child(version), ref=ref, who="ann")
    event.remove(store._engine, "before_cursor_execute", cut)
    assert counts(store) == before
    assert save(model).version == 2


def test_publishing_moves_champion_with_head(model: ModelStore) -> None:
    version, ref = model.head()
    model.save(child(version), ref=ref, who="ann", publish=True)
    save(model)
    assert {r.name: r.version for r in model.refs()} == {"head": 3, "champion": 2}
    assert model.version("champion").version == 2
    assert [(m.kind, m.old, m.new) for m in model.moves("champion")] == [("publish", None, 2)]


def test_saves_and_moves_that_race_leave_one_line_of_moves(model: ModelStore) -> None:
    refused: list[StoreError] = []
    tally = {"saved": 0}

    def train() -> None:
        while tally["saved"] < 20:
            version, ref = model.head()
            try:
                model.save(child(version), ref=ref, who="trainer")
                tally["saved"] += 1
            except HeadMoved as error:
                refused.append(error)

    def rewind() -> None:
        for _ in range(20):
            model.move("head", 1, kind="rewind", who="person", why="race")

    threads = [threading.Thread(target=train), threading.Thread(target=rewind)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = model.moves("head")
    assert [move.move for move in log] == list(range(1, 42))
    assert [move.old for move in log[1:]] == [move.new for move in log[:-1]]
    numbers = [version.version for version in model.versions()]
    assert numbers == list(range(1, 22))
    assert model.watch().moves == 41
    print(f"{len(refused)} saves were refused")


def test_reading_goes_on_while_another_writes(model: ModelStore, store: Store) -> None:
    with transaction(store._engine, write=True) as connection:
        connection.execute(update(models).values(next_version=50))
        started = time.monotonic()
        assert model.watch().version == 1
        assert model.payload(1) == b"untrained"
        assert time.monotonic() - started < 5
    assert save(model).version == 50


# -- scores


def test_points_follow_the_lineage(model: ModelStore) -> None:
    points = [ScorePoint(n, {"Accuracy": {"cumulative": n / 7, "window": None}}) for n in (10, 20, 30)]
    save(model, points=tuple(points[:1]))
    save(model, points=tuple(points[1:2]))
    model.move("head", 2, kind="rewind", who="ann", why="")
    other = ScorePoint(25, {"Accuracy": {"cumulative": 0.25}})
    save(model, points=(other,))
    model.add_points(3, [points[1], points[2], ScorePoint(20, {"Accuracy": {"cumulative": 9.0}})])
    model.add_points(3, [])
    assert model.points(3) == [(2, points[0]), (3, points[1]), (3, points[2])]
    assert model.points(4) == [(2, points[0]), (4, other)]
    with pytest.raises(NoSuchVersion):
        model.add_points(99, points)


@given(
    values=st.lists(st.floats(), min_size=1, max_size=8),
    big=st.integers(min_value=0, max_value=2**62),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scores_are_kept_exactly(model: ModelStore, values: list[float], big: int) -> None:
    scores = {"M": {str(n): value for n, value in enumerate(values)}}
    kept = {"M": {name: value if math.isfinite(value) else None for name, value in scores["M"].items()}}
    version = save(model, proof=Proof("00", "[]", scores, {"B": scores}), accounts=Accounts(read=big, learned=big))
    model.add_points(version.version, [ScorePoint(big, scores)])
    read = model.version("head")
    assert repr(read.proof.scores) == repr(kept)
    assert repr(read.proof.baselines) == repr({"B": kept})
    assert read.accounts.read == big
    (point,) = [point for number, point in model.points(version.version) if number == version.version]
    assert (point.events, repr(point.scores)) == (big, repr(kept))


# -- references


def test_head_moves_back_only_to_where_it_was(model: ModelStore) -> None:
    save(model)
    with pytest.raises(NoSuchVersion):
        model.move("head", 9, kind="rewind", who="ann", why="")
    save(model)
    model.move("head", 1, kind="rewind", who="ann", why="suspect")
    _, ref = model.head()
    assert ref == Ref("head", 1, 4, 0)
    model.move("head", 3, kind="rewind", who="ann", why="no, it was fine", expected=ref)
    with pytest.raises(HeadMoved):
        model.move("head", 1, kind="rewind", who="ann", why="", expected=ref)
    assert model.watch() == Ref("head", 3, 5, 0)


def test_another_reference_may_point_anywhere(model: ModelStore) -> None:
    save(model)
    assert model.move("champion", 2, kind="promote", who="ann", why="good") == Ref("champion", 2, 1, 0)
    assert model.move("champion", 1, kind="promote", who="ann", why="better") == Ref("champion", 1, 2, 0)
    with pytest.raises(HeadMoved):
        model.move("champion", 2, kind="promote", who="ann", why="", expected=Ref("champion", 2, 1, 0))
    with pytest.raises(HeadMoved):
        model.move("new", 2, kind="promote", who="ann", why="", expected=Ref("new", 2, 1, 0))
    for name in ("7", "v7", "", "a b", "-x", "x" * 101):
        with pytest.raises(Refused):
            model.move(name, 1, kind="promote", who="ann", why="")
    assert [m.ref for m in model.moves()].count("champion") == 2


def test_undo_takes_back_the_last_move_of_a_person(model: ModelStore) -> None:
    with pytest.raises(Refused):
        model.undo(who="ann", why="")
    for _ in range(3):
        save(model)
    with pytest.raises(Refused):
        model.undo(who="ann", why="")
    model.move("head", 2, kind="rewind", who="ann", why="suspect")
    save(model)  # version 5, on 2
    assert model.undo(who="ann", why="it was fine").version == 4
    assert model.undo(who="ann", why="it was not").version == 5
    assert [m.kind for m in model.moves("head")][-3:] == ["save", "undo", "undo"]
    model.move("champion", 2, kind="promote", who="ann", why="")
    with pytest.raises(Refused, match="made it"):
        model.undo(name="champion", who="ann", why="")
    model.move("champion", 3, kind="promote", who="ann", why="")
    assert model.undo(name="champion", who="ann", why="").version == 2
    with pytest.raises(Refused):
        model.undo(name="nothing", who="ann", why="")


def test_skip_keeps_the_model_and_the_position_of_head(model: ModelStore) -> None:
    proof = Proof("d1", '["0x1p-1"]', {"Accuracy": {"cumulative": 0.5}}, {})
    two = save(model, proof=proof)
    save(model)
    save(model)
    model.claim(run_of(model), now=NOON)
    version, ref = model.skip(2, who="ann", why="garbage", environment={"python": "3.12"})
    assert (version.version, version.parent, version.kind, version.blob) == (5, 2, "skip", two.blob)
    assert version.position == position(30, 0)
    assert (version.proof, version.accounts) == (proof, two.accounts)
    assert (version.reason, version.environment) == ("garbage", {"python": "3.12"})
    assert model.segment(5) == Segment((Run("t", 0, 10, 30, 0, "skip"),))
    assert model.payload(5) == model.payload(2)
    assert ref == model.watch() == Ref("head", 5, 5, 1)
    assert [v.version for v in model.lineage(5)] == [1, 2, 5]
    assert model.undo(who="ann", why="").version == 4


def test_skip_to_what_is_further_than_head_learns_nothing_twice(model: ModelStore) -> None:
    save(model)
    save(model, position=position(20, 4))
    model.move("head", 2, kind="rewind", who="ann", why="")
    version, _ = model.skip(3, who="ann", why="after all", environment={})
    assert version.position == position(20, 4)
    assert model.segment(version.version) == Segment()


# -- owners


def test_one_of_many_claims_wins(model: ModelStore) -> None:
    owners = [run_of(model) for _ in range(6)]

    def claim(owner: Owner) -> int | None:
        try:
            return model.claim(owner, now=NOON)
        except OwnerAlive:
            return None

    with ThreadPoolExecutor(6) as pool:
        assert sorted(e for e in pool.map(claim, owners) if e is not None) == [1]
        epochs = list(pool.map(lambda owner: model.claim(owner, take_over=True, now=NOON), owners))
    assert sorted(epochs) == [2, 3, 4, 5, 6, 7]
    assert model.watch().epoch == 7


def test_a_claim_waits_for_a_fresh_heartbeat(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    epoch = model.claim(one, now=NOON)
    model.beat(beat_of(one, epoch, NOON + timedelta(seconds=30)))
    with pytest.raises(OwnerAlive) as caught:
        model.claim(two, now=NOON + timedelta(seconds=39.9))
    assert (caught.value.host, caught.value.pid) == (HOST, os.getpid())
    assert caught.value.age == pytest.approx(9.9)
    assert model.watch().epoch == 1
    assert model.claim(one, now=NOON + timedelta(seconds=31)) == 2  # a run does not wait for itself
    assert model.claim(two, now=NOON + timedelta(seconds=41)) == 3


def test_an_owner_that_released_is_not_waited_for(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    epoch = model.claim(one, now=NOON)
    model.release(epoch, state="stopped", now=NOON)
    model.beat(beat_of(one, epoch, NOON + timedelta(seconds=1)))  # a heartbeat that was under way
    beat = model.heartbeat()
    assert beat is not None
    assert beat.state == "stopped"
    assert model.claim(two, now=NOON + timedelta(seconds=1)) == 2
    model.release(epoch, state="stopped", now=NOON)  # too late: another one owns it
    with pytest.raises(OwnerAlive):
        model.claim(one, now=NOON + timedelta(seconds=2))


def test_a_process_that_was_killed_is_gone_at_once(model: ModelStore) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        dead = run_of(model, pid=process.pid)
        mine = run_of(model)
        epoch = model.claim(dead, now=NOON)
        model.beat(beat_of(dead, epoch, NOON))
        with pytest.raises(OwnerAlive):
            model.claim(mine, now=NOON)
        assert model.mark_lost(host=HOST, now=NOON) == []
    finally:
        process.kill()
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    with pytest.raises(OwnerAlive):
        model.claim(replace(mine, host="elsewhere"), now=NOON)  # from afar it cannot be seen
    assert model.claim(mine, now=NOON) == 2
    assert process.wait() == -9
    assert model.mark_lost(host="elsewhere", now=NOON) == []
    assert model.mark_lost(host=HOST, now=NOON) == [dead.run]
    assert [(r.run, r.outcome) for r in model.runs()] == [(dead.run, "lost"), (mine.run, "running")]


def test_a_number_given_to_another_process_is_not_the_owner(model: ModelStore) -> None:
    reused = run_of(model, started=1000.0)
    model.claim(reused, now=NOON)
    assert model.claim(run_of(model), now=NOON) == 2


def test_heartbeats_of_an_old_owner_are_ignored(model: ModelStore) -> None:
    one, two = run_of(model), run_of(model)
    model.claim(one, now=NOON)
    model.claim(two, take_over=True, now=NOON)
    mine = beat_of(two, 2, NOON + timedelta(seconds=1), lag=7)
    model.beat(mine)
    model.beat(beat_of(one, 1, NOON + timedelta(seconds=2)))
    assert model.heartbeat() == mine


def test_a_model_to_be_is_claimed_and_made_in_that_epoch(store: Store) -> None:
    model = store.model("new")
    one, two = run_of(model), run_of(model)
    assert model.claim(one, now=NOON) == 1
    assert model.claim(two, take_over=True, now=NOON) == 2
    before = counts(store)
    with pytest.raises(Fenced):
        model.create(replace(genesis(), run=one.run), config={}, who="ann")
    assert counts(store) == before
    _, ref = model.create(replace(genesis(), run=two.run), config={}, who="ann")
    assert ref == Ref("head", 1, 1, 2) == model.watch()


# -- runs


def test_runs_are_kept_with_how_they_ended(store: Store) -> None:
    model = store.model("failed")
    run = run_of(model).run
    (record,) = model.runs()
    assert (record.model, record.command, record.outcome, record.config) == ("failed", "train", "running", {"a": 1})
    assert (record.started_at, record.ended_at) == (NOON, None)
    assert record.pid_started == psutil.Process().create_time()
    model.end_run(run, outcome="failed", error="no \0 broker", result={"events": 0, "rate": math.inf}, now=NOON)
    (record,) = model.runs()
    assert (record.outcome, record.error, record.ended_at) == ("failed", "no \ufffd broker", NOON)
    assert record.result == {"events": 0, "rate": None}
    with pytest.raises(Refused):
        model.end_run(run + 1, outcome="done", error=None, result={}, now=NOON)
    assert not model.exists()


# -- retention


def test_expire_deletes_bytes_and_keeps_versions(model: ModelStore, store: Store, clock: Clock) -> None:
    for hours in (1, 2, 25, 26, 27, 49, 50, 51, 52):  # versions 2..10, on days 1, 2 and 3
        clock.now = NOON + timedelta(hours=hours)
        save(model)
    model.move("champion", 4, kind="promote", who="ann", why="")
    twin = store.model("twin")
    twin.create(genesis(b"shared"), config={}, who="ann")
    assert model.expire(keep_last=2, dry_run=True, now=clock.now) == [2, 5, 7, 8]
    assert all(v.blob for v in model.versions())
    before = counts(store)
    assert model.expire(keep_last=2, dry_run=False, now=clock.now) == [2, 5, 7, 8]
    after = counts(store)
    assert before.pop("blobs") - after.pop("blobs") == 4
    assert after == before
    assert [v.version for v in model.versions() if v.blob is None] == [2, 5, 7, 8]
    assert model.expire(keep_last=2, dry_run=False, now=clock.now) == []
    with pytest.raises(BytesExpired, match="2026-03-03"):
        model.payload(5)
    for attempt in (
        lambda: model.move("head", 5, kind="rewind", who="ann", why=""),
        lambda: model.skip(5, who="ann", why="", environment={}),
    ):
        with pytest.raises(BytesExpired):
            attempt()
    assert len(model.lineage(10)) == 10
    assert model.segment(5).events == 10
    assert model.expire(keep_last=100, dry_run=True, now=clock.now) == []


def test_expire_keeps_bytes_that_another_version_uses(model: ModelStore, store: Store) -> None:
    save(model, state=b"shared")
    save(model)
    save(model)
    twin = store.model("twin")
    twin.create(genesis(b"shared"), config={}, who="ann")
    assert model.expire(keep_last=0, dry_run=False, now=NOON) == [2, 3]
    assert twin.payload(1) == b"shared"


def test_expire_and_saves_of_the_same_bytes_race(model: ModelStore, store: Store) -> None:
    twin = store.model("twin")
    twin.create(genesis(), config={}, who="ann")
    stop = threading.Event()

    def expire() -> None:
        while not stop.is_set():
            model.expire(keep_last=0, dry_run=False, now=NOON)

    thread = threading.Thread(target=expire)
    thread.start()
    try:
        for number in range(40):
            state = str(number // 2).encode()
            save(model, state=state)
            assert twin.payload(save(twin, state=state).version) == state
    finally:
        stop.set()
        thread.join()
    for version in twin.versions():
        assert twin.payload(version.version)


# -- faults


def test_a_connection_cut_before_the_commit_saves_nothing(postgres_url: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        model.create(genesis(), config={}, who="ann")
        before, (version, ref) = counts(store), model.head()
        with _cut_at_commit(store, postgres_url, committed=False), pytest.raises(StoreUnreachable):
            model.save(child(version), ref=ref, who="ann")
        assert counts(store) == before
        assert save(model).version == 2


def test_a_connection_cut_after_the_commit_has_saved(postgres_url: str) -> None:
    with Store.open(postgres_url, create=True) as store:
        model = store.model("elec2")
        with _cut_at_commit(store, postgres_url, committed=True):
            version, ref = model.create(genesis(), config={}, who="ann")
        with _cut_at_commit(store, postgres_url, committed=True):
            saved = model.save(child(version), ref=ref, who="ann", publish=True)
        assert saved == model.head()
        assert [v.version for v in model.versions()] == [1, 2]


class _cut_at_commit:  # noqa: N801 (reads as a statement)
    """Terminate the server's side of the next connection that commits, before or after it has."""

    def __init__(self, store: Store, url: str, *, committed: bool) -> None:
        self.engine, self.url, self.committed = store._engine, url.replace("+psycopg", ""), committed
        self.done = False

    def __enter__(self) -> None:
        event.listen(self.engine, "commit", self.cut)

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "commit", self.cut)
        assert self.done

    def cut(self, connection: object) -> None:
        if self.done:
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
    from tests.laws.test_store_laws import child
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
        _assert_whole(store, model, said)
    print(f"{said} versions were saved over 10 kills")


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


@pytest.mark.parametrize("call", [ModelStore.exists, ModelStore.watch, ModelStore.runs])
def test_a_read_takes_no_lock(model: ModelStore, store: Store, call: Callable[[ModelStore], object]) -> None:
    with transaction(store._engine, write=True) as connection:
        connection.execute(update(models).values(next_version=99))
        call(model)
