"""Rooms over their lives: made, joined, left, joined again, and changed by several at once."""

import asyncio
import time
from collections.abc import Callable

import pytest

from nightlight.client import connection
from nightlight.client.events import MessageState, RoomChanged
from nightlight.client.identity import new_store
from nightlight.client.key_packages import KEPT_LONGER_S, LIFETIME_S, reference
from nightlight.client.sdk import Client
from nightlight.client.store import StoreError
from nightlight.errors import ProblemName, RefusedError, UnavailableError
from nightlight.mls.group import Member, read_key_package
from nightlight.protocol.credential import MAX_LIFETIME_MS
from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import (
    ClaimedKeyPackages,
    ContactState,
    DeviceLink,
    KeyPackageCount,
    KeyPackageUpload,
    UserDevices,
)
from tests.simulation.conftest import Friends
from tests.simulation.network import Deed, Link, MemoryTransport
from tests.simulation.world import KEY_PACKAGES, NAMES, ORIGIN, STORE_KEY, URIS, World

DAY_MS = 86_400_000


def texts(world: World, name: str) -> list[str]:
    return [message.text for message in world.client(name).messages(world.room, limit=100)]


def members(world: World, name: str) -> set[str]:
    [summary] = [summary for summary in world.client(name).rooms() if summary.room == world.room]
    return {user.rpartition("/")[2] for user in summary.members}


async def everyone_sees(world: World, text: str, *names: str) -> None:
    await world.until(lambda: all(text in texts(world, name) for name in names), f"{names} see {text}")


def test_who_is_removed_sees_nothing_more_and_may_write_nothing(friends: Friends) -> None:
    async def story(world: World) -> None:
        juno = world.client("juno")
        await world.client("mira").send(world.room, "all three")
        await everyone_sees(world, "all three", *NAMES)
        await world.client("mira").remove(world.room, [URIS["juno"]])
        await world.until(lambda: juno.rooms() == [], "Juno has left")
        await world.client("tomas").send(world.room, "two of us")
        await everyone_sees(world, "two of us", "mira", "tomas")
        assert members(world, "tomas") == {"mira", "tomas"}
        assert texts(world, "juno") == ["all three"]
        with pytest.raises(RefusedError) as refused:
            await juno.send(world.room, "am I still there?")
        assert refused.value.problem is ProblemName.NOT_FOUND
        assert juno.faults() == []

    friends.run(story)


def test_what_waits_in_the_outbox_of_who_is_removed_fails(friends: Friends) -> None:
    async def story(world: World) -> None:
        juno = world.client("juno")
        await juno.wait_online()
        world.people["juno"].link.to_server.deeds.append(Deed.LOSE)
        lost = await juno.send(world.room, "too late")
        await world.client("mira").remove(world.room, [URIS["juno"]])
        with pytest.raises(RefusedError) as refused:
            await juno.wait_sent(lost)
        assert refused.value.problem is ProblemName.NOT_FOUND
        with pytest.raises(RefusedError):
            await juno.wait_sent(lost)
        assert [message.state for message in juno.messages(world.room, limit=1)] == [MessageState.FAILED]

    friends.run(story)


def test_who_is_added_again_goes_on_from_there(friends: Friends) -> None:
    async def story(world: World) -> None:
        juno, mira = world.client("juno"), world.client("mira")
        await mira.send(world.room, "before")
        await everyone_sees(world, "before", "juno")
        await mira.remove(world.room, [URIS["juno"]])
        await mira.send(world.room, "meanwhile")
        await mira.add(world.room, [URIS["juno"]])
        await world.until_joined("juno", world.room)
        await mira.send(world.room, "after")
        await everyone_sees(world, "after", *NAMES)
        assert texts(world, "juno") == ["before", "after"]
        await juno.send(world.room, "hello again")
        await everyone_sees(world, "hello again", *NAMES)
        assert [client.faults() for client in (juno, mira, world.client("tomas"))] == [[], [], []]

    friends.run(story)


