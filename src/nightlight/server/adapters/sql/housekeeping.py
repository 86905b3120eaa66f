"""Erasing what may no longer be kept, in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nightlight.protocol.ids import BlobId, TimestampMs
from nightlight.server.adapters.sql.blobs import remove
from nightlight.server.adapters.sql.tables import (
    blobs,
    day_keys,
    entries,
    key_packages,
    links,
    members,
    payloads,
    purges,
    recoveries,
    rooms,
    sessions,
    uploads,
    used_nonces,
)

_DAY_MS = 86_400_000
_PURGED_AT_ONCE = 1_000

# A device that left still needs what came before it left.
_WAITING = members.c.left_seq.is_(None) | (members.c.cursor < members.c.left_seq - 1)
_RECEIVED = (
    select(rooms.c.room_id, rooms.c.purged_seq, func.min(members.c.cursor))
    .join(members, members.c.room_id == rooms.c.room_id)
    .where(_WAITING)
    .group_by(rooms.c.room_id, rooms.c.purged_seq)
    .having(func.min(members.c.cursor) > rooms.c.purged_seq)
)
_RECEIVED_IN = _RECEIVED.where(rooms.c.room_id.in_(bindparam("room_ids", expanding=True)))
_ERASE = delete(payloads).where(
    payloads.c.entry_id.in_(
        select(entries.c.entry_id).where(
            entries.c.room_id == bindparam("of_room"),
            entries.c.seq > bindparam("after"),
            entries.c.seq <= bindparam("up_to"),
        )
    )
)
_ERASED = update(rooms).where(rooms.c.room_id == bindparam("of_room")).values(purged_seq=bindparam("up_to"))


class SqlHousekeeping:
    """``ports.delivery.Housekeeping`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def received(self) -> list[int]:
        """As the port says."""
        return list(self._connection.execute(_RECEIVED).scalars())

    async def purge_received(self, room_ids: Sequence[int]) -> list[int]:
        """As the port says."""
        steps = [
            {"of_room": room_id, "after": purged, "up_to": min(received, purged + _PURGED_AT_ONCE)}
            for room_id, purged, received in self._connection.execute(_RECEIVED_IN, {"room_ids": room_ids})
        ]
        if steps:
            self._connection.execute(_ERASE, steps)
            self._connection.execute(_ERASED, steps)
        return [step["of_room"] for step in steps if step["up_to"] == step["after"] + _PURGED_AT_ONCE]

    async def purge(self, table: str, before_ms: TimestampMs, now_ms: TimestampMs, rows_max: int) -> int:
        """As the port says."""
        kept = _OF_BLOBS.get(table)
        if kept is None:
            return _PURGES[table](self._connection, before_ms, rows_max)
        old = select(kept.c.blob).where(kept.c.created_at_ms < before_ms).limit(rows_max)
        gone = [BlobId(blob) for blob in self._connection.execute(old).scalars()]
        remove(self._connection, gone, now_ms)
        return len(gone)

    async def latest_purge(self) -> TimestampMs | None:
        """As the port says."""
        latest = self._connection.execute(select(purges.c.latest_ms)).scalar_one_or_none()
        return None if latest is None else TimestampMs(latest)

    async def note_purge(self, now_ms: TimestampMs) -> None:
        """As the port says."""
        run = upsert(purges).values(purge_id=1, latest_ms=now_ms)
        later = run.on_conflict_do_update(
            index_elements=[purges.c.purge_id],
            set_={"latest_ms": run.excluded.latest_ms},
            where=purges.c.latest_ms < run.excluded.latest_ms,
        )
        self._connection.execute(later)


def _sessions(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(sessions.c.token_hash).where(sessions.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(sessions).where(sessions.c.token_hash.in_(old))).rowcount


def _links(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(links.c.mailbox).where(links.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(links).where(links.c.mailbox.in_(old))).rowcount


def _recoveries(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    del rows_max  # one a person
    return connection.execute(delete(recoveries).where(recoveries.c.ready_at_ms < before_ms)).rowcount


def _used_nonces(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(used_nonces.c.nonce).where(used_nonces.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(used_nonces).where(used_nonces.c.nonce.in_(old))).rowcount


def _key_packages(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    old = select(key_packages.c.key_package_id).where(key_packages.c.expires_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(key_packages).where(key_packages.c.key_package_id.in_(old))).rowcount


def _members(connection: Connection, before_ms: TimestampMs, rows_max: int) -> int:
    key = members.c.room_id, members.c.device_id, members.c.joined_seq
    old = select(*key).where(members.c.left_at_ms < before_ms).limit(rows_max)
    return connection.execute(delete(members).where(tuple_(*key).in_(old))).rowcount


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


_OF_BLOBS = {"uploads": uploads, "blobs": blobs}
_PURGES: dict[str, Callable[[Connection, TimestampMs, int], int]] = {
    "recoveries": _recoveries,
    "links": _links,
    "sessions": _sessions,
    "used_nonces": _used_nonces,
    "key_packages": _key_packages,
    "members": _members,
    "payloads": _payloads,
    "entries": _entries,
    "day_keys": _day_keys,
}
