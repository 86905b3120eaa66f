"""Leaving a room: at once for whoever leaves, and for the others as soon as one of them has done what is owed."""

import asyncio

import pytest

from nightlight.client.records import Standing
from nightlight.client.sdk import Client
from nightlight.errors import NightlightError, ProblemName, RefusedError
from nightlight.protocol.roles import Role
from tests.simulation.conftest import Friends
from tests.simulation.test_roles import all_know, roles
from tests.simulation.world import NAMES, PowerLost, World


def texts(client: Client, world: World) -> list[str]:
    return [message.text for message in client.messages(world.room, limit=100)]


def leaves(client: Client, world: World) -> int:
    return len(client._connection.device.groups.get(world.room).members)


def commits(client: Client, world: World) -> int:
    return client._connection.device.groups.get(world.room).epoch


def no_faults(world: World) -> bool:
    return all(world.client(name).faults() == [] for name in NAMES)


async def all_online(world: World) -> list[Client]:
    clients = [world.client(name) for name in NAMES]
    await asyncio.gather(*(client.wait_online() for client in clients))
    return clients


def test_who_leaves_is_gone_and_what_others_say_waits_for_one_removal(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        await juno.send(world.room, "goodbye")
        await juno.leave(world.room)
        assert juno.rooms() == []
        with pytest.raises(RefusedError) as refused:
            await juno.send(world.room, "one thing more")
        assert refused.value.problem is ProblemName.NOT_FOUND
        await juno.wait_settled()
        epoch = commits(mira, world)
        await asyncio.gather(mira.send(world.room, "she is gone"), tomas.send(world.room, "a pity"))
        await world.until(lambda: len(texts(mira, world)) == len(texts(tomas, world)) == 3, "both are said")
        await all_know(world, {"mira": "owner", "tomas": "member"}, "mira", "tomas")
        await world.until(lambda: leaves(mira, world) == leaves(tomas, world) == 2, "her leaf is gone")
        assert commits(mira, world) == commits(tomas, world) <= epoch + 1
        assert texts(juno, world) == ["goodbye"]
        assert no_faults(world)

    friends.run(story)


def test_the_others_remove_who_has_left_without_having_anything_to_say(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        await juno.leave(world.room)
        await world.until(lambda: leaves(mira, world) == leaves(tomas, world) == 2, "her leaf is gone")
        assert no_faults(world)

    friends.run(story)


def test_leaving_without_a_connection_holds_over_a_power_failure_and_counts_once(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        server = world.server
        world.crash_server()
        assert server is not None
        await juno.leave(world.room)
        await juno.leave(world.room)
        await world.crash_client("juno")
        juno = world.client("juno")
        assert juno.rooms() == []
        await juno.leave(world.room)
        world.start_server()
        await world.until(lambda: leaves(mira, world) == leaves(tomas, world) == 2, "her leaf is gone")
        await juno.wait_settled()
        assert juno.rooms() == []
        assert no_faults(world)

    friends.run(story)


@pytest.mark.parametrize(
    "point", ["leave.before_store", "leave.after_store", "commit.before_store", "commit.after_store"]
)
def test_the_power_fails_at_a_step_of_leaving(friends: Friends, point: str) -> None:
    async def story(world: World) -> None:
        mira, _, juno = await all_online(world)
        world.arm("juno", point)
        with pytest.raises(PowerLost):
            await juno.leave(world.room)
        await world.until_restarted("juno", juno)
        juno = world.client("juno")
        await juno.leave(world.room)  # again, as somebody does who does not know
        await world.until(lambda: leaves(mira, world) == 2, "her leaf is gone")
        assert juno.rooms() == []
        assert no_faults(world)

    friends.run(story)


def test_leaving_while_another_commit_is_under_way(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        results = await asyncio.gather(
            mira.give_role(world.room, juno.user, Role.ADMIN),
            juno.leave(world.room),
            tomas.update(world.room),
            return_exceptions=True,
        )
        assert all(result is None or isinstance(result, NightlightError) for result in results)
        await world.until(lambda: leaves(mira, world) == leaves(tomas, world) == 2, "her leaf is gone")
        await all_know(world, {"mira": "owner", "tomas": "member"}, "mira", "tomas")
        assert no_faults(world)

    friends.run(story)


def test_two_who_leave_at_once_both_go(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        await asyncio.gather(tomas.leave(world.room), juno.leave(world.room))
        await world.until(lambda: leaves(mira, world) == 1, "Mira is alone")
        await mira.send(world.room, "to myself")
        await mira.wait_settled()
        assert no_faults(world)

    friends.run(story)


def test_a_person_who_leaves_on_two_devices_at_once_leaves_once(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        tablet = await world.link("juno", "tablet")
        await world.until(lambda: leaves(mira, world) == 4, "the tablet is in the room")
        await asyncio.gather(juno.leave(world.room), tablet.leave(world.room))
        await world.until(lambda: leaves(mira, world) == leaves(tomas, world) == 2, "both leaves are gone")
        await asyncio.gather(juno.wait_settled(), tablet.wait_settled())
        assert juno.rooms() == tablet.rooms() == []
        assert no_faults(world)
        assert tablet.faults() == []

    friends.run(story)


def test_the_last_owner_who_leaves_hands_the_room_to_the_first_admin(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, _, juno = await all_online(world)
        await mira.give_role(world.room, juno.user, Role.ADMIN)
        await all_know(world, {"mira": "owner", "tomas": "member", "juno": "admin"}, *NAMES)
        await mira.leave(world.room)
        await all_know(world, {"tomas": "member", "juno": "owner"}, "tomas", "juno")
        await juno.give_role(world.room, world.client("tomas").user, Role.ADMIN)
        assert roles(world, "juno") == {"tomas": "admin", "juno": "owner"}

    friends.run(story)


def test_who_is_alone_leaves_and_nothing_is_left_but_what_was_said(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        await mira.remove(world.room, [tomas.user, juno.user])
        await mira.send(world.room, "nobody hears it")
        await mira.leave(world.room)
        await mira.wait_settled()
        assert mira.rooms() == []
        assert await mira._hub.rooms() == []
        record = mira._store.room(world.room)
        assert record is not None
        assert record.standing is Standing.LEFT
        assert texts(mira, world) == ["nobody hears it"]

    friends.run(story)


def test_who_has_left_is_added_again(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, _, juno = await all_online(world)
        await juno.leave(world.room)
        await juno.wait_settled()
        await mira.add(world.room, [juno.user])
        await world.until_joined("juno", world.room)
        await juno.send(world.room, "back again")
        await world.until(lambda: texts(mira, world) == ["back again"], "she is heard")
        assert no_faults(world)

    friends.run(story)


def test_a_room_of_two_is_left_although_one_blocks_the_other(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = await all_online(world)
        await mira.remove(world.room, [juno.user])
        await tomas.block(mira.user)
        await tomas.leave(world.room)
        await tomas.wait_settled()
        await world.until(lambda: leaves(mira, world) == 1, "Mira is alone")
        assert no_faults(world)

    friends.run(story)
