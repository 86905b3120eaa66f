"""A network that loses, doubles, swaps and cuts: everybody still shows the same, once and in order."""

import asyncio

import pytest

from nightlight.protocol.messages import ContactState
from tests.faults.conftest import Friends
from tests.support.people import JUNO, MIRA, TOMAS, insist, newcomer, settled, texts, until
from tests.support.relay import Deed, cut_after, cut_before, doubled, every, faithful, lost, sometimes, swapped

MESSAGES = 20


async def talk(friends: Friends) -> None:
    """Both say ``MESSAGES`` things, and both show all of them in one order."""
    for number in range(MESSAGES):
        await friends.mira.send(friends.room, f"mira {number}")
        await friends.tomas.send(friends.room, f"tomas {number}")
        await asyncio.sleep(0)
    await until(lambda: len(texts(friends.mira, friends.room)) == 2 * MESSAGES, "Mira shows everything")
    await settled(friends.room, friends.mira, friends.tomas)
    shown = texts(friends.tomas, friends.room)
    for name in ("mira", "tomas"):
        assert [text for text in shown if text.startswith(name)] == [f"{name} {number}" for number in range(MESSAGES)]


@pytest.mark.parametrize(
    ("to_server", "to_client"),
    [
        pytest.param(doubled, faithful, id="submissions_doubled"),
        pytest.param(faithful, doubled, id="deliveries_doubled"),
        pytest.param(every(7, cut_before), faithful, id="submissions_lost"),
        pytest.param(every(7, cut_after), faithful, id="answers_lost"),
        pytest.param(faithful, every(9, cut_before), id="deliveries_cut_off"),
        pytest.param(faithful, every(17, lost), id="deliveries_lost"),
        pytest.param(every(7, cut_after), every(9, cut_before), id="both_ways_cut"),
    ],
)
async def test_messages_arrive_once_and_in_order(friends: Friends, to_server: Deed, to_client: Deed) -> None:
    friends.relay.to_server, friends.relay.to_client = to_server, to_client
    talking = asyncio.create_task(talk(friends))
    while not talking.done():
        # A lost last frame shows only when another comes; the network is well again for the end.
        await asyncio.wait([talking], timeout=5)
        if len(texts(friends.tomas, friends.room)) == 2 * MESSAGES:
            friends.relay.reset()
            await friends.tomas.update(friends.room)
    await talking


async def test_messages_that_arrive_in_another_order_are_shown_in_the_room_s(friends: Friends) -> None:
    friends.relay.to_client = every(1, swapped())
    talking = asyncio.create_task(talk(friends))
    await until(lambda: len(texts(friends.tomas, friends.room)) == 2 * MESSAGES, "Tomas shows everything")
    friends.relay.reset()
    await friends.tomas.update(friends.room)
    await talking


async def a_new_friend(friends: Friends) -> None:
    """Juno comes, asks Tomas, makes a room and talks in it; all through the relay, and asking again when unanswered."""
    juno = await insist(lambda: newcomer(friends.server.url, JUNO, friends.folder, through=friends.relay.url))
    await insist(lambda: juno.request_contact(TOMAS))
    await friends.tomas.accept_contact(JUNO)
    room = await insist(lambda: juno.room_with(TOMAS))
    await juno.send(room, "hello from the hill")
    await until(lambda: room in {summary.room for summary in friends.tomas.rooms()}, "Tomas is in Juno's room")
    await friends.tomas.send(room, "hello from the valley")
    await until(lambda: len(texts(juno, room)) == 2, "Juno shows both")
    await settled(room, juno, friends.tomas)
    assert sorted(texts(juno, room)) == ["hello from the hill", "hello from the valley"]
    assert {summary.room for summary in friends.tomas.rooms()} == {friends.room, room}
    assert {contact.user: contact.state for contact in await friends.tomas.contacts()} == {
        MIRA: ContactState.CONNECTED,
        JUNO: ContactState.CONNECTED,
    }
    await juno.close()


async def test_requests_that_arrive_twice_count_once(friends: Friends) -> None:
    friends.relay.requests = doubled
    await a_new_friend(friends)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", [cut_before, cut_after])
async def test_asking_again_after_a_lost_request_or_answer_works(friends: Friends, fault: Deed, seed: int) -> None:
    friends.relay.requests = sometimes(seed, 0.25, fault)
    await a_new_friend(friends)
