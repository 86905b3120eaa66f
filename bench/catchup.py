"""Catching up: a device that was away while 10,000 messages came, with everything that a client does to them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure
from bench.hub import create_hub, start_hub
from bench.load import CONTENT_BYTES
from bench.rooms import PROVIDER
from nightlight.client.sdk import Client
from nightlight.protocol.ids import ProviderName, RoomUri, user_uri

_MESSAGES = 10_000
_TEXT = "x" * CONTENT_BYTES
_LONGEST_S = 600
_KEY = os.urandom(32)


async def measure(_names: Collection[str], _effort: Effort, folder: Path, _console: Console) -> list[Figure]:
    """``catchup.10000``: messages a second, from connecting until all are decrypted, verified and stored."""
    await create_hub(folder)
    server = await start_hub(folder)
    url = f"http://127.0.0.1:{server.port}"
    try:
        anna, ben = [await _register(url, name, folder) for name in ("anna", "ben")]
        room = await _make_room(anna, ben)
        await ben.close()
        for _ in range(_MESSAGES):
            last = await anna.send(room, _TEXT)
        await asyncio.wait_for(anna.wait_sent(last), _LONGEST_S)
        await anna.close()
        return [await _catch_up(folder, room)]
    finally:
        await server.stop()


async def _register(url: str, name: str, folder: Path) -> Client:
    client = await Client.register(
        url, user_uri(ProviderName(PROVIDER), name), _store(folder, name), store_key=_KEY, receipts=False
    )
    await client.connect()
    return client


async def _make_room(anna: Client, ben: Client) -> RoomUri:
    await anna.request_contact(ben.user)
    await ben.accept_contact(anna.user)
    room = await anna.room_with(ben.user)
    await anna.wait_sent(await anna.send(room, "hello"))
    await ben.wait_online()
    return room


async def _catch_up(folder: Path, room: RoomUri) -> Figure:
    ben = await Client.open(_store(folder, "ben"), store_key=_KEY, receipts=False)
    began = time.perf_counter()
    await ben.connect()
    await asyncio.wait_for(ben.wait_online(), _LONGEST_S)
    seconds = time.perf_counter() - began
    held = len(ben.messages(room, limit=2 * _MESSAGES))
    await ben.close()
    if held < _MESSAGES:
        raise RuntimeError(f"only {held} messages of {_MESSAGES} came")
    return Figure("catchup.10000", _MESSAGES / seconds, f"messages/s, {seconds:.1f} s in all")


def _store(folder: Path, name: str) -> Path:
    return folder / f"{name}.store"
