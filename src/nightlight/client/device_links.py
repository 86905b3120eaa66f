"""This person's devices, from one that may sign: taking another in, removing one, and with it the account key."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from nightlight.client.device import Device
from nightlight.client.faults import crash_point
from nightlight.client.hub import Hub
from nightlight.client.identity import account_key, changed
from nightlight.client.linking import TakingIn, take_in, taken_in, taking_in
from nightlight.client.records import KeyReplacement
from nightlight.client.replacing import replace_key, replaced, replacing, vouch
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.credential import DeviceList
from nightlight.protocol.ids import DeviceUri, UserUri, device_uri
from nightlight.protocol.linking import SEED_BYTES, LinkCode
from nightlight.protocol.succession import Succession

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
        self._random = surroundings.random
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
        record = replacing(self._store)
        if record is not None:
            with suppress(RefusedError, VerificationError):  # given up
                await self._replace(device, record)
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

    async def remove(self, device: Device, which: DeviceUri, recovery: SigningKey | None = None) -> None:
        """``which``, another device of this person, is signed out and leaves every room.

        If it held the account key, that is replaced; ``recovery`` vouches for the new one, where there is a recovery
        key. Raises ``RefusedError`` ``not_allowed``: this very device, or by one that may not sign, or ``recovery`` is
        not the person's.
        """
        account_key(device.identity)
        if which == device.identity.device:
            raise RefusedError(ProblemName.NOT_ALLOWED)
        async with self._one_at_a_time:
            await self._finish(device)
            for _ in range(_TRIES):
                listed = await self._own_list(device)
                entry = listed.device(which)
                if entry is None:
                    return
                if entry.may_sign:
                    await self._replace(device, self._begin_replacing(device, listed, which, recovery))
                    return
                others = [other for other in listed.devices if other.uri != which]
                if await self._update(device, changed(device.identity, listed, others, self._clock())[0]):
                    return
            raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    async def set_recovery_key(self, device: Device, public_key: bytes) -> None:
        """The person's recovery key is this one: Ed25519, 32 bytes. Raises ``RefusedError`` ``not_allowed``."""
        account_key(device.identity)
        async with self._one_at_a_time:
            await self._finish(device)
            for _ in range(_TRIES):
                listed = await self._own_list(device)
                following, _ = changed(device.identity, listed, listed.devices, self._clock())
                if await self._update(device, replace(following, recovery_key=public_key)):
                    return
            raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    async def _update(self, device: Device, following: DeviceList) -> bool:
        """The newest list is ``following``; False where another of this person's devices was faster."""
        signed = following.sign(account_key(device.identity).sign_with_label).encode()
        try:
            await self._hub.publish_device_list(signed)
        except RefusedError as error:
            if error.problem is not ProblemName.STALE_DEVICE_LIST:
                raise
            return False
        device.trust.pin(following)
        return True

    # --- replacing the account key

    def _begin_replacing(
        self, device: Device, listed: DeviceList, which: DeviceUri, recovery: SigningKey | None
    ) -> KeyReplacement:
        seed = self._random(SEED_BYTES)
        succession = vouch(device.identity, listed, seed, recovery)
        return replace_key(self._store, device.identity, listed, [which], seed, succession, self._clock())

    async def _replace(self, device: Device, record: KeyReplacement) -> None:
        """The account key is replaced, or that is given up and this raises; either way nothing is under way."""
        crash_point("replace.after_store")
        try:
            await self._insist_on_key(device, record)
        except (RefusedError, VerificationError):
            with self._store.transaction():
                replaced(self._store)
            raise

    async def _insist_on_key(self, device: Device, record: KeyReplacement) -> None:
        """``record`` is what the hub has: made anew while this person's other devices change the list too."""
        for _ in range(_TRIES):
            try:
                await self._hub.publish_account_key(record.device_list, record.change)
            except RefusedError as error:
                if error.problem is not ProblemName.STALE_DEVICE_LIST:
                    raise
            else:
                crash_point("replace.after_publish")
                device.take_account_key(record)
                return
            listed = await self._own_list(device)
            succession = Succession.decode(record.change.succession)
            identity, now_ms = device.identity, self._clock()
            record = replace_key(self._store, identity, listed, record.removed, record.account_seed, succession, now_ms)
        raise RefusedError(ProblemName.STALE_DEVICE_LIST)

    async def _own_list(self, device: Device) -> DeviceList:
        return await self._directory.learn_devices(device, device.identity.user)
