"""Names and pictures of rooms: who gives them, and who hears of them."""

import asyncio

import pytest

from nightlight.errors import ProblemName, RefusedError, UnavailableError
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import Accepted, ServerFrame
from nightlight.protocol.profile import MAX_PICTURE_BYTES, Picture, RoomProfile, profile_message
from nightlight.protocol.roles import Role
from tests.simulation.conftest import Friends
from tests.simulation.network import Deed
from tests.simulation.world import NAMES, URIS, World

LAKE = RoomProfile("Lake trip", Picture("image/png", b"\x89PNG landscape"))


async def all_call_it(world: World, room: RoomUri, profile: RoomProfile, *names: str) -> None:
    await world.until(lambda: all(world.client(name).profile(room) == profile for name in names), f"{names} know it")


def test_an_owner_makes_a_group_with_a_name_and_a_picture(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        room = await mira.create_room([URIS["tomas"], URIS["juno"]], profile=LAKE)
        await all_call_it(world, room, LAKE, *NAMES)
        assert {summary.name for summary in world.client("juno").rooms()} == {"Lake trip", ""}
        assert [world.client(name).messages(room, limit=5) for name in NAMES] == [[], [], []]
        assert [world.client(name).faults() for name in NAMES] == [[], [], []]

    friends.run(story)


def test_an_admin_renames_the_room_and_a_plain_member_does_not(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        with pytest.raises(RefusedError) as refused:
            await tomas.set_profile(world.room, LAKE)
        assert refused.value.problem is ProblemName.NOT_ALLOWED
        await mira.give_role(world.room, tomas.user, Role.ADMIN)
        await world.until(lambda: tomas.rooms()[0].roles[tomas.user] is Role.ADMIN, "Tomas is an admin")
        await tomas.set_profile(world.room, LAKE)
        await mira.set_profile(world.room, RoomProfile("Hill trip"))
        await all_call_it(world, world.room, RoomProfile("Hill trip"), *NAMES)

    friends.run(story)


def test_who_joins_is_told_the_name_by_whoever_let_them_in(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await asyncio.gather(*(client.wait_online() for client in (mira, tomas, juno)))
        await mira.remove(world.room, [juno.user])
        await mira.set_profile(world.room, LAKE)
        await all_call_it(world, world.room, LAKE, "tomas")
        world.people["tomas"].link.to_client.deeds.append(Deed.CUT_AFTER)
        await tomas.add(world.room, [juno.user])
        await all_call_it(world, world.room, LAKE, "juno")
        await mira.set_profile(world.room, RoomProfile("Hill trip"))
        await all_call_it(world, world.room, RoomProfile("Hill trip"), *NAMES)
        assert [client.faults() for client in (mira, tomas, juno)] == [[], [], []]

    friends.run(story)


def test_who_is_removed_before_they_could_greet_whom_they_let_in_goes_on_elsewhere(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await asyncio.gather(*(client.wait_online() for client in (mira, tomas, juno)))
        await mira.remove(world.room, [juno.user])
        await mira.set_profile(world.room, LAKE)
        await all_call_it(world, world.room, LAKE, "tomas")
        link = world.people["tomas"].link
        reach = link.reach

        def lose_the_answer(frame: ServerFrame) -> ServerFrame:
            if isinstance(frame, Accepted):
                link.tamper, link.reach = None, lambda: None
                raise UnavailableError("his commit is accepted, and he is offline")
            return frame

        link.tamper = lose_the_answer
        adding = world.do(tomas.add(world.room, [juno.user]))
        await world.until(lambda: len(mira.rooms()[0].members) == 3, "Mira sees Juno come in")
        await mira.remove(world.room, [tomas.user])
        link.reach = reach
        with pytest.raises(RefusedError):  # he isn't there any more, whatever became of it
            await adding
        await world.until(lambda: tomas.rooms() == [], "Tomas hears that he is out")

        await tomas.close()
        tomas = await world.open_client("tomas")
        other = await tomas.room_with(mira.user)
        await tomas.send(other, "what did I miss?")
        await world.until(lambda: len(mira.messages(other, limit=5)) == 1, "Mira reads it")
        assert tomas.faults() == []

    friends.run(story)


def test_a_name_by_somebody_who_may_not_give_it_changes_nothing(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await mira.set_profile(world.room, LAKE)
        await all_call_it(world, world.room, LAKE, *NAMES)
        forged = profile_message(bytes(16), tomas.user, world.room, RoomProfile("Tomas's"))
        await tomas.wait_sent(tomas._connection.device.say(forged))
        await tomas.send(world.room, "hello")
        await world.until(lambda: len(juno.messages(world.room, limit=5)) == 1, "Juno sees what came after")
        await all_call_it(world, world.room, LAKE, *NAMES)
        assert mira.faults() == juno.faults() == []

    friends.run(story)


@pytest.mark.parametrize(
    "profile",
    [
        RoomProfile("two\nlines"),
        RoomProfile("n" * 257),
        RoomProfile("a film", Picture("video/mp4", b"film")),
        RoomProfile("large", Picture("image/png", bytes(MAX_PICTURE_BYTES + 1))),
        RoomProfile("nothing", Picture("image/png", b"")),
    ],
)
def test_what_is_no_profile_is_not_sent(friends: Friends, profile: RoomProfile) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        with pytest.raises(RefusedError) as refused:
            await mira.set_profile(world.room, profile)
        assert refused.value.problem is ProblemName.MALFORMED
        with pytest.raises(RefusedError):
            await mira.create_room([URIS["tomas"]], profile=profile)
        assert len(mira.rooms()) == 1

    friends.run(story)


def test_a_profile_that_is_none_is_a_fault_of_its_sender(friends: Friends) -> None:  # NL-177
    async def story(world: World) -> None:
        mira, juno = world.client("mira"), world.client("juno")
        forged = profile_message(bytes(16), mira.user, world.room, RoomProfile("two\nlines"))
        mira._connection.device.say(forged)
        mira._connection.wake()
        await world.until(lambda: juno.faults() != [], "Juno records the fault")
        assert [(fault.check, fault.culprit) for fault in juno.faults()] == [("NL-177", mira.device)]
        assert juno.profile(world.room) is None

    friends.run(story)


def test_the_largest_profile_fits(friends: Friends) -> None:
    async def story(world: World) -> None:
        large = RoomProfile("n" * 256, Picture("image/webp", bytes([7]) * MAX_PICTURE_BYTES))
        await world.client("mira").set_profile(world.room, large)
        await all_call_it(world, world.room, large, *NAMES)

    friends.run(story)


def test_a_room_with_a_name_is_no_conversation_of_two(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await mira.wait_online()
        group = await mira.create_room([tomas.user], profile=LAKE)
        await all_call_it(world, group, LAKE, "mira", "tomas")
        assert await mira.room_with(tomas.user) != group

    friends.run(story)
