"""Devices that cannot go on in a room: away for weeks, or shown a commit that they cannot use; others add them anew."""

import asyncio
import time
from collections.abc import Callable

import msgspec
import pytest

from nightlight.client import connection
from nightlight.client.housekeeping import LOST_AGAIN_MS
from nightlight.client.key_packages import LIFETIME_S
from nightlight.client.records import Intent
from nightlight.client.sdk import Client
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.messages import Delivery, EntryKind, ServerFrame
from nightlight.server.domain.records import RECORDS
from nightlight.server.http.metrics import Metrics
from nightlight.server.services.retention import RetentionService
from tests.simulation.conftest import Friends
from tests.simulation.world import KEY_PACKAGES, NAMES, URIS, World

DAY_MS = 86_400_000
PAYLOADS_KEPT_DAYS = next(record.retention_ms for record in RECORDS if record.table == "payloads") // DAY_MS  # type: ignore[operator]  # they are purged


def texts(world: World, name: str) -> list[str]:
    return [message.text for message in world.client(name).messages(world.room, limit=200)]


def leaves(client: Client, world: World) -> int:
    return len(client._connection.device.groups.get(world.room).members)


def epoch(world: World, name: str) -> int:
    return world.client(name)._connection.device.groups.get(world.room).epoch


async def agree(world: World, *names: str) -> None:
    await world.until(lambda: len({epoch(world, name) for name in names}) == 1, f"{names} are in one epoch")


async def pass_days(world: World, days: int) -> None:
    """Every clock goes on, and the server purges what has had its time."""
    for person in world.people.values():
        person.clock_offset_ms += days * DAY_MS
    world.server_offset_ms += days * DAY_MS
    server = world.server
    assert server is not None
    store = server.delivery.store
    confirmed = 1_000 * DAY_MS
    await RetentionService(store, server.delivery.clock, time.monotonic, Metrics(lambda: 0), confirmed).purge()


