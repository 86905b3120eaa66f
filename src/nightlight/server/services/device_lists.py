"""How a person's device list changes: a device comes, one goes, the account key is replaced, or recovered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError, VerificationError
from nightlight.protocol.credential import DeviceList, SignedDeviceList
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri, parse_device_uri, parse_user_uri, user_of
from nightlight.protocol.linking import CODE_LIFETIME_MS
from nightlight.protocol.messages import (
    AccountKeyChange,
    DeviceLink,
    DeviceListUpdate,
    Mailbox,
    Recovery,
    RecoveryEnd,
    RecoveryRequest,
    UserDevices,
)
from nightlight.protocol.succession import RECOVERY_WAIT_MS, Succession, recovery_content, verify_recovery
from nightlight.server.cache import RoomCache
from nightlight.server.domain.contact import connected
from nightlight.server.domain.identity import check_credentials, next_key, next_list, stored_list
from nightlight.server.ports.delivery import (
    Account,
    Bus,
    Caller,
    Clock,
    DeliveryStore,
    DeliveryUnit,
    Device,
    WaitingRecovery,
)

_MAILBOX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Told:
    """Whom a change concerns: rooms to be read anew, and the users who are in them."""

    gone: Sequence[Device]
    rooms: Iterable[RoomUri]
    members: Iterable[UserUri]


@dataclass(frozen=True, slots=True)
class DeviceListService:
    """One list of each person at a time, and at most one recovery that waits."""

    store: DeliveryStore
    bus: Bus
    rooms: RoomCache
    clock: Clock

    async def update(self, caller: Caller, update: DeviceListUpdate) -> UserDevices:
        """The caller's newest list. A device that it links may sign in; those that it leaves out are signed out.

        Raises ``RefusedError`` as ``next_list``, or as ``next_key`` and ``check_credentials`` for a new account key;
        ``conflict`` NL-449 (there was a device or mailbox of that name); ``malformed`` for both at once.
        """
        now_ms, link = self.clock(), update.link
        linked = None if link is None else parse_device_uri(link.device)
        if update.change is not None and link is not None:
            raise RefusedError(ProblemName.MALFORMED)
        async with self.store.write("device_list") as unit:
            account = await _account(unit, caller.user)
            known = _list_of(account)
            if update.change is not None:
                if account.device_list == update.device_list:  # asked once more: its answer was lost
                    return account.told(await unit.accounts.successions(account.user_id))
                account, listed = await self._replace_key(unit, account, known, update.device_list, update.change)
            else:
                listed = next_list(update.device_list, known, linked, now_ms)
                if listed.version == known.version:
                    return account.told(await unit.accounts.successions(account.user_id))
            if link is not None:
                await self._link(unit, account, link, now_ms)
            if listed.recovery_key != known.recovery_key or update.change is not None:
                await unit.accounts.put_recovery(account.user_id, None)
            told = await self._put(unit, account, listed, update.device_list, now_ms)
            successions = await unit.accounts.successions(account.user_id)
        self._tell(caller.user, told)
        if update.change is not None:
            await self._tell_contacts(caller.user)
        return replace(account, device_list=update.device_list).told(successions)

    async def _replace_key(
        self, unit: DeliveryUnit, account: Account, known: DeviceList, device_list: bytes, change: AccountKeyChange
    ) -> tuple[Account, DeviceList]:
        succession = _read(change.succession)
        listed = next_key(device_list, known, succession, self.clock(), recovered=False)
        if any(entry not in {(one.uri, one.signature_key) for one in known.devices} for entry in _entries(listed)):
            raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-445
        credentials = check_credentials(change.credentials, listed)
        account = replace(account, account_key=listed.account_key, former_keys=listed.former_keys)
        await unit.accounts.replace_key(account, change.succession, credentials)
        return account, listed

    @staticmethod
    async def _put(
        unit: DeliveryUnit, account: Account, listed: DeviceList, device_list: bytes, now_ms: TimestampMs
    ) -> _Told:
        """The list is the newest, and whom it leaves out is signed out."""
        kept = {entry.uri for entry in listed.devices}
        gone = [device for device in await unit.accounts.devices(account.user_id) if device.device not in kept]
        account = replace(account, list_version=listed.version, device_list=device_list, listed_at_ms=now_ms)
        revoked = [device.device_id for device in gone]
        await unit.accounts.replace_list(account, revoked)
        rooms, members = await unit.rooms.revoked(revoked) if revoked else ([], [])
        return _Told(gone, rooms, members)

    def _tell(self, user: UserUri, told: _Told) -> None:
        for room in told.rooms:
            self.rooms.forget(room)
        for device in told.gone:
            self.bus.revoke(device.device)
        for member in told.members:
            self.bus.wake(member, "rooms")
        self.bus.wake(user, "devices")

    async def _tell_contacts(self, user: UserUri) -> None:
        """Whoever may write to ``user`` looks at their contacts, and finds that the account key was replaced."""
        async with self.store.read() as unit:
            others = await unit.contacts.of(user)
        for other, pair, _ in others:
            if connected(pair):
                self.bus.wake(other, "contacts")

    # --- linking

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

    # --- recovery

    async def begin_recovery(self, request: RecoveryRequest) -> Recovery:
        """The fresh device waits, in place of any other; a repeat changes nothing. The person's devices are woken.

        Raises ``RefusedError``: ``not_found`` NL-481, which tells nobody whether there is such a user, or such a key;
        ``conflict`` NL-482 (there is, or was, a device of that name).
        """
        user, device = parse_user_uri(request.user), parse_device_uri(request.device)
        content = recovery_content(user, device, request.signature_key, request.session_key, request.account_key)
        now_ms = self.clock()
        async with self.store.write("recovery") as unit:
            account = await unit.accounts.of(user)
            try:
                if account is None or user_of(device) != user:
                    raise RefusedError(ProblemName.NOT_FOUND)  # NL-481
                known = _list_of(account)
                verify_recovery(known.recovery_key, content, request.signature)
            except VerificationError:
                raise RefusedError(ProblemName.NOT_FOUND) from None  # NL-481
            keys = (request.signature_key, request.session_key, request.account_key)
            waiting = await unit.accounts.recovery(account.user_id)
            if waiting is None or (waiting.device, *_keys(waiting)) != (device, *keys):
                taken = {known.account_key, *known.former_keys, *(entry.signature_key for entry in known.devices)}
                other = await unit.accounts.recovering(device)
                if (
                    await unit.accounts.device(device) is not None
                    or not taken.isdisjoint(keys)
                    or (other is not None and other[0].user_id != account.user_id)
                ):
                    raise RefusedError(ProblemName.CONFLICT)  # NL-482
                waiting = WaitingRecovery(device, *keys, now_ms, TimestampMs(now_ms + RECOVERY_WAIT_MS))
                await unit.accounts.put_recovery(account.user_id, waiting)
            successions = await unit.accounts.successions(account.user_id)
        self.bus.wake(user, "devices")
        return Recovery(account.told(successions), waiting.ready_at_ms)

    async def waiting_recovery(self, device: str) -> Recovery:
        """How the recovery of ``device`` stands. Raises ``RefusedError`` ``not_found`` NL-484: none waits any more."""
        uri = parse_device_uri(device)
        async with self.store.read() as unit:
            account, waiting = await _recovering(unit, uri)
            successions = await unit.accounts.successions(account.user_id)
        return Recovery(account.told(successions), waiting.ready_at_ms)

    async def end_recovery(self, end: RecoveryEnd) -> UserDevices:
        """The fresh device is its person's only one, under the recovered account key; a repeat is answered alike.

        Raises ``RefusedError``: ``not_found`` NL-484; ``too_soon`` NL-483; ``not_allowed`` NL-445 (a list of other
        devices than this one), and as ``next_key``.
        """
        device, now_ms = parse_device_uri(end.device), self.clock()
        succession = _read(end.succession)
        SignedDeviceList.decode(end.device_list)
        async with self.store.write("recovery") as unit:
            done = await unit.accounts.of(user_of(device))
            if done is not None and done.former_keys and done.device_list == end.device_list:
                return done.told(await unit.accounts.successions(done.user_id))
            account, waiting = await _recovering(unit, device)
            if now_ms < waiting.ready_at_ms:
                raise RefusedError(ProblemName.TOO_SOON)  # NL-483
            known = _list_of(account)
            if succession.account_key != waiting.account_key:
                raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-485
            listed = next_key(end.device_list, known, succession, now_ms, recovered=True)
            if _entries(listed) != [(device, waiting.signature_key)] or listed.recovery_key != known.recovery_key:
                raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-445
            if not await unit.accounts.add_device(account.user_id, device, waiting.session_key, now_ms):
                raise RefusedError(ProblemName.CONFLICT)  # NL-482
            account = replace(account, account_key=waiting.account_key, former_keys=listed.former_keys)
            await unit.accounts.replace_key(account, end.succession, {})
            await unit.accounts.put_recovery(account.user_id, None)
            told = await self._put(unit, account, listed, end.device_list, now_ms)
            successions = await unit.accounts.successions(account.user_id)
        self._tell(account.user, told)
        await self._tell_contacts(account.user)
        return replace(account, device_list=end.device_list).told(successions)

    async def cancel_recovery(self, caller: Caller) -> None:
        """No recovery of the caller waits."""
        async with self.store.write("recovery") as unit:
            await unit.accounts.put_recovery(caller.user_id, None)
        self.bus.wake(caller.user, "devices")


async def _account(unit: DeliveryUnit, user: UserUri) -> Account:
    account = await unit.accounts.of(user)
    if account is None:
        raise RefusedError(ProblemName.NOT_FOUND)
    return account


async def _recovering(unit: DeliveryUnit, device: DeviceUri) -> tuple[Account, WaitingRecovery]:
    found = await unit.accounts.recovering(device)
    if found is None:
        raise RefusedError(ProblemName.NOT_FOUND)  # NL-484
    return found


def _list_of(account: Account) -> DeviceList:
    return stored_list(
        account.device_list, account.user, account.account_key, account.listed_at_ms, account.former_keys
    )


def _entries(listed: DeviceList) -> list[tuple[DeviceUri, bytes]]:
    return [(entry.uri, entry.signature_key) for entry in listed.devices]


def _keys(waiting: WaitingRecovery) -> tuple[bytes, bytes, bytes]:
    return waiting.signature_key, waiting.session_key, waiting.account_key


def _read(succession: bytes) -> Succession:
    """Raises ``RefusedError`` ``malformed``."""
    try:
        return Succession.decode(succession)
    except RemoteProtocolError:
        raise RefusedError(ProblemName.MALFORMED) from None


def _read_mailbox(text: str) -> bytes:
    """Raises ``RefusedError`` ``malformed`` NL-474."""
    if _MAILBOX.fullmatch(text) is None:
        raise RefusedError(ProblemName.MALFORMED)  # NL-474
    return bytes.fromhex(text)
