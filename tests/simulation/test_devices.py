"""One person with several devices: linking, and what a removed one can no longer read."""

import asyncio

import pytest

from nightlight.client.events import MessageState
from nightlight.client.identity import changed
from nightlight.client.sdk import Client
from nightlight.errors import UnavailableError
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import DeviceLink, UserDevices
from tests.simulation.conftest import Friends
from tests.simulation.network import Deed
from tests.simulation.world import World


def texts(client: Client, room: RoomUri) -> list[str]:
    return [message.text for message in client.messages(room, limit=1_000)]


async def until_shown(world: World, client: Client, text: str) -> None:
    await world.until(lambda: text in texts(client, world.room), f"{client.device} shows {text!r}")


def test_a_linked_device_reads_what_comes_and_a_removed_one_does_not(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        tablet = await world.link("mira", "tablet")
        await world.until_joined("tablet", world.room)

        await tomas.send(world.room, "hello, both of you")
        await until_shown(world, tablet, "hello, both of you")
        await tablet.send(world.room, "written on the tablet")
        for client in (mira, tomas):
            await until_shown(world, client, "written on the tablet")
        (own,) = [message for message in mira.messages(world.room, limit=1) if message.own]
        assert own.state is MessageState.SENT

        await mira.remove_device(tablet.device)
        await tomas.wait_sent(await tomas.send(world.room, "hello, Mira alone"))
        await until_shown(world, mira, "hello, Mira alone")
        assert "hello, Mira alone" not in texts(tablet, world.room)
        await world.until(lambda: not tablet._connection.is_online, "the tablet is signed out")
        members = {leaf.credential for leaf in tomas._connection.device.groups.get(world.room).members}
        assert not any(tablet.device.encode() in credential for credential in members)
        for name in ("mira", "tomas", "juno", "tablet"):
            assert world.people[name].faults == []

    friends.run(story)


@pytest.mark.parametrize("deed", [Deed.LOSE, Deed.CUT_AFTER, Deed.DOUBLE])
def test_linking_goes_on_after_a_lost_request_or_answer(friends: Friends, deed: Deed) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        await asyncio.sleep(1)  # the chores of connecting are done
        new = await world.show_code("tablet", mira.user)
        publish = mira._hub.publish_device_list

        async def in_trouble(device_list: bytes, link: DeviceLink | None = None) -> UserDevices:
            world.people["mira"].link.requests.append(deed)
            return await publish(device_list, link)

        mira._hub.publish_device_list = in_trouble  # type: ignore[method-assign]  # trouble at this request
        try:
            await mira.accept_device(new.code)
        except UnavailableError:
            mira._hub.publish_device_list = publish  # type: ignore[method-assign]
            world.people["mira"].link.cut()  # back online, it goes on by itself
        tablet = await world.come_online("tablet", new)
        await world.until_everywhere("mira", tablet.device)
        assert len(mira.devices()) == 2

    friends.run(story)


def test_two_devices_that_take_in_others_at_once_both_do(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        tablet = await world.link("mira", "tablet", may_sign=True)
        codes = [await world.show_code(name, mira.user) for name in ("laptop", "watch")]
        await asyncio.gather(mira.accept_device(codes[0].code), tablet.accept_device(codes[1].code))
        for name, new in zip(("laptop", "watch"), codes, strict=True):
            client = await world.come_online(name, new)
            await world.until_everywhere("mira", client.device)
        await world.client("tomas").send(world.room, "hello, all four")
        for name in ("mira", "tablet", "laptop", "watch"):
            await until_shown(world, world.client(name), "hello, all four")
        assert all(person.faults == [] for person in world.people.values())

    friends.run(story)


def test_who_was_away_reads_what_a_device_said_before_it_was_removed(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, juno = world.client("mira"), world.client("juno")
        await juno.wait_online()
        await juno.close()
        tablet = await world.link("mira", "tablet")
        await tablet.wait_sent(await tablet.send(world.room, "written before"))
        await mira.remove_device(tablet.device)
        await world.until(lambda: mira.rooms_of(tablet.device) == (0, 1), "the tablet is out of the room")
        await mira.send(world.room, "written after")
        juno = world.open_offline("juno")
        await juno._connection.housekeeping.learn_devices(juno._connection.device, mira.user)
        await juno.connect()
        await until_shown(world, juno, "written after")
        assert texts(juno, world.room) == ["written before", "written after"]
        assert world.people["juno"].faults == []

    friends.run(story)


def test_a_removed_device_leaves_a_room_in_which_its_person_is_away(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        tablet = await world.link("mira", "tablet")
        await world.until(lambda: tomas.rooms_of(tablet.device) == (1, 1), "Tomas has the tablet in the room")
        device = mira._connection.device
        listed = device.trust.device_list(mira.user)
        assert listed is not None
        phone_alone = [entry for entry in listed.devices if entry.uri == mira.device]
        _, signed = changed(device.identity, listed, phone_alone, world.surroundings(world.people["mira"]).clock())
        await asyncio.gather(mira._hub.publish_device_list(signed), mira._connection.stop())
        await world.until(lambda: tomas.rooms_of(tablet.device) == (0, 1), "somebody removes the tablet")
        await tomas.wait_sent(await tomas.send(world.room, "hello without the tablet"))

    friends.run(story)
