"""Linking: what an old device leaves for a new one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The schema has it."""
    op.create_table(
        "links",
        sa.Column(
            "mailbox",
            sa.LargeBinary(),
            nullable=False,
            comment="32 bytes that only who has seen the link code knows",
        ),
        sa.Column(
            "package",
            sa.LargeBinary(),
            nullable=False,
            comment="sealed for a new device by an old one of the same person",
        ),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_links")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_links_expires_at_ms"), ["expires_at_ms"], unique=False)
