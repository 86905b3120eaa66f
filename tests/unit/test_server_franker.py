"""The hub's statements, many at a time, are those that each message alone would get."""

import os
from collections.abc import Sequence

import pytest

from nightlight.errors import VerificationError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.franking import Frank, context, frank_mac, hub_key, verify_frank
from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri
from nightlight.server.domain.franker import Franker, Statement

MIRA = UserUri("mimi://ring.example/u/mira")


def statement(number: int, k_day: bytes) -> Statement:
    """About a message in one of three rooms."""
    room = RoomUri(f"mimi://ring.example/r/room{number % 3}")
    return Statement(os.urandom(32), MIRA, room, TimestampMs(1_000 + number), k_day)


def test_every_message_gets_its_own_frank_by_one_call() -> None:
    key = SigningKey.generate()
    calls: list[int] = []

    def sign_many(label: str, contents: Sequence[bytes]) -> list[bytes]:
        calls.append(len(contents))
        return key.sign_many_with_label(label, contents)

    franker = Franker(sign_many)
    statements = [statement(number, bytes([day]) * 32) for day in range(2) for number in range(5)]
    franks = [Frank.decode(frank) for frank in franker.frank(statements)]
    assert calls == [10]
    for (tag, sender, room, at_ms, k_day), frank in zip(statements, franks, strict=True):
        ctx = context(sender, room, at_ms)
        assert frank.mac == frank_mac(hub_key(k_day, room), tag, ctx)
        verify_frank(frank, key.public_key, ctx)
        with pytest.raises(VerificationError):
            verify_frank(frank, key.public_key, context(sender, room, TimestampMs(at_ms + 1)))


def test_nothing_to_frank_is_nothing() -> None:
    assert Franker(SigningKey.generate().sign_many_with_label).frank([]) == []
