"""The WebSocket ``/v1/stream``: frames in, frames out.

A plain ASGI application: what a framework would do for each message is what this one must not spend.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from nightlight.errors import PROBLEMS, ProblemName, RefusedError, RemoteProtocolError, UnavailableError
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import (
    Acknowledge,
    ClientFrame,
    Hello,
    Ready,
    Refused,
    TellTyping,
    encode_frame,
    read_client_frame,
)
from nightlight.server.http.admission import Admission
from nightlight.server.http.allowance import Allowance
from nightlight.server.http.connection import Connection, Connections
from nightlight.server.http.problem_json import MEDIA_TYPE, problem_body, where
from nightlight.server.ports.delivery import Caller
from nightlight.server.services.authentication import Authentication
from nightlight.server.services.delivery import DeliveryService, Submission
from nightlight.server.services.log import LogFrame, LogService
from nightlight.server.services.typing import TypingService

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_CLOSE_NORMAL = 1000
_CLOSE_POLICY = 1008
_CLOSE_BUG = 1011
_CLOSE_STOPPING = 1012
_CLOSE_TRY_AGAIN = 1013
_PAGE_BYTES = 262_144
_S = 1_000
_TYPING_PER_SECOND, _TYPING_BURST = 1, 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What one connection may do. Sizes in bytes."""

    frame_bytes_max: int
    outbox_bytes_max: int
    unanswered_max: int
    submissions_per_second: int
    submissions_burst: int
    hello_seconds: int


@dataclass(frozen=True, slots=True)
class StreamServices:
    """What a connection calls."""

    authentication: Authentication
    delivery: DeliveryService
    log: LogService
    typing: TypingService


class Disconnected(Exception):  # noqa: N818 - not an error: devices come and go
    """The other side is gone."""


