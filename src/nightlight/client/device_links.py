"""This person's devices, from one that may sign: taking another in, and removing one."""

from __future__ import annotations

import asyncio
from typing import Protocol

from nightlight.client.device import Device
from nightlight.client.faults import crash_point
from nightlight.client.hub import Hub
from nightlight.client.identity import account_key, changed
from nightlight.client.linking import TakingIn, take_in, taken_in, taking_in
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import DeviceUri, UserUri, device_uri
from nightlight.protocol.linking import LinkCode

_TRIES = 5
"""Another device of the same person may change the list at the same moment, and again."""


class Directory(Protocol):
    """How a device list is come by, checked: ``Housekeeping``."""

    async def learn_devices(self, device: Device, user: UserUri) -> DeviceList:
        """The newest device list of ``user`` is pinned."""


class DeviceLinks:
    """One change at a time. Every method raises as ``Hub`` does."""

    def __init__(self, store: Store, hub: Hub, directory: Directory, surroundings: Surroundings) -> None:
        """Nothing is done yet."""
        self._store = store
        self._hub = hub
        self._directory = directory
        self._clock = surroundings.clock
        self._one_at_a_time = asyncio.Lock()

    async def accept(self, device: Device, code: LinkCode, *, may_sign: bool) -> DeviceUri:
        """The device that shows ``code`` is this person's, and has been told.

        After ``UnavailableError`` it may be so, and otherwise is as soon as the server answers. Raises ``RefusedError``
        ``not_allowed`` (this device may not sign); ``VerificationError`` NL-352.
        """
        async with self._one_at_a_time:
            await self._finish(device)
            listed = await self._own_list(device)
            linked = device_uri(device.identity.user, code.name)
            if listed.device(linked) is not None:
                return linked
            taking = take_in(self._store, device.identity, listed, code, self._clock(), may_sign=may_sign)
            crash_point("link.after_store")
            return await self._publish(device, taking)

    async def finish(self, device: Device) -> None:
        """What an earlier ``accept`` has begun is done, or given up because its code has expired."""
        async with self._one_at_a_time:
            await self._finish(device)

    async def _finish(self, device: Device) -> None:
        taking = taking_in(self._store, device.identity)
        if taking is None:
            return
        try:
            await self._publish(device, taking)
        except (RefusedError, VerificationError):
            return  # given up

    async def _publish(self, device: Device, taking: TakingIn) -> DeviceUri:
        """The device is on the newest list, or it is given up and this raises; either way nothing is under way."""
        try:
            await self._insist(device, taking)
        except (RefusedError, VerificationError):
            self._over()
            raise
        self._over()
        return taking.device

    def _over(self) -> None:
        with self._store.transaction():
            taken_in(self._store)

    async def _insist(self, device: Device, taking: TakingIn) -> None:
        """``taking`` is on the newest list: made anew while this person's other devices change that too."""
        for _ in range(_TRIES):
            try:
                await self._hub.publish_device_list(taking.record.device_list, taking.link)
            except RefusedError as error:
                if error.problem is not ProblemName.STALE_DEVICE_LIST:
                    raise
            crash_point("link.after_publish")
            listed = await self._own_list(device)
            if listed.device(taking.device) is not None:
                return
            again = taking.record.may_sign
            taking = take_in(self._store, device.identity, listed, taking.code, self._clock(), may_sign=again)
        raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    async def remove(self, device: Device, which: DeviceUri) -> None:
        """``which``, another device of this person, is signed out and leaves every room.

        Raises ``RefusedError`` ``not_allowed``: this very device, or by one that may not sign.
        """
        account_key(device.identity)
        if which == device.identity.device:
            raise RefusedError(ProblemName.NOT_ALLOWED)
        async with self._one_at_a_time:
            await self._finish(device)
            for _ in range(_TRIES):
                listed = await self._own_list(device)
                if listed.device(which) is None:
                    return
                others = [other for other in listed.devices if other.uri != which]
                _, signed = changed(device.identity, listed, others, self._clock())
                try:
                    await self._hub.publish_device_list(signed)
                except RefusedError as error:
                    if error.problem is not ProblemName.STALE_DEVICE_LIST:
                        raise
                else:
                    await self._own_list(device)
                    return
            raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    async def _own_list(self, device: Device) -> DeviceList:
        return await self._directory.learn_devices(device, device.identity.user)
