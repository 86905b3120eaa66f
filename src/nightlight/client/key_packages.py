"""The key packages by which others add this device to rooms: enough of them, none for ever."""

from __future__ import annotations

import hashlib
from functools import partial

import msgspec

from nightlight.client.faults import crash_point
from nightlight.client.groups import Groups
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.protocol.codec import write_vector
from nightlight.protocol.messages import KeyPackageCount, KeyPackageUpload

LIFETIME_S = 30 * 86_400
CLOCK_SKEW_S = 2 * 86_400
"""They are valid from this long ago, so that a friend whose clock is a little behind can add this device too."""
KEPT_LONGER_S = 30 * 86_400
"""One that was claimed on its last day may be in a welcome that arrives a month later."""
RENEWED_EARLIER_S = 7 * 86_400
"""When the newest have less than this left, there are new ones: nobody ever finds only expired ones."""
TOP_UP_AT = 25
"""With fewer than this, or than half of what is wanted, the server gets more."""

_REFERENCE_LABEL = b"MLS 1.0 KeyPackage Reference"
_MESSAGE_HEAD_BYTES = 4
_OFFERED = "offered_key_packages"


def reference(message: bytes) -> bytes:
    """The KeyPackageRef, 32 bytes, of a key package of our own, in its MLSMessage; nothing is verified.

    Source: RFC 9420 section 5.2 "Hash-Based Identifiers".
    """
    return hashlib.sha256(write_vector(_REFERENCE_LABEL) + write_vector(message[_MESSAGE_HEAD_BYTES:])).digest()


class KeyPackages:
    """Makes key packages, and forgets the private parts of those that nobody may use any more."""

    def __init__(self, store: Store, groups: Groups, surroundings: Surroundings) -> None:
        """The device's parts."""
        self._store = store
        self._groups = groups
        self._clock = surroundings.clock
        self._wanted = surroundings.key_packages

    def top_up(self, held: KeyPackageCount) -> KeyPackageUpload | None:
        """What to publish when the server has ``held``; the private parts are durable. None: it has enough.

        The same again until ``settle``: the server may have them, and a repeat changes nothing there.
        """
        offered = self._store.get(_OFFERED)
        if offered is not None:
            return msgspec.msgpack.decode(offered, type=KeyPackageUpload)
        now_s = self._clock() // 1000
        ageing = self._store.last_key_package_ends_s() < now_s + RENEWED_EARLIER_S
        enough = held.remaining >= min(TOP_UP_AT, (self._wanted + 1) // 2)
        if enough and held.has_last_resort and not ageing:
            return None
        missing = self._wanted if ageing else 0 if enough else self._wanted - held.remaining
        with self._groups.transaction():
            member = self._groups.member
            member.forget_key_packages(self._store.take_expired_key_packages(now_s - KEPT_LONGER_S))
            make = partial(member.key_packages, lifetime_s=CLOCK_SKEW_S + LIFETIME_S, now_s=now_s - CLOCK_SKEW_S)
            single = make(missing)
            last = [] if held.has_last_resort and not ageing else make(1, last_resort=True)
            references = [reference(message) for message in [*single, *last]]
            self._store.add_key_packages(references, now_s + LIFETIME_S)
            upload = KeyPackageUpload(single, last[0] if last else None)
            self._store.put(_OFFERED, msgspec.msgpack.encode(upload))
        crash_point("key_packages.after_store")
        return upload

    def settle(self) -> None:
        """The server has what was made last, or will not have it."""
        with self._store.transaction():
            self._store.delete_value(_OFFERED)
