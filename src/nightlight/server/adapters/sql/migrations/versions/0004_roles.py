"""Roles: who is what in each room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_MEMBER, _OWNER = 2, 4
_USERS = sa.text(
    "SELECT accounts.user, min(members.joined_seq) FROM members"
    " JOIN devices ON devices.device_id = members.device_id JOIN accounts ON accounts.user_id = devices.user_id"
    " WHERE members.room_id = :room_id AND members.left_seq IS NULL GROUP BY accounts.user ORDER BY 2, 1"
)
_ROOMS = sa.text("SELECT rooms.room_id, accounts.user FROM rooms JOIN accounts ON accounts.user_id = rooms.creator_id")


def upgrade() -> None:
    """The schema has them; in each room that there was, its creator is the owner, or else who came first."""
    roles = sa.Column(
        "roles",
        sa.LargeBinary(),
        nullable=False,
        server_default=sa.text("x''"),
        comment="who is what, as protocol.roles encodes it",
    )
    with op.batch_alter_table("rooms") as rooms:
        rooms.add_column(roles)
    with op.batch_alter_table("payloads") as payloads:
        payloads.add_column(
            sa.Column("roles", sa.LargeBinary(), comment="who is what after a commit that adds, for those it adds")
        )
    connection = op.get_bind()
    for room_id, creator in connection.execute(_ROOMS).all():
        users = [user for user, _ in connection.execute(_USERS, {"room_id": room_id})]
        owner = creator if creator in users else next(iter(users), None)
        encoded = b"".join(_role(user, _OWNER if user == owner else _MEMBER) for user in users)
        connection.execute(
            sa.text("UPDATE rooms SET roles = :roles WHERE room_id = :room_id"), {"roles": encoded, "room_id": room_id}
        )
    with op.batch_alter_table("rooms") as rooms:
        rooms.alter_column("roles", server_default=None)


def _role(user: str, role: int) -> bytes:
    """V(user URI) ‖ u8 role; a URI has at most 255 bytes."""
    uri = user.encode()
    length = bytes([len(uri)]) if len(uri) < 64 else (0x4000 | len(uri)).to_bytes(2, "big")  # noqa: PLR2004 - RFC 9420
    return length + uri + bytes([role])
