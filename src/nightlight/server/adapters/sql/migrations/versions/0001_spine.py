"""The spine: accounts, contacts, rooms and their logs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """The schema has it."""
    op.create_table(
        "accounts",
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user", sa.Text(), nullable=False, comment="user URI"),
        sa.Column("account_key", sa.LargeBinary(), nullable=False, comment="Ed25519 public key, 32 bytes"),
        sa.Column("list_version", sa.BigInteger(), nullable=False, comment="of the newest device list"),
        sa.Column(
            "device_list",
            sa.LargeBinary(),
            nullable=False,
            comment="the newest SignedDeviceList, as the person signed it",
        ),
        sa.Column("listed_at_ms", sa.BigInteger(), nullable=False, comment="when the newest device list came"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("user", name=op.f("uq_accounts_user")),
    )
    op.create_table(
        "day_keys",
        sa.Column("day", sa.BigInteger(), nullable=False, comment="floor(accepted_at_ms / 86,400,000)"),
        sa.Column("key", sa.LargeBinary(), nullable=False, comment="k_day, 32 bytes"),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_day_keys")),
    )
    op.create_table(
        "stances",
        sa.Column("owner", sa.Text(), nullable=False, comment="user URI: who feels so"),
        sa.Column("other", sa.Text(), nullable=False, comment="user URI: about whom; need not exist"),
        sa.Column("stance", sa.Text(), nullable=False, comment="domain.contact.Stance"),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "other", name=op.f("pk_stances")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("stances", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stances_other"), ["other"], unique=False)

    op.create_table(
        "used_nonces",
        sa.Column("nonce", sa.LargeBinary(), nullable=False, comment="a challenge that has been answered, 32 bytes"),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_used_nonces")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("used_nonces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_nonces_expires_at_ms"), ["expires_at_ms"], unique=False)

    op.create_table(
        "devices",
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.Text(), nullable=False, comment="device URI"),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "session_key", sa.LargeBinary(), nullable=False, comment="Ed25519 public key for signing in, 32 bytes"
        ),
        sa.Column("added_at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "revoked_at_ms", sa.BigInteger(), nullable=True, comment="since when the device list no longer names it"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["accounts.user_id"], name=op.f("fk_devices_user_id")),
        sa.PrimaryKeyConstraint("device_id", name=op.f("pk_devices")),
        sa.UniqueConstraint("device", name=op.f("uq_devices_device")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_devices_user_id"), ["user_id"], unique=False)

    op.create_table(
        "rooms",
        sa.Column("room_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("room", sa.Text(), nullable=False, comment="room URI; its bytes are the MLS group_id"),
        sa.Column("creator_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "group_info_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the GroupInfo it began with"
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="MLS epoch"),
        sa.Column("purged_seq", sa.BigInteger(), server_default="0", nullable=False, comment="no payload up to here"),
        sa.Column("erased_seq", sa.BigInteger(), server_default="0", nullable=False, comment="no entry up to here"),
        sa.Column(
            "erased_at_ms",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="accepted_at_ms of the last erased",
        ),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["creator_id"], ["accounts.user_id"], name=op.f("fk_rooms_creator_id")),
        sa.PrimaryKeyConstraint("room_id", name=op.f("pk_rooms")),
        sa.UniqueConstraint("room", name=op.f("uq_rooms_room")),
    )
    op.create_table(
        "entries",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("room_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, comment="position in the room's log, from 1, without gaps"),
        sa.Column("kind", sa.Integer(), nullable=False, comment="0 application, 1 commit"),
        sa.Column(
            "device_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
            comment="who submitted it",
        ),
        sa.Column(
            "submission_id",
            sa.LargeBinary(),
            nullable=False,
            comment="16 bytes, chosen by the device; a repeat is known by it",
        ),
        sa.Column("epoch", sa.BigInteger(), nullable=False, comment="MLS epoch it was sent in"),
        sa.Column("accepted_at_ms", sa.BigInteger(), nullable=False, comment="strictly increasing within the room"),
        sa.Column("frank", sa.LargeBinary(), nullable=False, comment="100 bytes, empty for a commit"),
        sa.CheckConstraint("kind IN (0, 1)", name=op.f("ck_entries_kind")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name=op.f("fk_entries_device_id")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], name=op.f("fk_entries_room_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entries")),
        sa.UniqueConstraint("room_id", "seq", name=op.f("uq_entries_room_id_seq")),
        sa.UniqueConstraint("submission_id", "device_id", name=op.f("uq_entries_submission_id_device_id")),
    )
    op.create_table(
        "group_state",
        sa.Column("room_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "value", sa.LargeBinary(), nullable=False, comment="the hub's public view of the MLS group; no secrets"
        ),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], name=op.f("fk_group_state_room_id")),
        sa.PrimaryKeyConstraint("room_id", "key", name=op.f("pk_group_state")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "key_packages",
        sa.Column("key_package_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_resort", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.LargeBinary(), nullable=False, comment="KeyPackageRef, 32 bytes"),
        sa.Column("message", sa.LargeBinary(), nullable=False, comment="MLSMessage with a KeyPackage"),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False, comment="the end of its lifetime"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name=op.f("fk_key_packages_device_id")),
        sa.PrimaryKeyConstraint("key_package_id", name=op.f("pk_key_packages")),
        sa.UniqueConstraint("reference", name=op.f("uq_key_packages_reference")),
    )
    with op.batch_alter_table("key_packages", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_key_packages_device_id_last_resort_key_package_id"),
            ["device_id", "last_resort", "key_package_id"],
            unique=False,
        )

    op.create_table(
        "members",
        sa.Column("room_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("joined_seq", sa.BigInteger(), nullable=False, comment="the first entry it sees"),
        sa.Column("left_seq", sa.BigInteger(), nullable=True, comment="the commit that removed it"),
        sa.Column("left_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=False, comment="the last entry it has acknowledged"),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name=op.f("fk_members_device_id")),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.room_id"], name=op.f("fk_members_room_id")),
        sa.PrimaryKeyConstraint("room_id", "device_id", "joined_seq", name=op.f("pk_members")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_members_device_id_left_seq"), ["device_id", "left_seq"], unique=False)

    op.create_table(
        "sessions",
        sa.Column(
            "token_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the bearer token; the token is not kept"
        ),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["device_id"], ["devices.device_id"], name=op.f("fk_sessions_device_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sessions_device_id"), ["device_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sessions_expires_at_ms"), ["expires_at_ms"], unique=False)

    op.create_table(
        "payloads",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "payload", sa.LargeBinary(), nullable=False, comment="MLSMessage as submitted: ciphertext, or a commit"
        ),
        sa.Column(
            "welcome", sa.LargeBinary(), nullable=True, comment="MLSMessage with the Welcome of a commit that adds"
        ),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.entry_id"], name=op.f("fk_payloads_entry_id")),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_payloads")),
    )
