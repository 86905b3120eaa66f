import msgspec
import pytest
from msgspec import Struct

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import messages
from nightlight.protocol.messages import (
    Accepted,
    AccountKeyChange,
    Acknowledge,
    DeviceListUpdate,
    Hello,
    KeyPackageUpload,
    Removed,
    RoomCreation,
    SubmitMessage,
)

ROOM = "mimi://courier.example/r/harbour"


def packed(*fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


def test_a_frame_is_an_array_that_starts_with_its_name() -> None:
    frame = SubmitMessage(bytes(16), ROOM, b"ciphertext")
    assert msgspec.msgpack.decode(messages.encode_frame(frame)) == ["submit", bytes(16), ROOM, b"ciphertext"]
    assert messages.read_client_frame(messages.encode_frame(frame)) == frame


def test_a_server_s_frame_is_none_of_a_client() -> None:
    frame = Accepted(bytes(16), ROOM, 1, 0, 1_900_000_000_000, bytes(100))
    assert messages.read_server_frame(messages.encode_frame(frame)) == frame
    with pytest.raises(RemoteProtocolError) as error:
        messages.read_client_frame(messages.encode_frame(frame))
    assert error.value.check == "NL-010"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        packed(),
        packed("ack"),
        packed("ack", ROOM),
        packed("ack", ROOM, -1),
        packed("ack", ROOM, 2**53),
        packed("ack", ROOM, 1.0),
        packed("ack", ROOM, 1, 1),
        packed("ack", "r" * 256, 1),
        packed("ack", ROOM, 1) + b"\x00",
        packed("ack", ROOM, 1).replace(b"harbour", b"harbo\xff\xff"),
        packed("submit", bytes(15), ROOM, b""),
        packed("hello", "token", {ROOM: -1}),
        packed("unknown"),
        b'{"type": "ack"}',
    ],
    ids=lambda data: data[:8].hex(),
)
def test_what_is_not_a_frame_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        messages.read_client_frame(data)
    assert error.value.check == "NL-010"
    with pytest.raises(RemoteProtocolError) as error:
        messages.read_server_frame(data)
    assert error.value.check == "NL-011"


def test_a_device_says_where_it_wants_to_continue_in_ten_thousand_rooms_at_most() -> None:
    cursors = {f"mimi://courier.example/r/{number}": number for number in range(messages.MAX_CURSORS + 1)}
    with pytest.raises(RemoteProtocolError):
        messages.read_client_frame(messages.encode_frame(Hello("token", cursors)))
    cursors.popitem()
    assert messages.read_client_frame(messages.encode_frame(Hello("token", cursors))) == Hello("token", cursors)


def test_a_cursor_is_as_large_as_a_double_can_hold() -> None:
    frame = Acknowledge(ROOM, 2**53 - 1)
    assert messages.read_client_frame(messages.encode_frame(frame)) == frame


def test_a_field_to_come_may_hold_anything_but_a_tower() -> None:
    frame = packed("removed", ROOM, 9, [[{"why": None}]])
    assert messages.read_server_frame(frame) == Removed(ROOM, 9)
    tower = b"\x94" + packed("removed", ROOM, 9)[1:] + b"\x91" * 100_000 + b"\xc0"
    with pytest.raises(RemoteProtocolError) as error:
        messages.read_server_frame(tower)
    assert error.value.check == "NL-011"


@pytest.mark.parametrize(
    ("what", "field", "bytes_max"),
    [
        (DeviceListUpdate(b""), "device_list", 16_384),
        (AccountKeyChange(b"", []), "succession", 20_480),
        (KeyPackageUpload([], b""), "last_resort", 4_096),
        (RoomCreation("mimi://ring.example/r/lake", b""), "group_info", 16_384),
    ],
)
def test_what_a_server_has_to_check_is_bounded_before_it_is_read(what: Struct, field: str, bytes_max: int) -> None:
    at_most = msgspec.structs.replace(what, **{field: bytes(bytes_max)})
    assert msgspec.json.decode(msgspec.json.encode(at_most), type=type(what)) == at_most
    too_much = msgspec.structs.replace(what, **{field: bytes(bytes_max + 1)})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(too_much), type=type(what))
