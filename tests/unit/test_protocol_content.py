from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import cbor, content
from nightlight.protocol.content import Expiry, MessageStatus, MimiContent
from nightlight.protocol.ids import MessageId, RoomUri, UserUri
from nightlight.protocol.part import (
    MAX_PARTS,
    TEXT_MARKDOWN,
    TEXT_PLAIN,
    MultiPart,
    NullPart,
    PartSemantics,
    SinglePart,
)
from nightlight.protocol.words import Words

SALT = bytes(range(16))
ADA = UserUri("mimi://courier.example/u/ada")
ROOM = RoomUri("mimi://courier.example/r/harbour")
ONE_ID = MessageId(b"\x01" + bytes(31))
PLAIN: list[Any] = [1, "", 1, TEXT_PLAIN, b"hello"]
EXTERNAL: list[Any] = [6, "", 2, "image/png", "https://a.example", 0, 0, 1, b"k", b"n", b"", 1, b"h", "", ""]


def raw(**changed: Any) -> bytes:
    """Encoded content with some of its seven fields changed."""
    fields: dict[str, Any] = {
        "salt": SALT,
        "replaces": None,
        "topic_id": b"",
        "expires": None,
        "in_reply_to": None,
        "extensions": {1: ADA, 2: ROOM},
        "body": PLAIN,
    }
    return cbor.encode(list((fields | changed).values()))


def several(count: int) -> list[Any]:
    return [1, "", 3, 0, [PLAIN] * count]


def nested(depth: int) -> list[Any]:
    return [1, "", 3, 0, [PLAIN, nested(depth - 1)]] if depth > 1 else PLAIN


def refused(check: str, **changed: Any) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        content.decode(raw(**changed))
    assert error.value.check == check


def test_a_text_message_says_who_where_and_what() -> None:
    message = content.decode(content.encode(content.text_message(SALT, ADA, ROOM, "hello, Ben")))
    assert (message.salt, message.sender, message.room) == (SALT, ADA, ROOM)
    assert content.words_of(message.body) == Words("hello, Ben")


def test_an_edit_a_reply_and_an_expiry_go_there_and_back() -> None:
    message = MimiContent(
        SALT,
        {1: ADA, 2: ROOM, -1: [b"ours"]},
        NullPart(),
        replaces=ONE_ID,
        topic_id=b"boats",
        expires=Expiry(relative=True, seconds=60),
        in_reply_to=ONE_ID,
    )
    assert content.decode(content.encode(message)) == message


@pytest.mark.parametrize(
    "data", [b"", b"\x87\x50" + bytes(15), b"\x87\x4f" + bytes(40), b"\x86\x50" + bytes(40), b"\xf6"]
)
def test_content_starts_with_a_salt(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        content.decode(data)
    assert error.value.check == "NL-120"


@pytest.mark.parametrize("topic_id", ["boats", None, bytes(4097)])
def test_a_topic_id_is_at_most_4096_bytes(topic_id: object) -> None:
    refused("NL-121", topic_id=topic_id)


@pytest.mark.parametrize("value", [b"\x01" + bytes(30), b"\x02" + bytes(31), "x" * 32, 1, b""])
def test_what_is_replied_to_is_named_by_a_message_id(value: object) -> None:
    refused("NL-122", in_reply_to=value)
    refused("NL-122", replaces=value)


@pytest.mark.parametrize("value", [[True], [1, 60], [True, True], [True, -1], [False, 2**32], 60, [False, 1, 2]])
def test_an_expiry_is_a_boolean_and_32_bits(value: object) -> None:
    refused("NL-123", expires=value)


@pytest.mark.parametrize(
    "extra",
    [{b"bytes": 1}, {"": 1}, {"n" * 256: 1}, {2**53: 1}, {-(2**53): 1}, {3: {2**53: 1}}, {3: [[[[1]]]]}],
    ids=repr,
)
def test_an_extension_has_a_key_and_a_depth_that_everyone_can_read(extra: dict[Any, Any]) -> None:
    refused("NL-124", extensions={1: ADA, 2: ROOM} | extra)


@pytest.mark.parametrize(
    "extra", [{3: [[[]]]}, {"n" * 255: {b"bytes": 1}}, {2**53 - 1: 1}, {-(2**53) + 1: {"a": [{}]}}], ids=repr
)
def test_other_extensions_are_kept(extra: dict[Any, Any]) -> None:
    data = raw(extensions={1: ADA, 2: ROOM} | extra)
    assert content.encode(content.decode(data)) == data


def test_extensions_are_a_map() -> None:
    refused("NL-124", extensions=[ADA, ROOM])


@pytest.mark.parametrize("extensions", [{}, {1: ADA}, {2: ROOM}, {1: b"a", 2: ROOM}, {1: ADA, 2: None}])
def test_sender_and_room_are_always_named(extensions: dict[int, Any]) -> None:
    refused("NL-125", extensions=extensions)


def test_sender_and_room_are_uris() -> None:
    refused("NL-001", extensions={1: "ada", 2: ROOM})
    refused("NL-003", extensions={1: ADA, 2: "harbour"})


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        [1, ""],
        [1, "", 0, 0],
        [1, "", 1, TEXT_PLAIN],
        [1, "", 1, TEXT_PLAIN, "text"],
        [1, "", 1, [], b""],
        [1, "", True, TEXT_PLAIN, b""],
        [1, "", 4],
        [256, "", 0],
        [-1, "", 0],
        [1, b"", 0],
        several(0),
        several(1),
        [1, "", 3, 3, [PLAIN, PLAIN]],
        [1, "", 3, 0, [PLAIN, None]],
        EXTERNAL[:-1],
        [*EXTERNAL, ""],
        [*EXTERNAL[:5], 2**32, *EXTERNAL[6:]],
        [*EXTERNAL[:8], "key", *EXTERNAL[9:]],
    ],
    ids=repr,
)
def test_a_part_of_another_shape_is_refused(body: object) -> None:
    refused("NL-126", body=body)


