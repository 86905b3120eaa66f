"""What a device settles with the server over HTTP: contacts, key packages, device lists, rooms it began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from nightlight.client.device import Device
from nightlight.client.device_links import DeviceLinks
from nightlight.client.events import ContactChanged, NoticeKind
from nightlight.client.hub import Hub
from nightlight.client.identity import renewed
from nightlight.client.inbox import HUB
from nightlight.client.key_packages import KeyPackages
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.tending import Tending
from nightlight.client.trust import LookUp
from nightlight.errors import (
    LocalProtocolError,
    ProblemName,
    RefusedError,
    RemoteProtocolError,
    UnavailableError,
    VerificationError,
)
from nightlight.mls.group import Disposition, MlsError, disposition, read_key_package
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import DeviceUri, HubUri, RoomUri, TimestampMs, UserUri
from nightlight.protocol.messages import ClaimedKeyPackages, Contact, KeyPackageCount, PendingRecovery, UserDevices

LOST_AGAIN_MS = 3_600_000
DIRECTORY_DAY_MS = 86_400_000
"""How long the directory is taken as read; a key that is not in it is asked about at once."""


class Housekeeping:
    """Every chore may be done at any time, any number of times. All raise as ``Hub`` does."""

    def __init__(self, store: Store, hub: Hub, surroundings: Surroundings, wake: Callable[[], None]) -> None:
        """Nothing is done yet. ``wake``: the device has something to tell, whether or not the network has."""
        self._wake = wake
        self._store = store
        self._hub = hub
        self._surroundings = surroundings
        self._one_at_a_time = asyncio.Lock()
        self._directory_read_ms: int | None = None
        self._asking_for_contacts = asyncio.Lock()
        self.links = DeviceLinks(store, hub, self, surroundings)
        self._tending = Tending(store, hub, self, surroundings)
        self._chores: dict[str, Callable[[Device], Awaitable[object]]] = {
            "contacts": self.refresh_contacts,
            "departures": self._tending.departures,
            "devices": self._tending.own_devices,
            "key_packages": self.top_up_key_packages,
            "lost": self._tell_of_lost_rooms,
            "rooms": self._tending.rooms,
            "everything_else": self._everything_else,
        }

    async def do(self, what: str, device: Device) -> float | None:
        """The chore named ``what`` is done; one that we do not know is none. In how many seconds it is due again."""
        chore = self._chores.get(what)
        if chore is None:
            return None
        async with self._one_at_a_time:
            again_s = await chore(device)
        return again_s if isinstance(again_s, float) else None

    async def _everything_else(self, device: Device) -> None:
        with self._store.transaction():
            self._store.purge_evidence(self._surroundings.clock())
        age_ms = self._surroundings.monotonic_ms() - (self._directory_read_ms or -DIRECTORY_DAY_MS)
        if age_ms >= DIRECTORY_DAY_MS:
            await self.refresh_directory(device)
        await self._renew_device_list(device)
        for room in device.created_rooms():
            await self.announce_room(device, room)

    # --- people

    async def refresh_contacts(self, device: Device) -> list[Contact]:
        """The contacts are what the server says, and the application hears of what has changed."""
        async with self._asking_for_contacts:  # so that no answer is older than the one before it
            contacts = await self._hub.contacts()
        before = {contact.user: contact.state for contact in self._store.contacts()}
        after = {contact.user: contact.state for contact in contacts}
        if before != after:
            with self._store.transaction():
                self._store.put_contacts(contacts)
            for user in sorted(before.keys() | after.keys()):
                if before.get(user) != after.get(user):
                    device.events.append(ContactChanged(UserUri(user), after.get(user)))
        for contact in contacts:
            known = device.trust.device_list(UserUri(contact.user))
            if known is not None and contact.successions > len(known.former_keys):
                with suppress(VerificationError, RemoteProtocolError, RefusedError):  # recorded where it was found
                    await self.learn_devices(device, known.user)
        return contacts

    async def learn_devices(self, device: Device, user: UserUri, *, fresh: bool = True) -> DeviceList:
        """The newest device list of ``user`` is pinned. Raises ``VerificationError``, having recorded the fault.

        ``fresh``: as for ``Trust.learn``; needless to judge what others have done already, since a clock that is wrong
        here would then end rooms that are in order.
        """
        return self._pin(device, user, await self._hub.device_list(user), fresh=fresh)

    async def finish_linking(self, device: Device) -> None:
        """As ``DeviceLinks.finish``."""
        await self.links.finish(device)

    def _pin(self, device: Device, user: UserUri, devices: UserDevices, *, fresh: bool = True) -> DeviceList:
        try:
            listed = device.trust.learn(user, devices, fresh=fresh)
            if user == device.identity.user:
                device.follow_account_key(listed, devices.credential)
                self._tell_of(device, devices.recovery)
        except (RemoteProtocolError, VerificationError) as error:
            self._record_fault(device, error.check, user)
            raise
        finally:
            if device.trust.news:
                self._wake()
        return listed

    @staticmethod
    def _tell_of(device: Device, recovery: PendingRecovery | None) -> None:
        if recovery is not None:
            until_ms = TimestampMs(recovery.ready_at_ms)
            device.trust.notice(NoticeKind.RECOVERY_WAITS, device.identity.user, recovery.device, until_ms)

    def _record_fault(self, device: Device, check: str, culprit: str) -> None:
        device.record_fault(None, check, culprit)
        self._wake()

    async def refresh_directory(self, device: Device) -> None:
        """The hub's franking keys are pinned."""
        self._directory_read_ms = self._surroundings.monotonic_ms()
        directory = await self._hub.directory()
        device.trust.learn_directory(directory)

    async def franking_agent(self, device: Device) -> FrankingAgent:
        """Who franks in a new room."""
        try:
            directory = device.trust.directory()
        except LookUp:
            await self.refresh_directory(device)
            directory = device.trust.directory()
        return FrankingAgent(directory.franking_keys[0], HubUri(directory.hub))

    async def _renew_device_list(self, device: Device) -> None:
        identity = device.identity
        listed = device.trust.device_list(identity.user)
        if listed is None:
            raise LocalProtocolError("a device without its own device list")
        following = renewed(identity, listed, self._surroundings.clock())
        if following is None:
            return
        newest, signed = following
        try:
            await self._hub.publish_device_list(signed)
        except RefusedError:
            await self.learn_devices(
                device, identity.user
            )  # an earlier answer was lost: the hub has a newer one of ours
        else:
            device.trust.pin(newest)

    # --- rooms

    async def top_up_key_packages(self, device: Device) -> None:
        """The server has enough key packages of this device."""
        await self.publish_key_packages(device, await self._hub.count_key_packages())

    async def publish_key_packages(self, device: Device, held: KeyPackageCount) -> None:
        """The server, which has ``held``, has enough key packages of this device."""
        packages = KeyPackages(self._store, device.groups, self._surroundings)
        upload = packages.top_up(held)
        if upload is None:
            return
        try:
            await self._hub.publish_key_packages(upload)
        except RefusedError:
            packages.settle()
            raise
        packages.settle()

    async def _tell_of_lost_rooms(self, device: Device) -> float | None:
        """The others in rooms that cannot go on here know; of one room they hear once an hour at most."""
        del device
        due_ms: list[int] = []
        for lost, told_at_ms in self._store.lost_untold():
            now_ms = self._surroundings.clock()
            if told_at_ms is not None and told_at_ms <= now_ms < told_at_ms + LOST_AGAIN_MS:
                due_ms.append(told_at_ms + LOST_AGAIN_MS - now_ms)
                continue
            try:
                await self._hub.say_unusable(lost)
            except RefusedError:  # the hub showed us what it does not have; the others can still help
                with suppress(RefusedError):
                    await self._hub.say_unusable(replace(lost, digest=None))
            with self._store.transaction():
                self._store.lost_told(lost, now_ms)
        return min(due_ms) / 1000 if due_ms else None

    async def announce_room(self, device: Device, room: RoomUri) -> None:
        """The hub knows a room that was created here; or it will not have it, and this device has left it."""
        try:
            await self._hub.create_room(room, device.group_info(room))
        except RefusedError as error:
            if error.problem is ProblemName.UNAUTHENTICATED:
                raise UnavailableError("the server does not know who this is") from error
            if error.problem is not ProblemName.CONFLICT or not await self._is_mine(room):
                device.room_refused(room)
                raise
        device.room_announced(room)

    async def _is_mine(self, room: RoomUri) -> bool:
        """Whether the hub has the room from us already: its answer was lost."""
        try:
            await self._hub.room(room)
        except RefusedError as error:
            if error.problem is not ProblemName.NOT_FOUND:
                raise UnavailableError("the server does not tell whose room it is") from error
            return False
        return True

    async def claim(
        self, device: Device, users: Sequence[UserUri], devices: Sequence[DeviceUri] | None = None
    ) -> list[bytes]:
        """A key package of each device of ``users`` that has any, or of ``devices`` alone, each of them checked.

        Raises ``VerificationError`` as ``learn_devices``, and NL-322 and NL-532, having recorded the fault.
        """
        packages: list[bytes] = []
        for user in users:
            claimed = await self._hub.claim_key_packages(user, None if devices is None else list(devices))
            listed = self._pin(device, user, claimed.devices)
            try:
                self._check_claimed(device, claimed, listed)
            except (MlsError, RemoteProtocolError, VerificationError) as error:
                if isinstance(error, MlsError) and disposition(error) is Disposition.CLOCK:
                    raise UnavailableError("this machine's clock is wrong") from error
                self._record_fault(device, error.check, HUB)
                if isinstance(error, MlsError):
                    raise VerificationError(error.check, error.reason) from error
                raise
            except LookUp:  # it gave the list together with the key packages
                self._record_fault(device, "NL-322", HUB)
                raise VerificationError("NL-322", "key packages under a newer device list than the one told") from None
            packages += claimed.key_packages
        return packages

    def _check_claimed(self, device: Device, claimed: ClaimedKeyPackages, listed: DeviceList) -> None:
        packages = [read_key_package(message) for message in claimed.key_packages]
        leaves = [device.trust.check_leaf(package) for package in packages]
        claimed_for = {leaf.device for leaf in leaves if leaf.listed and leaf.user == listed.user}
        if not packages or len(claimed_for) != len(packages):
            raise VerificationError("NL-532", "no key package, or one of no device on the list, or of one again")
