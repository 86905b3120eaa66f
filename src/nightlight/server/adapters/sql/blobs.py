"""Records of blobs, in SQL."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from nightlight.protocol.ids import BlobId, TimestampMs
from nightlight.server.adapters.sql.tables import accounts, blobs, erasures, uploads
from nightlight.server.ports.blobs import Blob, Upload, charge


class SqlBlobs:
    """``ports.blobs.BlobRecords`` on one connection."""

    def __init__(self, connection: Connection) -> None:
        """Works within the connection's transaction."""
        self._connection = connection

    async def begin(self, upload: Upload, now_ms: TimestampMs) -> None:
        """As the port says."""
        self._connection.execute(
            insert(uploads).values(
                blob=upload.blob,
                user_id=upload.user_id,
                size=upload.size,
                chunk_bytes=upload.chunk_bytes,
                received=upload.received,
                created_at_ms=now_ms,
            )
        )
        _charge(self._connection, upload.user_id, charge(upload.size))

    async def upload(self, blob: BlobId) -> Upload | None:
        """As the port says."""
        columns = uploads.c.blob, uploads.c.user_id, uploads.c.size, uploads.c.chunk_bytes, uploads.c.received
        row = self._connection.execute(select(*columns).where(uploads.c.blob == blob)).first()
        return None if row is None else Upload(*row)

    async def blob(self, blob: BlobId) -> Blob | None:
        """As the port says."""
        columns = blobs.c.blob, blobs.c.user_id, blobs.c.size, blobs.c.chunk_bytes, blobs.c.sha256
        row = self._connection.execute(select(*columns).where(blobs.c.blob == blob)).first()
        return None if row is None else Blob(*row)

    async def uploads_of(self, user_id: int) -> int:
        """As the port says."""
        counted = select(func.count()).select_from(uploads).where(uploads.c.user_id == user_id)
        return self._connection.execute(counted).scalar_one()

    async def bytes_of(self, user_id: int) -> int:
        """As the port says."""
        stored = select(accounts.c.stored_bytes).where(accounts.c.user_id == user_id)
        return int(self._connection.execute(stored).scalar_one())

    async def receive(self, blob: BlobId, received: int) -> None:
        """As the port says."""
        self._connection.execute(update(uploads).where(uploads.c.blob == blob).values(received=received))

    async def finish(self, blob: Blob, now_ms: TimestampMs) -> None:
        """As the port says."""
        self._connection.execute(delete(uploads).where(uploads.c.blob == blob.blob))
        self._connection.execute(
            insert(blobs).values(
                blob=blob.blob,
                user_id=blob.user_id,
                size=blob.size,
                chunk_bytes=blob.chunk_bytes,
                sha256=blob.sha256,
                created_at_ms=now_ms,
            )
        )

    async def remove(self, blob: BlobId, now_ms: TimestampMs) -> None:
        """As the port says."""
        remove(self._connection, [blob], now_ms)

    async def to_erase(self, before_ms: TimestampMs, limit: int) -> list[BlobId]:
        """As the port says."""
        due = select(erasures.c.blob).where(erasures.c.since_ms < before_ms).order_by(erasures.c.since_ms).limit(limit)
        return [BlobId(blob) for blob in self._connection.execute(due).scalars()]

    async def erased(self, blob: BlobId) -> None:
        """As the port says."""
        gone = delete(erasures).where(erasures.c.blob == blob).returning(erasures.c.user_id, erasures.c.charge)
        for user_id, charged in self._connection.execute(gone).all():
            _charge(self._connection, user_id, -charged)


def remove(connection: Connection, gone: list[BlobId], now_ms: TimestampMs) -> None:
    """Nobody can fetch or go on with these, and their bytes are to be erased."""
    rows = [
        {"blob": blob, "since_ms": now_ms, "user_id": user_id, "charge": charge(size)}
        for kept in (uploads, blobs)
        for blob, user_id, size in connection.execute(
            delete(kept).where(kept.c.blob.in_(gone)).returning(kept.c.blob, kept.c.user_id, kept.c.size)
        ).all()
    ]
    if rows:
        connection.execute(upsert(erasures).on_conflict_do_nothing(), rows)


def _charge(connection: Connection, user_id: int, more: int) -> None:
    mine = accounts.c.user_id == user_id
    connection.execute(update(accounts).where(mine).values(stored_bytes=accounts.c.stored_bytes + more))
