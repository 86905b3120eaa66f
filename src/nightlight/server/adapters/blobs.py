"""Blobs in a folder or in an S3 bucket: one object for each chunk, which is there whole or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store

from nightlight.errors import UnavailableError
from nightlight.protocol.ids import BlobId

_FOLDER = "blobs"
_TIMEOUT = timedelta(seconds=30)
_RETRIES = 2


class ObjectBlobs:
    """``ports.blobs.BlobStore`` on any object store."""

    def __init__(self, objects: ObjectStore) -> None:
        """Nothing is asked of ``objects`` yet."""
        self._objects = objects

    async def put(self, blob: BlobId, offset: int, chunk: bytes) -> None:
        """As the port says."""
        with _in_our_words():
            await self._objects.put_async(_name(blob, offset), chunk, use_multipart=False)

    async def get(self, blob: BlobId, offset: int) -> bytes:
        """As the port says."""
        with _in_our_words():
            found = await self._objects.get_async(_name(blob, offset))
            return bytes(await found.bytes_async())

    async def erase(self, blob: BlobId) -> None:
        """As the port says."""
        with _in_our_words():
            async for page in self._objects.list(f"{_FOLDER}/{blob}"):
                await self._objects.delete_async([found["path"] for found in page])


class FolderBlobs(ObjectBlobs):
    """``ports.blobs.BlobStore`` in a folder inside ``data``, which is made when the first blob comes."""

    def __init__(self, data: Path) -> None:
        """``data`` is there."""
        super().__init__(LocalStore(data))
        self._data = data

    async def put(self, blob: BlobId, offset: int, chunk: bytes) -> None:
        """As the port says; obstore leaves it to the system when a file reaches the disk."""
        await super().put(blob, offset, chunk)
        with _in_our_words():
            await asyncio.to_thread(self._sync, self._data / _name(blob, offset))

    def _sync(self, path: Path) -> None:
        for level in (path, path.parent, path.parent.parent, self._data):
            opened = os.open(level, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)

    async def erase(self, blob: BlobId) -> None:
        """As the port says; what a crash left half written goes too."""
        with _in_our_words():
            folder = self._data / _FOLDER / blob
            if folder.exists():
                await asyncio.to_thread(shutil.rmtree, folder)


def in_bucket(  # noqa: PLR0913 - what names a bucket
    bucket: str, *, prefix: str, endpoint: str, region: str, access_key_id: str, secret_access_key: str
) -> ObjectBlobs:
    """Blobs in an S3 bucket that is there. ``endpoint``: of another service than Amazon's, or empty."""
    return ObjectBlobs(
        S3Store(
            bucket,
            prefix=prefix or None,
            endpoint=endpoint or None,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
            client_options={"timeout": _TIMEOUT, "allow_http": endpoint.startswith("http:")},
            retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
        )
    )


def _name(blob: BlobId, offset: int) -> str:
    return f"{_FOLDER}/{blob}/{offset}"


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Whatever goes wrong with a store, it is unavailable; its own words may name a blob."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise UnavailableError(f"blobs: {type(error).__name__}") from error
