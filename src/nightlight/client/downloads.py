"""Attachments coming in: fetched in ranges, kept sealed, checked, and only then opened."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from nightlight.client.hub import Hub
from nightlight.client.outgoing_file import FileError
from nightlight.client.sealed_files import SealedFiles
from nightlight.client.store import Store
from nightlight.errors import ProblemName, RefusedError, UnavailableError, VerificationError
from nightlight.protocol.attachment import Attachment, CheckedBlob
from nightlight.protocol.filename import safe_filename
from nightlight.protocol.ids import HubUri, MessageId

RANGE_BYTES = 4 * 2**20
Progress = Callable[[int, int], None]
"""Hears how many bytes of how many are here."""


def unheard(_here: int, _size: int) -> None:
    """For whom it does not matter how far it is."""


class Downloads:
    """The attachments of messages on this device."""

    def __init__(self, store: Store, hub: Hub, files: SealedFiles) -> None:
        """Nothing is fetched yet."""
        self._store = store
        self._hub = hub
        self._files = files
        self._fetching: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def _attachment(self, message_id: MessageId, number: int) -> Attachment:
        attachments = self._store.timeline.attachments(message_id)
        if not 0 <= number < len(attachments):
            raise RefusedError(ProblemName.NOT_FOUND)
        return attachments[number]

    async def open(self, message_id: MessageId, number: int, hub: HubUri, progress: Progress) -> CheckedBlob:
        """The message's attachment, checked; fetched from ``hub``, ours, unless it is here.

        What came before a failure is kept, and the next call goes on there. Raises ``RefusedError`` ``not_found``;
        ``UnavailableError``; ``VerificationError``: NL-154 to NL-156, NL-551 (at another hub); ``StoreError``.
        """
        attachment = self._attachment(message_id, number)
        async with self._fetching[attachment.seal.name]:
            kept = await asyncio.to_thread(self._files.open, attachment.seal)
            if kept is None:
                if attachment.hub != hub:
                    raise VerificationError("NL-551", "an attachment at another hub")
                await self._fetch(attachment, progress)
                kept = await asyncio.to_thread(self._files.finish, attachment.seal)
                self._files.trim({attachment.seal.name, *(upload.seal.name for upload in self._store.uploads())})
        return kept

    async def _fetch(self, attachment: Attachment, progress: Progress) -> None:
        """All that the hub has of it, up to its size, is here."""
        seal = attachment.seal
        received = self._files.received(seal)
        while received < seal.size:
            progress(received, seal.size)
            last = min(received + RANGE_BYTES, seal.size) - 1
            try:
                chunk = await self._hub.fetch_blob(attachment.blob, received, last)
            except RefusedError as error:
                if error.problem is ProblemName.RANGE_NOT_SATISFIABLE:
                    return  # the blob ends here: it is found to be too short
                raise
            if not chunk:
                raise UnavailableError("a download does not go on")
            await asyncio.to_thread(self._files.append, seal, chunk)
            received += len(chunk)
        progress(seal.size, seal.size)

    async def save(self, message_id: MessageId, number: int, hub: HubUri, path: Path, progress: Progress) -> Path:
        """The opened attachment is at ``path``, or in that folder under a name that is harmless; returns where.

        Raises as ``open``; ``FileError`` if there is a file already; ``OSError`` from writing.
        """
        attachment = self._attachment(message_id, number)
        target = _free(path, safe_filename(attachment.filename))
        checked = await self.open(message_id, number, hub, progress)
        await asyncio.to_thread(_write, checked, target)
        return target


def _free(path: Path, filename: str) -> Path:
    target = path / filename if path.is_dir() else path
    if target.exists():
        raise FileError(f"{target} exists already")
    return target


def _write(checked: CheckedBlob, target: Path) -> None:
    unfinished = target.with_name(f".{target.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(checked.open())
        unfinished.rename(target)
    finally:
        unfinished.unlink(missing_ok=True)
