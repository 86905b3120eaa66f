"""A network in memory between clients and the server's application: it loses, doubles, swaps and cuts as it is told."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

import httpx
import msgspec

from nightlight.client.transport import STREAM_PATH, Stream, read_answer
from nightlight.errors import UnavailableError
from nightlight.protocol.messages import (
    ClientFrame,
    ServerFrame,
    encode_frame,
    read_server_frame,
)

T = TypeVar("T")
Application = Any
"""An ASGI application; None while the server is down."""


class Deed(StrEnum):
    """What befalls one frame or one request."""

    LOSE = "lose"
    DOUBLE = "double"
    SWAP = "swap"
    """It arrives after the next one."""
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"


@dataclass(slots=True)
class Way:
    """One direction of one client's connection. ``deeds`` befall the next frames, one each."""

    deeds: deque[Deed] = field(default_factory=deque)
    held: bytes | None = None

    def pass_on(self, data: bytes, deliver: Callable[[bytes], None], cut: Callable[[], None]) -> None:
        """``data`` arrives as it may."""
        deed = self.deeds.popleft() if self.deeds else None
        held, self.held = self.held, None
        match deed:
            case Deed.LOSE:
                pass
            case Deed.DOUBLE:
                deliver(data)
                deliver(data)
            case Deed.SWAP:
                self.held = data
            case Deed.CUT_BEFORE:
                cut()
            case Deed.CUT_AFTER:
                deliver(data)
                cut()
            case None:
                deliver(data)
        if held is not None:
            deliver(held)


Tamper = Callable[[ServerFrame], ServerFrame]


@dataclass(slots=True)
class Link:
    """How one client reaches the server. ``requests``: what befalls the next HTTP requests.

    ``tamper`` makes a dishonest hub: whatever it returns arrives instead of the frame.
    """

    reach: Callable[[], Application]
    to_server: Way = field(default_factory=Way)
    to_client: Way = field(default_factory=Way)
    requests: deque[Deed] = field(default_factory=deque)
    tamper: Tamper | None = None
    streams: list["MemoryStream"] = field(default_factory=list)

    def cut(self) -> None:
        """Whatever is connected is cut off."""
        for stream in self.streams:
            stream.cut()
        self.streams.clear()

    def heal(self) -> None:
        """Everything arrives, once and in order, from now on."""
        for way in (self.to_server, self.to_client):
            way.deeds.clear()
        self.requests.clear()


class MemoryTransport:
    """A ``Transport`` over a ``Link``."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def call(self, method: str, path: str, answer: type[T], *, body: Any = None, token: str | None = None) -> T:
        """As ``Transport.call``."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        response = await self._pass_on(method, path, body, headers)
        return read_answer(response.status_code, response.content, answer)

    async def fetch(self, path: str, first: int, last: int, *, token: str) -> bytes:
        """As ``Transport.fetch``."""
        headers = {"authorization": f"Bearer {token}", "range": f"bytes={first}-{last}"}
        response = await self._pass_on("GET", path, None, headers)
        if not response.is_success:
            read_answer(response.status_code, response.content, object)
        return response.content

    async def _pass_on(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        """The answer, after what befalls the request."""
        deed = self._link.requests.popleft() if self._link.requests else None
        if deed in {Deed.LOSE, Deed.CUT_BEFORE}:
            raise UnavailableError("the request is lost")
        response = await self._ask(method, path, body, headers)
        if deed is Deed.DOUBLE:
            response = await self._ask(method, path, body, headers)
        if deed in {Deed.CUT_AFTER, Deed.SWAP}:
            raise UnavailableError("the answer is lost")
        return response

    async def _ask(self, method: str, path: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        application = self._link.reach()
        if application is None:
            raise UnavailableError("nobody listens")
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
            if body is not None and not isinstance(body, bytes):
                body, headers = msgspec.json.encode(body), headers | {"content-type": "application/json"}
            return await http.request(method, path, content=body, headers=headers)

    async def open(self) -> Stream:
        """As ``Transport.open``."""
        application = self._link.reach()
        if application is None:
            raise UnavailableError("nobody listens")
        stream = MemoryStream(self._link, application)
        self._link.streams.append(stream)
        return stream

    async def close(self) -> None:
        """As ``Transport.close``."""
        self._link.cut()


class MemoryStream:
    """A ``Stream`` to a WebSocket application in the same process."""

    def __init__(self, link: Link, application: Application) -> None:
        self._link = link
        self._for_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._for_client: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._for_server.put_nowait({"type": "websocket.connect"})
        scope = {"type": "websocket", "path": STREAM_PATH, "headers": []}
        self._serving = asyncio.create_task(application(scope, self._for_server.get, self._from_server))
        self._open = True

    async def send(self, frame: ClientFrame) -> None:
        """As ``Stream.send``."""
        if not self._open:
            raise UnavailableError("the connection is lost")
        self._link.to_server.pass_on(encode_frame(frame), self._to_server, self.cut)

    async def receive(self) -> ServerFrame:
        """As ``Stream.receive``."""
        data = await self._for_client.get() if self._open or not self._for_client.empty() else None
        if data is None:
            raise UnavailableError("the connection is lost")
        frame = read_server_frame(data)
        return frame if self._link.tamper is None else self._link.tamper(frame)

    async def close(self) -> None:
        """As ``Stream.close``."""
        self.cut()

    def cut(self) -> None:
        """Nothing passes any more; what is under way is lost, and the server sees the client gone."""
        if self._open:
            self._open = False
            self._for_server.put_nowait({"type": "websocket.disconnect", "code": 1006})
            self._for_client.put_nowait(None)

    def _to_server(self, data: bytes) -> None:
        self._for_server.put_nowait({"type": "websocket.receive", "bytes": data})

    async def _from_server(self, event: dict[str, Any]) -> None:
        if event["type"] == "websocket.close":
            self.cut()
        elif event["type"] == "websocket.send" and self._open:
            self._link.to_client.pass_on(event["bytes"], self._for_client.put_nowait, self.cut)
