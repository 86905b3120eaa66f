"""A second device: linked with the list that names it first, and removed by the list that leaves it out."""

import os

import msgspec

from nightlight.errors import ProblemName
from nightlight.protocol import credential
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs
from nightlight.protocol.messages import (
    Accepted,
    ClaimedKeyPackages,
    Delivery,
    DeviceLink,
    DeviceListUpdate,
    Goodbye,
    KeyPackageClaim,
    Mailbox,
    Room,
    UserDevices,
    Wake,
)
from tests.contract.conftest import Hub
from tests.contract.device import Device, Frames, Line, befriend, room_of_two
from tests.contract.test_accounts import problem

SEALED = b"for the new device alone"


def tablet_of(phone: Device) -> tuple[Device, credential.DeviceList]:
    """A second device of the same person, and the list that takes it in; nothing is published."""
    tablet = Device(phone.user, "tablet")
    entry = credential.Device(tablet.device, tablet.member.signature_key)
    listed = phone.device_list.next([*phone.device_list.devices, entry], phone.device_list.expires_at_ms)
    leaf = credential.leaf_credential(listed, tablet.device, phone.account.sign_with_label)
    tablet.member.set_credential(leaf.encode())
    return tablet, listed


def signed(phone: Device, listed: credential.DeviceList) -> bytes:
    return listed.sign(phone.account.sign_with_label).encode()


def link_to(tablet: Device, mailbox: bytes) -> DeviceLink:
    return DeviceLink(tablet.device, tablet.session.public_key, mailbox, SEALED)


async def link(phone: Line, hub: Hub) -> Line:
    """The tablet is signed in and can be added to rooms."""
    tablet, listed = tablet_of(phone.device)
    update = DeviceListUpdate(signed(phone.device, listed), link_to(tablet, os.urandom(32)))
    await phone.call("PUT", "/v1/device-list", UserDevices, update)
    phone.device.device_list = listed
    line = hub.of_device(tablet)
    await line.sign_in()
    await line.call("POST", "/v1/key-packages", object, tablet.upload())
    return line


async def remove_all_but(phone: Line, kept: DeviceUri) -> None:
    """The person's list names ``kept`` alone."""
    devices = [entry for entry in phone.device.device_list.devices if entry.uri == kept]
    listed = phone.device.device_list.next(devices, phone.device.device_list.expires_at_ms)
    update = DeviceListUpdate(signed(phone.device, listed))
    await phone.call("PUT", "/v1/device-list", UserDevices, update)
    phone.device.device_list = listed


async def add_own(phone: Line, tablet: Line, room: RoomUri) -> None:
    """The phone has added the tablet to ``room``."""
    claim = KeyPackageClaim(phone.device.user, [tablet.device.device])
    claimed = await phone.call("POST", "/v1/key-packages/claim", ClaimedKeyPackages, claim)
    commit = phone.device.commit(room, add=claimed.key_packages)
    async with phone.stream() as frames:
        await frames.submit(commit)
    phone.device.groups[room].accept()
    assert commit.welcome is not None
    tablet.device.groups[room] = tablet.device.member.join(commit.welcome)


async def commit_from(frames: Frames) -> Delivery:
    """The next commit that is delivered; what comes before it is passed over."""
    while True:
        frame = await frames.receive()
        if isinstance(frame, Delivery) and frame.kind == "commit":
            return frame


async def test_a_linked_device_fetches_its_package_and_signs_in(hub: Hub, mira: Line) -> None:
    tablet, listed = tablet_of(mira.device)
    mailbox = os.urandom(32)
    update = DeviceListUpdate(signed(mira.device, listed), link_to(tablet, mailbox))
    stranger = hub.of_device(tablet)
    assert problem(await stranger.raw("GET", "/v1/link", mailbox=mailbox.hex())) == "not_found"  # NL-473

    for _ in range(2):  # a repeat, whose answer was lost, changes nothing
        answer = await mira.call("PUT", "/v1/device-list", UserDevices, update)
        assert answer.device_list == update.device_list
    assert (await stranger.call("GET", "/v1/link", Mailbox, mailbox=mailbox.hex())).package == SEALED
    await stranger.sign_in()

    hub.clock.ahead_ms = 11 * 60_000
    for text in (mailbox.hex(), os.urandom(32).hex()):
        assert problem(await stranger.raw("GET", "/v1/link", mailbox=text)) == "not_found"
    for text in ("", mailbox.hex()[:-1], mailbox.hex().upper()):  # NL-474
        assert problem(await stranger.raw("GET", "/v1/link", mailbox=text)) == "malformed"


async def test_a_list_takes_in_the_device_that_is_linked_with_it_and_no_other(mira: Line) -> None:  # NL-445
    tablet, listed = tablet_of(mira.device)
    update = DeviceListUpdate(signed(mira.device, listed))
    other = Device(mira.device.user, "laptop")
    for link_ in (None, link_to(other, os.urandom(32))):
        wrong = msgspec.structs.replace(update, link=link_)
        assert problem(await mira.raw("PUT", "/v1/device-list", wrong)) == "not_allowed"
    renewed = mira.device.device_list.next(mira.device.device_list.devices, mira.device.device_list.expires_at_ms)
    unlisted = DeviceListUpdate(signed(mira.device, renewed), link_to(tablet, os.urandom(32)))
    assert problem(await mira.raw("PUT", "/v1/device-list", unlisted)) == "not_allowed"
    rekeyed = credential.Device(mira.device.device, os.urandom(32), may_sign=True)
    changed = mira.device.device_list.next([rekeyed], mira.device.device_list.expires_at_ms)
    swapped = DeviceListUpdate(signed(mira.device, changed))
    assert problem(await mira.raw("PUT", "/v1/device-list", swapped)) == "not_allowed"


