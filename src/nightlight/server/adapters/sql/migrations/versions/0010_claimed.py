"""A key package that was claimed is remembered, so that a repeated upload does not offer it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """The schema has it."""
    with op.batch_alter_table("key_packages", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "claimed",
                sa.Boolean(),
                server_default=sa.false(),
                nullable=False,
                comment="somebody has it, so that nobody else gets it; its message is empty",
            )
        )
        batch_op.drop_index("ix_key_packages_device_id_last_resort_key_package_id")
        batch_op.create_index(
            "ix_key_packages_device_id_claimed_last_resort_key_package_id",
            ["device_id", "claimed", "last_resort", "key_package_id"],
        )