async def go_away(world: World, name: str) -> None:
    """The client of ``name`` is closed."""
    await world.client(name).wait_settled()
    await world.client(name).close()
    world.people[name].client = None


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done every few hours is done every minute."""
    monkeypatch.setattr(connection, "CHORES_EVERY_MS", 60_000)


async def all_online(world: World) -> None:
    await asyncio.gather(*(world.client(name).wait_online() for name in NAMES))


def as_a_commit(frame: ServerFrame) -> ServerFrame:
    """A message arrives as if it were one."""
    if isinstance(frame, Delivery) and frame.kind is EntryKind.APPLICATION:
        return msgspec.structs.replace(frame, kind=EntryKind.COMMIT)
    return frame


def spoiled(kind: EntryKind) -> Callable[[ServerFrame], ServerFrame]:
    """Entries of ``kind`` arrive damaged."""

    def tamper(frame: ServerFrame) -> ServerFrame:
        if not isinstance(frame, Delivery) or frame.kind is not kind:
            return frame
        return msgspec.structs.replace(frame, payload=frame.payload[:-1] + bytes([frame.payload[-1] ^ 1]))

    return tamper


def test_a_device_that_was_shown_a_spoiled_commit_is_added_anew_by_itself(friends: Friends) -> None:
    async def story(world: World) -> None:
        await all_online(world)
        mira, tomas = world.client("mira"), world.client("tomas")
        world.people["tomas"].link.tamper = spoiled(EntryKind.COMMIT)
        await mira.update(world.room)
        await world.until(lambda: tomas.rooms() == [], "Tomas's room is broken")
        world.people["tomas"].link.tamper = None
        await world.until_joined("tomas", world.room)
        await agree(world, *NAMES)
        await mira.send(world.room, "welcome back")
        await world.until(lambda: "welcome back" in texts(world, "tomas"), "he is back")

    friends.run(story)


def test_a_device_whose_room_stopped_is_added_anew_by_the_others(friends: Friends) -> None:
    async def story(world: World) -> None:
        await all_online(world)
        mira, tomas, juno = (world.client(name) for name in NAMES)
        world.people["tomas"].link.tamper = as_a_commit
        await mira.send(world.room, "breaks the room")
        await world.until(lambda: tomas.rooms() == [], "Tomas's room is broken")
        world.people["tomas"].link.tamper = None
        await world.until_joined("tomas", world.room)
        await agree(world, *NAMES)
        await juno.send(world.room, "welcome back")
        await world.until(lambda: all("welcome back" in texts(world, name) for name in NAMES), "all see it")
        await tomas.send(world.room, "here I am")
        await world.until(lambda: all("here I am" in texts(world, name) for name in NAMES), "all see it")
        assert leaves(mira, world) == leaves(juno, world) == 3
        assert mira.faults() == juno.faults() == []
        assert tomas.rooms()[0].roles == mira.rooms()[0].roles

    friends.run(story)


def test_who_stops_again_and_again_is_added_anew_once_an_hour(friends: Friends) -> None:
    async def story(world: World) -> None:
        await all_online(world)
        mira, tomas = world.client("mira"), world.client("tomas")
        world.people["tomas"].link.tamper = as_a_commit
        await mira.send(world.room, "breaks the room")
        await world.until(lambda: tomas.rooms() == [], "Tomas's room is broken")
        await world.until_joined("tomas", world.room)
        await agree(world, "mira", "tomas")
        before = epoch(world, "mira")
        await mira.send(world.room, "breaks it again")
        await world.until(lambda: tomas.rooms() == [], "Tomas's room is broken again")
        world.people["tomas"].link.tamper = None
        await asyncio.sleep(LOST_AGAIN_MS / 2000)
        assert epoch(world, "mira") == before
        await asyncio.sleep(LOST_AGAIN_MS / 1000)
        await world.until_joined("tomas", world.room)
        assert epoch(world, "mira") == before + 1

    friends.run(story)


def test_nobody_replaces_the_leaf_of_a_device_that_has_not_asked_for_it(friends: Friends) -> None:  # NL-439
    async def story(world: World) -> None:
        await all_online(world)
        juno, tomas = world.client("juno"), world.client("tomas")
        packages = await juno._housekeeping.claim(juno._connection.device, [URIS["tomas"]])
        with pytest.raises(RefusedError) as refused:
            await juno._change(world.room, Intent(renew=packages))
        assert refused.value.problem is ProblemName.NOT_ALLOWED
        await tomas.send(world.room, "still here")
        await world.until(lambda: "still here" in texts(world, "mira"), "he is heard")

    friends.run(story)


@pytest.mark.usefixtures("often")
def test_a_welcome_waits_for_somebody_who_is_away_for_weeks_though_the_key_package_expires(friends: Friends) -> None:
    """Added in the last days of her key packages, Juno comes when they have expired: only adding looks at that."""

    async def story(world: World) -> None:
        await all_online(world)
        mira, juno = world.client("mira"), world.client("juno")
        await mira.remove(world.room, [juno.user])
        await world.until(lambda: juno.rooms() == [], "Juno is out")
        await go_away(world, "juno")
        added_after_days = LIFETIME_S // 86_400 - 5
        await pass_days(world, added_after_days)
        await asyncio.sleep(200)  # device lists are renewed
        await mira.add(world.room, [URIS["juno"]])
        await mira.send(world.room, "are you back?")
        await mira.wait_settled()
        await pass_days(world, PAYLOADS_KEPT_DAYS - 5)
        await world.open_client("juno")
        await world.until_joined("juno", world.room)
        assert texts(world, "juno") == ["are you back?"]
        assert world.client("juno").faults() == []

    friends.run(story)


@pytest.mark.usefixtures("often")
def test_a_member_who_does_not_come_back_stops_nobody_and_is_added_anew_if_they_do(friends: Friends) -> None:
    async def story(world: World) -> None:
        await all_online(world)
        mira, tomas = world.client("mira"), world.client("tomas")
        await go_away(world, "juno")
        await mira.update(world.room)
        for number in range(20):
            await mira.send(world.room, f"day {number}")
        await mira.wait_settled()
        await pass_days(world, 20)
        await asyncio.sleep(200)
        await tomas.send(world.room, "we go on")
        await tomas.wait_settled()
        await pass_days(world, PAYLOADS_KEPT_DAYS - 19)
        await asyncio.sleep(200)
        server = world.server
        assert server is not None
        async with server.delivery.store.read() as unit:
            room_id = (await unit.rooms.load(world.room)).room_id  # type: ignore[union-attr]  # it is there
            held = [entry.payload != b"" for entry in await unit.log.page(room_id, 0, 1_000, 1_000_000)]
        assert held.count(True) == 1  # what is young enough alone, although Juno has none of it
        juno = await world.open_client("juno")
        await world.until(lambda: juno.rooms() == [], "she has missed a commit")
        await world.until_joined("juno", world.room)
        assert {fault.check for fault in juno.faults()} == {"NL-514"}
        await agree(world, *NAMES)
        await mira.send(world.room, "there you are")
        await world.until(lambda: "there you are" in texts(world, "juno"), "she is back")

    friends.run(story)


def test_when_key_packages_run_out_the_last_resort_serves_and_the_device_hears_of_it(friends: Friends) -> None:
    async def story(world: World) -> None:
        await all_online(world)
        mira, tomas = world.client("mira"), world.client("tomas")
        single = (await tomas._hub.count_key_packages()).remaining
        await go_away(world, "tomas")
        claimed = [await mira._hub.claim_key_packages(URIS["tomas"]) for _ in range(KEY_PACKAGES + 2)]
        packages = [answer.key_packages[0] for answer in claimed]
        assert packages[-1] == packages[-2]
        assert len(set(packages)) == single + 1
        rooms = [await mira.create_room([URIS["tomas"]]) for _ in range(2)]
        tomas = await world.open_client("tomas")
        await world.until(lambda: {*rooms} <= {summary.room for summary in tomas.rooms()}, "both are joined by it")
        await tomas.wait_settled()
        await asyncio.sleep(30)
        count = await tomas._hub.count_key_packages()
        assert count.has_last_resort
        assert count.remaining == KEY_PACKAGES

    friends.run(story)
