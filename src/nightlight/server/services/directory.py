"""People, their devices, and the key packages that let others reach them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from nightlight.errors import ProblemName, RefusedError
from nightlight.mls.public_group import KeyPackage, MlsError, read_key_package
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import (
    HubUri,
    ProviderName,
    TimestampMs,
    UserUri,
    parse_device_uri,
    parse_user_uri,
)
from nightlight.protocol.linking import CODE_LIFETIME_MS
from nightlight.protocol.messages import (
    ClaimedKeyPackages,
    DeviceLink,
    DeviceListUpdate,
    Directory,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    Mailbox,
    Registration,
    UserDevices,
)
from nightlight.server.cache import RoomCache
from nightlight.server.domain.contact import Stance, connected
from nightlight.server.domain.identity import check_handle, first_list, next_list, stored_list, vouched_leaf
from nightlight.server.ports.delivery import (
    Account,
    Bus,
    Caller,
    Clock,
    DeliveryStore,
    DeliveryUnit,
    StoredKeyPackage,
)

_S = 1_000
_MAILBOX = re.compile(r"[0-9a-f]{64}")
TOP_UP_AT = 25
"""With fewer single-use key packages left, the device is asked for more."""


@dataclass(frozen=True, slots=True)
class DirectoryService:
    """Accounts, device lists and key packages. ``franking_key``: the hub's Ed25519 public key, 32 bytes."""

    store: DeliveryStore
    bus: Bus
    rooms: RoomCache
    clock: Clock
    hub: HubUri
    providers: tuple[ProviderName, ...]
    franking_key: bytes
    key_packages_max: int

    def pins(self) -> Directory:
        """What clients pin of this hub."""
        return Directory(self.hub, list(self.providers), [self.franking_key])

    async def register(self, registration: Registration) -> UserDevices:
        """The person has an account with one device. A repeat by the same person is answered alike.

        Raises ``RefusedError``: ``handle_taken`` NL-446; as ``check_handle`` and ``first_list``.
        """
        user, device = parse_user_uri(registration.user), parse_device_uri(registration.device)
        check_handle(user, device, self.providers)
        now_ms = self.clock()
        first_list(registration.device_list, user, device, registration.account_key, now_ms)
        async with self.store.write("register") as unit:
            account = await unit.accounts.of(user)
            if account is None:
                account = Account(user, 0, registration.account_key, 1, registration.device_list, now_ms)
                await unit.accounts.add(account, device, registration.session_key)
            elif account.account_key != registration.account_key:
                raise RefusedError(ProblemName.HANDLE_TAKEN)  # NL-446
        return _devices_of(account)

    async def device_list(self, caller: Caller, user: str) -> UserDevices:
        """The newest list of ``user``: the caller, a contact, or somebody in a room with them.

        Raises ``RefusedError`` ``not_found`` NL-447: anyone else, whether they exist or not.
        """
        wanted = parse_user_uri(user)
        async with self.store.read() as unit:
            account = await unit.accounts.of(wanted)
            pair = await unit.contacts.pair(caller.user, wanted)
            shares_room = await unit.contacts.share_room(caller.user, wanted)
        if account is None or not (wanted == caller.user or pair.mine is Stance.CONNECTED or shares_room):
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-447
        return _devices_of(account)

    async def update_list(self, caller: Caller, update: DeviceListUpdate) -> UserDevices:
        """The caller's newest list. A device that it links may sign in; those that it leaves out are signed out.

        Raises ``RefusedError`` as ``next_list``; ``conflict`` NL-449 (there was a device or mailbox of that name).
        """
        now_ms, link = self.clock(), update.link
        linked = None if link is None else parse_device_uri(link.device)
        async with self.store.write("device_list") as unit:
            account, known = await _known_list(unit, caller.user)
            listed = next_list(update.device_list, known, linked, now_ms)
            if listed.version == known.version:
                return _devices_of(account)
            if link is not None:
                await self._link(unit, account, link, now_ms)
            kept = {entry.uri for entry in listed.devices}
            gone = [
                device
                for device in await unit.accounts.devices(account.user_id)
                if device.device not in kept and not device.revoked
            ]
            account = replace(account, list_version=listed.version, device_list=update.device_list, listed_at_ms=now_ms)
            revoked = [device.device_id for device in gone]
            await unit.accounts.replace_list(account, revoked)
            rooms, users = await unit.rooms.revoked(revoked) if revoked else ([], [])
        for room in rooms:
            self.rooms.forget(room)
        for device in gone:
            self.bus.revoke(device.device)
        for user in users:
            self.bus.wake(user, "rooms")
        self.bus.wake(caller.user, "devices")
        return _devices_of(account)

    @staticmethod
    async def _link(unit: DeliveryUnit, account: Account, link: DeviceLink, now_ms: TimestampMs) -> None:
        new = await unit.accounts.add_device(account.user_id, parse_device_uri(link.device), link.session_key, now_ms)
        expires_at_ms = TimestampMs(now_ms + CODE_LIFETIME_MS)
        if not new or not await unit.accounts.add_link(link.mailbox, link.package, expires_at_ms):
            raise RefusedError(ProblemName.CONFLICT)  # NL-449

    async def mailbox(self, mailbox: str) -> Mailbox:
        """What was left for a new device at ``mailbox``.

        Raises ``RefusedError``: ``not_found`` NL-473 (nothing, or nothing any more); ``malformed`` NL-474.
        """
        async with self.store.read() as unit:
            package = await unit.accounts.link(_read_mailbox(mailbox), self.clock())
        if package is None:
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-473
        return Mailbox(package)

    async def upload(self, caller: Caller, upload: KeyPackageUpload) -> KeyPackageCount:
        """The key packages can be claimed; those that were there already stay.

        Raises ``RefusedError``: ``invalid_key_package`` NL-460 (not a key package, or no last-resort one where one is
        meant), NL-461 (not of the caller's device), NL-462 (outside its lifetime); ``too_many`` NL-463.
        """
        now_ms = self.clock()
        packages = [(message, False) for message in upload.key_packages]
        if upload.last_resort is not None:
            packages.append((upload.last_resort, True))
        read = [(message, _read(message, last_resort=last_resort)) for message, last_resort in packages]
        async with self.store.write("upload") as unit:
            _, listed = await _known_list(unit, caller.user)
            for _, package in read:
                leaf = vouched_leaf(package.credential, package.signature_key, listed, now_ms)
                if leaf is None or leaf.device != caller.device:
                    raise RefusedError(ProblemName.INVALID_KEY_PACKAGE)  # NL-461
                if not package.not_before_s * _S <= now_ms <= package.not_after_s * _S:
                    raise RefusedError(ProblemName.INVALID_KEY_PACKAGE)  # NL-462
            before = await unit.accounts.key_package_count(caller.device_id, now_ms)
            await unit.accounts.add_key_packages(
                caller.device_id,
                [
                    StoredKeyPackage(
                        package.reference, message, TimestampMs(package.not_after_s * _S), package.last_resort
                    )
                    for message, package in read
                ],
            )
            count = KeyPackageCount(*await unit.accounts.key_package_count(caller.device_id, now_ms))
            if count.remaining > self.key_packages_max:
                raise RefusedError(ProblemName.TOO_MANY)  # NL-463
        if before == (0, False):
            self.bus.wake(caller.user, "devices")  # this one can be added to their rooms now
        return count

    async def count(self, caller: Caller) -> KeyPackageCount:
        """What is left for the caller's device."""
        async with self.store.read() as unit:
            return KeyPackageCount(*await unit.accounts.key_package_count(caller.device_id, self.clock()))

    async def claim(self, caller: Caller, claim: KeyPackageClaim) -> ClaimedKeyPackages:
        """A key package for each device of a user, a contact or the caller, that has any; of those named, if any are.

        The caller's own device is left out. Raises ``RefusedError``: ``not_found`` NL-448 for anyone else;
        ``no_key_package`` NL-464 where no device has one.
        """
        wanted = parse_user_uri(claim.user)
        now_ms = self.clock()
        async with self.store.write("claim") as unit:
            account = await unit.accounts.of(wanted)
            reachable = wanted == caller.user or connected(await unit.contacts.pair(caller.user, wanted))
            if account is None or not reachable:
                raise RefusedError(ProblemName.NOT_FOUND)  # NL-448
            devices = [
                device
                for device in await unit.accounts.devices(account.user_id)
                if not device.revoked and device.device != caller.device
                if claim.devices is None or device.device in claim.devices
            ]
            claimed = [await unit.accounts.claim_key_package(device.device_id, now_ms) for device in devices]
            packages = [package for package in claimed if package is not None]
            if not packages:
                raise RefusedError(ProblemName.NO_KEY_PACKAGE)  # NL-464
            left = [await unit.accounts.key_package_count(device.device_id, now_ms) for device in devices]
        if any(remaining < TOP_UP_AT for remaining, _ in left):
            self.bus.wake(wanted, "key_packages")
        return ClaimedKeyPackages(_devices_of(account), packages)


def _read(message: bytes, *, last_resort: bool) -> KeyPackage:
    try:
        package = read_key_package(message)
    except MlsError:
        raise RefusedError(ProblemName.INVALID_KEY_PACKAGE) from None  # NL-460
    if package.last_resort is not last_resort:
        raise RefusedError(ProblemName.INVALID_KEY_PACKAGE)  # NL-460
    return package


async def _known_list(unit: DeliveryUnit, user: UserUri) -> tuple[Account, DeviceList]:
    account = await unit.accounts.of(user)
    if account is None:
        raise RefusedError(ProblemName.NOT_FOUND)
    return account, stored_list(account.device_list, user, account.account_key, account.listed_at_ms)


def _read_mailbox(text: str) -> bytes:
    """Raises ``RefusedError`` ``malformed`` NL-474."""
    if _MAILBOX.fullmatch(text) is None:
        raise RefusedError(ProblemName.MALFORMED)  # NL-474
    return bytes.fromhex(text)


def _devices_of(account: Account) -> UserDevices:
    return UserDevices(account.user, account.account_key, account.device_list)
