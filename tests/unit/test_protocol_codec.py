import pytest

from nightlight.errors import LocalProtocolError, RemoteProtocolError
from nightlight.protocol import codec
from nightlight.protocol.codec import Reader, u16, u64, write_vector

GROUP = b"mimi://courier.example/r/harbour"
AAD = b"\x00"


def private_message(
    *, version: int = 1, wire_format: int = 2, content_type: int = 1, group: bytes = GROUP, rest: bytes = b""
) -> bytes:
    return (
        u16(version)
        + u16(wire_format)
        + write_vector(group)
        + u64(7)
        + bytes([content_type])
        + write_vector(AAD)
        + write_vector(bytes(28))
        + write_vector(bytes(300))
        + rest
    )


def refused(check: str, message: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        codec.read_private_message(message)
    assert error.value.check == check


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "4040"),
        (16_383, "7fff"),
        (16_384, "80004000"),
        (70_000, "80011170"),
    ],
)
def test_a_vector_s_length_has_the_shortest_form(length: int, header: str) -> None:
    data = write_vector(bytes(length))
    assert data[: len(data) - length].hex() == header
    reader = Reader(data)
    assert reader.vector() == bytes(length)
    reader.finish()


@pytest.mark.parametrize("header", ["4000", "403f", "80000000", "80003fff", "c000000000000000", "ff"])
def test_a_vector_s_length_in_another_form_is_refused(header: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        Reader(bytes.fromhex(header) + bytes(20_000)).vector()
    assert error.value.check == "NL-102"


@pytest.mark.parametrize("data", ["", "01", "40", "4040", "80", "800000", "80004000", "bfffffff"])
def test_a_vector_that_ends_early_is_refused(data: str) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        Reader(bytes.fromhex(data)).vector()
    assert error.value.check == "NL-101"


def test_a_reader_reads_numbers_and_never_past_the_end() -> None:
    reader = Reader(bytes(range(1, 12)))
    assert (reader.u8(), reader.u16()) == (1, 0x0203)
    assert reader.u64() == 0x0405060708090A0B
    assert reader.at_end
    with pytest.raises(RemoteProtocolError) as error:
        reader.u8()
    assert error.value.check == "NL-101"


def test_a_reader_says_when_something_is_left() -> None:
    reader = Reader(b"\x00\x00")
    reader.u8()
    with pytest.raises(RemoteProtocolError) as error:
        reader.finish()
    assert error.value.check == "NL-103"


def test_a_reader_takes_only_utf_8_for_text() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        Reader(write_vector(b"\xff")).text()
    assert error.value.check == "NL-104"


def test_a_vector_beyond_two_to_the_thirty_is_our_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_VECTOR_BYTES", 20_000)
    with pytest.raises(LocalProtocolError):
        write_vector(bytes(20_001))


def test_the_hub_reads_the_open_fields_of_a_private_message() -> None:
    header = codec.read_private_message(private_message())
    assert (header.group_id, header.epoch, header.authenticated_data) == (GROUP, 7, AAD)


def test_every_beginning_of_a_private_message_is_refused() -> None:
    message = private_message()
    for length in range(len(message)):
        with pytest.raises(RemoteProtocolError):
            codec.read_private_message(message[:length])


def test_a_private_message_is_alone() -> None:
    refused("NL-103", private_message(rest=b"\x00"))


def test_a_message_cut_in_its_epoch_is_refused() -> None:
    refused("NL-101", private_message()[: 4 + 1 + len(GROUP) + 8])


def test_another_version_or_wire_format_is_no_private_message() -> None:
    refused("NL-105", private_message(version=2))
    refused("NL-105", private_message(wire_format=1))
    refused("NL-105", b"")


@pytest.mark.parametrize("content_type", [0, 2, 3, 255])
def test_a_private_message_holds_no_handshake(content_type: int) -> None:
    refused("NL-106", private_message(content_type=content_type))
