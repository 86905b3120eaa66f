"""An account key that follows another, and a fresh device that has nothing but its person's recovery key."""

from dataclasses import replace

import msgspec
import pytest

from nightlight.mls.group import Member
from nightlight.mls.signing import SigningKey
from nightlight.protocol import credential
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri, device_uri
from nightlight.protocol.messages import (
    AccountKeyChange,
    Challenge,
    ChallengeRequest,
    Contact,
    DeviceListUpdate,
    PendingRecovery,
    Recovery,
    RecoveryEnd,
    RecoveryRequest,
    UserDevices,
    Wake,
)
from nightlight.protocol.succession import (
    MAX_SUCCESSIONS,
    RECOVERY_LABEL,
    RECOVERY_WAIT_MS,
    Succession,
    recovery_content,
    succeed,
)
from tests.contract.conftest import Hub
from tests.contract.device import Device, Line, befriend
from tests.contract.test_accounts import problem
from tests.contract.test_devices import link, signed


def replaced(
    phone: Device, account: SigningKey, by: SigningKey, *kept: DeviceUri, recovered: bool = False
) -> tuple[DeviceListUpdate, DeviceList]:
    """What replaces the account key of ``phone`` by ``account``, and leaves it and ``kept`` on the list."""
    listed = phone.device_list
    devices = [
        replace(entry, may_sign=entry.uri == phone.device)
        for entry in listed.devices
        if entry.uri in {phone.device, *kept}
    ]
    following = replace(listed.next(devices, listed.expires_at_ms), account_key=account.public_key)
    follows = succeed(listed, signed(phone, listed), account.public_key, by.sign_with_label, recovered=recovered)
    credentials = [
        credential.leaf_credential(following, entry.uri, account.sign_with_label).encode() for entry in devices
    ]
    encoded = following.sign(account.sign_with_label).encode()
    return DeviceListUpdate(encoded, None, AccountKeyChange(follows.encode(), credentials)), following


async def set_recovery_key(line: Line, key: SigningKey) -> None:
    device = line.device
    listed = device.device_list.next(device.device_list.devices, device.device_list.expires_at_ms)
    device.device_list = replace(listed, recovery_key=key.public_key)
    await line.call("PUT", "/v1/device-list", UserDevices, DeviceListUpdate(signed(device, device.device_list)))


async def pending(line: Line) -> PendingRecovery | None:
    """The recovery of ``line``'s person that waits."""
    return (await line.call("GET", "/v1/device-list", UserDevices, user=line.device.user)).recovery


def changed(update: DeviceListUpdate, **fields: object) -> DeviceListUpdate:
    assert update.change is not None
    return msgspec.structs.replace(update, change=msgspec.structs.replace(update.change, **fields))


async def test_a_device_that_held_the_account_key_goes_with_the_key(hub: Hub, mira: Line, tomas: Line) -> None:
    await befriend(mira, tomas)
    phone, account = mira.device, SigningKey.generate()
    tablet = await link(mira, hub)
    entries = [replace(entry, may_sign=True) for entry in phone.device_list.devices]
    phone.device_list = phone.device_list.next(entries, phone.device_list.expires_at_ms)
    await mira.call("PUT", "/v1/device-list", UserDevices, DeviceListUpdate(signed(phone, phone.device_list)))
    alone = [entry for entry in phone.device_list.devices if entry.uri == phone.device]
    kept = DeviceListUpdate(signed(phone, phone.device_list.next(alone, phone.device_list.expires_at_ms)))
    assert problem(await mira.raw("PUT", "/v1/device-list", kept)) == "not_allowed"  # NL-486

    update, following = replaced(phone, account, phone.account)
    async with tomas.stream() as theirs:
        for _ in range(2):  # a repeat, whose answer was lost, changes nothing
            answer = await mira.call("PUT", "/v1/device-list", UserDevices, update)
            assert (answer.account_key, len(answer.successions)) == (account.public_key, 1)
        assert await theirs.expect(Wake) == Wake("contacts")
    (contact,) = await tomas.call("GET", "/v1/contacts", list[Contact])
    assert contact.successions == 1
    seen = await tomas.call("GET", "/v1/device-list", UserDevices, user=phone.user)
    assert (seen.device_list, seen.credential) == (update.device_list, None)
    assert Succession.decode(seen.successions[0]).former_key == phone.account.public_key
    assert update.change is not None
    mine = await mira.call("GET", "/v1/device-list", UserDevices, user=phone.user)
    assert mine.credential == update.change.credentials[0]
    assert problem(await tablet.raw("GET", "/v1/rooms")) == "unauthenticated"
    assert problem(await mira.raw("POST", "/v1/key-packages", phone.upload())) == "invalid_key_package"  # NL-461
    phone.member.set_credential(mine.credential)
    assert (await mira.raw("POST", "/v1/key-packages", phone.upload())).is_success
    phone.account, phone.device_list = account, following


