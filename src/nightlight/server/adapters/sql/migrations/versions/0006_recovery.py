"""Account keys that follow one another, and recoveries that wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The schema has them."""
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "former_keys",
                sa.LargeBinary(),
                nullable=False,
                server_default="",
                comment="account keys that this one has replaced, oldest first, 32 bytes each",
            )
        )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "credential",
                sa.LargeBinary(),
                comment="of its leaves, by the device that has replaced the account key",
            )
        )
    op.create_table(
        "successions",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, comment="from 0, the oldest"),
        sa.Column("succession", sa.LargeBinary(), nullable=False, comment="as protocol.succession encodes it"),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.user_id"], name=op.f("fk_successions_user_id_accounts")),
        sa.PrimaryKeyConstraint("user_id", "number", name=op.f("pk_successions")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recoveries",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.Text(), nullable=False, comment="device URI: whose keys these are; no device yet"),
        sa.Column(
            "signature_key",
            sa.LargeBinary(),
            nullable=False,
            comment="Ed25519 public key of its leaves, 32 bytes",
        ),
        sa.Column(
            "session_key",
            sa.LargeBinary(),
            nullable=False,
            comment="Ed25519 public key for signing in, 32 bytes",
        ),
        sa.Column(
            "account_key",
            sa.LargeBinary(),
            nullable=False,
            comment="Ed25519 public key that is to follow, 32 bytes",
        ),
        sa.Column("begun_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ready_at_ms", sa.BigInteger(), nullable=False, comment="not before then"),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.user_id"], name=op.f("fk_recoveries_user_id_accounts")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_recoveries")),
        sa.UniqueConstraint("device", name=op.f("uq_recoveries_device")),
    )
    with op.batch_alter_table("recoveries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recoveries_ready_at_ms"), ["ready_at_ms"], unique=False)
