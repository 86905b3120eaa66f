"""Whom this device believes: each person's account key and newest device list, and the hub's franking keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from nightlight.client.events import Notice, NoticeKind
from nightlight.client.store import Store
from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.mls.group import KeyPackage
from nightlight.mls.group import Leaf as MlsLeaf
from nightlight.protocol.contact_code import ContactCode
from nightlight.protocol.credential import DeviceList, Leaf, LeafCredential, verify_leaf
from nightlight.protocol.franking import FrankingAgent
from nightlight.protocol.ids import TimestampMs, UserUri, user_of
from nightlight.protocol.messages import Directory, UserDevices
from nightlight.protocol.succession import follow_account

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
    if expected is not None and expected not in {newest.account_key, *newest.former_keys}:
        raise VerificationError("NL-533", "another account key than that of the contact code")


class Trust:
    """What is pinned in the store. It only ever moves forward."""

    def __init__(self, store: Store, clock: Clock) -> None:
        """The pins in ``store``."""
        self._store = store
        self._me = store.identity().user
        self._clock = clock
        self._lists: dict[UserUri, DeviceList | None] = {}
        self._leaves: dict[tuple[bytes, bytes], Leaf] = {}
        self._directory: Directory | None = None
        self.generation = 0
        """Changes with every list that is pinned."""
        self.news: list[Notice] = []
        """What has been kept for the person to see, and not been told to the application yet."""

    def device_list(self, user: UserUri) -> DeviceList | None:
        """The newest device list known of ``user``."""
        if user not in self._lists:
            self._lists[user] = self._store.pin(user)
        return self._lists[user]

    def learn(self, user: UserUri, devices: UserDevices, *, fresh: bool) -> DeviceList:
        """The device list that the server gave for ``user`` is pinned, and the person told if it is under another key.

        ``fresh``: it must hold now, by this machine's clock.

        Raises what ``follow_account`` does (of a new person, who can be accepted anew from then on), and
        ``VerificationError``: NL-531 when
        it is the list of somebody else, NL-533 when their contact code says another account key.
        """
        if devices.user != user:
            raise VerificationError("NL-531", "the device list of somebody else")
        known = self.device_list(user)
        try:
            followed = follow_account(devices, self._clock() if fresh else None, known)
        except (RemoteProtocolError, VerificationError):
            if known is not None and known.account_key != devices.account_key:
                self._meet(user, devices)
            raise
        newest = followed.newest
        _check_key(newest, self._store.get(_CODE + user))
        with self._store.transaction():
            self._store.acquaintances.forget_stranger(user)
            self._pin(newest)
            for succession in followed.successions if known is not None else ():
                kind = NoticeKind.RECOVERED if succession.recovered else NoticeKind.KEY_REPLACED
                self._notice(kind, user, succession.account_key.hex())
            if known is not None and user == self._me and newest.recovery_key != known.recovery_key:
                self._notice(NoticeKind.RECOVERY_KEY_CHANGED, user, newest.recovery_key.hex())
        return newest

    def _meet(self, user: UserUri, devices: UserDevices) -> None:
        """Somebody who says that they are ``user``, under a key that nobody vouches for, can be accepted anew."""
        unvouched = msgspec.structs.replace(devices, successions=[])
        follow_account(unvouched, self._clock(), None)
        with self._store.transaction():
            self._store.acquaintances.meet(user, unvouched)
            self._notice(NoticeKind.NEW_PERSON, user, devices.account_key.hex())

    def accept_anew(self, user: UserUri) -> DeviceList | None:
        """Whoever is ``user`` now is believed; what was compared or handed over before counts for nothing.

        None where nobody waits to be. Raises as ``SignedDeviceList.verify``.
        """
        devices = self._store.acquaintances.stranger(user)
        if devices is None:
            return None
        newest = follow_account(devices, self._clock(), None).newest
        with self._store.transaction():
            self._store.acquaintances.forget_stranger(user)
            self._store.delete_value(_CODE + user)
            self._pin(newest)
        return newest

    def notice(self, kind: NoticeKind, user: UserUri, about: str, until_ms: TimestampMs | None = None) -> None:
        """The person is told, once for each ``about``."""
        with self._store.transaction():
            self._notice(kind, user, about, until_ms)

    def _notice(self, kind: NoticeKind, user: UserUri, about: str, until_ms: TimestampMs | None = None) -> None:
        notice = Notice(kind, user, about, self._clock(), until_ms)
        if self._store.notices.add(notice):
            self.news.append(notice)

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
            self._pin(newest)

    def _pin(self, newest: DeviceList) -> None:
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
