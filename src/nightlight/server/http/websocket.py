"""uvicorn's WebSocket, which refuses in our words, and writes once a turn of the loop."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Response
from websockets.server import ServerProtocol

from nightlight.errors import PROBLEMS
from nightlight.server.http.problem_json import MEDIA_TYPE, name_of_status, problem_body


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's, over a transport that gathers: each write of its own is a system call, and costs more than a frame.

    Frames that are sent together leave together.
    """

    def __init__(self, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        """Nobody is connected yet."""
        super().__init__(config, server_state, app_state)
        self.conn = _Handshake(max_size=config.ws_max_size, logger=self.logger)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        gathering = _Gathering(cast("asyncio.Transport", transport), self.loop)
        super().connection_made(cast("asyncio.Transport", gathering))

    def data_received(self, data: bytes) -> None:
        """As uvicorn's; a handshake that ``websockets`` cannot read is refused too, and the connection ends."""
        super().data_received(data)
        if not self.handshake_initiated:  # the first data are the whole request, which uvicorn's HTTP has read
            answer = b"".join(self.conn.data_to_send())
            self.transport.write(answer or self.conn.reject(HTTPStatus.BAD_REQUEST, "").serialize())
            self.transport.close()


class _Handshake(ServerProtocol):
    """The WebSocket's own, but for what it says when it refuses."""

    def reject(self, status: HTTPStatus | int, text: str) -> Response:
        """A problem in place of ``text``."""
        del text
        name = name_of_status(status)
        response = super().reject(PROBLEMS[name].status, problem_body(name).decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = MEDIA_TYPE
        return response


class _Gathering:
    """A transport whose writes within one turn of the loop go out as one, in their order."""

    __slots__ = ("_loop", "_transport", "_unsent")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._unsent: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
