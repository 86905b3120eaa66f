import pytest

from nightlight.errors import LocalProtocolError, RemoteProtocolError
from nightlight.protocol import codec
from nightlight.protocol.codec import ContentType, Reader, SenderType, u16, u64, write_vector

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


def public_message(*, sender: bytes = b"\x01\x00\x00\x00\x03", content_type: int = 3) -> bytes:
    return (
        u16(1)
        + u16(1)
        + write_vector(GROUP)
        + u64(7)
        + sender
        + write_vector(AAD)
        + bytes([content_type])
        + b"what the crate reads"
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
    reader = Reader(bytes(range(1, 16)))
    assert (reader.u8(), reader.u16(), reader.u32()) == (1, 0x0203, 0x04050607)
    assert reader.u64() == 0x08090A0B0C0D0E0F
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
    assert (header.encrypted_sender_data_length, header.ciphertext_length) == (28, 300)


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


def test_the_hub_reads_the_front_of_a_public_message() -> None:
    header = codec.read_public_message_header(public_message())
    assert (header.group_id, header.epoch, header.authenticated_data) == (GROUP, 7, AAD)
    assert (header.sender_type, header.leaf_index) == (SenderType.MEMBER, 3)
    assert header.content_type is ContentType.COMMIT


def test_only_a_member_has_a_leaf() -> None:
    external = codec.read_public_message_header(public_message(sender=b"\x02\x00\x00\x00\x03"))
    newcomer = codec.read_public_message_header(public_message(sender=b"\x04"))
    assert (external.sender_type, external.leaf_index) == (SenderType.EXTERNAL, None)
    assert (newcomer.sender_type, newcomer.leaf_index) == (SenderType.NEW_MEMBER_COMMIT, None)


@pytest.mark.parametrize("message", [public_message(sender=b"\x05"), public_message(content_type=4)])
def test_a_sender_or_content_type_that_mls_does_not_know_is_refused(message: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        codec.read_public_message_header(message)
    assert error.value.check == "NL-107"


def test_a_private_message_is_no_public_message() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        codec.read_public_message_header(private_message())
    assert error.value.check == "NL-105"
