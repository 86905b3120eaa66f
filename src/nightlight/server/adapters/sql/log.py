"""The rooms' logs, in SQL."""

from __future__ import annotations

import sqlite3
from typing import cast

from sqlalchemy import Connection, bindparam, insert, select

from nightlight.protocol.ids import DeviceUri, SubmissionId, TimestampMs
from nightlight.protocol.messages import EntryKind
from nightlight.server.adapters.sql.tables import day_keys, devices, entries, payloads, rooms
from nightlight.server.ports.delivery import Answered, Entry

_KINDS = (EntryKind.APPLICATION, EntryKind.COMMIT)
_APPLICATION = EntryKind.APPLICATION
_ROW_BYTES = 200
"""What an entry weighs beside its payload."""

# Written out: compiling them anew for each message would cost more than the message.
_APPEND_ENTRY = """
    INSERT INTO entries (room_id, seq, kind, device_id, submission_id, epoch, accepted_at_ms, frank)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (submission_id, device_id) DO NOTHING
"""
_APPEND_PAYLOAD = "INSERT INTO payloads (entry_id, payload, welcome, roles) VALUES (?, ?, ?, ?)"

_PAGE = (
    select(
        entries.c.seq,
        entries.c.kind,
        devices.c.device,
        entries.c.submission_id,
        entries.c.epoch,
        entries.c.accepted_at_ms,
        entries.c.frank,
        payloads.c.payload,
        payloads.c.welcome,
        payloads.c.roles,
    )
    .select_from(
        entries.join(devices, entries.c.device_id == devices.c.device_id).outerjoin(
            payloads, entries.c.entry_id == payloads.c.entry_id
        )
    )
    .where(
        entries.c.room_id == bindparam("room_id"),
        entries.c.seq > bindparam("after_seq"),
        entries.c.seq <= bindparam("up_to_seq"),
    )
    .order_by(entries.c.seq)
)
_ANSWERED = (
    select(rooms.c.room, entries.c.seq, entries.c.epoch, entries.c.accepted_at_ms, entries.c.frank)
    .select_from(entries.join(rooms, entries.c.room_id == rooms.c.room_id))
    .where(entries.c.submission_id == bindparam("submission_id"), entries.c.device_id == bindparam("device_id"))
)


class SqlLog:
    """``ports.delivery.Log`` on one connection, and on the driver's below it for the append."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection
        self._cursor = cast("sqlite3.Connection", connection.connection.driver_connection).cursor()

    async def answered(self, submission_id: SubmissionId, device_id: int) -> Answered | None:
        """As the port says."""
        row = self._connection.execute(
            _ANSWERED, {"submission_id": submission_id, "device_id": device_id}
        ).one_or_none()
        return None if row is None else Answered(*row)

    def append(self, room_id: int, device_id: int, entry: Entry) -> bool:
        """As the port says."""
        cursor = self._cursor
        cursor.execute(
            _APPEND_ENTRY,
            (
                room_id,
                entry.seq,
                0 if entry.kind is _APPLICATION else 1,
                device_id,
                entry.submission_id,
                entry.epoch,
                entry.accepted_at_ms,
                entry.frank,
            ),
        )
        if cursor.rowcount != 1:
            return False
        cursor.execute(_APPEND_PAYLOAD, (cursor.lastrowid, entry.payload, entry.welcome, entry.roles))
        return True

    async def page(self, room_id: int, after_seq: int, up_to_seq: int, bytes_max: int) -> list[Entry]:
        """As the port says."""
        page: list[Entry] = []
        left = bytes_max
        rows = self._connection.execute(_PAGE, {"room_id": room_id, "after_seq": after_seq, "up_to_seq": up_to_seq})
        for seq, kind, device, submission_id, epoch, accepted_at_ms, frank, payload, welcome, roles in rows:
            left -= _ROW_BYTES + len(payload or b"") + len(welcome or b"") + len(roles or b"")
            if left < 0 and page:
                break
            page.append(
                Entry(
                    seq,
                    _KINDS[kind],
                    DeviceUri(device),
                    SubmissionId(submission_id),
                    epoch,
                    TimestampMs(accepted_at_ms),
                    frank,
                    payload or b"",
                    welcome,
                    roles,
                )
            )
        rows.close()
        return page

    async def day_key(self, day: int) -> bytes | None:
        """As the port says."""
        return self._connection.execute(select(day_keys.c.key).where(day_keys.c.day == day)).scalar_one_or_none()

    async def add_day_key(self, day: int, key: bytes) -> None:
        """As the port says."""
        self._connection.execute(insert(day_keys).values(day=day, key=key))
