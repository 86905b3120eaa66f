"""Idle connections: how much memory the server takes for each."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from bench.community import settle
from bench.effort import Effort
from bench.figure import Figure
from bench.hub import create_hub, database_of, start_hub
from bench.pinned import AbsentError, Server
from bench.rooms import Couple, make_couples
from bench.websocket import FrameConnection, connect
from nightlight.protocol.messages import Hello
from nightlight.server.main import STREAM_PATH

_CONNECTIONS = 10_000
_SPARE_FILES = 200
_WARM_UP = 100
_FROM_EACH_ADDRESS = 5_000
_AT_ONCE = 50
_SETTLE_S = 3


async def measure(_names: Collection[str], _effort: Effort, folder: Path, _console: Console) -> list[Figure]:
    """``idle.kb_per_connection``: growth of the resident memory for 10,000 signed-in devices, each with a room.

    Raises ``AbsentError`` where a process may not have so many open files.
    """
    _allow_files(_CONNECTIONS + _SPARE_FILES)
    couples = make_couples(_CONNECTIONS // 2, await create_hub(folder), messages_each=0)
    settle(database_of(folder), couples)
    server = await start_hub(folder)
    try:
        return [Figure("idle.kb_per_connection", await _growth_bytes(server, couples) / _CONNECTIONS / 1000, "KB")]
    finally:
        await server.stop()


def _allow_files(count: int) -> None:
    """This process and those it starts may have ``count`` open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise AbsentError(f"only {hard} open files are allowed here, {count} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


async def _growth_bytes(server: Server, couples: Sequence[Couple]) -> int:
    """From after the first connections, which have loaded what all share, to after the last of 10,000 more."""
    tokens = [person.token for couple in couples for person in (couple.sender, couple.recipient)]
    for connection in await _connect(server, tokens[:_WARM_UP]):
        connection.transport.close()
    await asyncio.sleep(_SETTLE_S)
    before = server.rss_bytes
    connections = await _connect(server, tokens)
    await asyncio.sleep(_SETTLE_S)
    growth = server.rss_bytes - before
    if any(connection.transport.is_closing() for connection in connections):
        raise RuntimeError("the server has closed idle connections")
    return growth


async def _connect(server: Server, tokens: Sequence[str]) -> list[FrameConnection]:
    """All are signed in. An address of the loopback has ports for some thousands: several are used."""
    connections: list[FrameConnection] = []
    for first in range(0, len(tokens), _AT_ONCE):
        source = f"127.0.0.{2 + first // _FROM_EACH_ADDRESS}"
        connections += await asyncio.gather(
            *(
                connect(FrameConnection, server.port, STREAM_PATH, Hello(token, {}), source=source)
                for token in tokens[first : first + _AT_ONCE]
            )
        )
    return connections