async def test_an_account_key_that_nobody_vouches_for_is_refused(mira: Line) -> None:  # NL-485
    phone, account, recovery = mira.device, SigningKey.generate(), SigningKey.generate()
    for wrong in (
        replaced(phone, account, SigningKey.generate())[0],
        replaced(phone, account, phone.account, recovered=True)[0],
        replaced(phone, phone.account, phone.account)[0],
    ):
        assert problem(await mira.raw("PUT", "/v1/device-list", wrong)) == "not_allowed"
    good, following = replaced(phone, account, phone.account)
    assert good.change is not None
    other = replace(Succession.decode(good.change.succession), account_key=SigningKey.generate().public_key)
    assert problem(await mira.raw("PUT", "/v1/device-list", changed(good, succession=other.encode()))) == "malformed"
    assert problem(await mira.raw("PUT", "/v1/device-list", changed(good, succession=b""))) == "malformed"
    later = replace(following, version=following.version + 1).sign(account.sign_with_label).encode()
    skipped = msgspec.structs.replace(good, device_list=later)
    assert problem(await mira.raw("PUT", "/v1/device-list", skipped)) == "stale_device_list"  # NL-444

    await set_recovery_key(mira, recovery)
    by_former, _ = replaced(phone, account, phone.account)
    assert problem(await mira.raw("PUT", "/v1/device-list", by_former)) == "not_allowed"
    by_recovery, _ = replaced(phone, account, recovery)
    assert (await mira.raw("PUT", "/v1/device-list", by_recovery)).is_success


async def test_every_device_on_a_list_under_a_new_key_has_a_credential(mira: Line) -> None:  # NL-487
    phone, account = mira.device, SigningKey.generate()
    good, following = replaced(phone, account, phone.account)
    assert good.change is not None
    (own,) = good.change.credentials
    former = credential.leaf_credential(phone.device_list, phone.device, phone.account.sign_with_label).encode()
    forged = credential.leaf_credential(following, phone.device, phone.account.sign_with_label).encode()
    for credentials in ([], [own, own], [former], [forged], [b"none"]):
        wrong = changed(good, credentials=credentials)
        assert problem(await mira.raw("PUT", "/v1/device-list", wrong)) == "malformed"


async def test_an_account_key_is_replaced_64_times_at_most(mira: Line) -> None:  # NL-488
    phone = mira.device
    for _ in range(MAX_SUCCESSIONS):
        account = SigningKey.generate()
        update, following = replaced(phone, account, phone.account)
        await mira.call("PUT", "/v1/device-list", UserDevices, update)
        phone.account, phone.device_list = account, following
    update, _ = replaced(phone, SigningKey.generate(), phone.account)
    assert problem(await mira.raw("PUT", "/v1/device-list", update)) == "not_allowed"


class Fresh:
    """A device that its person's recovery key makes theirs."""

    def __init__(self, line: Line, recovery: SigningKey, name: str = "fresh") -> None:
        self.user: UserUri = line.device.user
        self.former = line.device
        self.recovery = recovery
        self.device = device_uri(self.user, name)
        self.member = Member.create()
        self.session, self.account = SigningKey.generate(), SigningKey.generate()

    def request(self) -> RecoveryRequest:
        keys = (self.member.signature_key, self.session.public_key, self.account.public_key)
        content = recovery_content(self.user, self.device, *keys)
        return RecoveryRequest(self.user, self.device, *keys, self.recovery.sign_with_label(RECOVERY_LABEL, content))

    def end(
        self, listed: DeviceList, *, recovered: bool = True, also: tuple[credential.Device, ...] = ()
    ) -> RecoveryEnd:
        own = credential.Device(self.device, self.member.signature_key, may_sign=True)
        expires_at_ms = TimestampMs(listed.expires_at_ms + RECOVERY_WAIT_MS)
        following = replace(listed.next([own, *also], expires_at_ms), account_key=self.account.public_key)
        former = signed(self.former, listed)
        sign = self.recovery.sign_with_label
        follows = succeed(listed, former, self.account.public_key, sign, recovered=recovered)
        return RecoveryEnd(self.device, following.sign(self.account.sign_with_label).encode(), follows.encode())


@pytest.fixture
async def fresh(hub: Hub, mira: Line) -> Fresh:
    del hub
    recovery = SigningKey.generate()
    await set_recovery_key(mira, recovery)
    return Fresh(mira, recovery)