def test_who_was_offline_while_removed_and_added_goes_on_too(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await world.client("juno").close()
        await mira.remove(world.room, [URIS["juno"]])
        await mira.add(world.room, [URIS["juno"]])
        await mira.send(world.room, "after")
        juno = await world.open_client("juno")
        await everyone_sees(world, "after", "juno")
        assert juno.faults() == []

    friends.run(story)


def test_several_people_are_removed_and_added_in_one_commit_each(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        group = mira._connection.device.groups.get(world.room)
        before = group.epoch
        others = [URIS["tomas"], URIS["juno"]]
        await mira.remove(world.room, others)
        assert members(world, "mira") == {"mira"}
        await mira.add(world.room, others)
        assert mira._connection.device.groups.get(world.room).epoch == before + 2
        for name in ("tomas", "juno"):
            await world.until_joined(name, world.room)
        await mira.send(world.room, "all together")
        await everyone_sees(world, "all together", *NAMES)

    friends.run(story)


def test_two_who_change_a_room_at_once_both_get_their_way(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        await asyncio.gather(mira.remove(world.room, [URIS["juno"]]), tomas.update(world.room), mira.update(world.room))
        await mira.send(world.room, "done")
        await everyone_sees(world, "done", "mira", "tomas")
        assert members(world, "tomas") == members(world, "mira") == {"mira", "tomas"}

    friends.run(story)


def test_removing_somebody_twice_at_once_is_done_once(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await asyncio.gather(*(mira.remove(world.room, [URIS["juno"]]) for _ in range(3)))
        assert members(world, "mira") == {"mira", "tomas"}
        assert mira._store.outbox(world.room) == []

    friends.run(story)


def test_only_who_began_a_room_removes_others_and_a_refused_commit_is_undone(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        with pytest.raises(RefusedError) as refused:
            await tomas.remove(world.room, [URIS["juno"]])
        assert refused.value.problem is ProblemName.NOT_ALLOWED
        assert members(world, "tomas") == {"mira", "tomas", "juno"}
        assert not tomas._connection.device.groups.get(world.room).has_pending
        await tomas.send(world.room, "never mind")
        await everyone_sees(world, "never mind", *NAMES)

    friends.run(story)


def test_messages_written_while_a_commit_is_under_way_wait_for_it(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        committing = world.do(mira.update(world.room))
        await asyncio.sleep(0)
        for number in range(5):
            await mira.send(world.room, f"mira {number}")
        await committing
        await everyone_sees(world, "mira 4", *NAMES)
        assert texts(world, "juno") == [f"mira {number}" for number in range(5)]

    friends.run(story)


def test_a_room_of_two_is_made_once(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        rooms = await asyncio.gather(*(mira.room_with(URIS["tomas"]) for _ in range(3)))
        assert len(set(rooms)) == 1
        await world.until(lambda: len(world.client("tomas").rooms()) == 2, "Tomas joins")
        assert await world.client("tomas").room_with(URIS["mira"]) == rooms[0]

    friends.run(story)


@pytest.mark.parametrize("deed", [Deed.LOSE, Deed.CUT_AFTER, Deed.DOUBLE])
@pytest.mark.parametrize("befalls", ["claim", "create"])
def test_a_room_survives_what_befalls_its_making(friends: Friends, deed: Deed, befalls: str) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        await asyncio.sleep(1)  # the chores of connecting are done
        requests, claim = world.people["mira"].link.requests, mira._hub.claim_key_packages

        async def claim_and_lose(user: UserUri, devices: list[str] | None = None) -> ClaimedKeyPackages:
            claimed = await claim(user, devices)
            requests.append(deed)
            return claimed

        if befalls == "claim":
            requests.append(deed)
        else:
            mira._hub.claim_key_packages = claim_and_lose  # type: ignore[method-assign]  # trouble comes after it
        try:
            room = await mira.room_with(URIS["tomas"])
        except UnavailableError:
            room = await mira.room_with(URIS["tomas"])
        await mira.send(room, "here we are")
        tomas = world.client("tomas")
        await world.until(lambda: [m.text for m in tomas.messages(room, limit=5)] == ["here we are"], "Tomas sees it")
        assert [summary.room for summary in mira.rooms() if len(summary.members) == 2] == [room]

    friends.run(story)


def test_a_room_that_could_not_be_announced_is_announced_without_being_asked(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await mira.wait_online()
        await asyncio.sleep(1)  # the chores of connecting are done
        world.people["mira"].link.requests.extend([Deed.DOUBLE, Deed.LOSE])
        with pytest.raises(UnavailableError):
            await mira.create_room([URIS["tomas"]])
        await world.until(lambda: len(tomas.rooms()) == 2, "Tomas joins")

    friends.run(story)


@pytest.mark.parametrize(
    "point", ["create.before_store", "create.after_store", "commit.after_store", "commit.after_accept"]
)
def test_a_room_survives_a_power_failure_at_each_step_of_its_making(friends: Friends, point: str) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        world.arm("mira", point)
        making = world.do(mira.room_with(URIS["tomas"]))
        await world.until_restarted("mira", mira)
        making.cancel()
        await world.client("mira").wait_online()
        await asyncio.sleep(5)
        room = await world.client("mira").room_with(URIS["tomas"])
        tomas = world.client("tomas")
        await world.until(lambda: room in {summary.room for summary in tomas.rooms()}, "Tomas joins")
        assert len(world.client("mira").rooms()) == 2

    friends.run(story)


def test_a_room_with_somebody_who_is_no_contact_is_refused_and_nothing_is_left(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.block(URIS["tomas"])
        with pytest.raises(RefusedError) as refused:
            await mira.room_with(URIS["tomas"])
        assert refused.value.problem is ProblemName.NOT_FOUND
        assert len(mira.rooms()) == 1

    friends.run(story)


def test_a_device_that_joins_hears_of_it(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        events = tomas.events()
        room = await world.client("mira").room_with(URIS["tomas"])
        async for event in events:
            if isinstance(event, RoomChanged):
                assert (event.room, set(event.members), event.joined) == (room, {URIS["mira"], URIS["tomas"]}, True)
                break

    friends.run(story)


def test_contacts_hear_of_each_other_as_it_happens(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await mira.block(URIS["tomas"])
        assert {contact.user: contact.state for contact in await mira.contacts()}[URIS["tomas"]] is ContactState.BLOCKED
        await mira.unblock(URIS["tomas"])
        await world.until(_is_connected(mira, URIS["tomas"]), "they are connected again")
        assert await tomas.safety_number(URIS["mira"]) == await mira.safety_number(URIS["tomas"])

    friends.run(story)


def _is_connected(client: Client, user: str) -> Callable[[], bool]:
    return lambda: {c.user: c.state for c in client._store.contacts()}.get(user) is ContactState.CONNECTED


# --- what a device does without being asked -------------------------------------------------------------------


def test_key_packages_are_topped_up_when_they_run_low(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await tomas.wait_online()
        for _ in range(KEY_PACKAGES * 2):
            await mira._hub.claim_key_packages(URIS["tomas"])
            await asyncio.sleep(2)
        count = await tomas._hub.count_key_packages()
        assert count.remaining >= (KEY_PACKAGES + 1) // 2
        assert count.has_last_resort

    friends.run(story)


def test_a_device_that_stays_connected_for_weeks_renews_its_list_and_its_key_packages(
    friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CHORES_EVERY_MS", 60_000)

    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        claimed = await mira._hub.claim_key_packages(URIS["tomas"])

        def pass_days(days: int) -> None:
            for person in world.people.values():
                person.clock_offset_ms += days * DAY_MS
            world.server_offset_ms += days * DAY_MS

        await asyncio.sleep(30)  # what is done on coming online is done
        pass_days(24)
        trust = tomas._connection.device.trust
        await world.until(lambda: getattr(trust.device_list(tomas.user), "version", 0) == 2, "the list is renewed")
        await asyncio.sleep(60)
        pass_days(10)
        renewed = await mira._hub.claim_key_packages(URIS["tomas"])
        days = [read_key_package(packages.key_packages[0]).not_after_s // 86_400 for packages in (claimed, renewed)]
        assert days[1] - days[0] >= 24
        assert len(world.people["tomas"].link.streams) == 1

    friends.run(story)


def test_key_packages_that_the_server_may_not_have_are_offered_again(
    friends: Friends, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        await asyncio.sleep(30)
        before = await tomas._hub.count_key_packages()
        publish, offered = tomas._hub.publish_key_packages, []

        async def lost_at_first(upload: KeyPackageUpload) -> KeyPackageCount:
            offered.append(upload)
            if len(offered) == 1:
                raise UnavailableError("the request is lost")
            return await publish(upload)

        monkeypatch.setattr(tomas._hub, "publish_key_packages", lost_at_first)
        for whose in (world.people["tomas"], world.people["mira"]):
            whose.clock_offset_ms += 24 * DAY_MS
        world.server_offset_ms += 24 * DAY_MS
        tomas._connection.chore("key_packages")
        await world.until(lambda: len(offered) == 2, "Tomas offers them again")
        await asyncio.sleep(30)
        tomas._connection.chore("key_packages")
        await asyncio.sleep(30)
        assert offered[0] == offered[1]
        assert len(offered) == 2
        held = await tomas._hub.count_key_packages()
        assert held.remaining == before.remaining + len(offered[0].key_packages)

    friends.run(story)


def test_private_parts_of_key_packages_that_nobody_may_use_are_forgotten(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        before = {key for key, _ in tomas._store.mls_entries(b"\x00key_package/")}
        world.people["tomas"].clock_offset_ms += (LIFETIME_S + KEPT_LONGER_S + 1) * 1000
        device, housekeeping = tomas._connection.device, tomas._connection.housekeeping
        with pytest.raises(RefusedError):  # the server's clock does not agree
            await housekeeping.publish_key_packages(device, KeyPackageCount(0, has_last_resort=False))
        after = {key for key, _ in tomas._store.mls_entries(b"\x00key_package/")}
        assert before
        assert len(after) == KEY_PACKAGES + 1
        assert not before & after

    friends.run(story)


def test_a_key_package_is_known_by_the_reference_that_the_crate_gives_it() -> None:
    member = Member.create()
    member.set_credential(b"somebody")
    [message] = member.key_packages(1, lifetime_s=LIFETIME_S, now_s=int(time.time()))
    assert reference(message) == read_key_package(message).reference


@pytest.mark.parametrize("answers_lost", [0, 1])
def test_a_device_list_is_renewed_before_it_ends_and_friends_follow(friends: Friends, answers_lost: int) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await asyncio.gather(mira.wait_online(), tomas.wait_online())
        publish, lost = mira._hub.publish_device_list, [None] * answers_lost

        async def publish_and_lose(device_list: bytes, link: DeviceLink | None = None) -> UserDevices:
            answer = await publish(device_list, link)
            if lost:
                lost.pop()
                raise UnavailableError("the answer is lost")
            return answer

        mira._hub.publish_device_list = publish_and_lose  # type: ignore[method-assign]  # trouble at this request
        for person in world.people.values():
            person.clock_offset_ms += MAX_LIFETIME_MS // 2 + DAY_MS
        world.server_offset_ms += MAX_LIFETIME_MS // 2 + DAY_MS
        world.people["mira"].link.cut()
        trust = mira._connection.device.trust
        await world.until(lambda: getattr(trust.device_list(mira.user), "version", 0) == 2, "the list is renewed")
        room = await tomas.room_with(mira.user)
        await tomas.send(room, "hello")
        await world.until(lambda: [m.text for m in mira.messages(room, limit=1)] == ["hello"], "Mira sees it")
        assert mira.faults() == tomas.faults() == []

    friends.run(story)


def test_a_full_disk_stops_nothing_for_good(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        connection = tomas._store._connection
        connection.pragma("max_page_count", int(connection.pragma("page_count")))
        for number in range(20):
            await world.client("mira").send(world.room, f"{number} " + "landscape " * 500)
        await asyncio.sleep(30)
        assert len(texts(world, "tomas")) < 20
        connection.pragma("max_page_count", 1_000_000)
        await world.until(lambda: len(texts(world, "tomas")) == 20, "Tomas sees everything")
        assert tomas.faults() == []
        assert all(tomas.evidence(message.message_id) for message in tomas.messages(world.room, limit=20))

    friends.run(story)


def test_a_registration_goes_on_where_its_answer_was_lost(friends: Friends) -> None:
    async def story(world: World) -> None:
        user = UserUri("mimi://ring.example/u/ada")
        link = Link(lambda: world.server)
        link.requests.append(Deed.CUT_AFTER)
        surroundings = world.surroundings(world.people["juno"])
        path = world.folder / "ada.store"
        for attempt in range(2):
            store = new_store(path, STORE_KEY, ORIGIN, user, surroundings)
            client = Client(store, MemoryTransport(link), surroundings)
            try:
                await client.publish()
            except UnavailableError:
                assert attempt == 0
            await client.close()
        with pytest.raises(StoreError):
            new_store(path, STORE_KEY, ORIGIN, user, surroundings)

    friends.run(story)
