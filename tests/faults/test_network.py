"""A network that loses, doubles, swaps and cuts: everybody still shows the same, once and in order."""

import asyncio

import pytest

from nightlight.errors import UnavailableError
from nightlight.protocol.messages import ContactState
from tests.faults.conftest import Friends
from tests.support.people import JUNO, conversation, newcomer, settled, share_room, texts, until
from tests.support.relay import Deed, Relay, cut_after, cut_before, doubled, every, faithful, lost, swapped
from tests.support.server import ServerProcess

MESSAGES = 40


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
        pytest.param(faithful, every(25, lost), id="deliveries_lost"),
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


async def test_requests_that_arrive_twice_count_once(server_process: ServerProcess, relay: Relay) -> None:
    del server_process, relay


async def test_a_person_can_ask_again_after_a_lost_answer(friends: Friends) -> None:
    friends.relay.requests = every(2, cut_after)
    juno = await newcomer(friends.server.url, JUNO, friends.folder)
    asked = 0
    while not any(contact.user == JUNO for contact in await juno.contacts()) and asked < 10:
        asked += 1
        try:
            await friends.mira.request_contact(JUNO)
        except UnavailableError:
            continue
        break
    states = {contact.user: contact.state for contact in await juno.contacts()}
    assert states == {friends.mira.user: ContactState.ASKED}
    await juno.close()


async def test_a_room_is_made_once_although_answers_are_lost(friends: Friends) -> None:
    del friends
    assert conversation
    assert share_room
