"""A pipe between clients and a server that counts what the server sends: bytes as they are on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from tests.support.server import free_port

_PIECE_BYTES = 65_536


class Meter:
    """``received``: the bytes that clients got since it was last set, headers and frames included."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.received = 0

    @asynccontextmanager
    async def running(self, upstream_port: int) -> AsyncIterator[None]:
        """It stands in front of the server at ``upstream_port`` inside."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", upstream_port)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, upstream_writer, counted=False))
                group.create_task(self._pass(upstream_reader, writer, counted=True))

        server = await asyncio.start_server(accept, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(_PIECE_BYTES):
                self.received += len(piece) if counted else 0
                writer.write(piece)
                await writer.drain()
        writer.close()
