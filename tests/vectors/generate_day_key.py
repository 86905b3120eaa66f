"""Writes day-key.json: how a day key franks one message, and the room's franking agent."""

from typing import Any

from nightlight.protocol import franking
from nightlight.protocol.franking import CIPHERSUITE, FRANKING_LABEL, Frank, FrankingAgent
from nightlight.protocol.ids import HubUri, RoomUri, TimestampMs, UserUri
from tests.support.keys import key_from
from tests.vectors.writing import write

SENDER = UserUri("mimi://gallery.example/u/ben")
ROOM = RoomUri("mimi://courier.example/r/harbour")
HUB = HubUri("mimi://hub.example")
ACCEPTED_AT_MS = TimestampMs(1_900_000_000_000)
DAY_KEY = bytes(range(32))
TAG = bytes(range(32, 64))
KEY = key_from(bytes([5]) * 32)


def vector() -> dict[str, Any]:
    """All of day-key.json."""
    key = franking.hub_key(DAY_KEY, ROOM)
    ctx = franking.context(SENDER, ROOM, ACCEPTED_AT_MS)
    mac = franking.frank_mac(key, TAG, ctx)
    signature = KEY.sign(FRANKING_LABEL, franking.signature_content(mac, CIPHERSUITE, ctx))
    return {
        "source": "made by generate_day_key.py after docs/protocol.md, Franking; not IETF vectors",
        "franking_seed": KEY.seed,
        "franking_key": KEY.public,
        "hub": HUB,
        "franking_agent": FrankingAgent(KEY.public, HUB).encode(),
        "sender": SENDER,
        "room": ROOM,
        "accepted_at_ms": ACCEPTED_AT_MS,
        "day": franking.day_of(ACCEPTED_AT_MS),
        "k_day": DAY_KEY,
        "hub_key": key,
        "tag": TAG,
        "context": ctx,
        "mac": mac,
        "frank": Frank(mac, CIPHERSUITE, signature).encode(),
    }


if __name__ == "__main__":
    write("day-key", vector())
