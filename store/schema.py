"""The tables of the store. A change here needs a revision in migrations/versions and its number in REVISIONS.

Everything is keyed by the model's name, so that runs and owners can exist before the model has a version.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

from store.columns import Json, Moment, Words

REVISIONS = ("0001", "0002", "0003", "0004", "0005")
SCHEMA_REVISION = REVISIONS[-1]
REVISION_TABLE = "tidemark_schema"

metadata = MetaData()
_Number = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers by itself only a column of type INTEGER


def _numbers(*names: str) -> Iterator[Column[int]]:
    return (Column(name, BigInteger, nullable=False) for name in names)


def _of_version() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"])


models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_version", BigInteger, nullable=False),
    Column("config", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("quarantine", BigInteger),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("parent", BigInteger),
    Column("blob", Text, ForeignKey("blobs.sha256")),
    Column("size", BigInteger, nullable=False),
    Column("position", Json, nullable=False),
    *_numbers("read", "learned", "held", "pending", "expired"),
    Column("digest", Text, nullable=False),
    Column("golden", Text, nullable=False),
    Column("scores", Json, nullable=False),
    Column("baselines", Json, nullable=False),
    Column("details", Json),
    Column("recipe", Words, nullable=False),
    Column("identity", Words, nullable=False),
    Column("schema", Json, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("environment", Json, nullable=False),
    Column("token", Text, nullable=False),
    Column("reason", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expired_at", Moment),
    Column("run", BigInteger, ForeignKey("runs.run")),
    Column("quarantine", BigInteger),
    Column("covers", BigInteger),
    Column("beside", Boolean),
    ForeignKeyConstraint(["model", "parent"], ["versions.model", "versions.version"]),
    UniqueConstraint("model", "token"),
    Index("versions_blob", "blob"),
)

segment_runs = Table(
    "segment_runs",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    *_numbers("partition", "start", "stop", "events"),
    Column("kind", Text, nullable=False),
    Column("merged", BigInteger),
    _of_version(),
)

segment_holds = Table(
    "segment_holds",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("partition", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("reason", Words, nullable=False),
    _of_version(),
)

held_events = Table(
    "held_events",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("reason", Words, nullable=False),
    Column("detail", Words, nullable=False),
    Column("raw", LargeBinary),
    Column("timestamp_ms", BigInteger),
    Column("sha256", Text),
    Column("held_at", Moment),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, nullable=False),
    Column("selector", Json, nullable=False),
    Column("resolved", Json, nullable=False),
)


def _of_entry() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["model", "entry"], ["quarantine.model", "quarantine.entry"])


quarantine_ranges = Table(
    "quarantine_ranges",
    metadata,
    Column("model", Text, primary_key=True),
    Column("entry", BigInteger, primary_key=True, autoincrement=False),
    Column("topic", Text, primary_key=True),
    Column("partition", BigInteger, primary_key=True, autoincrement=False),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("stop", BigInteger, nullable=False),
    _of_entry(),
)

quarantine_changes = Table(
    "quarantine_changes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("release", Text),
    Column("who", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("at", Moment, nullable=False),
    _of_entry(),
)

rebuilds = Table(
    "rebuilds",
    metadata,
    Column("model", Text, ForeignKey("models.name"), primary_key=True),
    Column("rebuild", BigInteger, primary_key=True, autoincrement=False),
    *_numbers("base", "revision", "tip", "covers"),
    Column("state", Text, nullable=False),
    Column("who", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("host", Words, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("pid_started", Float(53), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    ForeignKeyConstraint(["model", "base"], ["versions.model", "versions.version"]),
    ForeignKeyConstraint(["model", "tip"], ["versions.model", "versions.version"]),
)

score_points = Table(
    "score_points",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("events", BigInteger, primary_key=True, autoincrement=False),
    Column("scores", Json, nullable=False),
    Column("baselines", Json),
    Column("clock_us", BigInteger),
    _of_version(),
)

refs = Table(
    "refs",
    metadata,
    Column("model", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("moves", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    _of_version(),
)

moves = Table(
    "moves",
    metadata,
    Column("model", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("move", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("old", BigInteger),
    Column("new", BigInteger, nullable=False),
    Column("who", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    ForeignKeyConstraint(["model", "new"], ["versions.model", "versions.version"]),
)

resumes = Table(
    "resumes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("who", Words, nullable=False),
    Column("why", Words, nullable=False),
    Column("at", Moment, nullable=False),
    _of_version(),
)

runs = Table(
    "runs",
    metadata,
    Column("run", _Number, primary_key=True, autoincrement=True),
    Column("model", Text, nullable=False),
    Column("command", Words, nullable=False),
    Column("config_hash", Text, nullable=False),
    Column("config", Json, nullable=False),
    Column("environment", Json, nullable=False),
    Column("host", Words, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("pid_started", Float(53), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("outcome", Text, nullable=False),
    Column("error", Words),
    Column("result", Json, nullable=False),
    Index("runs_model", "model"),
)

trials = Table(
    "trials",
    metadata,
    Column("run", BigInteger, ForeignKey("runs.run"), primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("model", Text, nullable=False),
    *(Column(name, Words, nullable=False) for name in ("name", "recipe", "identity")),
    *(Column(name, Text, nullable=False) for name in ("key", "outcome")),
    *(Column(name, Json, nullable=False) for name in ("place", "result")),
    Column("state", LargeBinary),
    Column("scored", LargeBinary),
    Column("at", Moment, nullable=False),
    Index("trials_key", "model", "key"),
)

owners = Table(
    "owners",
    metadata,
    Column("model", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("released", Boolean, nullable=False),
    Column("run", BigInteger, ForeignKey("runs.run")),
    Column("host", Words, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("pid_started", Float(53), nullable=False),
    Column("state", Words, nullable=False),
    Column("at", Moment, nullable=False),
    *_numbers("version", "read", "learned", "held"),
    Column("lag", BigInteger),
    Column("events_per_s", Float(53), nullable=False),
    Column("detail", Words, nullable=False),
    Column("quarantine", BigInteger),
)
