"""When an event was held, and the hash of its bytes; who let a trainer go on that a breaker had stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns, with nothing in them for what was held before, and a table."""
    op.add_column("held_events", sa.Column("sha256", sa.Text(), nullable=True))
    op.add_column("held_events", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "resumes",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["model", "version"], ["versions.model", "versions.version"]),
        sa.PrimaryKeyConstraint("model", "version"),
    )
