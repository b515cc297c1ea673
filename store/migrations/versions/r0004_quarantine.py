"""Quarantine and rebuilds; by which revision of the quarantine a version was judged, which version it stands for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _of_entry() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model", "entry"], ["quarantine.model", "quarantine.entry"])


def _of_version(name: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["model", name], ["versions.model", "versions.version"])


def upgrade() -> None:
    """Make the tables; older versions were judged by no quarantine, and stand for themselves."""
    op.add_column("models", _number("quarantine", nullable=True))
    op.add_column("owners", _number("quarantine", nullable=True))
    op.add_column("versions", _number("quarantine", nullable=True))
    op.add_column("versions", _number("covers", nullable=True))
    op.create_table(
        "quarantine",
        sa.Column("model", sa.Text(), sa.ForeignKey("models.name"), primary_key=True),
        sa.Column("entry", sa.BigInteger(), primary_key=True, autoincrement=False),
        _text("topic"),
        _text("selector"),
        _text("resolved"),
    )
    op.create_table(
        "quarantine_ranges",
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("entry", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text(), primary_key=True),
        sa.Column("partition", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger(), primary_key=True, autoincrement=False),
        _number("stop"),
        _of_entry(),
    )
    op.create_table(
        "quarantine_changes",
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("revision", sa.BigInteger(), primary_key=True, autoincrement=False),
        _number("entry"),
        _text("status"),
        _text("release", nullable=True),
        _text("who"),
        _text("why"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        _of_entry(),
    )
    op.create_table(
        "rebuilds",
        sa.Column("model", sa.Text(), sa.ForeignKey("models.name"), primary_key=True),
        sa.Column("rebuild", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(_number(name) for name in ("base", "revision")),
        _text("state"),
        *(_number(name) for name in ("tip", "covers")),
        *(_text(name) for name in ("who", "why", "host")),
        _number("pid"),
        sa.Column("pid_started", sa.Float(53), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        _of_version("base"),
        _of_version("tip"),
    )
