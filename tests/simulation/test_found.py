"""Each bug that was found under load, as the smallest story that shows it."""

from __future__ import annotations

from pathlib import Path

from nightlight.client.events import MessageState
from nightlight.client.trust import NOTHING_ASKED, Asked, LookUp
from nightlight.protocol.ids import UserUri
from tests.simulation.network import Deed
from tests.simulation.world import NAMES, URIS, World, make_friends, run


def test_rooms_begun_by_two_people_at_once_are_both_joined(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = [await world.register(name) for name in NAMES]
        for friend in (tomas, juno):
            await mira.request_contact(friend.user)
            await friend.accept_contact(mira.user)
        await mira.close()
        rooms = {await friend.room_with(URIS["mira"]) for friend in (tomas, juno)}

        mira = await world.open_client("mira")
        await mira.wait_online()

        assert {room.room for room in mira.rooms()} == rooms
        assert mira.faults() == []

    run(World(tmp_path, seed=1), story)


def test_a_contact_request_is_heard_of_though_the_first_look_at_it_fails(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        mira, tomas, _ = [await world.register(name) for name in NAMES]
        await mira.wait_settled()
        world.people["mira"].link.requests.append(Deed.LOSE)

        await tomas.request_contact(mira.user)

        await world.until(
            lambda: [contact.user for contact in mira._store.contacts()] == [tomas.user], "the request is seen"
        )

    run(World(tmp_path, seed=1), story)


def test_what_was_read_is_told_though_nothing_else_happens(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        room = await make_friends(world)
        mira, tomas = world.client("mira"), world.client("tomas")
        message_id = await mira.send(room, "hello")
        await world.until(lambda: len(tomas.messages(room, limit=1)) == 1, "it came")
        await tomas.wait_settled()

        await tomas.mark_read(room)

        await world.until(lambda: mira.messages(room, limit=1)[0].state is MessageState.READ, "she knows")
        assert mira.messages(room, limit=1)[0].message_id == message_id

    run(World(tmp_path, seed=1, receipts=True), story)


def test_what_was_asked_covers_no_more_than_that() -> None:
    tomas, juno = LookUp(frozenset({URIS["tomas"]})), LookUp(frozenset({URIS["juno"]}))
    asked = NOTHING_ASKED.including(tomas)

    assert asked.covers(tomas)
    assert not asked.covers(juno)
    assert not asked.covers(LookUp(directory=True))
    assert asked.including(juno).covers(tomas)
    assert asked.including(LookUp(directory=True)) == Asked(frozenset({URIS["tomas"]}), directory=True)
    assert not NOTHING_ASKED.covers(LookUp(frozenset({UserUri("mimi://ring.example/u/wim")})))
