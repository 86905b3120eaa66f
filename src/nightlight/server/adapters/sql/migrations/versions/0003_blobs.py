"""Blobs: uploads, what can be fetched, and what is to be erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0001"


def upgrade() -> None:
    """The schema has it."""
    op.create_table(
        "uploads",
        sa.Column(
            "blob", sa.Text(), nullable=False, comment="32 hexadecimal digits; whoever knows it may fetch the blob"
        ),
        _user_id("who uploads it"),
        *_bytes(),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="bytes that are durable, whole chunks"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.user_id"], name=op.f("fk_uploads_user_id")),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_uploads")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blobs",
        sa.Column("blob", sa.Text(), nullable=False, comment="as it was in uploads"),
        _user_id("who uploaded it"),
        *_bytes(),
        sa.Column("sha256", sa.LargeBinary(), nullable=False, comment="of the ciphertext, 32 bytes"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False, comment="when it could be fetched"),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.user_id"], name=op.f("fk_blobs_user_id")),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_blobs")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasures",
        sa.Column(
            "blob",
            sa.Text(),
            nullable=False,
            comment="whose bytes are to be erased; nobody can fetch it any more",
        ),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("blob", name=op.f("pk_erasures")),
        sqlite_with_rowid=False,
    )
    for table, column in (
        ("uploads", "user_id"),
        ("uploads", "created_at_ms"),
        ("blobs", "user_id"),
        ("blobs", "created_at_ms"),
        ("erasures", "since_ms"),
    ):
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column])


def _user_id(comment: str) -> sa.Column[int]:
    return sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, comment=comment)


def _bytes() -> tuple[sa.Column[int], sa.Column[int]]:
    return (
        sa.Column("size", sa.BigInteger(), nullable=False, comment="bytes of ciphertext"),
        sa.Column("chunk_bytes", sa.BigInteger(), nullable=False, comment="of each chunk but the last"),
    )
