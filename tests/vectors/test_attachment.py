from typing import Any

import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol import content
from nightlight.protocol.attachment import Seal, Sealer, UncheckedBlob, attachment_body, read_attachments
from nightlight.protocol.content import MimiContent
from nightlight.protocol.part import TEXT_PLAIN, SinglePart
from tests.vectors.reading import read

VECTOR = read("attachment")
HUB = VECTOR["hub"]


def seal_of(row: dict[str, Any]) -> Seal:
    raw = {name: bytes.fromhex(row[name]) for name in ("key", "nonce", "aad", "content_hash")}
    return Seal(raw["key"], raw["nonce"], raw["content_hash"], row["size"], raw["aad"])


@pytest.mark.parametrize("row", VECTOR["sealed"])
def test_a_file_is_sealed_and_opened(row: dict[str, Any]) -> None:
    seal, blob = seal_of(row["seal"]), bytes.fromhex(row["blob"])
    sealer = Sealer(seal.key, seal.nonce)
    start = sealer.seal(bytes.fromhex(row["plain"]))
    end, made = sealer.finish()
    assert (start + end, made, made.name) == (blob, seal, row["kept_as"])
    assert b"".join(UncheckedBlob(seal, lambda: [blob]).check().open()).hex() == row["plain"]


@pytest.mark.parametrize("row", VECTOR["messages"], ids=lambda row: row["name"])
def test_a_message_names_its_attachments(row: dict[str, Any]) -> None:
    message = content.decode(bytes.fromhex(row["cbor"]))
    found = read_attachments(message.body)
    assert row["attachments"] == [
        {"filename": one.filename, "preview": None if one.preview is None else one.preview.content.hex()}
        for one in found
    ]
    assert {one.hub for one in found} <= ({"mimi://elsewhere.example"} if row["name"] == "at another hub" else {HUB})
    if row["name"] in {"alone", "with a caption", "with a preview", "with both"}:
        words = content.words_of(message.body)
        body = attachment_body(found[:1], None if words is None else SinglePart(TEXT_PLAIN, words.text.encode()))
        assert content.encode(MimiContent(message.salt, message.extensions, body)).hex() == row["cbor"]


@pytest.mark.parametrize("row", VECTOR["refused messages"], ids=lambda row: row["name"])
def test_an_attachment_that_fails_a_check_is_refused(row: dict[str, Any]) -> None:
    body = content.decode(bytes.fromhex(row["cbor"])).body
    with pytest.raises(RemoteProtocolError) as refused:
        read_attachments(body)
    assert refused.value.check == row["check"]


@pytest.mark.parametrize("row", VECTOR["refused blobs"], ids=lambda row: row["name"])
def test_bytes_that_are_not_the_blob_are_refused(row: dict[str, Any]) -> None:
    blob = bytes.fromhex(row["blob"])
    with pytest.raises(VerificationError) as refused:
        UncheckedBlob(seal_of(row["seal"]), lambda: [blob]).check()
    assert refused.value.check == row["check"]
