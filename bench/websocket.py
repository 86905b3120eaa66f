"""The load in our own frames: raw WebSockets on the loopback, and submissions made ready to write.

Source: RFC 6455 (the masking key is all zeros, so that a payload need not be copied to be masked).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from bench.load import Pair
from bench.rooms import Couple, submission_ids
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    ClientFrame,
    Delivery,
    Goodbye,
    Hello,
    Ready,
    Refused,
    ServerFrame,
    SubmitMessage,
    encode_frame,
    read_server_frame,
)

_ANSWER_S = 30
_BINARY, _CLOSE, _PING, _PONG = 0x82, 0x88, 0x89, 0x8A
_LENGTH_16, _LENGTH_64 = 126, 127
_SHORT = 65536
_MASKED = 0x80
_NO_MASK = bytes(4)
_BLANK_ID = b"\xff" * 16


def client_frame(payload: bytes, opcode: int = _BINARY) -> bytes:
    """``payload`` as one WebSocket frame of a client."""
    length = len(payload)
    if length < _LENGTH_16:
        head = bytes((opcode, _MASKED | length))
    elif length < _SHORT:
        head = bytes((opcode, _MASKED | _LENGTH_16)) + length.to_bytes(2, "big")
    else:
        head = bytes((opcode, _MASKED | _LENGTH_64)) + length.to_bytes(8, "big")
    return head + _NO_MASK + payload


def _framed(frame: ClientFrame) -> bytes:
    return client_frame(encode_frame(frame))


class FrameConnection(asyncio.Protocol):
    """One WebSocket; ``heard`` gets the server's frames that arrived together."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        """Not connected yet."""
        self._upgraded = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits for an answer hears that none will come."""
        for waiting in (self._upgraded, self.ready):
            if not waiting.done():
                waiting.set_exception(exc or ConnectionError("the server closed the connection"))

    async def upgrade(self, port: int, path: str) -> None:
        """The connection speaks WebSocket. Raises ``ConnectionError`` if the server will not."""
        self.transport.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bmlnaHRsaWdodC1iZW5jaA==\r\n\r\n".encode()
        )
        await asyncio.wait_for(self._upgraded, _ANSWER_S)

    def send(self, frame: ClientFrame) -> None:
        """``frame`` is written."""
        self.transport.write(_framed(frame))

    def data_received(self, data: bytes) -> None:
        """Whole frames are taken off, and handed over together."""
        data = self._rest + data
        if not self._upgraded.done():
            self._rest = self._without_head(data)
            return
        frames = []
        at, end_of_data = 0, len(data)
        while at + 2 <= end_of_data:
            start, length = at + 2, data[at + 1]
            if length >= _LENGTH_16:
                start += 2 if length == _LENGTH_16 else 8
                length = int.from_bytes(data[at + 2 : start], "big")
            if start + length > end_of_data:
                break
            if data[at] == _BINARY:
                frames.append(read_server_frame(data[start : start + length]))
            elif data[at] == _PING:
                self.transport.write(client_frame(data[start : start + length], _PONG))
            elif data[at] == _CLOSE:
                self.transport.close()
            at = start + length
        self._rest = data[at:]
        if frames:
            self._take(frames)

    def _without_head(self, data: bytes) -> bytes:
        """What is left of the answer to the upgrade; nothing follows it before we have said Hello."""
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        if head.startswith(b"HTTP/1.1 101"):
            self._upgraded.set_result(None)
        else:
            self._upgraded.set_exception(ConnectionError(head.decode(errors="replace")))
        return rest

    def _take(self, frames: list[ServerFrame]) -> None:
        for frame in frames:
            if isinstance(frame, Refused | Goodbye):
                raise ConnectionError(f"the server said {frame}")
            if isinstance(frame, Ready):
                self.ready.set_result(frame)
        self.heard(frames)

    def heard(self, frames: list[ServerFrame]) -> None:
        """What arrived together; nothing is done with it unless a subclass does."""


class Sender(FrameConnection):
    """Counts what was acknowledged."""

    def __init__(self) -> None:
        """Nothing is accepted yet."""
        super().__init__()
        self.accepted = 0
        self.pair: FramePair | None = None

    def heard(self, frames: list[ServerFrame]) -> None:
        """More of the pair's messages are durable."""
        self.accepted += sum(type(frame) is Accepted for frame in frames)
        if self.pair is not None:
            self.pair.count()


