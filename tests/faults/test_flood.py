"""Clients that read too slowly, or say too much at once."""

import pytest

from nightlight.protocol.messages import Goodbye, Refused, read_server_frame
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


@pytest.mark.parametrize("size", [1_000_000, 1_000_001, 5_000_000])
async def test_a_frame_over_the_limit_is_refused_and_the_server_goes_on(friends: Friends, size: int) -> None:
    answers: list[Refused | Goodbye] = []

    def listen(frame: bytes) -> list[bytes]:
        answer = read_server_frame(frame)
        if isinstance(answer, Refused | Goodbye):
            answers.append(answer)
        return [frame]

    injected = False

    def inject(frame: bytes) -> list[bytes]:
        nonlocal injected
        before, injected = injected, True
        return [frame] if before else [bytes(size), frame]

    friends.relay.to_client, friends.relay.to_server = listen, inject
    await friends.mira.wait_sent(await friends.mira.send(friends.room, "hello"))
    await until(lambda: bool(answers), "the frame is refused")
    assert friends.server.running
    await friends.tomas.wait_sent(await friends.tomas.send(friends.room, "hello yourself"))
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.tomas, friends.room) == ["hello", "hello yourself"]
