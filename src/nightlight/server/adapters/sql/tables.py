"""The schema, for SQLite and PostgreSQL alike. Why each table is kept, and how long: ``domain/records.py``.

Times are Unix milliseconds. Rows point at each other by small integers, so that a message costs few bytes of index.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")

accounts = Table(
    "accounts",
    metadata,
    Column("user_id", _Id, primary_key=True),
    Column("user", Text, nullable=False, unique=True, comment="user URI"),
    Column("account_key", LargeBinary, nullable=False, comment="Ed25519 public key, 32 bytes"),
    Column("list_version", BigInteger, nullable=False, comment="of the newest device list"),
    Column("device_list", LargeBinary, nullable=False, comment="the newest SignedDeviceList, as the person signed it"),
    Column("listed_at_ms", BigInteger, nullable=False, comment="when the newest device list came"),
    Column(
        "former_keys",
        LargeBinary,
        nullable=False,
        server_default="",
        comment="account keys that this one has replaced, oldest first, 32 bytes each",
    ),
    Column("created_at_ms", BigInteger, nullable=False),
    Column(
        "stored_bytes",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="charged for uploads, blobs, and bytes that wait to be erased",
    ),
)

devices = Table(
    "devices",
    metadata,
    Column("device_id", _Id, primary_key=True),
    Column("device", Text, nullable=False, unique=True, comment="device URI"),
    Column("user_id", ForeignKey(accounts.c.user_id), nullable=False, index=True),
    Column("session_key", LargeBinary, nullable=False, comment="Ed25519 public key for signing in, 32 bytes"),
    Column("added_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger, comment="since when the device list no longer names it"),
    Column("credential", LargeBinary, comment="of its leaves, by the device that has replaced the account key"),
)

successions = Table(
    "successions",
    metadata,
    Column("user_id", ForeignKey(accounts.c.user_id), nullable=False),
    Column("number", Integer, nullable=False, comment="from 0, the oldest"),
    Column("succession", LargeBinary, nullable=False, comment="as protocol.succession encodes it"),
    PrimaryKeyConstraint("user_id", "number"),
    sqlite_with_rowid=False,
)

recoveries = Table(
    "recoveries",
    metadata,
    Column("user_id", ForeignKey(accounts.c.user_id), primary_key=True),
    Column("device", Text, nullable=False, unique=True, comment="device URI: whose keys these are; no device yet"),
    Column("signature_key", LargeBinary, nullable=False, comment="Ed25519 public key of its leaves, 32 bytes"),
    Column("session_key", LargeBinary, nullable=False, comment="Ed25519 public key for signing in, 32 bytes"),
    Column("account_key", LargeBinary, nullable=False, comment="Ed25519 public key that is to follow, 32 bytes"),
    Column("begun_at_ms", BigInteger, nullable=False),
    Column("ready_at_ms", BigInteger, nullable=False, index=True, comment="not before then"),
)

links = Table(
    "links",
    metadata,
    Column("mailbox", LargeBinary, primary_key=True, comment="32 bytes that only who has seen the link code knows"),
    Column("package", LargeBinary, nullable=False, comment="sealed for a new device by an old one of the same person"),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True, comment="SHA-256 of the bearer token; the token is not kept"),
    Column("device_id", ForeignKey(devices.c.device_id), nullable=False, index=True),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

used_nonces = Table(
    "used_nonces",
    metadata,
    Column("nonce", LargeBinary, primary_key=True, comment="a challenge that has been answered, 32 bytes"),
    Column("expires_at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

key_packages = Table(
    "key_packages",
    metadata,
    Column("key_package_id", _Id, primary_key=True),
    Column("device_id", ForeignKey(devices.c.device_id), nullable=False),
    Column("last_resort", Boolean, nullable=False),
    Column("reference", LargeBinary, nullable=False, unique=True, comment="KeyPackageRef, 32 bytes"),
    Column("message", LargeBinary, nullable=False, comment="MLSMessage with a KeyPackage"),
    Column("expires_at_ms", BigInteger, nullable=False, index=True, comment="the end of its lifetime"),
    Column(
        "claimed",
        Boolean,
        nullable=False,
        server_default=false(),
        comment="somebody has it, so that nobody else gets it; its message is empty",
    ),
    Index(None, "device_id", "claimed", "last_resort", "key_package_id"),
)

stances = Table(
    "stances",
    metadata,
    Column("owner", Text, nullable=False, comment="user URI: who feels so"),
    Column("other", Text, nullable=False, comment="user URI: about whom; need not exist"),
    Column("stance", Text, nullable=False, comment="domain.contact.Stance"),
    Column("since_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("owner", "other"),
    Index(None, "other"),
    sqlite_with_rowid=False,
)

rooms = Table(
    "rooms",
    metadata,
    Column("room_id", _Id, primary_key=True),
    Column("room", Text, nullable=False, unique=True, comment="room URI; its bytes are the MLS group_id"),
    Column("creator_id", ForeignKey(accounts.c.user_id), nullable=False),
    Column("group_info_hash", LargeBinary, nullable=False, comment="SHA-256 of the GroupInfo it began with"),
    Column("epoch", BigInteger, nullable=False, comment="MLS epoch"),
    Column("roles", LargeBinary, nullable=False, comment="who is what, as protocol.roles encodes it"),
    Column("purged_seq", BigInteger, nullable=False, server_default="0", comment="no payload up to here"),
    Column("erased_seq", BigInteger, nullable=False, server_default="0", comment="no entry up to here"),
    Column("erased_at_ms", BigInteger, nullable=False, server_default="0", comment="accepted_at_ms of the last erased"),
    Column("created_at_ms", BigInteger, nullable=False),
)

members = Table(
    "members",
    metadata,
    Column("room_id", ForeignKey(rooms.c.room_id), nullable=False),
    Column("device_id", ForeignKey(devices.c.device_id), nullable=False),
    Column("joined_seq", BigInteger, nullable=False, comment="the first entry it sees"),
    Column("left_seq", BigInteger, comment="the commit that removed it"),
    Column("left_at_ms", BigInteger, index=True),
    Column("cursor", BigInteger, nullable=False, comment="the last entry it has acknowledged"),
    Column("lost_seq", BigInteger, comment="the entry that it could not use, since when it asks to be added anew"),
    PrimaryKeyConstraint("room_id", "device_id", "joined_seq"),
    Index(None, "device_id", "left_seq"),
    sqlite_with_rowid=False,
)

# A message adds one row here and one in `payloads`, both at the table's end. A submission id begins with its time, so
# that the second index grows at its end too; only the first is touched all over.
entries = Table(
    "entries",
    metadata,
    Column("entry_id", _Id, primary_key=True),
    Column("room_id", ForeignKey(rooms.c.room_id), nullable=False),
    Column("seq", BigInteger, nullable=False, comment="position in the room's log, from 1, without gaps"),
    Column("kind", Integer, nullable=False, comment="0 application, 1 commit"),
    Column("device_id", ForeignKey(devices.c.device_id), nullable=False, comment="who submitted it"),
    Column(
        "submission_id", LargeBinary, nullable=False, comment="16 bytes, chosen by the device; a repeat is known by it"
    ),
    Column("epoch", BigInteger, nullable=False, comment="MLS epoch it was sent in"),
    Column("accepted_at_ms", BigInteger, nullable=False, comment="strictly increasing within the room"),
    Column("frank", LargeBinary, nullable=False, comment="100 bytes, empty for a commit"),
    UniqueConstraint("room_id", "seq"),
    UniqueConstraint("submission_id", "device_id"),
    CheckConstraint("kind IN (0, 1)", name="kind"),
)

# Apart from `entries`, so that a purge gives whole pages back.
payloads = Table(
    "payloads",
    metadata,
    Column("entry_id", ForeignKey(entries.c.entry_id), primary_key=True),
    Column("payload", LargeBinary, nullable=False, comment="MLSMessage as submitted: ciphertext, or a commit"),
    Column("welcome", LargeBinary, comment="MLSMessage with the Welcome of a commit that adds"),
    Column("roles", LargeBinary, comment="who is what after a commit that adds, for those it adds"),
)

group_state = Table(
    "group_state",
    metadata,
    Column("room_id", ForeignKey(rooms.c.room_id), nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("value", LargeBinary, nullable=False, comment="the hub's public view of the MLS group; no secrets"),
    PrimaryKeyConstraint("room_id", "key"),
    sqlite_with_rowid=False,
)

day_keys = Table(
    "day_keys",
    metadata,
    Column("day", BigInteger, primary_key=True, comment="floor(accepted_at_ms / 86,400,000)"),
    Column("key", LargeBinary, nullable=False, comment="k_day, 32 bytes"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("blob", Text, primary_key=True, comment="32 hexadecimal digits; whoever knows it may fetch the blob"),
    Column("user_id", ForeignKey(accounts.c.user_id), nullable=False, index=True, comment="who uploads it"),
    Column("size", BigInteger, nullable=False, comment="bytes of ciphertext"),
    Column("chunk_bytes", BigInteger, nullable=False, comment="of each chunk but the last"),
    Column("received", BigInteger, nullable=False, comment="bytes that are durable, whole chunks"),
    Column("created_at_ms", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

blobs = Table(
    "blobs",
    metadata,
    Column("blob", Text, primary_key=True, comment="as it was in uploads"),
    Column("user_id", ForeignKey(accounts.c.user_id), nullable=False, index=True, comment="who uploaded it"),
    Column("size", BigInteger, nullable=False, comment="bytes of ciphertext"),
    Column("chunk_bytes", BigInteger, nullable=False, comment="of each chunk but the last"),
    Column("sha256", LargeBinary, nullable=False, comment="of the ciphertext, 32 bytes"),
    Column("created_at_ms", BigInteger, nullable=False, index=True, comment="when it could be fetched"),
    sqlite_with_rowid=False,
)

erasures = Table(
    "erasures",
    metadata,
    Column("blob", Text, primary_key=True, comment="whose bytes are to be erased; nobody can fetch it any more"),
    Column("since_ms", BigInteger, nullable=False, index=True),
    Column("user_id", BigInteger, comment="who is charged for it"),
    Column("charge", BigInteger, nullable=False, server_default="0", comment="bytes, until it is gone"),
    sqlite_with_rowid=False,
)

purges = Table(
    "purges",
    metadata,
    Column("purge_id", Integer, primary_key=True, autoincrement=False, comment="1: there is one row"),
    Column("latest_ms", BigInteger, nullable=False, comment="the latest time at which the purge has run"),
)