def test_parts_nest_four_deep_and_no_deeper() -> None:
    assert content.decode(raw(body=nested(4)))
    # By hand, since cbor.encode refuses to make it.
    five_deep = raw(body=nested(4)).replace(cbor.encode(PLAIN) * 2, cbor.encode(PLAIN) + cbor.encode(several(2)))
    with pytest.raises(RemoteProtocolError) as error:
        content.decode(five_deep)
    assert error.value.check == "NL-110"


def test_there_are_at_most_1024_parts() -> None:
    assert content.decode(raw(body=several(MAX_PARTS - 1)))
    refused("NL-127", body=several(MAX_PARTS))


@pytest.mark.parametrize("content_type", [TEXT_PLAIN, TEXT_MARKDOWN])
def test_text_is_utf_8(content_type: str) -> None:
    refused("NL-128", body=[1, "", 1, content_type, b"\xff"])


def test_of_parts_to_choose_from_the_first_that_we_can_show_is_shown() -> None:
    parts = (
        SinglePart("image/png", b"\x89PNG"),
        SinglePart(TEXT_PLAIN, b"a boat"),
        SinglePart(TEXT_PLAIN, b"ein Boot"),
    )
    assert content.words_of(MultiPart(PartSemantics.CHOOSE_ONE, parts)) == Words("a boat")
    assert content.words_of(MultiPart(PartSemantics.PROCESS_ALL, parts)) == Words("a boat\nein Boot")
    assert content.words_of(parts[0]) is None
    assert content.words_of(NullPart()) is None


def test_a_status_report_tells_of_several_messages_at_once() -> None:
    statuses = ((ONE_ID, MessageStatus.READ), (MessageId(b"\x01" + bytes([7]) * 31), MessageStatus.DELIVERED))
    message = content.decode(content.encode(content.status_report(SALT, ADA, ROOM, statuses)))
    assert content.read_status_report(message.body) == statuses
    assert content.words_of(message.body) is None


def test_a_text_is_no_status_report() -> None:
    assert content.read_status_report(content.text_message(SALT, ADA, ROOM, "hello").body) is None


@pytest.mark.parametrize(
    "report",
    [{}, None, [ONE_ID], [[ONE_ID]], [[ONE_ID, 256]], [[ONE_ID, -1]], [[ONE_ID, True]], [[ONE_ID, 1, 1]], [["id", 1]]],
    ids=repr,
)
def test_a_status_report_of_another_shape_is_refused(report: object) -> None:
    with pytest.raises(RemoteProtocolError) as error:
        content.read_status_report(SinglePart(content.MESSAGE_STATUS, cbor.encode(report)))
    assert error.value.check == "NL-129"


def test_statuses_that_we_do_not_know_are_left_out() -> None:
    report = cbor.encode([[ONE_ID, 7], [ONE_ID, MessageStatus.READ], [ONE_ID, 255]])
    assert content.read_status_report(SinglePart(content.MESSAGE_STATUS, report)) == ((ONE_ID, MessageStatus.READ),)
    assert content.read_status_report(SinglePart(content.MESSAGE_STATUS, cbor.encode([]))) == ()


def test_a_status_is_of_a_message() -> None:
    with pytest.raises(RemoteProtocolError) as error:
        content.read_status_report(SinglePart(content.MESSAGE_STATUS, cbor.encode([[b"short", 1]])))
    assert error.value.check == "NL-122"
