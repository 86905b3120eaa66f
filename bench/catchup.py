"""Catching up: a device that was away while 10,000 messages came, with everything that a client does to them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from bench.effort import Effort
from bench.figure import Figure
from bench.hub import start_hub
from bench.load import CONTENT_BYTES
from bench.rooms import PROVIDER, submission_ids
from nightlight.client.groups import Groups
from nightlight.client.hub import Hub
from nightlight.client.sdk import Client
from nightlight.client.store import Store
from nightlight.client.transport import NetworkTransport
from nightlight.protocol import content
from nightlight.protocol.franking import franking_tag
from nightlight.protocol.ids import ProviderName, RoomUri, TimestampMs, user_uri
from nightlight.protocol.messages import Accepted, SubmitMessage

_MESSAGES = 10_000
_WINDOW = 32
_LONGEST_S = 600
_KEY = os.urandom(32)


async def measure(_names: Collection[str], _effort: Effort, folder: Path, _console: Console) -> list[Figure]:
    """``catchup.10000``: messages a second, from connecting until all are decrypted, verified and stored."""
    server = await start_hub(folder)
    url = f"http://127.0.0.1:{server.port}"
    try:
        async with _client(url, folder, "anna") as anna, _client(url, folder, "ben") as ben:
            await anna.request_contact(ben.user)
            await ben.accept_contact(anna.user)
            room = await anna.room_with(ben.user)
            await anna.wait_sent(await anna.send(room, "hello"))
            await ben.wait_online()
        await _send_all(url, _store(folder, "anna"), room)
        return [await _catch_up(_store(folder, "ben"), room)]
    finally:
        await server.stop()


@asynccontextmanager
async def _client(url: str, folder: Path, name: str) -> AsyncIterator[Client]:
    user = user_uri(ProviderName(PROVIDER), name)
    client = await Client.register(url, user, _store(folder, name), store_key=_KEY, receipts=False)
    try:
        await client.connect()
        await client.wait_online()
        yield client
    finally:
        await client.close()


def _store(folder: Path, name: str) -> Path:
    return folder / f"{name}.store"


async def _send_all(url: str, path: Path, room: RoomUri) -> None:
    """The hub holds 10,000 messages by the device in the store at ``path``, which keeps nothing of its own."""
    store = Store.open(path, _KEY, os.urandom)
    identity = store.identity()
    group = Groups(store).get(room)
    hub = Hub(identity, NetworkTransport(url), _now_ms)
    record = store.room(room)
    assert record is not None
    stream = await hub.open_stream({room: record.cursor})
    await stream.receive()
    ids = submission_ids(_now_ms())
    for sent in range(_MESSAGES + _WINDOW):
        if sent < _MESSAGES:
            salt = os.urandom(content.SALT_BYTES)
            text = content.encode(content.text_message(salt, identity.user, room, "x" * CONTENT_BYTES))
            await stream.send(SubmitMessage(next(ids), room, group.encrypt(text, franking_tag(text))))
        if sent >= _WINDOW:
            answer = await stream.receive()
            assert isinstance(answer, Accepted), answer
    await stream.close()
    await hub.close()
    store.close()


async def _catch_up(path: Path, room: RoomUri) -> Figure:
    client = await Client.open(path, store_key=_KEY, receipts=False)
    try:
        began = time.perf_counter()
        await client.connect()
        await asyncio.wait_for(client.wait_online(), _LONGEST_S)
        seconds = time.perf_counter() - began
        held = len(client.messages(room, limit=2 * _MESSAGES))
    finally:
        await client.close()
    if held < _MESSAGES:
        raise RuntimeError(f"only {held} messages of {_MESSAGES} came")
    return Figure("catchup.10000", _MESSAGES / seconds, f"messages/s, {seconds:.1f} s in all")


def _now_ms() -> TimestampMs:
    return TimestampMs(time.time_ns() // 1_000_000)
