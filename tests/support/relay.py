"""A relay between clients and server that loses, doubles, swaps and cuts what passes, as a test tells it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Literal

import httpx
import websockets

from tests.support.server import free_port
from tests.support.serving import serving

CUT: Final = "cut"
"""In what a deed returns: the connection breaks here."""
Deed = Callable[[bytes], Sequence[bytes | Literal["cut"]]]
"""What becomes of one frame or one request: the bytes to pass on, in order."""
Lie = Callable[[str, bytes], bytes]
"""What arrives in place of an HTTP answer: its path and body in, a body out."""
_OF_ONE_CONNECTION = {b"connection", b"content-encoding", b"content-length", b"date", b"server", b"transfer-encoding"}
Scope = dict[str, Any]
Receive = Callable[[], Any]
Send = Callable[[dict[str, Any]], Any]


def faithful(frame: bytes) -> Sequence[bytes]:
    """It arrives once."""
    return [frame]


def doubled(frame: bytes) -> Sequence[bytes]:
    """It arrives twice."""
    return [frame, frame]


def every(count: int, deed: Deed) -> Deed:
    """``deed`` befalls each ``count``-th; the others arrive once."""
    seen = 0

    def chosen(frame: bytes) -> Sequence[bytes | Literal["cut"]]:
        nonlocal seen
        seen += 1
        return faithful(frame) if seen % count else deed(frame)

    return chosen


def sometimes(seed: int, chance: float, deed: Deed) -> Deed:
    """``deed`` befalls each with a probability of ``chance``; the others arrive once."""
    dice = random.Random(seed)  # noqa: S311

    def chosen(frame: bytes) -> Sequence[bytes | Literal["cut"]]:
        return deed(frame) if dice.random() < chance else faithful(frame)

    return chosen


def lost(frame: bytes) -> Sequence[bytes]:
    """It never arrives, and the connection stays."""
    del frame
    return []


def cut_before(frame: bytes) -> Sequence[bytes | Literal["cut"]]:
    """It never arrives: the connection breaks first."""
    del frame
    return [CUT]


def cut_after(frame: bytes) -> Sequence[bytes | Literal["cut"]]:
    """It arrives, and then the connection breaks: whatever answers it is lost."""
    return [frame, CUT]


def swapped() -> Deed:
    """Each two frames change places."""
    held: list[bytes] = []

    def swap(frame: bytes) -> Sequence[bytes]:
        if not held:
            held.append(frame)
            return []
        return [frame, held.pop()]

    return swap


class Relay:
    """Passes on HTTP and WebSocket to ``upstream``; its deeds may be changed at any time."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.upstream = ""
        self.reset()

    def reset(self) -> None:
        """Everything arrives, once."""
        self.requests: Deed = faithful
        self.answers: Lie = lambda _path, body: body
        self.to_server: Deed = faithful
        self.to_client: Deed = faithful
        self.reading = asyncio.Event()
        self.reading.set()

    @asynccontextmanager
    async def running(self, upstream: str) -> AsyncIterator["Relay"]:
        """The relay stands in front of ``upstream`` (``http://host:port``) inside."""
        self.upstream = upstream
        async with serving(self._app, self.port):
            yield self

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        target = scope["raw_path"].decode() + ("?" + scope["query_string"].decode() if scope["query_string"] else "")
        # What is passed on is not encoded: the client here reads fewer codings than a browser.
        headers = [pair for pair in scope["headers"] if pair[0] not in {b"accept-encoding", b"content-length"}]
        headers.append((b"accept-encoding", b"identity"))
        answer: httpx.Response | None = None  # the first: nobody waits for the answer to a copy
        async with httpx.AsyncClient(base_url=self.upstream) as http:
            for item in self.requests(body):
                if item == CUT:
                    # An answer that is announced and never comes: uvicorn breaks the connection.
                    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
                    return
                heard = await http.request(scope["method"], target, headers=headers, content=item)
                answer = answer or heard
        assert answer is not None
        passed = [(name, value) for name, value in answer.headers.raw if name.lower() not in _OF_ONE_CONNECTION]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": passed})
        content = self.answers(scope["path"], answer.content)
        await send({"type": "http.response.body", "body": content})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        address = self.upstream.replace("http:", "ws:") + scope["path"]
        try:
            upstream = await websockets.connect(address, max_size=None, compression=None)
        except (OSError, websockets.WebSocketException):
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept"})
        directions = [
            asyncio.create_task(self._upward(receive, upstream)),
            asyncio.create_task(self._downward(upstream, send)),
        ]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            upstream.transport.abort()
            await asyncio.gather(*directions, upstream.wait_closed(), return_exceptions=True)
        with suppress(Exception):  # the client may have left first
            await send({"type": "websocket.close", "code": 1001})

    async def _upward(self, receive: Receive, upstream: websockets.ClientConnection) -> None:
        with suppress(websockets.ConnectionClosed):
            while (event := await receive())["type"] == "websocket.receive":
                for item in self.to_server(event["bytes"]):
                    if item == CUT:
                        return
                    await upstream.send(item)

    async def _downward(self, upstream: websockets.ClientConnection, send: Send) -> None:
        with suppress(websockets.ConnectionClosed):
            while True:
                await self.reading.wait()
                frame = await upstream.recv(decode=False)
                for item in self.to_client(frame):
                    if item == CUT:
                        return
                    await send({"type": "websocket.send", "bytes": item})
