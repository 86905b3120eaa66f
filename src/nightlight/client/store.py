"""The encrypted local store: MLS state, messages, cursors and the outbox of one device, in one SQLite file.

What belongs together is written in one transaction, and a transaction that has ended survives a power failure.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightlight.client.acquaintances import Acquaintances
from nightlight.client.events import FaultSeen
from nightlight.client.notices import Notices
from nightlight.client.records import (
    Evidence,
    Identity,
    ItemKind,
    Lost,
    OutboxItem,
    Preferences,
    RoomRecord,
    Standing,
    Upload,
)
from nightlight.client.schema import MIGRATIONS
from nightlight.client.timeline import Row, Timeline
from nightlight.errors import NightlightError
from nightlight.protocol.content import MessageStatus
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import MessageId, RoomUri, SubmissionId, TimestampMs, UserUri
from nightlight.protocol.messages import Contact, ContactState
from nightlight.protocol.profile import Picture, RoomProfile
from nightlight.protocol.roles import decode_roles, encode_roles

STORE_KEY_BYTES = 32
EVIDENCE_WINDOW_MS = 60 * 86_400_000
KEPT_FAULTS = 1_000
_NONCE_BYTES = 12
_CHECKPOINT_PAGES = 256

Write = tuple[bytes, bytes | None]
T = TypeVar("T")


class StoreError(NightlightError):
    """The store cannot be used: not there, another key, in use, damaged, or the disk is full."""


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (apsw.BusyError, "this store is in use by another process"),
    (apsw.LockedError, "this store is in use by another process"),
    (apsw.NotADBError, "this is not a store, or the key is of another one"),
    (apsw.CantOpenError, "there is no store here"),
    (apsw.FullError, "the disk is full"),
    (apsw.CorruptError, "this store is damaged"),
    (apsw.IOError, "the disk does not answer as it should"),
    (apsw.ReadOnlyError, "this store cannot be written"),
)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        for kind, reason in _REASONS:
            if isinstance(error, kind):
                raise StoreError(reason) from error
        raise


class Store:
    """One open store. Only one process has it open; methods that write are called inside ``transaction``."""

    def __init__(self, path: Path, connection: apsw.Connection, random: Callable[[int], bytes]) -> None:
        """Use ``create`` or ``open``."""
        self._path = path
        self._connection = connection
        self._random = random
        self._sealing: AESGCM | None = None
        self.timeline = Timeline(self._rows, self._write)
        """What was said."""
        self.notices = Notices(self._rows, self._write)
        """What the person has to be told."""
        self.acquaintances = Acquaintances(self._rows, self._write)
        """What the person has made of others' account keys."""

    @staticmethod
    def create(path: Path, key: bytes, random: Callable[[int], bytes]) -> Store:
        """A new store at ``path`` under ``key`` (32 bytes). Raises ``StoreError``, also if there is a file already."""
        if path.exists():
            raise StoreError("there is a store here already")
        store = Store._connect(path, key, random, apsw.SQLITE_OPEN_CREATE)
        with store.transaction():
            store.put("sealing_key", random(32))
        return store

    @staticmethod
    def open(path: Path, key: bytes, random: Callable[[int], bytes]) -> Store:
        """The store at ``path`` under ``key`` (32 bytes), in the newest schema. Raises ``StoreError``."""
        return Store._connect(path, key, random, 0)

    @staticmethod
    def _connect(path: Path, key: bytes, random: Callable[[int], bytes], create: int) -> Store:
        if len(key) != STORE_KEY_BYTES:
            raise StoreError("a store key is 32 bytes")
        with _explained():
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE | create)
            try:
                connection.pragma("key", f"raw:{key.hex()}")
                connection.pragma("locking_mode", "EXCLUSIVE")
                connection.pragma("journal_mode", "wal")
                connection.pragma("synchronous", "FULL")
                connection.pragma("secure_delete", "on")
                connection.pragma("cache_size", -256)
                connection.pragma("wal_autocheckpoint", _CHECKPOINT_PAGES)
                store = Store(path, connection, random)
                store._migrate()
            except BaseException:
                connection.close()
                raise
        return store

    def _migrate(self) -> None:
        with self.transaction():
            version = int(self._connection.pragma("user_version"))
            if version > len(MIGRATIONS):
                raise StoreError("this store was written by a newer version")
            for step in MIGRATIONS[version:]:
                self._connection.execute(step)
            self._connection.pragma("user_version", len(MIGRATIONS))

    def close(self) -> None:
        """The file is closed; whatever transaction was open is undone."""
        self._connection.close()

    @property
    def files(self) -> Path:
        """The folder beside the store for sealed attachments; it need not be there."""
        return self._path.with_name(self._path.name + "-files")

    def delete(self) -> None:
        """The closed store's files are gone."""
        for suffix in ("", "-wal"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written inside is durable afterwards, all of it; after an exception, none. Raises ``StoreError``."""
        with _explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        with _explained():
            return list(self._connection.execute(sql, values))

    def _row(self, sql: str, values: Sequence[Any] = ()) -> Row | None:
        rows = self._rows(sql, values)
        return rows[0] if rows else None

    def _write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """How many rows changed."""
        self._connection.execute(sql, values)
        return self._connection.changes()

    # --- the device

    def put(self, name: str, value: bytes) -> None:
        """``value`` is the one under ``name``."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def get(self, name: str) -> bytes | None:
        """What is under ``name``."""
        row = self._row("SELECT value FROM meta WHERE name = ?", (name,))
        return row[0] if row else None

    def delete_value(self, name: str) -> None:
        """Nothing is under ``name``."""
        self._write("DELETE FROM meta WHERE name = ?", (name,))

    def put_identity(self, identity: Identity) -> None:
        """This store is of this device."""
        self.put("identity", msgspec.msgpack.encode(identity))

    def has_identity(self) -> bool:
        """Whether a device has been made."""
        return self.get("identity") is not None

    def identity(self) -> Identity:
        """Whose store this is. Raises ``StoreError``."""
        value = self.get("identity")
        if value is None:
            raise StoreError("this store has no device in it")
        return msgspec.msgpack.decode(value, type=Identity)

    def put_preferences(self, preferences: Preferences) -> None:
        """This is what the person has chosen."""
        self.put("preferences", msgspec.msgpack.encode(preferences))

    def preferences(self) -> Preferences:
        """What the person has chosen."""
        value = self.get("preferences")
        return Preferences() if value is None else msgspec.msgpack.decode(value, type=Preferences)

    # --- MLS

    def mls_entries(self, scope: bytes) -> list[tuple[bytes, bytes]]:
        """Every entry whose key starts with ``scope``."""
        stem = scope.rstrip(b"\xff")
        end = stem[:-1] + bytes([stem[-1] + 1])
        return self._rows("SELECT key, value FROM mls WHERE key >= ? AND key < ?", (scope, end))

    def write_mls(self, writes: Iterable[Write]) -> None:
        """The entries have these values; those with None are gone."""
        for key, value in writes:
            if value is None:
                self._write("DELETE FROM mls WHERE key = ?", (key,))
            else:
                self._write("INSERT OR REPLACE INTO mls VALUES (?, ?)", (key, value))

    # --- rooms

    def put_room(self, record: RoomRecord) -> None:
        """The room is as ``record`` says."""
        self._write(
            "INSERT OR REPLACE INTO rooms VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                record.room,
                record.standing.value,
                record.cursor,
                record.epoch,
                record.franking_key,
                json.dumps(record.members),
                record.read_seq,
                record.accepted_at_ms,
                record.lifetime_s,
                encode_roles(record.roles),
            ),
        )

    def room(self, room: RoomUri) -> RoomRecord | None:
        """The room, if this device knows it."""
        row = self._row("SELECT * FROM rooms WHERE room = ?", (room,))
        return None if row is None else _room(row)

    def rooms(self) -> list[RoomRecord]:
        """Every room this device is or was in."""
        return [_room(row) for row in self._rows("SELECT * FROM rooms")]

    def put_profile(self, room: RoomUri, profile: RoomProfile) -> None:
        """``room`` has this name and picture, which nobody need tell us any more."""
        picture = profile.picture
        media_type, data = (None, None) if picture is None else (picture.content_type, picture.data)
        self._write("INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?)", (room, profile.name, media_type, data))
        self._write("DELETE FROM greeters WHERE room = ?", (room,))

    def profile(self, room: RoomUri) -> RoomProfile | None:
        """The room's name and picture, if it was given any."""
        row = self._row("SELECT name, picture_type, picture FROM profiles WHERE room = ?", (room,))
        return None if row is None else RoomProfile(row[0], None if row[1] is None else Picture(row[1], row[2]))

    def put_greeter(self, room: RoomUri, user: UserUri) -> None:
        """``user`` let this device into ``room``, and tells it the profile."""
        self._write("INSERT OR REPLACE INTO greeters VALUES (?, ?)", (room, user))

    def greeter(self, room: RoomUri) -> UserUri | None:
        """Whose word for the profile counts, as nobody else's has been heard."""
        row = self._row("SELECT user FROM greeters WHERE room = ?", (room,))
        return None if row is None else row[0]

    def owe_greeting(self, room: RoomUri) -> None:
        """Newcomers to ``room`` are to be told its profile."""
        self._write("INSERT OR IGNORE INTO greetings VALUES (?)", (room,))

    def take_greeting(self, room: RoomUri) -> bool:
        """Whether newcomers to ``room`` were to be told its profile; they are not any more."""
        return bool(self._write("DELETE FROM greetings WHERE room = ?", (room,)))

    # --- rooms that cannot go on

    def put_lost(self, lost: Lost) -> None:
        """The server is still to be told that a room stopped here."""
        self._write(
            "INSERT INTO lost VALUES (?, ?, ?, NULL, NULL)"
            " ON CONFLICT DO UPDATE SET seq = excluded.seq, digest = excluded.digest",
            (lost.room, lost.seq, lost.digest),
        )

    def lost_untold(self) -> list[tuple[Lost, TimestampMs | None]]:
        """The broken rooms of which the server does not know, and when it was told last that they had stopped."""
        rows = self._rows(
            "SELECT room, seq, digest, told_at_ms FROM lost JOIN rooms USING (room)"
            " WHERE standing = ? AND told_seq IS NOT seq ORDER BY room",
            (Standing.BROKEN.value,),
        )
        return [(Lost(room, seq, digest), told_at_ms) for room, seq, digest, told_at_ms in rows]

    def lost_told(self, lost: Lost, now_ms: TimestampMs) -> None:
        """The server knows."""
        self._write("UPDATE lost SET told_seq = ?, told_at_ms = ? WHERE room = ?", (lost.seq, now_ms, lost.room))

    # --- evidence

    def _seal(self) -> AESGCM:
        if self._sealing is None:
            key = self.get("sealing_key")
            if key is None:
                raise StoreError("the key of the sealed copies was wiped")
            self._sealing = AESGCM(key)
        return self._sealing

    def keep_evidence(self, message_id: MessageId, room: RoomUri, evidence: Evidence) -> None:
        """A sealed copy of the message is kept for reports."""
        nonce = self._random(_NONCE_BYTES)
        self._write(
            "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?)",
            (
                message_id,
                room,
                evidence.accepted_at_ms,
                evidence.frank,
                nonce,
                self._seal().encrypt(nonce, evidence.application_data, message_id),
            ),
        )

    def evidence(self, message_id: MessageId) -> Evidence | None:
        """The message as a report shows it, while it is kept."""
        row = self._row("SELECT nonce, sealed, frank, accepted_at_ms FROM evidence WHERE message_id = ?", (message_id,))
        if row is None:
            return None
        return Evidence(self._seal().decrypt(row[0], row[1], message_id), row[2], row[3])

    def purge_evidence(self, now_ms: TimestampMs) -> int:
        """Copies older than the window are erased; how many."""
        return self._write("DELETE FROM evidence WHERE accepted_at_ms < ?", (now_ms - EVIDENCE_WINDOW_MS,))

    # --- outbox

    def enqueue(self, item: OutboxItem, *, first: bool = False) -> None:
        """The outbox of the item's room ends, or begins, with it."""
        front = self._row("SELECT MIN(position) - 1 FROM outbox") if first else None
        self._write(
            "INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                None if front is None else front[0],
                item.submission_id,
                item.room,
                item.kind.value,
                item.content,
                item.message_id,
                item.epoch,
                item.payload,
                item.welcome,
            ),
        )

    def set_payload(self, built: OutboxItem) -> None:
        """The item is built as ``built`` says."""
        self._write(
            "UPDATE outbox SET epoch = ?, payload = ?, welcome = ? WHERE submission_id = ?",
            (built.epoch, built.payload, built.welcome, built.submission_id),
        )

    def outbox_item(self, submission_id: SubmissionId) -> OutboxItem | None:
        """The item with this id."""
        row = self._row("SELECT * FROM outbox WHERE submission_id = ?", (submission_id,))
        return None if row is None else _item(row)

    def outbox(self, room: RoomUri) -> list[OutboxItem]:
        """The room's items, in the order in which they go out."""
        return [_item(r) for r in self._rows("SELECT * FROM outbox WHERE room = ? ORDER BY position", (room,))]

    def outbox_is_built(self, room: RoomUri, epoch: int) -> bool:
        """Whether nothing in the room's outbox waits to be built for ``epoch`` or moves the room to another."""
        query = "SELECT 1 FROM outbox WHERE room = ? AND (epoch IS NOT ? OR kind = 'commit') LIMIT 1"
        return self._row(query, (room, epoch)) is None

    def dequeue(self, submission_id: SubmissionId) -> None:
        """The outbox does not hold the item."""
        self._write("DELETE FROM outbox WHERE submission_id = ?", (submission_id,))

    # --- uploads

    def put_upload(self, upload: Upload) -> None:
        """The upload is as it says; a new one goes after all others."""
        self._write(
            "INSERT INTO uploads (upload_id, upload) VALUES (?, ?)"
            " ON CONFLICT (upload_id) DO UPDATE SET upload = excluded.upload",
            (upload.upload_id, msgspec.msgpack.encode(upload)),
        )

    def upload(self, upload_id: str) -> Upload | None:
        """The upload, if it has not become a message."""
        row = self._row("SELECT upload FROM uploads WHERE upload_id = ?", (upload_id,))
        return None if row is None else msgspec.msgpack.decode(row[0], type=Upload)

    def uploads(self) -> list[Upload]:
        """Every file that is not a message yet, in the order in which they go."""
        rows = self._rows("SELECT upload FROM uploads ORDER BY position")
        return [msgspec.msgpack.decode(row[0], type=Upload) for row in rows]

    def drop_upload(self, upload_id: str) -> None:
        """There is no such upload."""
        self._write("DELETE FROM uploads WHERE upload_id = ?", (upload_id,))

    # --- receipts

    def owe_receipt(self, room: RoomUri, message_id: MessageId, status: MessageStatus) -> None:
        """The sender is to be told; what comes later replaces what was not told yet."""
        self._write("INSERT OR REPLACE INTO receipts VALUES (?, ?, ?)", (room, message_id, status))

    def owed_receipts(self, room: RoomUri, limit: int) -> list[tuple[MessageId, MessageStatus]]:
        """What is to be told in ``room``."""
        rows = self._rows("SELECT message_id, status FROM receipts WHERE room = ? LIMIT ?", (room, limit))
        return [(MessageId(row[0]), MessageStatus(row[1])) for row in rows]

    def rooms_with_receipts(self) -> list[RoomUri]:
        """Where something is to be told."""
        return [RoomUri(row[0]) for row in self._rows("SELECT DISTINCT room FROM receipts")]

    def settle_receipt(self, room: RoomUri, message_id: MessageId) -> None:
        """Nothing is to be told of this message."""
        self._write("DELETE FROM receipts WHERE room = ? AND message_id = ?", (room, message_id))

    def forget_receipts(self, room: RoomUri) -> None:
        """Nothing is to be told in ``room``."""
        self._write("DELETE FROM receipts WHERE room = ?", (room,))

    # --- key packages

    def add_key_packages(self, references: Iterable[bytes], not_after_s: int) -> None:
        """This device holds the private parts of these key packages."""
        for reference in references:
            self._write("INSERT OR REPLACE INTO key_packages VALUES (?, ?)", (reference, not_after_s))

    def last_key_package_ends_s(self) -> int:
        """Until when the last of this device's key packages may be used; 0 without any."""
        [(ends_s,)] = self._rows("SELECT coalesce(max(not_after_s), 0) FROM key_packages")
        return int(ends_s)

    def take_expired_key_packages(self, now_s: int) -> list[bytes]:
        """The key packages that nobody may use any more; the list of them is empty afterwards."""
        rows = self._rows("DELETE FROM key_packages WHERE not_after_s < ? RETURNING reference", (now_s,))
        return [row[0] for row in rows]

    # --- people

    def put_pin(self, newest: DeviceList) -> None:
        """``newest``, verified, is the newest device list known of its user."""
        self._write("INSERT OR REPLACE INTO pins VALUES (?, ?)", (newest.user, msgspec.msgpack.encode(newest)))

    def pin(self, user: UserUri) -> DeviceList | None:
        """The newest device list known of ``user``, under the account key that stays theirs."""
        row = self._row("SELECT device_list FROM pins WHERE user = ?", (user,))
        return None if row is None else msgspec.msgpack.decode(row[0], type=DeviceList)

    def put_contacts(self, contacts: Iterable[Contact]) -> None:
        """These are all contacts."""
        self._write("DELETE FROM contacts")
        for contact in contacts:
            self._write("INSERT INTO contacts VALUES (?, ?, ?)", (contact.user, contact.state.value, contact.since_ms))

    def contacts(self) -> list[Contact]:
        """All contacts, as the server last told."""
        rows = self._rows("SELECT user, state, since_ms FROM contacts ORDER BY user")
        return [Contact(user, ContactState(state), since_ms) for user, state, since_ms in rows]

    # --- faults

    def add_fault(self, fault: FaultSeen) -> None:
        """The fault is recorded; the newest thousand are kept."""
        self._write(
            "INSERT INTO faults (at_ms, room, check_number, culprit) VALUES (?, ?, ?, ?)",
            (fault.at_ms, fault.room, fault.check, fault.culprit),
        )
        self._write("DELETE FROM faults WHERE position <= last_insert_rowid() - ?", (KEPT_FAULTS,))

    def faults(self) -> list[FaultSeen]:
        """What broke a rule, oldest first."""
        rows = self._rows("SELECT room, check_number, culprit, at_ms FROM faults ORDER BY position")
        return [FaultSeen(*row) for row in rows]


def _room(row: Row) -> RoomRecord:
    room, standing, cursor, epoch, franking_key, members, read_seq, accepted_at_ms, lifetime_s, roles = row
    return RoomRecord(
        room,
        Standing(standing),
        cursor,
        epoch,
        franking_key,
        tuple(json.loads(members)),
        read_seq,
        accepted_at_ms,
        lifetime_s,
        decode_roles(roles),
    )


def _item(row: Row) -> OutboxItem:
    _, submission_id, room, kind, *rest = row
    return OutboxItem(submission_id, room, ItemKind(kind), *rest)
