"""Writes received.json: messages as a receiver decrypts them, those that are shown and those that are faults."""

from dataclasses import replace
from typing import Any

from nightlight.protocol import content, franking
from nightlight.protocol.codec import u16
from nightlight.protocol.franking import CIPHERSUITE, FRANKING_LABEL, Frank, FrankedMessage
from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri
from tests.support.keys import TestKey, key_from
from tests.vectors.writing import write

BEN = UserUri("mimi://gallery.example/u/ben")
CLEO = UserUri("mimi://ring.example/u/cleo")
HARBOUR = RoomUri("mimi://courier.example/r/harbour")
MEADOW = RoomUri("mimi://courier.example/r/meadow")
AT_MS = TimestampMs(1_900_000_000_000)
SALT = bytes(range(16))
HUB_KEY = bytes(range(32))
HUB, STRANGER = key_from(bytes([5]) * 32), key_from(bytes([6]) * 32)
HELLO = content.encode(content.text_message(SALT, BEN, HARBOUR, "hello"))


def received(data: bytes, *, sender: UserUri = BEN, room: RoomUri = HARBOUR, key: TestKey = HUB) -> FrankedMessage:
    """``data``, tagged by its sender and franked by ``key``."""
    tag = franking.franking_tag(data)
    ctx = franking.context(sender, room, AT_MS)
    mac = franking.frank_mac(HUB_KEY, tag, ctx)
    signature = key.sign(FRANKING_LABEL, franking.signature_content(mac, CIPHERSUITE, ctx))
    return FrankedMessage(data, tag, Frank(mac, CIPHERSUITE, signature).encode(), sender, room, AT_MS)


GOOD = received(HELLO)

MESSAGES: dict[str, tuple[FrankedMessage, str | None]] = {
    "hello": (GOOD, None),
    "one letter changed": (replace(GOOD, application_data=HELLO.replace(b"hello", b"jello")), "NL-144"),
    "a tag of another message": (replace(GOOD, tag=bytes(32)), "NL-144"),
    "another salt": (replace(GOOD, application_data=HELLO.replace(SALT, bytes(16))), "NL-144"),
    "one millisecond earlier": (replace(GOOD, accepted_at_ms=TimestampMs(AT_MS - 1)), "NL-143"),
    "another room": (replace(GOOD, room=MEADOW), "NL-143"),
    "another sender": (replace(GOOD, sender=CLEO), "NL-143"),
    "another hub's key": (received(HELLO, key=STRANGER), "NL-143"),
    "a frank of another message": (
        replace(
            GOOD, frank=received(content.encode(content.text_message(SALT, CLEO, HARBOUR, "hi")), sender=CLEO).frank
        ),
        "NL-143",
    ),
    "a suite that is not ours": (replace(GOOD, frank=GOOD.frank[:32] + u16(2) + GOOD.frank[34:]), "NL-141"),
    "half a frank": (replace(GOOD, frank=GOOD.frank[:50]), "NL-101"),
    "no frank": (replace(GOOD, frank=b""), "NL-101"),
    "sent again by another member": (received(HELLO, sender=CLEO), "NL-145"),
    "sent again in another room": (received(HELLO, room=MEADOW), "NL-146"),
    "broken CBOR, well franked": (received(HELLO[:-1]), "NL-110"),
    "CBOR in another order, well franked": (received(HELLO.replace(b"\x02\x78\x20", b"\x02\x79\x00\x20")), "NL-111"),
    "text that is not UTF-8, well franked": (received(HELLO.replace(b"hello", b"hell\xff")), "NL-128"),
    "no sender in it, well franked": (received(HELLO.replace(b"\xa2\x01", b"\xa2\x00")), "NL-125"),
    "an empty message": (replace(GOOD, application_data=b""), "NL-120"),
}


def vector() -> dict[str, Any]:
    """All of received.json."""
    return {
        "source": "made by generate_received.py after docs/protocol.md, Franking",
        "franking_key": HUB.public,
        "messages": [
            {
                "name": name,
                "application_data": message.application_data,
                "tag": message.tag,
                "frank": message.frank,
                "sender": message.sender,
                "room": message.room,
                "accepted_at_ms": message.accepted_at_ms,
                "check": check,
            }
            for name, (message, check) in MESSAGES.items()
        ],
    }


if __name__ == "__main__":
    write("received", vector())
