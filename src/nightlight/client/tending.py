"""What a person's devices see to by themselves: each is in every room of the person, and who is gone in none."""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from nightlight.client.device import Device, Duty
from nightlight.client.hub import Hub
from nightlight.client.records import Intent
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import DeviceUri, RoomUri, UserUri, user_of

STAGGER_MS = 2_000
"""How much longer the next member waits, so that usually one commit is made and not as many as there are members."""
LONGEST_STAGGER_MS = 60_000


class Directory(Protocol):
    """How device lists and key packages are come by, checked: ``Housekeeping``."""

    async def learn_devices(self, device: Device, user: UserUri) -> DeviceList:
        """The newest device list of ``user`` is pinned."""

    async def finish_linking(self, device: Device) -> None:
        """What an earlier ``accept`` has begun is done."""

    async def top_up_key_packages(self, device: Device) -> None:
        """The server has enough key packages of this device."""

    async def claim(self, device: Device, users: list[UserUri], devices: list[DeviceUri] | None = None) -> list[bytes]:
        """A key package of each device that has any."""


class Tending:
    """The chores return in how many seconds they are due again, or None."""

    def __init__(self, store: Store, hub: Hub, directory: Directory, surroundings: Surroundings) -> None:
        """Nothing is done yet."""
        self._store = store
        self._hub = hub
        self._directory = directory
        self._monotonic_ms = surroundings.monotonic_ms
        self._noticed_ms: dict[RoomUri, int] = {}

    async def own_devices(self, device: Device) -> float | None:
        """This person's newest device list is known, and their rooms are tended if there are several devices."""
        await self._directory.finish_linking(device)
        listed = await self._directory.learn_devices(device, device.identity.user)
        if listed.former_keys:
            await self._directory.top_up_key_packages(device)  # those under the former key are gone
        return await self.rooms(device) if len(listed.devices) > 1 or listed.former_keys else None

    async def rooms(self, device: Device) -> float | None:
        """Where it is this device's turn, removed devices go and this person's new ones come."""
        rooms = await self._hub.rooms()
        for user in {user_of(DeviceUri(member.device)) for room in rooms for member in room.members if member.revoked}:
            await self._directory.learn_devices(device, user)
        lost = {
            RoomUri(room.room): [DeviceUri(member.device) for member in room.members if member.lost] for room in rooms
        }
        return await self._tend(device, lost)

    async def departures(self, device: Device) -> float | None:
        """Where somebody has left, and it is this device's turn, their leaves go. The server is not asked."""
        return await self._tend(device, {room: [] for room in device.left_behind()})

    async def _tend(self, device: Device, rooms: dict[RoomUri, list[DeviceUri]]) -> float | None:
        """``rooms``: those to look at, with the devices that cannot go on there."""
        due_ms: list[int] = []
        for room, lost in rooms.items():
            duty = device.duty(room, lost)
            if duty is None:
                self._noticed_ms.pop(room, None)
                continue
            wait_ms = self._wait_ms(room, duty)
            if wait_ms <= 0:
                await self._do(device, room, duty)
            else:
                due_ms.append(wait_ms)
        return min(due_ms) / 1000 if due_ms else None

    def _wait_ms(self, room: RoomUri, duty: Duty) -> int:
        now_ms = self._monotonic_ms()
        noticed_ms = self._noticed_ms.setdefault(room, now_ms)
        return noticed_ms + min(duty.rank * STAGGER_MS, LONGEST_STAGGER_MS) - now_ms

    async def _do(self, device: Device, room: RoomUri, duty: Duty) -> None:
        if duty.owed:
            back = await self._come_back(device, room, duty.owed)
            device.change_room(room, Intent(drop=list(duty.owed), add=back))
        elif duty.moves:
            device.change_room(room, Intent())
        if duty.missing:
            packages = await self._claim(device, device.identity.user, duty.missing)
            if packages:
                device.change_room(room, Intent(add=packages))
        packages = []
        for user in dict.fromkeys(user_of(lost) for lost in duty.lost):
            packages += await self._claim(device, user, [lost for lost in duty.lost if user_of(lost) == user])
        if packages:
            device.change_room(room, Intent(renew=packages))

    async def _come_back(self, device: Device, room: RoomUri, gone: list[DeviceUri]) -> list[bytes]:
        """Key packages of those contacts who have no device left in ``room`` without ``gone``: they recovered.

        In the same commit, they keep their role. Who cannot be added now is out of the room.
        """
        packages: list[bytes] = []
        for user in device.left_without(room, gone):
            with suppress(RefusedError):
                packages += await self._directory.claim(device, [user])
        return packages

    async def _claim(self, device: Device, user: UserUri, wanted: list[DeviceUri]) -> list[bytes]:
        """Those of their key packages that there are; a device that has none wakes us when it has."""
        try:
            return await self._directory.claim(device, [user], wanted)
        except RefusedError as error:
            if error.problem is not ProblemName.NO_KEY_PACKAGE:
                raise
            return []
