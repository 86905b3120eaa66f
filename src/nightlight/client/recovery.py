"""This person's recovery key, from a device that may sign: made, shown once, and used by nobody unnoticed."""

from __future__ import annotations

from collections.abc import Callable

from nightlight.client.device import Device
from nightlight.client.device_links import DeviceLinks
from nightlight.client.hub import Hub
from nightlight.client.recovery_words import recovery_key, to_words
from nightlight.client.surroundings import Surroundings
from nightlight.mls.signing import SigningKey
from nightlight.protocol.ids import DeviceUri
from nightlight.protocol.linking import SEED_BYTES
from nightlight.protocol.messages import PendingRecovery


class Recovery:
    """Every method that asks the server raises as ``Hub`` does."""

    def __init__(self, device: Callable[[], Device], hub: Hub, links: DeviceLinks, surroundings: Surroundings) -> None:
        """``device``: the one that is connected now."""
        self._device = device
        self._hub = hub
        self._links = links
        self._random = surroundings.random

    @property
    def has_key(self) -> bool:
        """Whether this person has made a recovery key, as last heard."""
        device = self._device()
        listed = device.trust.device_list(device.identity.user)
        return listed is not None and bool(listed.recovery_key)

    async def make_key(self) -> str:
        """A new recovery key is this person's, in place of any before: its 24 words, which are kept nowhere.

        Their other devices are told. After ``UnavailableError`` the hub may have a key whose words nobody knows: make
        another. Raises ``RefusedError`` ``not_allowed``: this device may not sign.
        """
        seed = self._random(SEED_BYTES)
        await self._links.set_recovery_key(self._device(), SigningKey.from_seed(seed).public_key)
        return to_words(seed)

    async def remove_device(self, which: DeviceUri, words: str) -> None:
        """The device, which held the account key, is signed out; ``words`` vouch for the next account key.

        Raises ``VerificationError`` NL-134; as ``DeviceLinks.remove``.
        """
        await self._links.remove(self._device(), which, recovery_key(words))

    async def waiting(self) -> PendingRecovery | None:
        """The recovery that somebody with this person's recovery key has begun, if one waits."""
        return (await self._hub.device_list(self._device().identity.user)).recovery

    async def cancel(self) -> None:
        """No recovery waits. Whoever began it has the recovery key: make a new one."""
        await self._hub.cancel_recovery()
