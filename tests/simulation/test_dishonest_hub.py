"""A hub that breaks the rules: what it changes is not shown, the fault is recorded, and people go on talking."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from nightlight.client.identity import new_store, registration
from nightlight.client.inbox import HUB
from nightlight.client.records import Standing
from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, VerificationError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.codec import Reader, write_vector
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.ids import TimestampMs
from nightlight.protocol.messages import (
    Accepted,
    Challenge,
    ClaimedKeyPackages,
    Delivery,
    Directory,
    EntryKind,
    ServerFrame,
    UserDevices,
)
from nightlight.protocol.roles import decode_roles, encode_roles
from tests.simulation.conftest import Friends
from tests.simulation.network import MemoryTransport
from tests.simulation.world import NAMES, URIS, World

JUNO_S_DEVICE = "mimi://ring.example/d/juno/0000000000000000"


def texts(world: World, name: str) -> list[str]:
    return [message.text for message in world.client(name).messages(world.room, limit=100)]


def faults(world: World, name: str) -> list[tuple[str, str]]:
    return [(fault.check, fault.culprit) for fault in world.client(name).faults()]


def once(
    change: Callable[[Delivery], Delivery], kind: EntryKind = EntryKind.APPLICATION
) -> Callable[[ServerFrame], ServerFrame]:
    """The next delivery of ``kind`` is changed; all others are as they are."""
    done = False

    def tamper(frame: ServerFrame) -> ServerFrame:
        nonlocal done
        if isinstance(frame, Delivery) and frame.kind is kind and not done:
            done = True
            return change(frame)
        return frame

    return tamper


def altered(delivery: Delivery, **fields: Any) -> Delivery:
    return msgspec.structs.replace(delivery, **fields)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize(
    ("check", "culprit", "change"),
    [
        pytest.param("NL-143", "hub", lambda d: altered(d, frank=flipped(d.frank, 0)), id="another_mac"),
        pytest.param("NL-143", "hub", lambda d: altered(d, frank=flipped(d.frank, 50)), id="another_signature"),
        pytest.param("NL-143", "hub", lambda d: altered(d, accepted_at_ms=d.accepted_at_ms + 1), id="another_time"),
        pytest.param("NL-141", "hub", lambda d: altered(d, frank=flipped(d.frank, 33)), id="another_suite"),
        pytest.param("NL-512", "hub", lambda d: altered(d, sender=JUNO_S_DEVICE), id="another_sender"),
        pytest.param("NL-514", "hub", lambda d: altered(d, payload=b""), id="purged"),
        pytest.param("NL-231", "mira", lambda d: altered(d, payload=flipped(d.payload, -2)), id="another_ciphertext"),
    ],
)
def test_a_message_that_fails_a_check_is_not_shown_and_the_next_one_is(
    friends: Friends, check: str, culprit: str, change: Callable[[Delivery], Delivery]
) -> None:
    async def story(world: World) -> None:
        await world.client("tomas").wait_online()
        world.people["tomas"].link.tamper = once(change)
        await world.client("mira").send(world.room, "changed on its way")
        await world.client("mira").send(world.room, "as it was sent")
        await world.until(lambda: texts(world, "tomas") != [], "Tomas sees something")
        assert texts(world, "tomas") == ["as it was sent"]
        [(seen, by)] = faults(world, "tomas")
        assert seen == check
        assert by == culprit or by == world.client("mira").device
        assert [(fault.check, fault.room) for fault in world.people["tomas"].faults] == [(check, world.room)]

    friends.run(story)


def test_nl_511_a_message_where_a_commit_should_be_breaks_the_room_and_is_not_shown(friends: Friends) -> None:
    async def story(world: World) -> None:
        await world.client("tomas").wait_online()
        world.people["tomas"].link.tamper = once(lambda d: altered(d, kind=EntryKind.COMMIT))
        await world.client("mira").send(world.room, "hello")
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert faults(world, "tomas") == [("NL-511", "hub")]
        assert texts(world, "tomas") == []
        assert world.client("tomas").rooms() == []

    friends.run(story)


def test_nl_511_a_commit_where_a_message_should_be_changes_nothing(friends: Friends) -> None:
    async def story(world: World) -> None:
        await world.client("tomas").wait_online()
        world.people["tomas"].link.tamper = once(lambda d: altered(d, kind=EntryKind.APPLICATION), EntryKind.COMMIT)
        before = world.client("tomas")._connection.device.groups.get(world.room).epoch
        await world.client("mira").update(world.room)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert faults(world, "tomas") == [("NL-511", "hub")]
        assert world.client("tomas")._connection.device.groups.get(world.room).epoch == before

    friends.run(story)


def test_nl_513_a_time_that_does_not_rise_is_told_and_the_message_is_shown(friends: Friends) -> None:
    async def story(world: World) -> None:
        await world.client("mira").send(world.room, "first")
        await world.until(lambda: texts(world, "tomas") == ["first"], "Tomas sees the first")
        store = world.client("tomas")._store
        record = store.room(world.room)
        assert record is not None
        with store.transaction():
            store.put_room(replace(record, accepted_at_ms=TimestampMs(record.accepted_at_ms + 10**9)))
        await world.client("mira").send(world.room, "second")
        await world.until(lambda: len(texts(world, "tomas")) == 2, "Tomas sees the second")
        assert faults(world, "tomas") == [("NL-513", "hub")]

    friends.run(story)


def test_nl_502_an_answer_to_nothing_we_sent_is_the_hub_s_fault(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        world.people["mira"].link.tamper = lambda frame: (
            Accepted(bytes(16), frame.room, frame.seq, 1, frame.accepted_at_ms, frame.frank)
            if isinstance(frame, Delivery)
            else frame
        )
        await world.client("tomas").send(world.room, "hello")
        await world.until(lambda: faults(world, "mira") != [], "Mira records the fault")
        assert faults(world, "mira") == [("NL-502", "hub")]
        world.people["mira"].link.tamper = None
        await mira.send(world.room, "hello yourself")
        await world.until(lambda: "hello yourself" in texts(world, "tomas"), "people go on talking")

    friends.run(story)


def test_nl_503_a_commit_accepted_in_another_epoch_breaks_the_room(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        world.people["mira"].link.tamper = lambda frame: (
            msgspec.structs.replace(frame, epoch=frame.epoch + 1) if isinstance(frame, Accepted) else frame
        )
        with pytest.raises(RefusedError):
            await mira.update(world.room)
        assert faults(world, "mira") == [("NL-503", "hub")]
        assert mira.rooms() == []

    friends.run(story)


def test_an_own_message_with_a_frank_that_does_not_hold_is_sent_yet_gives_no_evidence(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()
        world.people["mira"].link.tamper = lambda frame: (
            msgspec.structs.replace(frame, frank=flipped(frame.frank, 1)) if isinstance(frame, Accepted) else frame
        )
        message_id = await mira.send(world.room, "hello")
        await mira.wait_sent(message_id)
        assert mira.evidence(message_id) is None
        assert faults(world, "mira") == [("NL-143", "hub")]

    friends.run(story)


# --- rooms and people -----------------------------------------------------------------------------------------


class DishonestTransport(MemoryTransport):
    """HTTP answers are changed on their way."""

    change: Callable[[Any], Any] = staticmethod(lambda answer: answer)

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.change(await super().call(*args, **kwargs))


def dishonest(world: World, name: str, change: Callable[[Any], Any]) -> None:
    """What the server answers ``name`` goes through ``change``."""
    transport = DishonestTransport(world.people[name].link)
    transport.change = change
    world.client(name)._hub._transport = transport


def test_nl_521_a_room_with_another_franking_key_than_the_directory_s_is_not_joined(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        other = SigningKey.from_seed(bytes(32)).public_key

        def change(answer: Any) -> Any:
            return msgspec.structs.replace(answer, franking_keys=[other]) if isinstance(answer, Directory) else answer

        dishonest(world, "tomas", change)
        tomas._connection.device.trust.learn_directory(Directory("mimi://hub.example", [], [other]))
        await world.client("mira").room_with(tomas.user)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert faults(world, "tomas") == [("NL-521", "hub")]
        assert [summary.room for summary in tomas.rooms()] == [world.room]

    friends.run(story)


def test_a_franking_key_that_is_new_in_the_directory_is_learnt(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        tomas._connection.device.trust.learn_directory(Directory("mimi://hub.example", [], [bytes(32)]))
        room = await world.client("mira").room_with(tomas.user)
        await world.until(lambda: len(tomas.rooms()) == 2, "Tomas joins")
        assert room in {summary.room for summary in tomas.rooms()}
        assert faults(world, "tomas") == []

    friends.run(story)


def test_nl_523_a_welcome_to_another_room_than_the_hub_says_is_not_followed(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        elsewhere = "mimi://courier.example/r/elsewhere"
        world.people["tomas"].link.tamper = once(lambda d: altered(d, room=elsewhere), EntryKind.WELCOME)
        await world.client("mira").room_with(tomas.user)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert faults(world, "tomas") == [("NL-523", "hub")]
        assert [summary.room for summary in tomas.rooms()] == [world.room]

    friends.run(story)


def test_nl_524_a_welcome_by_a_device_that_is_not_in_the_room_is_not_followed(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        world.people["tomas"].link.tamper = once(lambda d: altered(d, sender=JUNO_S_DEVICE), EntryKind.WELCOME)
        await world.client("mira").room_with(tomas.user)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert [check for check, _ in faults(world, "tomas")] == ["NL-524"]

    friends.run(story)


def test_nl_525_roles_of_others_than_those_in_the_room_are_not_believed(friends: Friends) -> None:
    def without_mira(delivery: Delivery) -> Delivery:
        reader = Reader(delivery.payload)
        welcome, roles = reader.vector(), decode_roles(reader.vector())
        del roles[URIS["mira"]]
        return altered(delivery, payload=write_vector(welcome) + write_vector(encode_roles(roles)))

    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        world.people["tomas"].link.tamper = once(without_mira, EntryKind.WELCOME)
        await world.client("mira").room_with(tomas.user)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert faults(world, "tomas") == [("NL-525", "hub")]
        assert [summary.room for summary in tomas.rooms()] == [world.room]

    friends.run(story)


def test_a_welcome_refused_leaves_the_key_package_for_an_honest_one(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        welcomes: list[Delivery] = []

        def tamper(frame: ServerFrame) -> ServerFrame:
            if isinstance(frame, Delivery) and frame.kind is EntryKind.WELCOME and not welcomes:
                welcomes.append(frame)
                return altered(frame, sender=JUNO_S_DEVICE)
            return frame

        world.people["tomas"].link.tamper = tamper
        room = await world.client("mira").room_with(tomas.user)
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        device = tomas._connection.device
        outcome = device._inbox.process({room: [altered(welcomes[0], seq=welcomes[0].seq + 1)]})
        assert outcome.rooms[room].record.standing is Standing.JOINED

    friends.run(story)


def test_nl_522_a_leaf_whose_device_list_the_server_does_not_give_is_not_believed(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()

        def change(answer: Any) -> Any:
            if isinstance(answer, UserDevices):
                raise RefusedError(ProblemName.NOT_FOUND)
            return answer

        dishonest(world, "tomas", change)
        with tomas._store.transaction():
            tomas._store._write("DELETE FROM pins WHERE user = ?", (URIS["juno"],))
        tomas._connection.device.trust._lists.clear()
        tomas._connection.device.trust._leaves.clear()
        await world.client("juno").send(world.room, "hello")
        await world.until(lambda: faults(world, "tomas") != [], "Tomas records the fault")
        assert [check for check, _ in faults(world, "tomas")] == ["NL-522"]
        assert texts(world, "tomas") == []

    friends.run(story)


def test_a_device_list_that_is_not_known_is_asked_for(friends: Friends) -> None:
    async def story(world: World) -> None:
        tomas = world.client("tomas")
        await tomas.wait_online()
        with tomas._store.transaction():
            tomas._store._write("DELETE FROM pins WHERE user = ?", (URIS["juno"],))
        tomas._connection.device.trust._lists.clear()
        tomas._connection.device.trust._leaves.clear()
        await world.client("juno").send(world.room, "hello")
        await world.until(lambda: texts(world, "tomas") == ["hello"], "Tomas sees the message")
        assert faults(world, "tomas") == []

    friends.run(story)


def test_another_account_key_is_a_new_person_and_is_refused(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        stranger = await somebody_else(world)

        def change(answer: Any) -> Any:
            if isinstance(answer, ClaimedKeyPackages):
                return msgspec.structs.replace(answer, devices=stranger)
            return answer

        dishonest(world, "mira", change)
        with pytest.raises(VerificationError) as refused:
            await mira.create_room([URIS["tomas"]])
        assert refused.value.check == "NL-314"
        assert faults(world, "mira") == [("NL-314", URIS["tomas"])]
        assert len(mira.rooms()) == 1

    friends.run(story)


async def somebody_else(world: World) -> UserDevices:
    """A device list for Tomas under another account key."""
    path = world.folder / "stranger.store"
    store = new_store(path, bytes(32), "http://server", URIS["tomas"], world.surroundings(world.people["mira"]))
    listed = store.pin(URIS["tomas"])
    assert listed is not None
    asked = registration(store.identity(), listed)
    store.close()
    return UserDevices(URIS["tomas"], asked.account_key, asked.device_list)


def test_nl_531_the_device_list_ofsomebody_else_is_refused(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        theirs = await mira._hub.device_list(URIS["juno"])
        dishonest(world, "mira", lambda answer: theirs if isinstance(answer, UserDevices) else answer)
        device = mira._connection.device
        with pytest.raises(VerificationError) as refused:
            await mira._connection.housekeeping.learn_devices(device, URIS["tomas"])
        assert refused.value.check == "NL-531"

    friends.run(story)


def test_nl_533_an_account_key_that_is_not_the_contact_code_s_is_refused(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas = world.client("mira"), world.client("tomas")
        theirs = ContactCode.decode(tomas.contact_code())
        assert await mira.request_by_code(theirs.encode()) == tomas.user

        another = replace(theirs, account_key=bytes(32))
        with pytest.raises(VerificationError) as refused:
            await mira.request_by_code(another.encode())
        assert refused.value.check == "NL-533"

        mira._store._write("DELETE FROM pins WHERE user = ?", (tomas.user,))
        mira._connection.device.trust._lists.clear()
        await mira.request_by_code(another.encode())
        with pytest.raises(VerificationError) as refused:
            await mira.safety_number(tomas.user)
        assert refused.value.check == "NL-533"
        assert faults(world, "mira") == [("NL-533", tomas.user)]

        await mira.request_by_code(theirs.encode())
        assert await mira.safety_number(tomas.user) == await tomas.safety_number(mira.user)

    friends.run(story)


def test_nl_532_two_key_packages_of_one_device_are_refused(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")

        def change(answer: Any) -> Any:
            if isinstance(answer, ClaimedKeyPackages):
                return msgspec.structs.replace(answer, key_packages=2 * answer.key_packages)
            return answer

        dishonest(world, "mira", change)
        with pytest.raises(VerificationError) as refused:
            await mira.create_room([URIS["tomas"]])
        assert refused.value.check == "NL-532"

    friends.run(story)


def test_nl_322_a_device_list_that_is_older_than_the_key_packages_it_came_with_is_refused(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira, tomas, juno = (world.client(name) for name in NAMES)
        await asyncio.gather(*(client.wait_online() for client in (mira, tomas, juno)))
        await mira.remove(world.room, [juno.user])  # so that she hears nothing of his devices
        old = await juno._hub.device_list(tomas.user)
        await world.link("tomas", "tablet")

        def change(answer: Any) -> Any:
            return msgspec.structs.replace(answer, devices=old) if isinstance(answer, ClaimedKeyPackages) else answer

        dishonest(world, "juno", change)
        with pytest.raises(VerificationError) as refused:
            await juno.create_room([tomas.user])
        assert refused.value.check == "NL-322"
        assert [(fault.check, fault.culprit) for fault in juno.faults()] == [("NL-322", HUB)]

    friends.run(story)


def test_nl_542_a_challenge_to_sign_in_elsewhere_is_not_signed(friends: Friends) -> None:
    async def story(world: World) -> None:
        mira = world.client("mira")
        await mira.wait_online()

        def change(answer: Any) -> Any:
            if isinstance(answer, Challenge):
                return msgspec.structs.replace(answer, origin="http://elsewhere")
            return answer

        dishonest(world, "mira", change)
        mira._hub.forget_token()
        with pytest.raises(RemoteProtocolError) as refused:
            await mira.contacts()
        assert refused.value.check == "NL-542"

    friends.run(story)
