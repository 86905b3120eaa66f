"""Files on their way out: sealed here, uploaded in chunks, then messages. Each step is durable before the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from nightlight.client.author import Author
from nightlight.client.device import Device
from nightlight.client.events import Event, FileUpload, UploadChanged
from nightlight.client.faults import crash_point
from nightlight.client.housekeeping import Housekeeping
from nightlight.client.hub import Hub
from nightlight.client.outgoing_file import outgoing
from nightlight.client.records import Upload
from nightlight.client.sealed_files import SealedFiles
from nightlight.client.store import Store, StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.errors import NightlightError, ProblemName, RefusedError, UnavailableError
from nightlight.protocol.attachment import KEY_BYTES, NONCE_BYTES, Attachment, Sealer
from nightlight.protocol.ids import BlobId, MessageId, RoomUri, parse_blob_id
from nightlight.protocol.messages import BlobUpload

CANCELLED = "cancelled"
_ID_BYTES = 16
_ATTEMPTS = 3
"""How often the hub may have got other bytes than we sent."""
_LONGEST_CHUNK = 8 * 2**20


class Uploads:
    """What this device sends as files."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands between
        self,
        store: Store,
        hub: Hub,
        housekeeping: Housekeeping,
        files: SealedFiles,
        surroundings: Surroundings,
        device: Callable[[], Device],
        wake: Callable[[], None],
    ) -> None:
        """``device``: the one that is connected now. ``wake``: it has events or errands."""
        self._store = store
        self._hub = hub
        self._housekeeping = housekeeping
        self._files = files
        self._random = surroundings.random
        self._author = Author(store.identity().user, store, surroundings.random)
        self._device = device
        self._wake = wake
        self._sealing = asyncio.Lock()
        self._became: dict[str, MessageId] = {}
        self._chunks_sent = 0

    # --- what a person does

    async def send(
        self, room: RoomUri, path: Path, *, caption: str, reply_to: MessageId | None, original: bool
    ) -> Upload:
        """The file at ``path`` is sealed here, and its upload durable.

        Raises ``RefusedError`` as ``Author.text``, and ``too_large``; ``FileError``, ``OSError``; ``StoreError``.
        """
        self._author.text(room, caption, reply_to=reply_to)  # what would be refused is refused before the work
        async with self._sealing:
            file = await asyncio.to_thread(outgoing, path, original=original)
            sealer = Sealer(self._random(KEY_BYTES), self._random(NONCE_BYTES))
            seal = await asyncio.to_thread(self._files.seal, file.chunks, sealer)
        crash_point("upload.before_store")
        upload = Upload(
            self._random(_ID_BYTES).hex(),
            room,
            seal,
            file.content_type,
            file.filename,
            file.preview,
            caption,
            reply_to,
        )
        self._put(upload)
        self._files.trim({upload.seal.name for upload in self._store.uploads()})
        crash_point("upload.after_store")
        return upload

    async def cancel(self, upload_id: str) -> None:
        """The upload is gone, here and at the hub. Raises ``RefusedError`` ``not_found``: it is no upload any more."""
        upload = self._store.upload(upload_id)
        if upload is None:
            raise RefusedError(ProblemName.NOT_FOUND)
        with self._store.transaction():
            self._store.drop_upload(upload_id)
        self._tell(upload, 0, reason=CANCELLED)
        await self._remove(upload)

    async def outcome(self, upload_id: str, events: AsyncIterator[Event]) -> MessageId:
        """The message that the upload becomes, or became while this client was open. ``events``: from now on.

        Raises ``RefusedError``: why it cannot be sent, ``not_found`` if there is none; ``UnavailableError`` if the
        client is closed.
        """
        while upload_id not in self._became:
            upload = self._store.upload(upload_id)
            if upload is None or upload.problem is not None:
                raise RefusedError(ProblemName.NOT_FOUND if upload is None else upload.problem or ProblemName.INTERNAL)
            if await anext(events, None) is None:
                raise UnavailableError("the client is closed")
        return self._became[upload_id]

    def waiting(self, room: RoomUri) -> list[FileUpload]:
        """What an application is told of the files on their way to ``room``, in order."""
        return [
            FileUpload(
                upload.upload_id, upload.filename, upload.content_type, upload.seal.size, upload.caption, upload.problem
            )
            for upload in self._store.uploads()
            if upload.room == room
        ]

    @property
    def busy(self) -> bool:
        """Whether anything waits to be uploaded."""
        return any(upload.problem is None for upload in self._store.uploads())

    # --- the work

    async def go_on(self) -> None:
        """Every upload has become a message, or never will. Raises ``UnavailableError``, ``StoreError``."""
        for upload in self._store.uploads():
            if upload.problem is None:
                try:
                    await self._finish_in_spite_of_cuts(upload.upload_id)
                except RefusedError as error:
                    await self._fail(upload.upload_id, error.problem)
                except (UnavailableError, StoreError):
                    raise
                except NightlightError:
                    await self._fail(upload.upload_id, ProblemName.INTERNAL)

    async def _finish_in_spite_of_cuts(self, upload_id: str) -> None:
        """As ``_finish``, which is tried again at once for as long as it gets further."""
        while (upload := self._store.upload(upload_id)) is not None:
            before = self._chunks_sent
            try:
                await self._finish(upload)
            except UnavailableError:
                if self._chunks_sent == before:
                    raise
            else:
                return

    async def _finish(self, upload: Upload) -> None:
        for _ in range(_ATTEMPTS):
            state = await self._begin(upload)
            blob = parse_blob_id(state.blob)
            if not await self._send_chunks(upload, blob, state):
                return
            crash_point("upload.before_finish")
            try:
                await self._hub.finish_upload(blob, upload.seal.content_hash)
            except RefusedError as error:
                if error.problem is not ProblemName.INVALID_BLOB:
                    raise
                upload = self._put(msgspec.structs.replace(upload, blob=None))
                await self._hub.remove_blob(blob)
            else:
                crash_point("upload.after_finish")
                await self._become_message(upload, blob)
                return
        raise RefusedError(ProblemName.INVALID_BLOB)

    async def _begin(self, upload: Upload) -> BlobUpload:
        """Where to go on; from the beginning if the hub knows nothing of it."""
        if upload.blob is not None:
            with suppress(RefusedError):
                return await self._hub.upload(upload.blob)
        state = await self._hub.begin_upload(upload.seal.size)
        if self._store.upload(upload.upload_id) is not None:
            self._put(msgspec.structs.replace(upload, blob=parse_blob_id(state.blob)))
        return state

    async def _send_chunks(self, upload: Upload, blob: BlobId, state: BlobUpload) -> bool:
        """All of it is at the hub; False when its person has cancelled it."""
        while state.received < upload.seal.size:
            self._tell(upload, state.received)
            chunk = self._files.read(upload.seal, state.received, min(state.chunk_bytes, _LONGEST_CHUNK))
            following = await self._hub.append_chunk(blob, state.received, chunk)
            crash_point("upload.after_chunk")
            if following.received <= state.received:
                raise UnavailableError("an upload does not go on")
            state = following
            self._chunks_sent += 1
            if self._store.upload(upload.upload_id) is None:
                return False
        return self._store.upload(upload.upload_id) is not None

    async def _become_message(self, upload: Upload, blob: BlobId) -> None:
        hub = (await self._housekeeping.franking_agent(self._device())).hub
        attachment = Attachment(hub, blob, upload.seal, upload.content_type, upload.filename, preview=upload.preview)
        message = self._author.text(upload.room, upload.caption, reply_to=upload.reply_to, attachments=[attachment])
        if self._store.upload(upload.upload_id) is None:
            return
        message_id = self._device().say(message, upload_id=upload.upload_id)
        self._became[upload.upload_id] = message_id
        self._tell(upload, upload.seal.size, message_id=message_id)

    async def _fail(self, upload_id: str, problem: ProblemName) -> None:
        upload = self._store.upload(upload_id)
        if upload is not None:
            self._put(msgspec.structs.replace(upload, problem=problem))
            self._tell(upload, 0, reason=problem.value)
            await self._remove(upload)

    async def _remove(self, upload: Upload) -> None:
        """The hub is asked to forget it, once: if it is not heard, an upload goes after a day."""
        if upload.blob is not None:
            with suppress(NightlightError):
                await self._hub.remove_blob(upload.blob)

    def _put(self, upload: Upload) -> Upload:
        with self._store.transaction():
            self._store.put_upload(upload)
        return upload

    def _tell(
        self, upload: Upload, sent: int, *, message_id: MessageId | None = None, reason: str | None = None
    ) -> None:
        self._device().events.append(
            UploadChanged(upload.upload_id, upload.room, sent, upload.seal.size, message_id, reason)
        )
        self._wake()