class Recipient(FrameConnection):
    """Counts what was delivered, and acknowledges what arrived together at once, as a client does."""

    def __init__(self) -> None:
        """Nothing is delivered yet."""
        super().__init__()
        self.delivered = 0
        self.pair: FramePair | None = None

    def heard(self, frames: list[ServerFrame]) -> None:
        """More of the pair's messages have arrived."""
        deliveries = [frame for frame in frames if type(frame) is Delivery]
        if not deliveries:
            return
        self.delivered += len(deliveries)
        newest = {delivery.room: delivery.seq for delivery in deliveries}
        self.transport.write(b"".join(_framed(Acknowledge(room, seq)) for room, seq in newest.items()))
        if self.pair is not None:
            self.pair.count()


class FramePair(Pair):
    """Two devices; a message is done when it is acknowledged to the one and delivered to the other."""

    def __init__(self, sender: Sender, recipient: Recipient, messages: Mapping[str, Sequence[bytes]]) -> None:
        """``messages``: room → PrivateMessages of the sender in it. The rooms take turns; each has as many."""
        super().__init__()
        self._sender = sender
        self._recipient = recipient
        turns = zip(*([_around_the_id(room, each) for each in some] for room, some in messages.items()), strict=True)
        self._frames = itertools.cycle(itertools.chain.from_iterable(turns))
        self._ids = submission_ids(time.time_ns() // 1_000_000)
        self._accepted_before = sender.accepted
        self._delivered_before = recipient.delivered
        sender.pair = recipient.pair = self

    def put(self, count: int) -> None:
        """``count`` submissions are written at once."""
        pieces: list[bytes] = []
        for _ in range(count):
            head, tail = next(self._frames)
            pieces += (head, next(self._ids), tail)
        self._sender.transport.write(b"".join(pieces))

    def count(self) -> None:
        """What is done is up to date."""
        accepted = self._sender.accepted - self._accepted_before
        delivered = self._recipient.delivered - self._delivered_before
        self.completed(min(accepted, delivered))


def _around_the_id(room: str, message: bytes) -> tuple[bytes, bytes]:
    head, _, tail = _framed(SubmitMessage(_BLANK_ID, room, message)).partition(_BLANK_ID)
    return head, tail


Connection = TypeVar("Connection", bound=FrameConnection)


async def connect(
    kind: type[Connection], port: int, path: str, hello: Hello, *, source: str = "127.0.0.1"
) -> Connection:
    """A connection of this kind is signed in by ``hello``; ``source``: the loopback address it comes from."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(kind, "127.0.0.1", port, local_addr=(source, 0))
    await connection.upgrade(port, path)
    connection.send(hello)
    await asyncio.wait_for(connection.ready, _ANSWER_S)
    return connection


async def connect_frame_pairs(port: int, path: str, couples: Sequence[Couple], *, head: int = 1) -> list[FramePair]:
    """Each couple's two devices are signed in, and hold their rooms' logs up to ``head``."""
    pairs = []
    for couple in couples:
        cursors: dict[str, int] = {room.room: head for room in couple.rooms}
        sender = await connect(Sender, port, path, Hello(couple.sender.token, cursors))
        recipient = await connect(Recipient, port, path, Hello(couple.recipient.token, cursors))
        pairs.append(FramePair(sender, recipient, {room.room: room.messages for room in couple.rooms}))
    return pairs
