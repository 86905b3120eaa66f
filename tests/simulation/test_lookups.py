"""What arrives from people whose devices are not known yet is judged once the server was asked about all of them."""

from __future__ import annotations

from pathlib import Path

from nightlight.client.trust import NOTHING_ASKED, Asked, LookUp
from nightlight.protocol.ids import UserUri
from tests.simulation.world import NAMES, URIS, World, run


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


def test_what_was_asked_covers_no_more_than_that() -> None:
    tomas, juno = LookUp(frozenset({URIS["tomas"]})), LookUp(frozenset({URIS["juno"]}))
    asked = NOTHING_ASKED.including(tomas)

    assert asked.covers(tomas)
    assert not asked.covers(juno)
    assert not asked.covers(LookUp(directory=True))
    assert asked.including(juno).covers(tomas)
    assert asked.including(LookUp(directory=True)) == Asked(frozenset({URIS["tomas"]}), directory=True)
    assert not NOTHING_ASKED.covers(LookUp(frozenset({UserUri("mimi://ring.example/u/wim")})))
