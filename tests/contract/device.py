"""A device without a client: real keys and real MLS, and frames and bodies sent by hand."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect

from nightlight.errors import ProblemName
from nightlight.mls.group import Group, Member
from nightlight.mls.signing import SigningKey
from nightlight.protocol import credential
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import DeviceUri, HubUri, ProviderName, RoomUri, TimestampMs, UserUri, device_uri, room_uri
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    Challenge,
    ChallengeRequest,
    ClaimedKeyPackages,
    ContactAction,
    ContactTarget,
    Directory,
    Hello,
    KeyPackageClaim,
    KeyPackageUpload,
    Ready,
    Refused,
    Registration,
    Room,
    RoomCreation,
    ServerFrame,
    Session,
    SignIn,
    SubmitCommit,
    SubmitMessage,
    encode_frame,
    read_server_frame,
)
from nightlight.protocol.roles import Roles, encode_roles

DAY_S = 86_400
PATIENCE_S = 60
"""How long a test waits for a frame that must come; it is no bound on the product."""
T = TypeVar("T")
_ids = itertools.count(1)


def submission_id(at_ms: int | None = None) -> bytes:
    """A fresh id shaped as a version 7 UUID."""
    at_ms = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    number = (at_ms << 80) | (7 << 76) | (2 << 62) | next(_ids)
    return number.to_bytes(16, "big")


class Device:
    """The first device of an invented person."""

    def __init__(self, user: UserUri, name: str = "phone", member: Member | None = None) -> None:
        """Keys are made; no server knows of them. ``member``: its part in MLS, fresh unless given."""
        self.user = user
        self.device: DeviceUri = device_uri(user, name)
        self.account = SigningKey.generate()
        self.session = SigningKey.generate()
        self.member = member or Member.create()
        entry = credential.Device(self.device, self.member.signature_key)
        expires_at_ms = TimestampMs(time.time_ns() // 1_000_000 + 20 * DAY_S * 1000)
        self.device_list = credential.first_device_list(user, self.account.public_key, entry, expires_at_ms)
        leaf = credential.leaf_credential(self.device_list, self.device, self.account.sign_with_label)
        self.member.set_credential(leaf.encode())
        self.groups: dict[RoomUri, Group] = {}

    @staticmethod
    def now_s() -> int:
        """Unix seconds."""
        return time.time_ns() // 1_000_000_000

    def registration(self) -> Registration:
        """What registers this device's person."""
        signed = self.device_list.sign(self.account.sign_with_label).encode()
        return Registration(self.user, self.device, self.account.public_key, signed, self.session.public_key)

    def key_packages(self, count: int, *, last_resort: bool = False) -> list[bytes]:
        """Fresh ones, for thirty days."""
        return self.member.key_packages(count, lifetime_s=30 * DAY_S, now_s=self.now_s(), last_resort=last_resort)

    def upload(self, count: int = 3) -> KeyPackageUpload:
        """``count`` single-use key packages, and one last-resort one."""
        return KeyPackageUpload(self.key_packages(count), self.key_packages(1, last_resort=True)[0])

    def sign_in(self, challenge: Challenge) -> SignIn:
        """The answer to ``challenge``."""
        expires_at_ms = TimestampMs(challenge.expires_at_ms)
        content = credential.session_content(challenge.origin, self.device, challenge.nonce, expires_at_ms)
        signature = self.session.sign_with_label(credential.SESSION_LABEL, content)
        return SignIn(self.device, challenge.nonce, challenge.expires_at_ms, signature)

    def begin(self, name: str, directory: Directory) -> RoomCreation:
        """A room at this person's provider with nobody else in it."""
        room = room_uri(ProviderName(self.user.split("/")[2]), name)
        agent = FrankingAgent(directory.franking_keys[0], HubUri(directory.hub)).encode()
        self.groups[room] = self.member.create_group(room.encode(), agent)
        return RoomCreation(room, self.groups[room].group_info())

    def commit(
        self,
        room: RoomUri,
        *,
        add: Sequence[bytes] = (),
        remove: Sequence[int] = (),
        give: Roles | None = None,
    ) -> SubmitCommit:
        """A commit, pending here until ``groups[room].accept()``."""
        roles = encode_roles(give or {})
        staged = self.groups[room].commit(add=add, remove=remove, roles=roles, now_s=self.now_s())
        return SubmitCommit(submission_id(), room, staged.commit, staged.welcome)

    def message(self, room: RoomUri, text: bytes = b"hello") -> SubmitMessage:
        """``text`` as the hub sees it: ciphertext under a random tag."""
        return SubmitMessage(submission_id(), room, self.groups[room].encrypt(text, os.urandom(32)))


