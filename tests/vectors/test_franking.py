from typing import Any

import pytest

from nightlight.errors import VerificationError
from nightlight.protocol import franking
from nightlight.protocol.franking import CIPHERSUITE, FRANKING_LABEL, Frank, FrankedMessage, FrankingAgent
from nightlight.protocol.ids import RoomUri, TimestampMs, UserUri
from nightlight.protocol.signature import sign_content
from tests.support.keys import key_from
from tests.vectors.reading import read

FILE = read("franking")
NEGATIVE = FILE["negative_server_frank"]
ORIGINAL = bytes.fromhex(next(c["cbor"] for c in read("mimi-content")["cases"] if c["name"] == "original"))
ALICE = UserUri("mimi://example.com/u/alice-smith")
BOB = UserUri("mimi://example.com/u/bob-jones")
ROOM = RoomUri("mimi://example.com/r/engineering_team")
ACCEPTED_AT_MS = TimestampMs(1_644_387_225_019)


def chain(name: str) -> bytes:
    (found,) = (value for key, value in FILE["chain"].items() if key.partition(" ")[0] == name)
    return bytes.fromhex(found)


def frank_of(
    *, text: bytes = ORIGINAL, sender: UserUri = ALICE, room: RoomUri = ROOM, at_ms: TimestampMs = ACCEPTED_AT_MS
) -> str:
    ctx = franking.context(sender, room, at_ms)
    return franking.frank_mac(chain("hub_key"), franking.franking_tag(text), ctx).hex()


def test_the_chain_holds_from_content_to_signature() -> None:
    tag = franking.franking_tag(ORIGINAL)
    ctx = franking.context(ALICE, ROOM, ACCEPTED_AT_MS)
    mac = franking.frank_mac(chain("hub_key"), tag, ctx)
    signed = franking.signature_content(mac, CIPHERSUITE, ctx)
    key = key_from(chain("franking_private_key"))
    signature = key.sign(FRANKING_LABEL, signed)
    assert tag == chain("franking_tag")
    assert franking.safe_aad(tag) == chain("authenticated_data")
    assert franking.read_safe_aad(chain("authenticated_data")) == tag
    assert ctx == chain("ServerFrankingContext")
    assert mac == chain("server_frank")
    assert signed == chain("FrankingIntegrityTBS")
    assert sign_content(FRANKING_LABEL, signed) == chain("SignContent")
    assert key.public == chain("franking_signature_key")
    assert signature == chain("franking_integrity_signature")
    assert Frank(mac, CIPHERSUITE, signature).encode() == chain("Frank")


@pytest.mark.parametrize(
    ("name", "mac"),
    [
        ('text edited ("2.0"->"3.0")', frank_of(text=ORIGINAL.replace(b"2.0", b"3.0"))),
        ("timestamp +1 ms", frank_of(at_ms=TimestampMs(ACCEPTED_AT_MS + 1))),
        ("sender bob-jones in context", frank_of(sender=BOB)),
        ("room other_room in context", frank_of(room=RoomUri("mimi://example.com/r/other_room"))),
    ],
)
def test_a_change_of_anything_changes_the_frank(name: str, mac: str) -> None:
    assert mac == NEGATIVE[name]
    assert mac != chain("server_frank").hex()


def test_the_file_has_four_changes() -> None:
    assert len(NEGATIVE) == 4


def received(**changed: Any) -> FrankedMessage:
    message: dict[str, Any] = {
        "application_data": ORIGINAL,
        "tag": chain("franking_tag"),
        "frank": chain("Frank"),
        "sender": ALICE,
        "room": ROOM,
        "accepted_at_ms": ACCEPTED_AT_MS,
    }
    return FrankedMessage(**(message | changed))


def test_a_receiver_believes_the_chain() -> None:
    assert received().verify(chain("franking_signature_key")).sender == ALICE


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"application_data": ORIGINAL.replace(b"2.0", b"3.0")}, "NL-144"),
        ({"accepted_at_ms": ACCEPTED_AT_MS + 1}, "NL-143"),
        ({"sender": BOB}, "NL-143"),
        ({"room": RoomUri("mimi://example.com/r/other_room")}, "NL-143"),
    ],
)
def test_a_receiver_believes_none_of_the_changes(changed: dict[str, Any], check: str) -> None:
    with pytest.raises(VerificationError) as refused:
        received(**changed).verify(chain("franking_signature_key"))
    assert refused.value.check == check


def test_a_day_key_gives_the_room_its_key_and_the_message_its_frank() -> None:
    day = read("day-key")
    room, sender, at_ms = day["room"], day["sender"], day["accepted_at_ms"]
    key = franking.hub_key(bytes.fromhex(day["k_day"]), room)
    ctx = franking.context(sender, room, at_ms)
    frank = Frank.decode(bytes.fromhex(day["frank"]))
    agent = FrankingAgent.decode(bytes.fromhex(day["franking_agent"]))
    assert franking.day_of(at_ms) == day["day"]
    assert key.hex() == day["hub_key"]
    assert frank.mac == franking.frank_mac(key, bytes.fromhex(day["tag"]), ctx)
    assert (agent.key.hex(), agent.hub) == (day["franking_key"], day["hub"])
    franking.verify_frank(frank, agent.key, ctx)
