"""Clients that read too slowly, or say too much at once."""

import asyncio

import pytest

from nightlight.protocol.messages import Goodbye, Refused, decode_server_frame
from tests.faults.conftest import Friends
from tests.support.people import settled, texts, until

LONG = "snow on the hills, rain in the valley, " * 400
"""About 16 KB."""
MESSAGES = 1_000
OUTBOX_BYTES = 200_000
GROWTH_BYTES = 8_000_000
"""Far less than the 16 MB that wait, far more than one queue."""


@pytest.fixture
def settings() -> str:
    return f"outbox_bytes_max = {OUTBOX_BYTES}"


async def test_a_client_that_does_not_read_costs_bounded_memory_and_misses_nothing(friends: Friends) -> None:
    await friends.tomas.wait_sent(await friends.tomas.send(friends.room, LONG))
    before = friends.server.process.memory_info().rss
    friends.relay.reading.clear()
    for number in range(MESSAGES):
        sent = await friends.tomas.send(friends.room, f"{number} {LONG}")
        if number % 50 == 0:
            await friends.tomas.wait_sent(sent)
    await friends.tomas.wait_sent(sent)
    assert friends.server.process.memory_info().rss - before < GROWTH_BYTES
    friends.relay.reading.set()
    await settled(friends.room, friends.mira, friends.tomas)
    assert len(texts(friends.mira, friends.room)) == 1 + MESSAGES
