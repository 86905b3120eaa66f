import dataclasses
from typing import Any

import pytest

from nightlight.errors import LocalProtocolError, RemoteProtocolError, VerificationError
from nightlight.protocol import content, franking
from nightlight.protocol.franking import CIPHERSUITE, FRANKING_LABEL, Frank, FrankedMessage, FrankingAgent
from nightlight.protocol.ids import HubUri, RoomUri, TimestampMs, UserUri
from tests.support.keys import TestKey, key_from

ADA = UserUri("mimi://courier.example/u/ada")
BEN = UserUri("mimi://gallery.example/u/ben")
ROOM = RoomUri("mimi://courier.example/r/harbour")
OTHER_ROOM = RoomUri("mimi://courier.example/r/lighthouse")
AT_MS = TimestampMs(1_900_000_000_000)
HUB = HubUri("mimi://hub.example")
DAY_KEY = bytes(32)
KEY = key_from(bytes([9]) * 32)


def sealed(sender: UserUri = ADA, room: RoomUri = ROOM, text: str = "hello") -> bytes:
    return content.encode(content.text_message(bytes(range(16)), sender, room, text))


def frank_for(data: bytes, *, key: TestKey = KEY, sender: UserUri = ADA, room: RoomUri = ROOM) -> bytes:
    ctx = franking.context(sender, room, AT_MS)
    mac = franking.frank_mac(franking.hub_key(DAY_KEY, room), franking.franking_tag(data), ctx)
    return Frank(mac, CIPHERSUITE, key.sign(FRANKING_LABEL, franking.signature_content(mac, CIPHERSUITE, ctx))).encode()


def message(data: bytes) -> FrankedMessage:
    return FrankedMessage(data, franking.franking_tag(data), frank_for(data), ADA, ROOM, AT_MS)


def test_a_message_whose_frank_holds_is_believed() -> None:
    assert message(sealed()).verify(KEY.public) == content.decode(sealed())


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"frank": frank_for(sealed(), key=key_from(bytes([8]) * 32))}, "NL-143"),
        ({"frank": frank_for(sealed(), sender=BEN)}, "NL-143"),
        ({"frank": frank_for(sealed(), room=OTHER_ROOM)}, "NL-143"),
        ({"accepted_at_ms": AT_MS - 1}, "NL-143"),
        ({"tag": bytes(32)}, "NL-144"),
        ({"application_data": sealed(text="other words")}, "NL-144"),
    ],
)
def test_a_message_whose_frank_or_tag_does_not_hold_is_not_believed(changed: dict[str, Any], check: str) -> None:
    with pytest.raises(VerificationError) as error:
        dataclasses.replace(message(sealed()), **changed).verify(KEY.public)
    assert error.value.check == check


def test_nobody_sends_in_another_s_name() -> None:
    with pytest.raises(VerificationError) as error:
        message(sealed(sender=BEN)).verify(KEY.public)
    assert error.value.check == "NL-145"


def test_a_message_for_one_room_is_none_in_another() -> None:
    with pytest.raises(VerificationError) as error:
        message(sealed(room=OTHER_ROOM)).verify(KEY.public)
    assert error.value.check == "NL-146"


@pytest.mark.parametrize("key", [b"", bytes(31), b"\xff" * 32])
def test_a_key_that_is_none_verifies_nothing(key: bytes) -> None:
    with pytest.raises(VerificationError):
        message(sealed()).verify(key)


def test_sender_and_room_cannot_lend_each_other_letters() -> None:
    shifted = franking.context(UserUri(ADA + "m"), RoomUri(ROOM[1:]), AT_MS)
    assert shifted != franking.context(ADA, ROOM, AT_MS)


def test_a_tag_does_not_say_whether_the_answer_was_yes() -> None:
    salts = (bytes([number]) * 16 for number in range(50))
    tags = {franking.franking_tag(content.encode(content.text_message(salt, ADA, ROOM, "yes"))) for salt in salts}
    assert len(tags) == 50


@pytest.mark.parametrize(
    "aad",
    [
        b"",
        b"\x00",
        franking.safe_aad(bytes(32))[:-1],
        franking.safe_aad(bytes(32)) + b"\x00",
        franking.safe_aad(bytes(31)),
        b"\x46" + franking.safe_aad(bytes(32))[1:] * 2,
        franking.safe_aad(bytes(32)).replace(b"\x00\x20\x20", b"\x00\x21\x20"),
    ],
    ids=bytes.hex,
)
def test_authenticated_data_holds_exactly_one_tag(aad: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        franking.read_safe_aad(aad)
    assert error.value.check == "NL-140"


def test_a_frank_is_a_hundred_bytes() -> None:
    data = frank_for(sealed())
    assert len(data) == 100
    assert Frank.decode(data).encode() == data


@pytest.mark.parametrize("frank", [Frank(bytes(32), 2, bytes(64)), Frank(bytes(32), 1, bytes(63))])
def test_a_frank_of_another_suite_is_refused(frank: Frank) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        Frank.decode(frank.encode())
    assert error.value.check == "NL-141"


def test_a_franking_agent_goes_there_and_back() -> None:
    agent = FrankingAgent(KEY.public, HUB)
    assert FrankingAgent.decode(agent.encode()) == agent


@pytest.mark.parametrize(
    "data",
    [
        FrankingAgent(bytes(31), HUB).encode(),
        FrankingAgent(KEY.public, HUB).encode().replace(b"\x00\x01\x12", b"\x00\x02\x12"),
    ],
)
def test_a_franking_agent_has_an_ed25519_key_and_a_basic_credential(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        FrankingAgent.decode(data)
    assert error.value.check == "NL-142"


def test_a_day_ends_at_midnight_utc() -> None:
    assert franking.day_of(TimestampMs(86_399_999)) == 0
    assert franking.day_of(TimestampMs(86_400_000)) == 1


def test_each_day_and_each_room_has_a_key_of_its_own() -> None:
    keys = {franking.hub_key(day, room) for day in (bytes(32), bytes([1]) * 32) for room in (ROOM, OTHER_ROOM)}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 4


def test_a_day_key_of_another_length_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        franking.hub_key(bytes(31), ROOM)
