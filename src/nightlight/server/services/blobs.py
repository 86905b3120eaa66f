"""Blobs: sealed attachments, uploaded in chunks and fetched in ranges.

Whoever knows a blob's id may fetch it: 128 random bits that stand nowhere but in the sealed messages that hand them on.
The server does not know in which rooms these are, and need not.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.ids import BlobId, TimestampMs
from nightlight.protocol.messages import BlobUpload
from nightlight.server.ports.blobs import Blob, BlobStore, Upload, charge
from nightlight.server.ports.delivery import Caller, Clock, DeliveryStore, DeliveryUnit, Random

CHUNK_BYTES = 2**20
_ID_BYTES = 16
_ERASED_AT_ONCE = 100
_WRITTEN_BY_NOW_MS = 600_000
"""A chunk that was on its way when its blob was removed has arrived, or never will: then all can be erased at once."""


@dataclass(frozen=True, slots=True)
class BlobService:
    """Limits in bytes: ``blob_bytes_max`` of one blob, ``quota_bytes`` of all that one person has here.

    An upload counts whole from its beginning, at least 4 KiB, and until its bytes are erased.
    """

    store: DeliveryStore
    chunks: BlobStore
    clock: Clock
    random: Random
    blob_bytes_max: int
    quota_bytes: int
    uploads_max: int
    chunk_bytes: int = CHUNK_BYTES

    async def begin(self, caller: Caller, size: int) -> BlobUpload:
        """An upload of ``size`` bytes has an id; a repeat gets another.

        Raises ``RefusedError``: ``too_large`` NL-490; ``too_many`` NL-491; ``quota_exceeded`` NL-492.
        """
        if size > self.blob_bytes_max:
            raise RefusedError(ProblemName.TOO_LARGE)  # NL-490
        upload = Upload(BlobId(self.random(_ID_BYTES).hex()), caller.user_id, size, self.chunk_bytes, 0)
        async with self.store.write("begin_blob") as unit:
            if await unit.blobs.uploads_of(caller.user_id) >= self.uploads_max:
                raise RefusedError(ProblemName.TOO_MANY)  # NL-491
            if await unit.blobs.bytes_of(caller.user_id) + charge(size) > self.quota_bytes:
                raise RefusedError(ProblemName.QUOTA_EXCEEDED)  # NL-492
            await unit.blobs.begin(upload, self.clock())
        return _told(upload)

    async def upload(self, caller: Caller, blob: BlobId) -> BlobUpload:
        """How far the caller's upload is. Raises ``RefusedError`` ``not_found`` NL-493."""
        async with self.store.read() as unit:
            return _told(await self._mine(unit, caller, blob))

    async def append(self, caller: Caller, blob: BlobId, offset: int, chunk: bytes) -> BlobUpload:
        """The chunk at ``offset`` is durable, and the upload as far as it says; a repeat changes nothing.

        Raises ``RefusedError``: ``not_found`` NL-493; ``malformed`` NL-494 for a chunk of another size than it must
        have; ``conflict`` NL-495 for one that does not begin where the last ended.
        """
        async with self.store.read() as unit:
            upload = await self._mine(unit, caller, blob)
            _check_chunk(upload, offset, chunk)
            if offset < (upload.received if isinstance(upload, Upload) else upload.size):
                return _told(upload)
        await self.chunks.put(blob, offset, chunk)
        async with self.store.write("append_blob") as unit:
            upload = await self._mine(unit, caller, blob)
            if isinstance(upload, Upload) and upload.received == offset:
                await unit.blobs.receive(blob, offset + len(chunk))
                upload = await self._mine(unit, caller, blob)
        return _told(upload)

    async def finish(self, caller: Caller, blob: BlobId, sha256: bytes) -> BlobUpload:
        """The blob can be fetched; a repeat changes nothing.

        Raises ``RefusedError``: ``not_found`` NL-493; ``conflict`` NL-496 while bytes are missing; ``invalid_blob``
        NL-497 when the bytes have another hash.
        """
        async with self.store.read() as unit:
            upload = await self._mine(unit, caller, blob)
        if isinstance(upload, Blob):
            if upload.sha256 != sha256:
                raise RefusedError(ProblemName.INVALID_BLOB)  # NL-497
            return _told(upload)
        if upload.received < upload.size:
            raise RefusedError(ProblemName.CONFLICT)  # NL-496
        finished = Blob(blob, upload.user_id, upload.size, upload.chunk_bytes, await self._hash(upload))
        if finished.sha256 != sha256:
            raise RefusedError(ProblemName.INVALID_BLOB)  # NL-497
        async with self.store.write("finish_blob") as unit:
            if isinstance(await self._mine(unit, caller, blob), Upload):
                await unit.blobs.finish(finished, self.clock())
        return _told(finished)

    async def remove(self, caller: Caller, blob: BlobId) -> None:
        """The caller's upload or blob cannot be fetched, and its bytes go soon. Raises ``not_found`` NL-493."""
        async with self.store.write("erase_blob") as unit:
            await self._mine(unit, caller, blob)
            await unit.blobs.remove(blob, self.clock())

    async def find(self, blob: BlobId) -> Blob:
        """The blob that has this id, which its asker knows. Raises ``RefusedError`` ``not_found`` NL-498."""
        async with self.store.read() as unit:
            found = await unit.blobs.blob(blob)
        if found is None:
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-498
        return found

    async def read(self, blob: Blob, first: int, last: int) -> AsyncIterator[bytes]:
        """The bytes from ``first`` to ``last``, both included and within the blob. Raises ``UnavailableError``."""
        offset = first - first % blob.chunk_bytes
        while offset <= last:
            chunk = await self.chunks.get(blob.blob, offset)
            yield chunk[max(0, first - offset) : last + 1 - offset]
            offset += blob.chunk_bytes

    async def erase(self) -> int:
        """The bytes of all blobs that were removed a while ago are gone; of how many."""
        before_ms = TimestampMs(self.clock() - _WRITTEN_BY_NOW_MS)
        erased = 0
        while True:
            async with self.store.read() as unit:
                due = await unit.blobs.to_erase(before_ms, _ERASED_AT_ONCE)
            if not due:
                return erased
            for blob in due:
                await self.chunks.erase(blob)
                async with self.store.write("erase_blob") as unit:
                    await unit.blobs.erased(blob)
            erased += len(due)

    async def _mine(self, unit: DeliveryUnit, caller: Caller, blob: BlobId) -> Upload | Blob:
        found = await unit.blobs.upload(blob) or await unit.blobs.blob(blob)
        if found is None or found.user_id != caller.user_id:
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-493
        return found

    async def _hash(self, upload: Upload) -> bytes:
        digest = hashlib.sha256()
        for offset in range(0, upload.size, upload.chunk_bytes):
            digest.update(await self.chunks.get(upload.blob, offset))
        return digest.digest()


def _check_chunk(upload: Upload | Blob, offset: int, chunk: bytes) -> None:
    if offset % upload.chunk_bytes or len(chunk) != min(upload.chunk_bytes, upload.size - offset):
        raise RefusedError(ProblemName.MALFORMED)  # NL-494
    if isinstance(upload, Upload) and offset > upload.received:
        raise RefusedError(ProblemName.CONFLICT)  # NL-495


def _told(upload: Upload | Blob) -> BlobUpload:
    finished = isinstance(upload, Blob)
    received = upload.size if isinstance(upload, Blob) else upload.received
    return BlobUpload(upload.blob, upload.size, received, upload.chunk_bytes, finished)
