"""What else is known of a version's predictions, baselines and event time of score points, runs that were merged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; older versions have nothing in them."""
    op.add_column("versions", sa.Column("details", sa.Text(), nullable=True))
    op.add_column("score_points", sa.Column("baselines", sa.Text(), nullable=True))
    op.add_column("score_points", sa.Column("clock_us", sa.BigInteger(), nullable=True))
    op.add_column("segment_runs", sa.Column("merged", sa.BigInteger(), nullable=True))
