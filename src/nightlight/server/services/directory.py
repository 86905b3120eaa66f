"""People, their devices, and the key packages that let others reach them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

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
from nightlight.protocol.messages import (
    ClaimedKeyPackages,
    Directory,
    KeyPackageClaim,
    KeyPackageCount,
    KeyPackageUpload,
    PendingRecovery,
    Registration,
    UserDevices,
)
from nightlight.server.domain.contact import Stance, connected
from nightlight.server.domain.identity import check_handle, first_list, stored_list, vouched_leaf
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
TOP_UP_AT = 25
"""With fewer single-use key packages left, the device is asked for more."""


@dataclass(frozen=True, slots=True)
class DirectoryService:
    """Accounts, device lists and key packages. ``franking_key``: the hub's Ed25519 public key, 32 bytes."""

    store: DeliveryStore
    bus: Bus
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
        return account.told()

    async def device_list(self, caller: Caller, user: str) -> UserDevices:
        """The newest list of ``user``: the caller, a contact, or somebody who is or was in a room with them.

        Also was, since who was away reads of people who have come and gone, and has to judge their leaves.

        Raises ``RefusedError`` ``not_found`` NL-447: anyone else, whether they exist or not.
        """
        wanted = parse_user_uri(user)
        async with self.store.read() as unit:
            account = await unit.accounts.of(wanted)
            pair = await unit.contacts.pair(caller.user, wanted)
            have_met = await unit.contacts.have_met(caller.user, wanted)
            successions = [] if account is None else await unit.accounts.successions(account.user_id)
            credential = await unit.accounts.credential(caller.device_id)
            waiting = await unit.accounts.recovery(caller.user_id)
        if account is None or not (wanted == caller.user or pair.mine is Stance.CONNECTED or have_met):
            raise RefusedError(ProblemName.NOT_FOUND)  # NL-447
        told = account.told(successions)
        if wanted != caller.user:
            return told
        recovery = None
        if waiting is not None:
            recovery = PendingRecovery(waiting.device, waiting.begun_at_ms, waiting.ready_at_ms)
        return msgspec.structs.replace(told, credential=credential, recovery=recovery)

    async def upload(self, caller: Caller, upload: KeyPackageUpload) -> KeyPackageCount:
        """The key packages can be claimed; those that were there already stay, and those claimed stay claimed.

        Raises ``RefusedError``: ``invalid_key_package`` NL-460 (not a key package, or no last-resort one where one is
        meant), NL-461 (not of the caller's device), NL-462 (outside its lifetime); ``too_many`` NL-463.
        """
        if len(upload.key_packages) > self.key_packages_max:
            raise RefusedError(ProblemName.TOO_MANY)  # NL-463
        now_ms = self.clock()
        packages = [(message, False) for message in upload.key_packages]
        if upload.last_resort is not None:
            packages.append((upload.last_resort, True))
        read = [(message, _read(message, last_resort=last_resort)) for message, last_resort in packages]
        async with self.store.write("upload") as unit:
            listed = await _known_list(unit, caller.user)
            for _, package in read:
                leaf = vouched_leaf(package.credential, package.signature_key, listed, now_ms)
                if leaf is None or (leaf.device, leaf.account_key) != (caller.device, listed.account_key):
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

        The caller's own device is left out. Devices that ask to be added anew in a room that the caller is in may be
        named, whoever they belong to. Raises ``RefusedError``: ``not_found`` NL-448 for anyone else;
        ``no_key_package`` NL-464 where no device has one.
        """
        wanted = parse_user_uri(claim.user)
        now_ms = self.clock()
        async with self.store.write("claim") as unit:
            account = await unit.accounts.of(wanted)
            reachable = wanted == caller.user or connected(await unit.contacts.pair(caller.user, wanted))
            if not reachable and claim.devices:
                named = [parse_device_uri(device) for device in claim.devices]
                reachable = set(named) <= set(await unit.rooms.lost_beside(caller.device_id, named))
            if account is None or not reachable:
                raise RefusedError(ProblemName.NOT_FOUND)  # NL-448
            devices = [
                device
                for device in await unit.accounts.devices(account.user_id)
                if device.device != caller.device
                if claim.devices is None or device.device in claim.devices
            ]
            claimed = [await unit.accounts.claim_key_package(device.device_id, now_ms) for device in devices]
            packages = [package for package in claimed if package is not None]
            if not packages:
                raise RefusedError(ProblemName.NO_KEY_PACKAGE)  # NL-464
            successions = await unit.accounts.successions(account.user_id)
            left = [await unit.accounts.key_package_count(device.device_id, now_ms) for device in devices]
        if any(remaining < TOP_UP_AT for remaining, _ in left):
            self.bus.wake(wanted, "key_packages")
        return ClaimedKeyPackages(account.told(successions), packages)


def _read(message: bytes, *, last_resort: bool) -> KeyPackage:
    try:
        package = read_key_package(message)
    except MlsError:
        raise RefusedError(ProblemName.INVALID_KEY_PACKAGE) from None  # NL-460
    if package.last_resort is not last_resort:
        raise RefusedError(ProblemName.INVALID_KEY_PACKAGE)  # NL-460
    return package


async def _known_list(unit: DeliveryUnit, user: UserUri) -> DeviceList:
    account = await unit.accounts.of(user)
    if account is None:
        raise RefusedError(ProblemName.NOT_FOUND)
    return stored_list(account.device_list, user, account.account_key, account.listed_at_ms, account.former_keys)
