"""What each person has stored is counted as it comes and goes, bytes that wait to be erased included."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The schema has it."""
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "stored_bytes",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="charged for uploads, blobs, and bytes that wait to be erased",
            )
        )
    with op.batch_alter_table("erasures", schema=None) as batch_op:
        batch_op.add_column(sa.Column("user_id", sa.BigInteger(), nullable=True, comment="who is charged for it"))
        batch_op.add_column(
            sa.Column("charge", sa.BigInteger(), server_default="0", nullable=False, comment="bytes, until it is gone")
        )
    op.execute(
        "UPDATE accounts SET stored_bytes = (SELECT coalesce(sum(CASE WHEN size < 4096 THEN 4096 ELSE size END), 0)"
        " FROM (SELECT user_id, size FROM uploads UNION ALL SELECT user_id, size FROM blobs) AS kept"
        " WHERE kept.user_id = accounts.user_id)"
    )
