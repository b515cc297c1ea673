"""Trials of backtests, with what they need to go on; which versions were saved beside head."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    """Make the table; all older versions were head's when they were saved, or of a rebuild."""
    op.add_column("versions", sa.Column("beside", sa.Boolean(), nullable=True))
    op.create_table(
        "trials",
        sa.Column("run", sa.BigInteger(), sa.ForeignKey("runs.run"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(_text(name) for name in ("model", "name", "recipe", "identity", "key", "outcome", "place", "result")),
        sa.Column("state", sa.LargeBinary()),
        sa.Column("scored", sa.LargeBinary()),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("trials_key", "trials", ["model", "key"])
