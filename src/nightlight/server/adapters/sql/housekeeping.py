"""Erasing what may no longer be kept, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sqlalchemy import Connection, delete, func, select, update

from nightlight.protocol.ids import TimestampMs
from nightlight.server.adapters.sql.tables import (
    day_keys,
    entries,
    key_packages,
    members,
    payloads,
    rooms,
    sessions,
    used_nonces,
)

_DAY_MS = 86_400_000
_PURGED_AT_ONCE = 1_000


class SqlHousekeeping:
    """``ports.delivery.Housekeeping`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def purge_received(self, room_ids: Iterable[int]) -> int:
        """As the port says."""
        return sum(self._purge_room(room_id) for room_id in room_ids)

    async def purge(self, table: str, before_ms: TimestampMs, rows_max: int) -> int:
        """As the port says."""
        return _PURGES[table](self._connection, before_ms, rows_max)

    def _purge_room(self, room_id: int) -> int:
        """A device that left still needs what came before it left."""
        waiting = members.c.left_seq.is_(None) | (members.c.cursor < members.c.left_seq - 1)
        received = self._connection.execute(
            select(func.min(members.c.cursor)).where(members.c.room_id == room_id, waiting)
        ).scalar_one()
        purged = self._connection.execute(select(rooms.c.purged_seq).where(rooms.c.room_id == room_id)).scalar_one()
        if received is None or received <= purged:
            return 0
        up_to = min(received, purged + _PURGED_AT_ONCE)
        gone = select(entries.c.entry_id).where(
            entries.c.room_id == room_id, entries.c.seq > purged, entries.c.seq <= up_to
        )
        count = self._connection.execute(delete(payloads).where(payloads.c.entry_id.in_(gone))).rowcount
        self._connection.execute(update(rooms).where(rooms.c.room_id == room_id).values(purged_seq=up_to))
        return count


def _sessions(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(sessions.c.token_hash).where(sessions.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(sessions).where(sessions.c.token_hash.in_(old))).rowcount


def _used_nonces(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(used_nonces.c.nonce).where(used_nonces.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(used_nonces).where(used_nonces.c.nonce.in_(old))).rowcount


def _key_packages(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(key_packages.c.key_package_id).where(key_packages.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(key_packages).where(key_packages.c.key_package_id.in_(old))).rowcount


def _members(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    del rows_max  # departures are rare
    return connection.execute(delete(members).where(members.c.left_at_ms < before_ms)).rowcount


def _payloads(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    """Rows lie in the order they came, so the oldest are in front."""
    first = (
        select(payloads.c.entry_id, entries.c.accepted_at_ms)
        .join(entries, payloads.c.entry_id == entries.c.entry_id)
        .order_by(payloads.c.entry_id)
        .limit(rows_max)
        .subquery()
    )
    old = select(first.c.entry_id).where(first.c.accepted_at_ms < before_ms)
    return connection.execute(delete(payloads).where(payloads.c.entry_id.in_(old))).rowcount


def _entries(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    """As ``_payloads``; the room remembers where its log goes on."""
    old = [
        row
        for row in connection.execute(
            select(entries.c.entry_id, entries.c.room_id, entries.c.seq, entries.c.accepted_at_ms)
            .order_by(entries.c.entry_id)
            .limit(rows_max)
        )
        if row.accepted_at_ms < before_ms
    ]
    ids = [row.entry_id for row in old]
    connection.execute(delete(payloads).where(payloads.c.entry_id.in_(ids)))
    connection.execute(delete(entries).where(entries.c.entry_id.in_(ids)))
    for row in old:
        connection.execute(
            update(rooms)
            .where(rooms.c.room_id == row.room_id)
            .values(erased_seq=row.seq, erased_at_ms=row.accepted_at_ms)
        )
    return len(ids)


def _day_keys(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    del rows_max  # one a day
    return connection.execute(delete(day_keys).where((day_keys.c.day + 1) * _DAY_MS < before_ms)).rowcount


_PURGES: dict[str, Callable[[Connection, TimestampMs, int], int]] = {
    "sessions": _sessions,
    "used_nonces": _used_nonces,
    "key_packages": _key_packages,
    "members": _members,
    "payloads": _payloads,
    "entries": _entries,
    "day_keys": _day_keys,
}