async def test_a_recovery_waits_a_day_by_the_server_s_clock(hub: Hub, mira: Line, tomas: Line, fresh: Fresh) -> None:
    await befriend(mira, tomas)
    anybody = hub.of_device(Device(fresh.user, "anybody"))
    listed = mira.device.device_list
    async with mira.stream() as old:
        begun = await anybody.call("POST", "/v1/recovery", Recovery, fresh.request())
        assert await old.expect(Wake) == Wake("devices")
    again = await anybody.call("POST", "/v1/recovery", Recovery, fresh.request())
    assert again == begun
    assert begun.devices.device_list == signed(mira.device, listed)
    waiting = await pending(mira)
    assert waiting is not None
    assert (waiting.device, waiting.ready_at_ms) == (fresh.device, begun.ready_at_ms)
    assert begun.ready_at_ms - waiting.begun_at_ms == RECOVERY_WAIT_MS
    assert (await tomas.call("GET", "/v1/device-list", UserDevices, user=fresh.user)).recovery is None
    assert problem(await anybody.raw("POST", "/v1/recovery/end", fresh.end(listed))) == "too_soon"  # NL-483

    hub.clock.ahead_ms = RECOVERY_WAIT_MS + 1_000
    await mira.sign_in()
    await tomas.sign_in()
    own = credential.Device(mira.device.device, mira.device.member.signature_key)
    for wrong in (fresh.end(listed, recovered=False), fresh.end(listed, also=(own,))):  # NL-485, NL-445
        assert problem(await anybody.raw("POST", "/v1/recovery/end", wrong)) == "not_allowed"
    other = msgspec.structs.replace(fresh.end(listed), succession=Fresh(mira, fresh.recovery).end(listed).succession)
    assert problem(await anybody.raw("POST", "/v1/recovery/end", other)) == "not_allowed"  # NL-485
    end = fresh.end(listed)
    async with tomas.stream() as theirs:
        for _ in range(2):  # a repeat, whose answer was lost
            answer = await anybody.call("POST", "/v1/recovery/end", UserDevices, end)
            assert (answer.account_key, answer.device_list) == (fresh.account.public_key, end.device_list)
        assert await theirs.expect(Wake) == Wake("contacts")
    assert problem(await mira.raw("GET", "/v1/rooms")) == "unauthenticated"
    assert problem(await mira.raw("GET", "/v1/recovery", device=fresh.device)) == "not_found"  # NL-484


async def test_nobody_begins_a_recovery_without_the_recovery_key(mira: Line, fresh: Fresh) -> None:  # NL-481
    good = fresh.request()
    for wrong in (
        Fresh(mira, SigningKey.generate()).request(),
        msgspec.structs.replace(good, session_key=bytes(32)),
        msgspec.structs.replace(good, user="mimi://ring.example/u/nobody"),
        msgspec.structs.replace(good, device="mimi://ring.example/d/nobody/fresh"),
    ):
        assert problem(await mira.raw("POST", "/v1/recovery", wrong)) == "not_found"


async def test_a_person_without_a_recovery_key_is_not_recovered(tomas: Line) -> None:  # NL-481
    assert (
        problem(await tomas.raw("POST", "/v1/recovery", Fresh(tomas, SigningKey.generate()).request())) == "not_found"
    )


async def test_a_recovery_is_of_a_device_that_never_was(mira: Line, fresh: Fresh) -> None:  # NL-482
    name = mira.device.device.rpartition("/")[2]
    taken = Fresh(mira, fresh.recovery, name)
    assert problem(await mira.raw("POST", "/v1/recovery", taken.request())) == "conflict"
    known = Fresh(mira, fresh.recovery)
    known.account = mira.device.account
    assert problem(await mira.raw("POST", "/v1/recovery", known.request())) == "conflict"


async def test_a_recovery_is_ended_by_any_device_and_by_what_changes_the_keys(
    hub: Hub, mira: Line, fresh: Fresh
) -> None:
    begin = fresh.request()
    await mira.call("POST", "/v1/recovery", Recovery, begin)
    assert (await mira.raw("DELETE", "/v1/recoveries")).is_success
    assert await pending(mira) is None
    assert problem(await mira.raw("GET", "/v1/recovery", device=fresh.device)) == "not_found"  # NL-484
    end = fresh.end(mira.device.device_list)
    assert problem(await mira.raw("POST", "/v1/recovery/end", end)) == "not_found"  # NL-484

    await mira.call("POST", "/v1/recovery", Recovery, begin)
    await set_recovery_key(mira, SigningKey.generate())
    assert problem(await mira.raw("GET", "/v1/recovery", device=fresh.device)) == "not_found"
    assert problem(await mira.raw("POST", "/v1/recovery", begin)) == "not_found"
    assert hub.clock.ahead_ms == 0


async def test_a_later_recovery_takes_the_place_of_one_that_waits(mira: Line, fresh: Fresh) -> None:
    later = Fresh(mira, fresh.recovery, "later")
    for request in (fresh.request(), later.request()):
        await mira.call("POST", "/v1/recovery", Recovery, request)
    waiting = await pending(mira)
    assert waiting is not None
    assert waiting.device == later.device


async def test_a_removed_device_is_told_so_and_nobody_else(hub: Hub, mira: Line) -> None:  # NL-489
    tablet = await link(mira, hub)
    alone = [entry for entry in mira.device.device_list.devices if entry.uri == mira.device.device]
    mira.device.device_list = mira.device.device_list.next(alone, mira.device.device_list.expires_at_ms)
    update = DeviceListUpdate(signed(mira.device, mira.device.device_list))
    await mira.call("PUT", "/v1/device-list", UserDevices, update)
    challenge = await tablet.call("POST", "/v1/challenges", Challenge, ChallengeRequest(tablet.device.device))
    answer = tablet.device.sign_in(challenge)
    assert problem(await tablet.raw("POST", "/v1/sessions", answer)) == "device_removed"
    forged = msgspec.structs.replace(answer, signature=bytes(64))
    assert problem(await tablet.raw("POST", "/v1/sessions", forged)) == "unauthenticated"
