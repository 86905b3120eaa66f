"""The hub's statements about messages, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from nightlight.protocol.franking import (
    CIPHERSUITE,
    FRANKING_LABEL,
    Frank,
    context,
    frank_mac,
    hub_key,
    signature_content,
)
from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri

SignMany = Callable[[str, Sequence[bytes]], list[bytes]]
_HUB_KEYS_MAX = 100_000


class Statement(NamedTuple):
    """What the hub states about one message. ``k_day``: the key of the day of ``accepted_at_ms``."""

    tag: bytes
    sender: UserUri
    room: RoomUri
    accepted_at_ms: TimestampMs
    k_day: bytes


class Franker:
    """Franks messages with one signing call for all of them; keeps the rooms' keys of the day at hand."""

    def __init__(self, sign_many: SignMany) -> None:
        """``sign_many``: of the hub's franking key."""
        self._sign_many = sign_many
        self._hub_keys: dict[tuple[bytes, RoomUri], bytes] = {}

    def frank(self, statements: Sequence[Statement]) -> list[bytes]:
        """A frank of 100 bytes for each statement, in their order."""
        macs: list[bytes] = []
        contents: list[bytes] = []
        for tag, sender, room, accepted_at_ms, k_day in statements:
            ctx = context(sender, room, accepted_at_ms)
            mac = frank_mac(self._hub_key(k_day, room), tag, ctx)
            macs.append(mac)
            contents.append(signature_content(mac, CIPHERSUITE, ctx))
        signatures = self._sign_many(FRANKING_LABEL, contents)
        return [Frank(mac, CIPHERSUITE, signature).encode() for mac, signature in zip(macs, signatures, strict=True)]

    def _hub_key(self, k_day: bytes, room: RoomUri) -> bytes:
        key = self._hub_keys.get((k_day, room))
        if key is None:
            if len(self._hub_keys) >= _HUB_KEYS_MAX:
                self._hub_keys.clear()
            key = self._hub_keys[k_day, room] = hub_key(k_day, room)
        return key
