"""When the purge last ran, so that a clock that is far ahead erases nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """The schema has it."""
    op.create_table(
        "purges",
        sa.Column("purge_id", sa.Integer(), nullable=False, comment="1: there is one row"),
        sa.Column("latest_ms", sa.BigInteger(), nullable=False, comment="the latest time at which the purge has run"),
        sa.PrimaryKeyConstraint("purge_id", name="pk_purges"),
    )