class Stream:
    """The application behind ``/v1/stream``."""

    def __init__(
        self, services: StreamServices, connections: Connections, admission: Admission, limits: StreamLimits
    ) -> None:
        """Everyone whom ``admission`` lets in is in ``connections`` while they are."""
        self._authentication = services.authentication
        self._delivery = services.delivery
        self._log = services.log
        self._typing = services.typing
        self._connections = connections
        self._admission = admission
        self._limits = limits
        self._stopping = False

    def stop(self) -> None:
        """Those connected are told goodbye, and nobody is let in."""
        self._stopping = True
        self._connections.end_all("stopping")

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """One connection, from handshake to end."""
        await receive()
        if self._stopping:
            await refuse(send, ProblemName.UNAVAILABLE, 1)
            return
        try:
            with self._admission.of(scope):
                await self._admit(receive, send)
        except RefusedError as error:
            await refuse(send, error.problem, error.retry_after_s)

    async def _admit(self, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        code = _CLOSE_NORMAL
        try:
            code = await self._converse(_frames_from(receive), _frames_to(send))
        except (Disconnected, OSError):
            return
        except UnavailableError as error:
            _log.warning("unavailable", reason=error.reason)
            code = _CLOSE_TRY_AGAIN
        except Exception as error:  # noqa: BLE001 - whatever it is, the device is told and the log says where
            _log.error("internal error", route="stream", **where(error))
            code = _CLOSE_BUG
        with suppress(Exception):  # the socket may be gone by now
            await send({"type": "websocket.close", "code": code})

    async def _converse(self, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]) -> int:
        try:
            async with asyncio.timeout(self._limits.hello_seconds):
                caller, hello = await self._hello(await receive())
        except (RefusedError, RemoteProtocolError, UnavailableError, TimeoutError) as error:
            await send(encode_frame(Refused(None, _problem_of(error))))
            return _CLOSE_POLICY
        connection = Connection(caller, outbox_bytes_max=self._limits.outbox_bytes_max)
        self._connections.add(connection)
        try:
            await self._continue(connection, hello)
            return await self._both_ways(connection, receive, send)
        finally:
            self._connections.remove(connection)

    async def _hello(self, data: bytes) -> tuple[Caller, Hello]:
        """Raises ``RefusedError`` ``unauthenticated``, also NL-400 for another frame than ``Hello``."""
        frame = self._read(data)
        if not isinstance(frame, Hello):
            raise RefusedError(ProblemName.UNAUTHENTICATED)  # NL-400
        return await self._authentication.authenticate(frame.token), frame

    async def _continue(self, connection: Connection, hello: Hello) -> None:
        """The device goes on in each room where it says it stands, within what there is."""
        heads: dict[str, int] = {}
        for stay in await self._log.stays(connection.caller):
            told = max(stay.joined_seq - 1, min(hello.cursors.get(stay.room, 0), stay.end))
            if stay.left_seq is None:
                heads[stay.room] = stay.head
            if told > stay.cursor:
                self._log.acknowledge(connection.caller, stay.room, told)
            connection.behind(stay.room, stay.end, told=told)
        connection.tell(Ready(connection.caller.device, heads))
        if await self._log.owes_removal(connection.caller):
            connection.wake("rooms")

    async def _both_ways(
        self, connection: Connection, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]
    ) -> int:
        async def read_log(room: RoomUri, after: int) -> list[LogFrame]:
            return await self._log.read(connection.caller, room, after, _PAGE_BYTES)

        writing = asyncio.create_task(connection.write(send, read_log))
        reading = asyncio.create_task(self._listen(connection, receive))
        try:
            await asyncio.wait((writing, reading), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, reading):
                task.cancel()
            results = await asyncio.gather(writing, reading, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, Disconnected | OSError):
                raise result
        return _CLOSE_STOPPING if self._stopping else _CLOSE_NORMAL

    async def _listen(self, connection: Connection, receive: Callable[[], Awaitable[bytes]]) -> None:
        """Takes in frames until the device is gone; a bad frame is refused and changes nothing.

        An acknowledgement of what the device was not told is passed over (NL-480); so is more typing than a person does
        (NL-405). An acknowledgement that comes too fast is not refused, since it has no answer: it and what is behind
        it wait.
        """
        clock = asyncio.get_running_loop().time
        limits = self._limits.submissions_per_second, self._limits.submissions_burst
        submitting, acknowledging = (Allowance(clock, *limits) for _ in range(2))
        typing = Allowance(clock, _TYPING_PER_SECOND, _TYPING_BURST)
        while True:
            await connection.readable(self._limits.unanswered_max)
            try:
                frame = self._read(await receive())
            except (RefusedError, RemoteProtocolError) as error:
                connection.tell(Refused(None, _problem_of(error)))
                continue
            if isinstance(frame, Acknowledge):
                if wait_ms := acknowledging.take():
                    await asyncio.sleep(wait_ms / _S)
                    acknowledging.take()
                if 0 < frame.seq <= connection.told(frame.room):  # NL-480
                    self._log.acknowledge(connection.caller, RoomUri(frame.room), frame.seq)
            elif isinstance(frame, TellTyping):
                if not typing.take():  # NL-405
                    with suppress(RefusedError, UnavailableError):  # it is never answered
                        await self._typing.tell(connection.caller, RoomUri(frame.room))
            elif isinstance(frame, Hello):
                connection.tell(Refused(None, ProblemName.MALFORMED))  # NL-402
            elif wait_ms := submitting.take():
                refusal = Refused(frame.submission_id, ProblemName.TOO_MANY, retry_after_ms=wait_ms)  # NL-404
                connection.tell(refusal)
            else:
                connection.submitted()
                self._delivery.submit(Submission(connection.caller, frame, connection.answer))

    def _read(self, data: bytes) -> ClientFrame:
        """Raises ``RefusedError`` ``too_large`` NL-401; ``RemoteProtocolError``."""
        if len(data) > self._limits.frame_bytes_max:
            raise RefusedError(ProblemName.TOO_LARGE)  # NL-401
        return read_client_frame(data)


async def refuse(send: Send, name: ProblemName, retry_after_s: int | None = None) -> None:
    """The handshake is answered with a problem, and there is no connection."""
    headers = [(b"content-type", MEDIA_TYPE.encode())]
    if retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % retry_after_s))
    await send({"type": "websocket.http.response.start", "status": PROBLEMS[name].status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": problem_body(name)})


def _frames_from(receive: Receive) -> Callable[[], Awaitable[bytes]]:
    async def receive_frame() -> bytes:
        event = await receive()
        if event["type"] != "websocket.receive":
            raise Disconnected
        return event.get("bytes") or (event.get("text") or "").encode()

    return receive_frame


def _frames_to(send: Send) -> Callable[[bytes], Awaitable[None]]:
    async def send_frame(data: bytes) -> None:
        await send({"type": "websocket.send", "bytes": data})

    return send_frame


def _problem_of(error: Exception) -> ProblemName:
    if isinstance(error, RefusedError):
        return error.problem
    if isinstance(error, UnavailableError):
        return ProblemName.UNAVAILABLE
    if isinstance(error, TimeoutError):
        return ProblemName.UNAUTHENTICATED
    return ProblemName.MALFORMED
