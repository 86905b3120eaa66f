"""Who blocks somebody they were connected with has a stance of their own."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Blocks of people who still think themselves connected are told from others."""
    op.execute(
        "UPDATE stances SET stance = 'parted' WHERE stance = 'blocked' AND EXISTS ("
        "SELECT 1 FROM stances AS theirs WHERE theirs.owner = stances.other AND theirs.other = stances.owner "
        "AND theirs.stance = 'connected')"
    )
