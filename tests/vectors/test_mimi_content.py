from typing import Any

import pytest

from nightlight.protocol import content, franking
from nightlight.protocol.content import Expiry, MessageStatus, MimiContent
from nightlight.protocol.part import (
    TEXT_MARKDOWN,
    Disposition,
    ExternalPart,
    MultiPart,
    NullPart,
    PartSemantics,
    SinglePart,
)
from tests.vectors.reading import read

CASES: dict[str, dict[str, Any]] = {case["name"]: case for case in read("mimi-content")["cases"]}


def decoded(name: str) -> MimiContent:
    return content.decode(bytes.fromhex(CASES[name]["cbor"]))


def test_the_draft_has_fourteen_examples() -> None:
    assert len(CASES) == 14


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_example_re_encodes_to_its_bytes(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["cbor"])
    message = content.decode(data)
    assert content.encode(message) == data
    assert (message.sender, message.room, message.salt.hex()) == (case["sender"], case["room"], case["salt"])


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_example_has_its_message_id_and_tag(case: dict[str, Any]) -> None:
    data = bytes.fromhex(case["cbor"])
    assert content.message_id(case["sender"], case["room"], data).hex() == case["message_id"]
    assert franking.franking_tag(data).hex() == case["franking_tag"]


def test_the_original_is_markdown() -> None:
    body = decoded("original").body
    assert body == SinglePart(TEXT_MARKDOWN, b"Hi everyone, we just shipped release 2.0. __Good  work__!")


def test_a_reply_names_the_original() -> None:
    reply = decoded("reply").in_reply_to
    assert reply is not None
    assert reply.hex() == CASES["original"]["message_id"]


def test_a_reaction_is_one_character_about_the_original() -> None:
    reaction = decoded("reaction")
    assert reaction.body == SinglePart("text/plain;charset=utf-8", "❤".encode(), disposition=Disposition.REACTION)


def test_a_deletion_replaces_a_message_by_nothing() -> None:
    deletion = decoded("delete")
    assert deletion.body == NullPart()
    assert deletion.replaces is not None
    assert deletion.replaces.hex() == CASES["reply"]["message_id"]


def test_an_expiring_message_says_when() -> None:
    assert decoded("expiring").expires == Expiry(relative=False, seconds=1_644_390_004)


def test_an_attachment_is_an_external_part_with_its_key() -> None:
    body = decoded("attachment").body
    assert isinstance(body, ExternalPart)
    assert (body.filename, body.size, len(body.key), len(body.nonce)) == ("bigfile.mp4", 708_234_961, 16, 12)
    assert body.disposition == Disposition.ATTACHMENT


def test_a_conference_is_a_topic_with_a_link() -> None:
    message = decoded("conferencing")
    assert message.topic_id == b"Foo 118"
    assert isinstance(message.body, ExternalPart)
    assert message.body.disposition == Disposition.SESSION


def test_parts_nest_four_deep() -> None:
    body = decoded("multipart-3").body
    depth = 1
    while isinstance(body, MultiPart):
        body = body.parts[0]
        depth += 1
    assert depth == 4


def test_three_reactions_are_processed_all() -> None:
    body = decoded("multipart-2").body
    assert isinstance(body, MultiPart)
    assert body.semantics is PartSemantics.PROCESS_ALL
    assert len(body.parts) == 3


def test_the_status_draft_s_example_tells_of_four_messages() -> None:
    told = (("original", 2), ("reply", 2), ("mention", 0), ("expiring", 3))
    report = "84" + "".join(f"825820{CASES[name]['message_id']}{status:02x}" for name, status in told)
    part = SinglePart(content.MESSAGE_STATUS, bytes.fromhex(report))
    assert content.read_status_report(part) == tuple(
        (bytes.fromhex(CASES[name]["message_id"]), MessageStatus(status)) for name, status in told
    )
