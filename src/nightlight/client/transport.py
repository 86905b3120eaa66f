"""The way to the server: HTTP for what is asked, one WebSocket for what happens."""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any, Protocol, TypeVar

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidMessage, InvalidStatus, WebSocketException

from nightlight.errors import PROBLEMS, RefusedError, RemoteProtocolError, UnavailableError
from nightlight.protocol.bodies import read_body, read_problem
from nightlight.protocol.messages import ClientFrame, ServerFrame, encode_frame, read_server_frame

REQUEST_TIMEOUT_S = 20.0
STREAM_PATH = "/v1/stream"
MAX_FRAME_BYTES = 4 * 2**20
MAX_ANSWER_BYTES = 16 * 2**20
IDLE_S = 5.0
"""How long a connection is kept for the next request: less than servers do, which would else close it just then."""

T = TypeVar("T")


class Stream(Protocol):
    """An open connection. Every method raises ``UnavailableError`` once it is lost."""

    async def send(self, frame: ClientFrame) -> None:
        """The frame is on its way."""

    async def receive(self) -> ServerFrame:
        """The next frame. Raises ``RemoteProtocolError`` NL-011 for one that is none."""

    async def close(self) -> None:
        """The connection is closed."""


class Transport(Protocol):
    """How a client reaches the server: over the network, or in memory in tests."""

    async def call(self, method: str, path: str, answer: type[T], *, body: Any = None, token: str | None = None) -> T:
        """The server's answer. Raises ``RefusedError``, ``UnavailableError``, ``RemoteProtocolError`` NL-541."""

    async def fetch(self, path: str, first: int, last: int, *, token: str) -> bytes:
        """The bytes from ``first`` to ``last``, both included; fewer where the server has no more. As ``call``."""

    async def open(self) -> Stream:
        """A new connection. Raises ``UnavailableError``."""

    async def close(self) -> None:
        """Nothing is open any more."""


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


class NetworkTransport:
    """A ``Transport`` over the network. ``server_url``: http(s)://host[:port]."""

    def __init__(self, server_url: str) -> None:
        """Nothing is opened yet."""
        self._websocket_url = "ws" + server_url.removeprefix("http").rstrip("/") + STREAM_PATH
        self._secure = server_url.startswith("https:")
        self._http = httpx.AsyncClient(
            base_url=server_url,
            timeout=REQUEST_TIMEOUT_S,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_S),
            verify=_tls() if self._secure else False,
            trust_env=False,
        )

    async def call(self, method: str, path: str, answer: type[T], *, body: Any = None, token: str | None = None) -> T:
        """As ``Transport.call``."""
        headers = {"accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        content = None
        if isinstance(body, bytes):
            headers["content-type"] = "application/octet-stream"
            content = body
        elif body is not None:
            headers["content-type"] = "application/json"
            content = msgspec.json.encode(body)
        try:
            async with self._http.stream(method, path, content=content, headers=headers) as response:
                told = await read_bounded(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnavailableError("the server does not answer") from error
        return read_answer(response.status_code, told, answer, response.headers.get("retry-after"))

    async def fetch(self, path: str, first: int, last: int, *, token: str) -> bytes:
        """As ``Transport.fetch``."""
        headers = {"authorization": f"Bearer {token}", "range": f"bytes={first}-{last}"}
        try:
            async with self._http.stream("GET", path, headers=headers) as response:
                if not response.is_success:
                    told = await read_bounded(response)
                    read_answer(response.status_code, told, object, response.headers.get("retry-after"))
                return await read_range(response, last + 1 - first)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise UnavailableError("the server does not answer") from error

    async def open(self) -> Stream:
        """As ``Transport.open``."""
        try:
            connection = await connect(
                self._websocket_url,
                compression=None,
                max_size=MAX_FRAME_BYTES,
                open_timeout=REQUEST_TIMEOUT_S,
                close_timeout=1,
                ssl=_tls() if self._secure else None,
                proxy=None,
            )
        except (OSError, TimeoutError, InvalidStatus, InvalidMessage, WebSocketException) as error:
            raise UnavailableError("the server does not answer") from error
        return _WebSocketStream(connection)

    async def close(self) -> None:
        """As ``Transport.close``."""
        await self._http.aclose()


class _WebSocketStream:
    """A ``Stream`` over a WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: ClientFrame) -> None:
        try:
            await self._connection.send(encode_frame(frame))
        except (WebSocketException, OSError) as error:
            raise UnavailableError("the connection is lost") from error

    async def receive(self) -> ServerFrame:
        try:
            data = await self._connection.recv(decode=False)
        except (WebSocketException, OSError) as error:
            raise UnavailableError("the connection is lost") from error
        return read_server_frame(data)

    async def close(self) -> None:
        await self._connection.close()


async def read_bounded(response: httpx.Response) -> bytes:
    """What the server answers, unpacked. Raises ``RemoteProtocolError`` NL-541 where that is over 16 MiB."""
    pieces = bytearray()
    async for piece in response.aiter_bytes():
        pieces += piece
        if len(pieces) > MAX_ANSWER_BYTES:
            raise RemoteProtocolError("NL-541", "an answer without end")
    return bytes(pieces)


async def read_range(response: httpx.Response, wanted: int) -> bytes:
    """At most ``wanted`` bytes of what the server sends. Raises ``RemoteProtocolError`` NL-541 if it sends more."""
    pieces = bytearray()
    async for piece in response.aiter_raw():
        pieces += piece
        if response.status_code != httpx.codes.PARTIAL_CONTENT or len(pieces) > wanted:
            raise RemoteProtocolError("NL-541", "another range than was asked for")
    return bytes(pieces)


def read_answer(status: int, content: bytes, answer: type[T], retry_after: str | None = None) -> T:
    """What the server answered, as ``answer``.

    Raises for problems ``UnavailableError`` if the server is in trouble or says when to ask again, else
    ``RefusedError``; for anything else ``RemoteProtocolError`` NL-541.
    """
    if httpx.codes.is_success(status):
        return read_body(content, answer)
    try:
        problem = read_problem(content)
    except RemoteProtocolError as error:
        if httpx.codes.is_server_error(status):
            raise UnavailableError("the server does not answer as it should") from error
        raise
    if retry_after is not None or PROBLEMS[problem.name].status >= httpx.codes.INTERNAL_SERVER_ERROR:
        wait = int(retry_after) if retry_after is not None and retry_after.isdecimal() else 1
        raise UnavailableError(PROBLEMS[problem.name].title, retry_after_s=wait)
    raise RefusedError(problem.name, epoch=problem.epoch)
