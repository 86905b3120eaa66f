"""A person's files: what they send, and what they open of others'."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nightlight.client.connection import UPLOADS, Connection
from nightlight.client.downloads import Downloads, Progress, unheard
from nightlight.client.events import FileUpload
from nightlight.protocol.ids import HubUri, MessageId, RoomUri


class Files:
    """``client.files``: sending, saving and opening; all that goes out is sealed before it leaves."""

    def __init__(self, connection: Connection, downloads: Downloads) -> None:
        """``connection``: of the device whose files these are."""
        self._connection = connection
        self._downloads = downloads

    async def send(
        self,
        room: RoomUri,
        path: Path,
        *,
        caption: str = "",
        reply_to: MessageId | None = None,
        original: bool = False,
    ) -> str:
        """The file at ``path`` is sealed here, and goes out by itself; the id of its upload.

        A picture is made anew without its metadata, unless ``original``. Other files go as they are. ``UploadChanged``
        tells how far it is. Raises ``RefusedError``: ``not_found`` (not in the room), ``too_large`` (more than 100 MB);
        ``FileError``: not a file, or a picture that cannot be made anew; ``OSError`` from reading.
        """
        uploads = self._connection.uploads
        upload = await uploads.send(room, path, caption=caption, reply_to=reply_to, original=original)
        self._connection.chore(UPLOADS)
        self._connection.wake()
        return upload.upload_id

    async def outcome(self, upload_id: str) -> MessageId:
        """The message that the upload becomes. Raises ``RefusedError`` when it is refused, cancelled, or not there."""
        return await self._connection.uploads.outcome(upload_id, self._connection.watchers.reader())

    def waiting(self, room: RoomUri) -> list[FileUpload]:
        """The files on their way to ``room``, or refused, that are not messages yet; in order."""
        return self._connection.uploads.waiting(room)

    async def cancel(self, upload_id: str) -> None:
        """The upload is gone. Raises ``RefusedError`` ``not_found``: it has become a message."""
        await self._connection.uploads.cancel(upload_id)

    async def open(self, message_id: MessageId, number: int = 0, *, progress: Progress = unheard) -> Iterator[bytes]:
        """The message's attachment, piece by piece, fetched and checked before the first is given out.

        ``progress`` hears how many bytes of how many are here. Raises ``RefusedError`` ``not_found``,
        ``UnavailableError``; ``VerificationError``: it is not what was sent.
        """
        return (await self._downloads.open(message_id, number, await self._hub_uri(), progress)).open()

    async def save(self, message_id: MessageId, path: Path, number: int = 0, *, progress: Progress = unheard) -> Path:
        """The attachment is at ``path``, or in that folder under its own name, made harmless; returns where.

        Raises as ``open``; ``FileError`` if there is a file already; ``OSError`` from writing.
        """
        return await self._downloads.save(message_id, number, await self._hub_uri(), path, progress)

    async def _hub_uri(self) -> HubUri:
        return (await self._connection.housekeeping.franking_agent(self._connection.device)).hub
