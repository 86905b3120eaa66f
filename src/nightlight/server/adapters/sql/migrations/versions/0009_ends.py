"""What has had its time is found without reading whole tables."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """The schema has it."""
    op.create_index("ix_key_packages_expires_at_ms", "key_packages", ["expires_at_ms"])
    op.create_index("ix_members_left_at_ms", "members", ["left_at_ms"])
