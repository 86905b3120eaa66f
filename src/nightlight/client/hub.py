"""The server as one signed-in device sees it: every HTTP endpoint once, by name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import quote

from nightlight.client.records import Identity, Lost
from nightlight.client.transport import Stream, Transport
from nightlight.client.trust import Clock
from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import SESSION_LABEL, session_content
from nightlight.protocol.ids import BlobId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.messages import (
    MAX_ROOMS,
    AccountKeyChange,
    BlobCreation,
    BlobHash,
    BlobUpload,
    Challenge,
    ChallengeRequest,
    ClaimedKeyPackages,
    Contact,
    ContactAction,
    ContactTarget,
    DeviceLink,
    DeviceListUpdate,
    Directory,
    EntryUnusable,
    Hello,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    Registration,
    Room,
    RoomCreation,
    Session,
    SignIn,
    UserDevices,
)

TOKEN_MARGIN_MS = 60_000
"""A token that ends sooner than this is replaced first."""

T = TypeVar("T")


class Hub:
    """Signs in when needed. Every method raises ``RefusedError``, ``UnavailableError``, ``RemoteProtocolError``."""

    def __init__(self, identity: Identity, transport: Transport, clock: Clock) -> None:
        """Nothing is sent yet."""
        self._identity = identity
        self._transport = transport
        self._clock = clock
        self._session: Session | None = None

    def forget_token(self) -> None:
        """The next call signs in anew."""
        self._session = None

    async def close(self) -> None:
        """Nothing is open any more."""
        await self._transport.close()

    async def open_stream(self, cursors: dict[RoomUri, int]) -> Stream:
        """A connection that has said Hello with ``cursors``."""
        token = await self._token()
        stream = await self._transport.open()
        await stream.send(Hello(token, {str(room): seq for room, seq in cursors.items()}))
        return stream

    async def register(self, registration: Registration) -> UserDevices:
        """The account exists; a repeat changes nothing."""
        return await self._transport.call("POST", "/v1/accounts", UserDevices, body=registration)

    async def directory(self) -> Directory:
        """The hub's name and franking keys."""
        return await self._transport.call("GET", "/v1/directory", Directory)

    async def publish_device_list(self, device_list: bytes, link: DeviceLink | None = None) -> UserDevices:
        """``device_list`` is this user's newest, and the device that it links may fetch its package."""
        return await self._call("PUT", "/v1/device-list", UserDevices, DeviceListUpdate(device_list, link))

    async def publish_account_key(self, device_list: bytes, change: AccountKeyChange) -> UserDevices:
        """``device_list``, the first under a new account key, is this user's newest."""
        return await self._call("PUT", "/v1/device-list", UserDevices, DeviceListUpdate(device_list, change=change))

    async def cancel_recovery(self) -> None:
        """No recovery of this person waits."""
        await self._call("DELETE", "/v1/recoveries", object)

    async def device_list(self, user: UserUri) -> UserDevices:
        """The newest device list of ``user``, a contact or somebody in a room with us."""
        return await self._call("GET", f"/v1/device-list?user={quote(user, safe='')}", UserDevices)

    async def count_key_packages(self) -> KeyPackageCount:
        """How many are left for this device."""
        return await self._call("GET", "/v1/key-packages", KeyPackageCount)

    async def publish_key_packages(self, upload: KeyPackageUpload) -> KeyPackageCount:
        """They can be claimed."""
        return await self._call("POST", "/v1/key-packages", KeyPackageCount, upload)

    async def claim_key_packages(self, user: UserUri, devices: list[str] | None = None) -> ClaimedKeyPackages:
        """One for each device of ``user`` that has any, or of ``devices`` alone."""
        return await self._call("POST", "/v1/key-packages/claim", ClaimedKeyPackages, KeyPackageClaim(user, devices))

    async def contacts(self) -> list[Contact]:
        """Everyone this user has a relation with."""
        return await self._call("GET", "/v1/contacts", list[Contact])

    async def contact(self, action: ContactAction, user: UserUri) -> None:
        """The action is done."""
        await self._call("POST", f"/v1/contacts/{action.value}", object, ContactTarget(user))

    async def create_room(self, room: RoomUri, group_info: bytes) -> Room:
        """The hub knows the room; a repeat changes nothing."""
        return await self._call("POST", "/v1/rooms", Room, RoomCreation(room, group_info))

    async def say_unusable(self, lost: Lost) -> None:
        """The others in the room hear that this device cannot go on there."""
        await self._call("POST", "/v1/rooms/unusable", object, EntryUnusable(lost.room, lost.seq, lost.digest))

    async def rooms(self) -> list[Room]:
        """What the hub knows of the rooms that this device is in."""
        rooms: list[Room] = []
        while True:
            after = f"?after={quote(rooms[-1].room, safe='')}" if rooms else ""
            page = await self._call("GET", f"/v1/rooms{after}", list[Room])
            rooms += page
            if len(page) < MAX_ROOMS:
                return rooms

    async def room(self, room: RoomUri) -> Room:
        """What the hub knows of a room that this device is in."""
        return await self._call("GET", f"/v1/room?room={quote(room, safe='')}", Room)

    async def begin_upload(self, size: int) -> BlobUpload:
        """A new upload of so many bytes has an id."""
        return await self._call("POST", "/v1/blobs", BlobUpload, BlobCreation(size))

    async def upload(self, blob: BlobId) -> BlobUpload:
        """How far our upload is."""
        return await self._call("GET", f"/v1/blobs/{blob}/upload", BlobUpload)

    async def append_chunk(self, blob: BlobId, offset: int, chunk: bytes) -> BlobUpload:
        """The hub has the chunk; a repeat changes nothing."""
        return await self._call("PUT", f"/v1/blobs/{blob}/upload?offset={offset}", BlobUpload, chunk)

    async def finish_upload(self, blob: BlobId, sha256: bytes) -> BlobUpload:
        """The blob can be fetched; a repeat changes nothing."""
        return await self._call("POST", f"/v1/blobs/{blob}/upload", BlobUpload, BlobHash(sha256))

    async def remove_blob(self, blob: BlobId) -> None:
        """Our upload or blob is gone."""
        await self._call("DELETE", f"/v1/blobs/{blob}", object)

    async def fetch_blob(self, blob: BlobId, first: int, last: int) -> bytes:
        """These bytes of a blob, both ends included."""
        return await self._signed(lambda token: self._transport.fetch(f"/v1/blobs/{blob}", first, last, token=token))

    async def _call(self, method: str, path: str, answer: type[T], body: Any = None) -> T:
        return await self._signed(lambda token: self._transport.call(method, path, answer, body=body, token=token))

    async def _signed(self, ask: Callable[[str], Awaitable[T]]) -> T:
        """The answer to ``ask``, which takes a token."""
        try:
            return await ask(await self._token())
        except RefusedError as error:
            if error.problem is not ProblemName.UNAUTHENTICATED:
                raise
        self.forget_token()  # it ended early: the server was set up anew, or its clock jumped
        return await ask(await self._token())

    async def _token(self) -> str:
        """A bearer token that does not end soon."""
        if self._session is None or self._session.expires_at_ms < self._clock() + TOKEN_MARGIN_MS:
            self._session = await self._sign_in()
        return self._session.token

    async def _sign_in(self) -> Session:
        device = self._identity.device
        challenge = await self._transport.call("POST", "/v1/challenges", Challenge, body=ChallengeRequest(device))
        if challenge.origin != self._identity.server_url:
            raise RemoteProtocolError("NL-542", "a challenge to sign in elsewhere")
        content = session_content(challenge.origin, device, challenge.nonce, TimestampMs(challenge.expires_at_ms))
        signature = SigningKey.from_seed(self._identity.session_seed).sign_with_label(SESSION_LABEL, content)
        answer = SignIn(device, challenge.nonce, challenge.expires_at_ms, signature)
        return await self._transport.call("POST", "/v1/sessions", Session, body=answer)
