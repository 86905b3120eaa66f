"""What the blob service needs: records of blobs in the database, and a place for their bytes.

A blob is ciphertext that devices fetch by its id. Its bytes lie in chunks, each of which is there whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nightlight.protocol.ids import BlobId, TimestampMs

_LEAST_CHARGE = 4_096
"""A blob costs a row, a folder and a block of the disk, however small it is."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A blob that is being uploaded. ``received``: bytes that are durable; chunks but the last have ``chunk_bytes``."""

    blob: BlobId
    user_id: int
    size: int
    chunk_bytes: int
    received: int


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that can be fetched. ``sha256``: of its ciphertext."""

    blob: BlobId
    user_id: int
    size: int
    chunk_bytes: int
    sha256: bytes


def charge(size: int) -> int:
    """What a blob of so many bytes costs of its user's quota, from its upload's beginning on."""
    return max(size, _LEAST_CHARGE)


class BlobRecords(Protocol):
    """What the database knows of blobs."""

    async def begin(self, upload: Upload, now_ms: TimestampMs) -> None:
        """The upload is there."""

    async def upload(self, blob: BlobId) -> Upload | None:
        """The upload of that id, if it has not finished."""

    async def blob(self, blob: BlobId) -> Blob | None:
        """The blob of that id."""

    async def uploads_of(self, user_id: int) -> int:
        """How many uploads of the user have not finished."""

    async def bytes_of(self, user_id: int) -> int:
        """What the user is charged for: uploads and blobs, as ``charge`` says, until their bytes are erased."""

    async def receive(self, blob: BlobId, received: int) -> None:
        """The upload is so far."""

    async def finish(self, blob: Blob, now_ms: TimestampMs) -> None:
        """The upload is a blob."""

    async def remove(self, blob: BlobId, now_ms: TimestampMs) -> None:
        """The upload or blob cannot be fetched, and its bytes are to be erased."""

    async def to_erase(self, before_ms: TimestampMs, limit: int) -> list[BlobId]:
        """Blobs whose bytes are to be erased, removed before that time."""

    async def erased(self, blob: BlobId) -> None:
        """The bytes are gone, and with them the last that was known of the blob."""


class BlobStore(Protocol):
    """Where the bytes of blobs lie. Every method raises ``UnavailableError``."""

    async def put(self, blob: BlobId, offset: int, chunk: bytes) -> None:
        """The chunk at ``offset`` is durable; it takes the place of one that is there."""

    async def get(self, blob: BlobId, offset: int) -> bytes:
        """The chunk at ``offset``."""

    async def erase(self, blob: BlobId) -> None:
        """No byte of the blob is left; there may have been none."""
