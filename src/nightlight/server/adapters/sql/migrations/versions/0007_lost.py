"""Devices that cannot go on in a room, and ask to be added anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """The schema has it."""
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "lost_seq",
                sa.BigInteger(),
                nullable=True,
                comment="the entry that it could not use, since when it asks to be added anew",
            )
        )
