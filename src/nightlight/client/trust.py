"""Whom this device believes: each person's account key and newest device list, and the hub's franking keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from nightlight.client.store import Store
from nightlight.errors import VerificationError
from nightlight.mls.group import KeyPackage
from nightlight.mls.group import Leaf as MlsLeaf
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.credential import DeviceList, Leaf, LeafCredential, SignedDeviceList, verify_leaf
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import TimestampMs, UserUri, user_of
from nightlight.protocol.messages import Directory, UserDevices

Clock = Callable[[], TimestampMs]
_CODE = "code "


@dataclass(frozen=True, slots=True)
class Asked:
    """What the server was asked before some entries are judged: these users' device lists, and the directory."""

    users: frozenset[UserUri] = frozenset()
    directory: bool = False

    def covers(self, lookup: LookUp) -> bool:
        """Whether all of ``lookup`` was asked already."""
        return lookup.users <= self.users and self.directory >= lookup.directory

    def including(self, lookup: LookUp) -> Asked:
        """The same and ``lookup``."""
        return Asked(self.users | lookup.users, self.directory or lookup.directory)


NOTHING_ASKED = Asked()


class LookUp(Exception):  # noqa: N818 - not an error: what to ask the server before trying again
    """Something cannot be judged before the server is asked: these users' device lists, or the directory."""

    def __init__(self, users: frozenset[UserUri] = frozenset(), *, directory: bool = False) -> None:
        """Either may be asked for."""
        super().__init__("ask the server first")
        self.users = users
        self.directory = directory


def _check_key(newest: DeviceList, expected: bytes | None) -> None:
    if expected is not None and newest.account_key != expected:
        raise VerificationError("NL-533", "another account key than that of the contact code")


class Trust:
    """What is pinned in the store. It only ever moves forward."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """The pins in ``store``."""
        self._store = store
        self._clock = clock
        self._lists: dict[UserUri, DeviceList | None] = {}
        self._leaves: dict[tuple[bytes, bytes], Leaf] = {}
        self._directory: Directory | None = None
        self.generation = 0
        """Changes with every list that is pinned."""

    def device_list(self, user: UserUri) -> DeviceList | None:
        """The newest device list known of ``user``."""
        if user not in self._lists:
            self._lists[user] = self._store.pin(user)
        return self._lists[user]

    def learn(self, user: UserUri, devices: UserDevices) -> DeviceList:
        """The device list that the server gave for ``user`` is pinned.

        Raises what ``SignedDeviceList.verify`` does (NL-314 is a new person), and ``VerificationError``: NL-531 when
        it is the list of somebody else, NL-533 when their contact code says another account key.
        """
        if devices.user != user:
            raise VerificationError("NL-531", "the device list of somebody else")
        signed = SignedDeviceList.decode(devices.device_list)
        newest = signed.verify(user, devices.account_key, self._clock(), known=self.device_list(user))
        _check_key(newest, self._store.get(_CODE + user))
        self.pin(newest)
        return newest

    def expect(self, code: ContactCode) -> None:
        """No other account key than that of ``code`` is believed of its user; a later code replaces it.

        Raises ``VerificationError`` NL-533 when another is pinned already.
        """
        known = self.device_list(code.user)
        if known is not None:
            _check_key(known, code.account_key)
        with self._store.transaction():
            self._store.put(_CODE + code.user, code.account_key)

    def pin(self, newest: DeviceList) -> None:
        """``newest``, verified or our own, is pinned."""
        with self._store.transaction():
            self._store.put_pin(newest)
        self._lists[newest.user] = newest
        self.generation += 1
        self._leaves = {key: leaf for key, leaf in self._leaves.items() if leaf.user != newest.user}

    def learn_directory(self, directory: Directory) -> None:
        """The franking keys that rooms may name are pinned."""
        with self._store.transaction():
            self._store.put("directory", msgspec.msgpack.encode(directory))
        self._directory = directory

    def check_leaf(self, leaf: MlsLeaf | KeyPackage) -> Leaf:
        """The device that this leaf is, or will be, on the newest list we know.

        Raises ``LookUp`` when that list may be too old, ``RemoteProtocolError`` and ``VerificationError`` as
        ``credential.verify_leaf``.
        """
        key = (leaf.credential, leaf.signature_key)
        known = self._leaves.get(key)
        if known is None:
            credential = LeafCredential.decode(leaf.credential)
            user = user_of(credential.device)
            newest = self.device_list(user)
            if newest is None or credential.list_version > newest.version:
                raise LookUp(frozenset({user}))
            known = self._leaves[key] = verify_leaf(leaf.credential, leaf.signature_key, newest)
        return known

    def directory(self) -> Directory:
        """The hub's directory as last seen. Raises ``LookUp``."""
        if self._directory is None:
            stored = self._store.get("directory")
            if stored is None:
                raise LookUp(directory=True)
            self._directory = msgspec.msgpack.decode(stored, type=Directory)
        return self._directory

    def check_agent(self, agent: FrankingAgent, *, asked: bool) -> None:
        """The hub's directory has this franking agent. ``asked``: the directory is fresh.

        Raises ``LookUp``; ``VerificationError`` NL-521.
        """
        directory = self.directory()
        if agent.hub == directory.hub and agent.key in directory.franking_keys:
            return
        if not asked:
            raise LookUp(directory=True)
        raise VerificationError("NL-521", "a franking key that is not in the hub's directory")
