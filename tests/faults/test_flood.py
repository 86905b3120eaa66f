"""Clients that read too slowly, or say too much at once."""

import pytest

from nightlight.protocol.messages import Goodbye, Refused, read_server_frame
from tests.faults.conftest import Friends
from tests.support.people import settled, texts, until

LONG = "snow on the hills, rain in the valley, " * 780
"""About 30 KB."""
MESSAGES = 200
WINDOWS = 20
"""All together 120 MB: more than the database's page cache and the network's buffers hold."""
OUTBOX_BYTES = 200_000


@pytest.fixture
def settings() -> str:
    return f"outbox_bytes_max = {OUTBOX_BYTES}"


async def growth_while_tomas_talks(friends: Friends) -> int:
    """By how many bytes the server's memory grew over ``MESSAGES`` long ones."""
    before = friends.server.process.memory_info().rss
    for number in range(MESSAGES):
        await friends.tomas.wait_sent(await friends.tomas.send(friends.room, f"{number} {LONG}"))
    grown: int = friends.server.process.memory_info().rss - before
    return grown


async def test_a_client_that_does_not_read_costs_bounded_memory_and_misses_nothing(friends: Friends) -> None:
    friends.relay.reading.clear()
    sent = 0
    for _ in range(WINDOWS):
        sent += MESSAGES
        # Caches fill first; a server that kept what Mira does not read would never stop growing.
        if await growth_while_tomas_talks(friends) < MESSAGES * len(LONG) // 10:
            break
    else:
        pytest.fail("the server's memory grows with what a client does not read")
    friends.relay.reading.set()
    await settled(friends.room, friends.mira, friends.tomas)
    assert len(texts(friends.mira, friends.room)) == sent


@pytest.mark.parametrize("size", [1_000_000, 1_000_001])
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


async def test_a_frame_of_many_times_the_limit_costs_its_sender_the_connection_and_nobody_a_message(
    friends: Friends,
) -> None:
    injected = False

    def inject(frame: bytes) -> list[bytes]:
        nonlocal injected
        before, injected = injected, True
        return [frame] if before else [frame, bytes(20_000_000)]

    friends.relay.to_server = inject
    await friends.mira.wait_sent(await friends.mira.send(friends.room, "hello"))
    await friends.tomas.wait_sent(await friends.tomas.send(friends.room, "hello yourself"))
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.tomas, friends.room) == ["hello", "hello yourself"]
