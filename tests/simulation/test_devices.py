"""One person with several devices: linking, and what a removed one can no longer read."""

from nightlight.client.events import MessageState
from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri
from tests.simulation.conftest import Friends
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