class Line:
    """A device's connection to a running server."""

    def __init__(self, device: Device, url: str) -> None:
        """Nothing is sent yet."""
        self.device = device
        self.url = url
        self.token = ""
        self.http = httpx.AsyncClient(base_url=url, timeout=30, verify=False)  # noqa: S501 - there is no TLS on loopback

    async def call(self, method: str, path: str, answer: type[T], body: Any = None, **query: str) -> T:
        """The decoded answer, which must be a success."""
        response = await self.raw(method, path, body, **query)
        assert response.is_success, response.text
        return msgspec.json.decode(response.content or b"null", type=answer)

    async def raw(self, method: str, path: str, body: Any = None, **query: str) -> httpx.Response:
        """The answer as it came."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        content = None if body is None else msgspec.json.encode(body)
        return await self.http.request(method, path, content=content, headers=headers, params=query)

    async def join(self) -> None:
        """The person is registered, signed in and can be added to rooms."""
        await self.call("POST", "/v1/accounts", object, self.device.registration())
        await self.sign_in()
        await self.call("POST", "/v1/key-packages", object, self.device.upload())

    async def sign_in(self) -> None:
        """The device has a token."""
        challenge = await self.call("POST", "/v1/challenges", Challenge, ChallengeRequest(self.device.device))
        self.token = (await self.call("POST", "/v1/sessions", Session, self.device.sign_in(challenge))).token

    async def contact(self, action: ContactAction, user: UserUri) -> httpx.Response:
        """The answer to a contact action."""
        return await self.raw("POST", f"/v1/contacts/{action.value}", ContactTarget(user))

    async def create(self, name: str) -> RoomUri:
        """A room with this device alone."""
        directory = await self.call("GET", "/v1/directory", Directory)
        creation = self.device.begin(name, directory)
        await self.call("POST", "/v1/rooms", Room, creation)
        return RoomUri(creation.room)

    async def claim(self, user: UserUri) -> list[bytes]:
        """A key package of each device of ``user``."""
        return (
            await self.call("POST", "/v1/key-packages/claim", ClaimedKeyPackages, KeyPackageClaim(user))
        ).key_packages

    @asynccontextmanager
    async def stream(self, cursors: Mapping[str, int] | None = None) -> AsyncIterator[Frames]:
        """A WebSocket that has said ``Hello`` and heard ``Ready``."""
        async with connect("ws" + self.url.removeprefix("http") + "/v1/stream", proxy=None, compression=None) as socket:
            frames = Frames(socket)
            await frames.send(Hello(self.token, dict(cursors or {})))
            frames.ready = await frames.expect(Ready)
            yield frames

    async def move(self, url: str) -> None:
        """The server is elsewhere now."""
        await self.http.aclose()
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=30, verify=False)  # noqa: S501 - there is no TLS on loopback

    async def close(self) -> None:
        """Nothing is open."""
        await self.http.aclose()


class Frames:
    """Frames over one WebSocket."""

    ready: Ready

    def __init__(self, socket: ClientConnection) -> None:
        """``socket`` is open."""
        self.socket = socket

    async def send(self, frame: Any) -> None:
        """``frame`` is on its way."""
        await self.socket.send(encode_frame(frame))

    async def receive(self) -> ServerFrame:
        """The next frame."""
        async with asyncio.timeout(PATIENCE_S):
            return read_server_frame(await self.socket.recv(decode=False))

    async def expect(self, kind: type[T]) -> T:
        """The next frame, which must be of ``kind``."""
        frame = await self.receive()
        assert isinstance(frame, kind), frame
        return frame

    async def submit(self, frame: Any) -> Accepted:
        """The answer to ``frame``, which must be taken; what comes before it is passed over."""
        await self.send(frame)
        while True:
            answer = await self.receive()
            if isinstance(answer, Accepted) and answer.submission_id == frame.submission_id:
                return answer
            assert not isinstance(answer, Refused), answer

    async def refused(self, frame: Any) -> Refused:
        """The refusal of ``frame``; what comes before it is passed over."""
        await self.send(frame)
        while True:
            answer = await self.receive()
            if isinstance(answer, Refused):
                assert answer.submission_id == frame.submission_id
                return answer

    async def nothing_more(self) -> None:
        """The server has nothing to tell: the next it says is the answer to a frame that it cannot read."""
        await self.socket.send(b"?")
        assert await self.receive() == Refused(None, ProblemName.MALFORMED)

    async def acknowledge(self, room: RoomUri, seq: int) -> None:
        """Everything up to ``seq`` is acknowledged."""
        await self.send(Acknowledge(room, seq))


async def befriend(one: Line, other: Line) -> None:
    """The two are contacts."""
    assert (await one.contact(ContactAction.REQUEST, other.device.user)).status_code == httpx.codes.ACCEPTED
    assert (await other.contact(ContactAction.ACCEPT, one.device.user)).status_code == httpx.codes.ACCEPTED


async def room_of_two(owner: Line, guest: Line, name: str = "lake") -> RoomUri:
    """A room that both are in; the owner's commit is the log's first entry."""
    room = await owner.create(name)
    packages = await owner.claim(guest.device.user)
    async with owner.stream() as frames:
        commit = owner.device.commit(room, add=packages)
        await frames.send(commit)
        await frames.expect(Accepted)
    owner.device.groups[room].accept()
    assert commit.welcome is not None
    guest.device.groups[room] = guest.device.member.join(commit.welcome)
    return room
