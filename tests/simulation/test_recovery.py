"""Replaced account keys, the recovery key, and a device that comes back by it alone."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from nightlight.client.events import NoticeKind
from nightlight.client.recovery_words import recovery_key
from nightlight.client.sdk import Client
from nightlight.errors import ProblemName, RefusedError, UnavailableError, VerificationError
from nightlight.protocol.credential import Device, LeafCredential, first_device_list
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri, device_uri
from nightlight.protocol.messages import Recovery, UserDevices
from nightlight.protocol.succession import RECOVERY_WAIT_MS
from tests.simulation.conftest import Friends
from tests.simulation.network import Deed
from tests.simulation.test_devices import texts, until_shown
from tests.simulation.test_dishonest_hub import DishonestTransport, dishonest, somebody_else
from tests.simulation.world import World
from tests.support.keys import key_from


def account_keys(client: Client, room: RoomUri, user: UserUri) -> set[bytes]:
    """Under which account keys the leaves of ``user`` are."""
    leaves = [LeafCredential.decode(leaf.credential) for leaf in client._connection.device.groups.get(room).members]
    return {leaf.account_key for leaf in leaves if leaf.device.startswith(user.replace("/u/", "/d/") + "/")}


def newest_key(client: Client, user: UserUri) -> bytes:
    listed = client._connection.device.trust.device_list(user)
    assert listed is not None
    return listed.account_key


def kinds(client: Client) -> list[tuple[NoticeKind, UserUri]]:
    return [(notice.kind, notice.user) for notice in client.people.notices()]


def has_keys(client: Client, room: RoomUri, user: UserUri, keys: set[bytes]) -> bool:
    return account_keys(client, room, user) == keys


def is_told(client: Client, kind: NoticeKind, user: UserUri) -> bool:
    return (kind, user) in kinds(client)


def is_out(client: Client, which: DeviceUri) -> bool:
    return client.rooms_of(which)[0] == 0


def no_faults(world: World) -> bool:
    return all(person.faults == [] for person in world.people.values())


def test_removing_a_device_that_held_the_account_key_replaces_it(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        laptop = await world.link("mira", "laptop", may_sign=True)
        watch = await world.link("mira", "watch")
        await world.until_joined("laptop", world.room)
        await world.until_joined("watch", world.room)
        former = newest_key(mira, mira.user)
        number = await tomas.safety_number(mira.user)
        tomas.people.compare(mira.user)
        assert tomas.people.is_compared(mira.user)

        await mira.remove_device(laptop.device)
        await world.until(lambda: newest_key(tomas, mira.user) != former, "Tomas knows the new key")
        await world.until(lambda: tomas.rooms_of(laptop.device)[0] == 0, "the laptop is out of the room")
        fresh = newest_key(mira, mira.user)
        for client in (mira, watch, tomas):
            moved = partial(has_keys, client, world.room, mira.user, {fresh})
            await world.until(moved, "all of Mira's leaves are under her new key")
        assert not tomas.people.is_compared(mira.user)
        assert await tomas.safety_number(mira.user) != number
        assert await tomas.safety_number(mira.user) == await mira.safety_number(tomas.user)
        for client in (tomas, watch):
            assert is_told(client, NoticeKind.KEY_REPLACED, mira.user)
        assert kinds(mira) == []
        for client, text in ((watch, "from the watch"), (tomas, "from Tomas"), (mira, "from the phone")):
            await client.send(world.room, text)
            for other in (mira, watch, tomas, world.client("juno")):
                await until_shown(world, other, text)
        assert "from Tomas" not in texts(laptop, world.room)
        assert [entry.may_sign for entry in watch.devices() if entry.this] == [False]
        assert no_faults(world)
        await tomas.create_room([mira.user])  # the key packages are under the new key

    friends.run(story)


def test_with_a_recovery_key_nobody_replaces_the_account_key_without_its_words(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        laptop = await world.link("mira", "laptop", may_sign=True)
        words = await mira.recovery.make_key()
        assert len(words.split()) == 24
        await world.until(lambda: (NoticeKind.RECOVERY_KEY_CHANGED, mira.user) in kinds(laptop), "the laptop is told")
        with pytest.raises(RefusedError, match="not_allowed"):
            await mira.remove_device(laptop.device)
        with pytest.raises(VerificationError, match="NL-134"):
            await mira.recovery.remove_device(laptop.device, words.replace(words.split()[0], "lake", 1))
        others = await world.client("tomas").recovery.make_key()
        with pytest.raises(RefusedError, match="not_allowed"):
            await mira.recovery.remove_device(laptop.device, others)
        await mira.recovery.remove_device(laptop.device, words)
        await world.until(lambda: mira.rooms_of(laptop.device) == (0, 1), "the laptop is out of the room")
        await world.client("juno").send(world.room, "hello, Mira")
        await until_shown(world, mira, "hello, Mira")
        assert no_faults(world)

    friends.run(story)


def test_a_recovered_device_waits_a_day_and_everyone_is_told(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = world.client("mira"), world.client("tomas"), world.client("juno")
        words = await mira.recovery.make_key()
        await mira.send(world.room, "before")
        for client in (tomas, juno):
            await until_shown(world, client, "before")
        fresh = await world.begin_recovery("fresh", mira.user, words)
        await world.until(lambda: (NoticeKind.RECOVERY_WAITS, mira.user) in kinds(mira), "the old phone is told")
        waiting = await mira.recovery.waiting()
        assert waiting is not None
        assert waiting.ready_at_ms == fresh.ready_at_ms
        world.pass_time(RECOVERY_WAIT_MS - 60_000)
        with pytest.raises(RefusedError, match="too_soon"):
            await fresh.finish()
        world.pass_time(120_000)
        again = await world.finish_recovery("fresh", fresh)
        await world.until(lambda: not mira._connection.is_online, "the old phone is signed out")
        await world.until(lambda: again.rooms() != [], "the new phone is in the room")
        for client in (tomas, juno):
            await world.until(partial(is_told, client, NoticeKind.RECOVERED, mira.user), "the friends are told")
        await tomas.send(world.room, "welcome back")
        await until_shown(world, again, "welcome back")
        await again.send(world.room, "hello again")
        for client in (tomas, juno):
            await until_shown(world, client, "hello again")
        assert texts(again, world.room) == ["welcome back", "hello again"]
        assert "welcome back" not in texts(mira, world.room)
        assert no_faults(world)
        assert again.recovery.has_key

    friends.run(story)


def test_another_device_ends_a_recovery_that_waits(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        words = await mira.recovery.make_key()
        fresh = await world.begin_recovery("fresh", mira.user, words)
        await mira.recovery.cancel()
        assert await mira.recovery.waiting() is None
        world.pass_time(RECOVERY_WAIT_MS + 1)
        with pytest.raises(RefusedError, match="not_found"):
            await fresh.finish()
        await mira.recovery.make_key()
        with pytest.raises(RefusedError, match="not_found"):
            await fresh.begin(words)
        await world.client("tomas").send(world.room, "still here")
        await until_shown(world, mira, "still here")

    friends.run(story)


def test_a_recovery_goes_on_after_a_power_failure_and_a_list_renewed_meanwhile(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        words = await mira.recovery.make_key()
        fresh = await world.begin_recovery("fresh", mira.user, words)
        await fresh.close()
        fresh = world.open_recovery("fresh", mira.user)
        assert fresh.ready_at_ms is not None
        await world.link("mira", "watch")  # a list that was not there when the words were typed
        world.pass_time(RECOVERY_WAIT_MS + 1)
        again = await world.finish_recovery("fresh", fresh)
        assert [entry.device for entry in again.devices()] == [again.device]
        assert no_faults(world)

    friends.run(story)


def test_a_removed_device_is_told_why_it_is_offline(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        tablet = await world.link("mira", "tablet")
        await mira.remove_device(tablet.device)
        await world.until(lambda: tablet._connection._failure is not None, "the tablet gives up")
        with pytest.raises(RefusedError) as told:
            await tablet.wait_online()
        assert told.value.problem is ProblemName.DEVICE_REMOVED

    friends.run(story)


def test_the_recovery_key_is_in_no_store(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        seed = recovery_key(await mira.recovery.make_key()).seed()
        for (table,) in mira._store._rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for row in mira._store._rows(f"SELECT * FROM {table}"):  # noqa: S608 - the store's own
                assert not any(isinstance(value, bytes) and seed in value for value in row)

    friends.run(story)


@pytest.mark.parametrize("point", ["replace.after_store", "replace.after_publish"])
def test_replacing_the_account_key_goes_on_after_a_power_failure(friends: Friends, point: str) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        laptop = await world.link("mira", "laptop", may_sign=True)
        former = newest_key(mira, mira.user)
        world.arm("mira", point)
        removing = world.do(mira.remove_device(laptop.device))
        await world.until_restarted("mira", mira)
        removing.cancel()
        again = world.client("mira")
        await world.until(lambda: newest_key(again, again.user) != former, "the key is replaced")
        await world.until(lambda: tomas.rooms_of(laptop.device) == (0, 1), "the laptop is out of the room")
        fresh = newest_key(again, again.user)
        await world.until(
            lambda: account_keys(tomas, world.room, again.user) == {fresh}, "Mira's leaf is under the new key"
        )
        await again.send(world.room, "hello with a new key")
        await until_shown(world, tomas, "hello with a new key")
        assert [entry.may_sign for entry in again.devices()] == [True]
        assert no_faults(world)

    friends.run(story)


@pytest.mark.parametrize("deed", [Deed.LOSE, Deed.CUT_AFTER, Deed.DOUBLE])
def test_a_recovery_goes_on_after_a_lost_request_or_answer(friends: Friends, deed: Deed) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        words = await mira.recovery.make_key()
        fresh = world.open_recovery("fresh", mira.user)

        async def insist(ask: Callable[[], Awaitable[object]]) -> None:
            world.people["fresh"].link.requests.append(deed)
            try:
                await ask()
            except UnavailableError:
                await ask()

        await insist(lambda: fresh.begin(words))
        world.pass_time(RECOVERY_WAIT_MS + 1)
        await insist(fresh.finish)
        assert fresh.store.identity().user == mira.user
        await fresh.close()

    friends.run(story)


def test_two_devices_that_remove_each_other_at_once_leave_one(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        laptop = await world.link("mira", "laptop", may_sign=True)
        await asyncio.gather(
            mira.remove_device(laptop.device), laptop.remove_device(mira.device), return_exceptions=True
        )
        key = newest_key(tomas, mira.user)
        await world.until(
            lambda: newest_key(tomas, mira.user) != key or account_keys(tomas, world.room, mira.user) != {key},
            "Tomas hears of one",
        )
        listed = tomas._connection.device.trust.device_list(mira.user)
        assert listed is not None
        (left,) = listed.devices
        left_over = mira if left.uri == mira.device else laptop
        await left_over.send(world.room, "one of us is left")
        await until_shown(world, tomas, "one of us is left")

    friends.run(story)


def test_who_was_away_believes_a_key_that_was_replaced_twice(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, juno = world.client("mira"), world.client("juno")
        await juno.wait_online()
        await juno.close()
        for name in ("laptop", "watch"):
            other = await world.link("mira", name, may_sign=True)
            await mira.remove_device(other.device)
            await world.until(partial(is_out, mira, other.device), "it is out of the room")
        await mira.send(world.room, "after two keys")
        juno = await world.open_client("juno")
        await until_shown(world, juno, "after two keys")
        told = [notice.about for notice in juno.people.notices() if notice.kind is NoticeKind.KEY_REPLACED]
        assert told[-1] == newest_key(mira, mira.user).hex()
        assert len(told) == 2
        assert world.people["juno"].faults == []

    friends.run(story)


def test_somebody_whose_key_nobody_vouches_for_is_sent_nothing_until_accepted_anew(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        mira.people.compare(tomas.user)
        await mira.wait_online()
        stranger = await somebody_else(world)
        dishonest(world, "mira", lambda answer: stranger if isinstance(answer, UserDevices) else answer)
        device = mira._connection.device
        with pytest.raises(VerificationError, match="NL-314"):
            await mira._connection.housekeeping.learn_devices(device, tomas.user)
        assert kinds(mira) == [(NoticeKind.NEW_PERSON, tomas.user)]
        with pytest.raises(RefusedError) as refused:
            await mira.send(world.room, "for Tomas alone")
        assert refused.value.problem is ProblemName.NEW_PERSON
        assert mira.people.is_compared(tomas.user)

        mira.people.accept_anew(tomas.user)
        assert mira.people.strangers() == []
        assert not mira.people.is_compared(tomas.user)
        assert newest_key(mira, tomas.user) == stranger.account_key
        with pytest.raises(RefusedError, match="not_found"):
            mira.people.accept_anew(tomas.user)
        assert device._outbox.owed(world.room) == [tomas.device]

    friends.run(story)


def test_a_hub_that_is_honest_again_ends_the_block(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        await mira.wait_online()
        stranger = await somebody_else(world)
        dishonest(world, "mira", lambda answer: stranger if isinstance(answer, UserDevices) else answer)
        housekeeping, device = mira._connection.housekeeping, mira._connection.device
        with pytest.raises(VerificationError, match="NL-314"):
            await housekeeping.learn_devices(device, tomas.user)
        dishonest(world, "mira", lambda answer: answer)
        await housekeeping.learn_devices(device, tomas.user)
        await mira.send(world.room, "it was Tomas all along")
        await until_shown(world, tomas, "it was Tomas all along")

    friends.run(story)


def test_a_credential_that_is_not_this_device_s_is_refused(friends: Friends) -> None:  # NL-148
    async def story(world: World) -> None:
        mira = world.client("mira")
        watch = await world.link("mira", "watch")
        laptop = await world.link("mira", "laptop", may_sign=True)
        await watch.close()
        await mira.remove_device(laptop.device)
        theirs = await mira._hub.device_list(mira.user)
        watch = world.open_offline("watch")
        dishonest(world, "watch", lambda answer: theirs if isinstance(answer, UserDevices) else answer)
        with pytest.raises(VerificationError, match=r"NL-32[34]|NL-148"):
            await watch._connection.housekeeping.learn_devices(watch._connection.device, mira.user)
        listed = watch._connection.device.trust.device_list(mira.user)
        assert listed is not None
        group = watch._connection.device.groups.get(world.room)
        own = next(leaf for leaf in group.members if leaf.index == group.own_index)
        with pytest.raises(VerificationError, match="NL-148"):
            watch._connection.device.follow_account_key(listed, own.credential)
        assert watch._store.get("credential") is None

    friends.run(story)


def test_a_hub_that_tells_of_another_account_is_not_given_its_succession(friends: Friends) -> None:  # NL-561
    async def story(world: World) -> None:
        mira = world.client("mira")
        words = await mira.recovery.make_key()
        fresh = world.open_recovery("fresh", mira.user)
        listed = await mira._hub.device_list(mira.user)

        def change(answer: Any) -> Any:
            if not isinstance(answer, Recovery):
                return answer
            devices = UserDevices(mira.user, SWAPPED.public, _relisted(mira.user))
            return msgspec.structs.replace(answer, devices=devices)

        transport = DishonestTransport(world.people["fresh"].link)
        transport.change = change
        fresh.transport = transport
        with pytest.raises(VerificationError, match="NL-561"):
            await fresh.begin(words)
        assert fresh.ready_at_ms is None
        transport.change = lambda answer: answer
        await fresh.begin(words)
        assert fresh.ready_at_ms is not None
        assert (await mira._hub.device_list(mira.user)).device_list == listed.device_list
        await fresh.close()

    friends.run(story)


SWAPPED = key_from(bytes([9]) * 32)


def _relisted(user: UserUri) -> bytes:
    """A list of ``user`` by a hub that knows their recovery key's public half, and swaps it."""
    other = Device(device_uri(user, "other"), bytes([8]) * 32)
    return first_device_list(user, SWAPPED.public, other, TimestampMs(2**45)).sign(SWAPPED.sign).encode()
