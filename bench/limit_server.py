"""The bare limit: the same ASGI server and store, one HMAC and one signature a message, and nothing else.

Frames, durability and order of events are ours: a message is inserted into SQLite (WAL, full sync) in one
transaction with all that arrived together, then acknowledged to the sender and pushed to the others in the room.
There are no accounts, no rights, no groups, no cursors, no repeats: a ``Hello`` names its rooms and is believed.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import os
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from nightlight.mls.signing import SigningKey
from nightlight.protocol.messages import (
    Accepted,
    Delivery,
    EntryKind,
    Hello,
    Ready,
    SubmitMessage,
    encode_frame,
    read_client_frame,
)
from nightlight.server.http.websocket import WebSocketProtocol

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

_SCHEMA = "CREATE TABLE entry (room TEXT, seq INT, submission_id BLOB, sender TEXT, at INT, payload BLOB, frank BLOB)"
_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"
_SUITE_AND_LENGTH = b"\x00\x01\x40\x40"


class LimitServer:
    """The ASGI application."""

    def __init__(self, database: str) -> None:
        """``database`` is a file that does not exist yet."""
        self._connection = sqlite3.connect(database, isolation_level=None)
        self._connection.execute("PRAGMA page_size=8192")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(_SCHEMA)
        self._frank_key = os.urandom(32)
        self._signing_key = SigningKey.generate()
        self._seqs: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))
        self._members: defaultdict[str, list[Send]] = defaultdict(list)
        self._arrived: list[tuple[SubmitMessage, str, Send]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, _scope: Event, receive: Receive, send: Send) -> None:
        """One connection, from its ``Hello`` on."""
        await receive()
        await send({"type": "websocket.accept"})
        hello = read_client_frame((await receive())["bytes"])
        if not isinstance(hello, Hello):
            return
        for room in hello.cursors:
            self._members[room].append(send)
        await send({"type": "websocket.send", "bytes": encode_frame(Ready(hello.token, {}))})
        while (event := await receive())["type"] == "websocket.receive":
            frame = read_client_frame(event["bytes"])
            if isinstance(frame, SubmitMessage):
                self._arrived.append((frame, hello.token, send))
                if self._flushing is None:
                    self._flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        batch, self._arrived, self._flushing = self._arrived, [], None
        at_ms = time.time_ns() // 1_000_000
        macs = [hmac.digest(self._frank_key, frame.message[-32:], "sha256") for frame, _, _ in batch]
        signatures = self._signing_key.sign_many_with_label("FrankingIntegrityTBS", macs)
        rows = []
        for (frame, sender, _), mac, signature in zip(batch, macs, signatures, strict=True):
            seq = next(self._seqs[frame.room])
            frank = mac + _SUITE_AND_LENGTH + signature
            rows.append((frame.room, seq, frame.submission_id, sender, at_ms, frame.message, frank))
        self._connection.execute("BEGIN")
        self._connection.executemany(_INSERT, rows)
        self._connection.execute("COMMIT")
        for (room, seq, submission_id, sender, _, payload, frank), (_, _, answer) in zip(rows, batch, strict=True):
            accepted = Accepted(submission_id, room, seq, 1, at_ms, frank)
            await answer({"type": "websocket.send", "bytes": encode_frame(accepted)})
            delivery = encode_frame(Delivery(room, seq, EntryKind.APPLICATION, sender, at_ms, payload, frank))
            for member in self._members[room]:
                if member is not answer:
                    await member({"type": "websocket.send", "bytes": delivery})


if __name__ == "__main__":
    uvicorn.run(
        LimitServer(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        ws=WebSocketProtocol,
        lifespan="off",
        log_level="error",
        ws_per_message_deflate=False,
    )