async def test_a_device_is_linked_once_and_a_mailbox_used_once(mira: Line, tomas: Line) -> None:  # NL-449
    tablet, listed = tablet_of(mira.device)
    mailbox = os.urandom(32)
    update = DeviceListUpdate(signed(mira.device, listed), link_to(tablet, mailbox))
    await mira.call("PUT", "/v1/device-list", UserDevices, update)
    mira.device.device_list = listed
    theirs, their_list = tablet_of(tomas.device)
    taken = DeviceListUpdate(signed(tomas.device, their_list), link_to(theirs, mailbox))
    assert problem(await tomas.raw("PUT", "/v1/device-list", taken)) == "conflict"

    await remove_all_but(mira, mira.device.device)
    again, listed = tablet_of(mira.device)
    update = DeviceListUpdate(signed(mira.device, listed), link_to(again, os.urandom(32)))
    assert problem(await mira.raw("PUT", "/v1/device-list", update)) == "conflict"


async def test_of_two_devices_that_link_at_once_one_rebuilds(mira: Line) -> None:
    tablet, first = tablet_of(mira.device)
    laptop = Device(mira.device.user, "laptop")
    entry = credential.Device(laptop.device, laptop.member.signature_key)
    second = mira.device.device_list.next([*mira.device.device_list.devices, entry], first.expires_at_ms)
    update = DeviceListUpdate(signed(mira.device, first), link_to(tablet, os.urandom(32)))
    await mira.call("PUT", "/v1/device-list", UserDevices, update)
    lost = DeviceListUpdate(signed(mira.device, second), link_to(laptop, os.urandom(32)))
    assert problem(await mira.raw("PUT", "/v1/device-list", lost)) == "stale_device_list"
    third = first.next([*first.devices, entry], TimestampMs(first.expires_at_ms))
    rebuilt = DeviceListUpdate(signed(mira.device, third), link_to(laptop, os.urandom(32)))
    await mira.call("PUT", "/v1/device-list", UserDevices, rebuilt)


async def test_a_person_s_devices_hear_when_one_comes_and_when_it_can_be_added(hub: Hub, mira: Line) -> None:
    tablet, listed = tablet_of(mira.device)
    update = DeviceListUpdate(signed(mira.device, listed), link_to(tablet, os.urandom(32)))
    async with mira.stream() as frames:
        await mira.call("PUT", "/v1/device-list", UserDevices, update)
        assert await frames.expect(Wake) == Wake("devices")
        line = hub.of_device(tablet)
        await line.sign_in()
        claim = KeyPackageClaim(mira.device.user)
        assert problem(await mira.raw("POST", "/v1/key-packages/claim", claim)) == "no_key_package"
        await line.call("POST", "/v1/key-packages", object, tablet.upload())
        assert await frames.expect(Wake) == Wake("devices")
        assert (await mira.raw("POST", "/v1/key-packages/claim", claim)).is_success


async def test_while_a_removed_device_is_in_a_room_nothing_is_said_there(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    tablet = await link(mira, hub)
    await add_own(mira, tablet, room)
    async with tomas.stream({room: 1}) as theirs, tablet.stream() as removed:
        added = await commit_from(theirs)
        tomas.device.groups[room].receive(added.payload)
        tomas.device.groups[room].apply()
        await remove_all_but(mira, mira.device.device)

        while not isinstance(frame := await removed.receive(), Goodbye):
            assert not isinstance(frame, Accepted)
        assert frame.reason == "removed"
        assert problem(await tablet.raw("GET", "/v1/rooms")) == "unauthenticated"
        assert await theirs.expect(Wake) == Wake("rooms")
        seen = await tomas.call("GET", "/v1/room", Room, room=room)
        assert [member.device for member in seen.members if member.revoked] == [tablet.device.device]

        message = tomas.device.message(room)
        assert (await theirs.refused(message)).problem == ProblemName.REMOVAL_OWED  # NL-414
        update = tomas.device.commit(room)
        assert (await theirs.refused(update)).problem == ProblemName.REMOVAL_OWED  # NL-429
        tomas.device.groups[room].discard()
        await theirs.submit(tomas.device.commit(room, remove=[2]))
        tomas.device.groups[room].accept()
        await theirs.submit(tomas.device.message(room))
        seen = await tomas.call("GET", "/v1/room", Room, room=room)
        assert tablet.device.device not in {member.device for member in seen.members}


async def test_who_connects_while_a_removal_is_owed_is_told(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    tablet = await link(mira, hub)
    await add_own(mira, tablet, room)
    await remove_all_but(mira, mira.device.device)
    await hub.restart()
    async with tomas.stream({room: 2}) as frames:
        assert await frames.expect(Wake) == Wake("rooms")
    message = tomas.device.message(room)
    async with tomas.stream({room: 2}) as frames:
        assert (await frames.refused(message)).problem in {ProblemName.REMOVAL_OWED, ProblemName.WRONG_EPOCH}


async def test_a_removed_device_that_is_still_connected_says_nothing_more(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    room = await room_of_two(mira, tomas)
    tablet = await link(mira, hub)
    await add_own(mira, tablet, room)
    hub.application.connections.revoke = lambda device: None  # type: ignore[method-assign]  # noqa: ARG005
    async with tablet.stream({room: 2}) as frames:
        await remove_all_but(mira, mira.device.device)
        assert (await frames.refused(tablet.device.message(room))).problem == "not_found"  # NL-410
