"""Attachments: sealed as they are read, checked before anything of them is given out."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol import content
from nightlight.protocol.attachment import (
    MAX_PREVIEW_BYTES,
    MAX_SEALED_BYTES,
    Attachment,
    Seal,
    Sealer,
    UncheckedBlob,
    attachment_body,
    read_attachments,
)
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import BlobId, HubUri
from nightlight.protocol.part import TEXT_PLAIN, Disposition, ExternalPart, MultiPart, Part, PartSemantics, SinglePart
from nightlight.protocol.words import Words

HUB = HubUri("mimi://hub.example")
BLOB = BlobId("0123456789abcdef" * 2)
EXTENSIONS: dict[int | str, Any] = {1: "mimi://courier.example/u/ada", 2: "mimi://courier.example/r/harbour"}
KEY, NONCE = bytes(range(16)), bytes(range(12))
PREVIEW = SinglePart("image/jpeg", b"a small lake", Disposition.PREVIEW)


def sealed(plain: bytes, step: int = 7) -> tuple[bytes, Seal]:
    """``plain`` sealed in steps of so many bytes."""
    sealer = Sealer(KEY, NONCE)
    out = b"".join(sealer.seal(plain[at : at + step]) for at in range(0, len(plain), step))
    end, seal = sealer.finish()
    return out + end, seal


def blob(data: bytes, seal: Seal, step: int = 5) -> UncheckedBlob:
    """``data`` as it comes, in steps of so many bytes."""
    return UncheckedBlob(seal, lambda: (data[at : at + step] for at in range(0, len(data), step)))


def external(**changes: Any) -> ExternalPart:
    """A good attachment's part, with changes."""
    _, seal = sealed(b"a lake in the morning")
    body = attachment_body([Attachment(HUB, BLOB, seal, "text/plain", "lake.txt")])
    assert isinstance(body, ExternalPart)
    return replace(body, **changes)


def refusal(seal: Seal, data: bytes) -> str:
    with pytest.raises(VerificationError) as refused:
        blob(data, seal).check()
    return refused.value.check


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1000])
@pytest.mark.parametrize("step", [1, 16, 33, 5000])
def test_what_was_sealed_in_pieces_opens_in_other_pieces(size: int, step: int) -> None:
    plain = os.urandom(size)
    data, seal = sealed(plain)
    assert data == AESGCM(KEY).encrypt(NONCE, plain, None)
    assert (seal.size, seal.content_hash) == (len(data), hashlib.sha256(data).digest())
    assert b"".join(blob(data, seal, step).check().open()) == plain


def test_a_blob_that_was_truncated_or_goes_on_is_refused() -> None:
    data, seal = sealed(b"a lake in the morning")
    for other in (b"", data[:-1], data[:16], data + b"!", data * 2):
        assert refusal(seal, other) == "NL-154"


def test_a_blob_that_was_swapped_is_refused_before_it_is_decrypted() -> None:
    data, seal = sealed(b"a lake in the morning")
    for place in range(len(data)):
        other = bytearray(data)
        other[place] ^= 1
        assert refusal(seal, bytes(other)) == "NL-155"


def test_a_blob_that_does_not_open_under_its_key_is_refused() -> None:
    data, seal = sealed(b"a lake in the morning")
    for other in (replace(seal, key=bytes(16)), replace(seal, nonce=bytes(12)), replace(seal, aad=b"more")):
        assert refusal(other, data) == "NL-156"
    short = b"0123456789abcdef"
    assert refusal(Seal(KEY, NONCE, hashlib.sha256(short).digest(), len(short)), short) == "NL-156"


def test_a_blob_that_changes_after_it_was_checked_is_noticed_while_it_is_opened() -> None:
    data, seal = sealed(b"a lake in the morning")
    readings = iter([data, data, b"?" + data[1:]])

    def read() -> Iterator[bytes]:
        yield next(readings)

    checked = UncheckedBlob(seal, read).check()
    with pytest.raises(VerificationError) as refused:
        list(checked.open())
    assert refused.value.check == "NL-156"


@pytest.mark.parametrize("caption", [None, SinglePart(TEXT_PLAIN, b"in the morning")])
@pytest.mark.parametrize("preview", [None, PREVIEW])
def test_an_attachment_comes_out_of_a_message_as_it_went_in(
    caption: SinglePart | None, preview: SinglePart | None
) -> None:
    _, seal = sealed(b"a lake")
    attachment = Attachment(HUB, BLOB, seal, "image/jpeg", "lake.jpg", "a lake", preview)
    data = content.encode(MimiContent(bytes(16), EXTENSIONS, attachment_body([attachment], caption)))
    body = content.decode(data).body
    assert read_attachments(body) == [attachment]
    assert content.words_of(body) == (None if caption is None else Words("in the morning"))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"encryption_algorithm": 0}, "NL-150"),
        ({"encryption_algorithm": 2}, "NL-150"),
        ({"key": bytes(32)}, "NL-150"),
        ({"key": b""}, "NL-150"),
        ({"nonce": bytes(11)}, "NL-150"),
        ({"hash_algorithm": 0}, "NL-151"),
        ({"hash_algorithm": 2}, "NL-151"),
        ({"content_hash": bytes(31)}, "NL-151"),
        ({"size": 0}, "NL-152"),
        ({"size": 15}, "NL-152"),
        ({"size": MAX_SEALED_BYTES + 1}, "NL-152"),
        ({"url": ""}, "NL-153"),
        ({"url": f"https://hub.example@elsewhere.example/v1/blobs/{BLOB}"}, "NL-153"),
        ({"url": f"http://hub.example/v1/blobs/{BLOB}"}, "NL-153"),
        ({"url": f"https://hub.example/v1/blobs/{BLOB}/../x"}, "NL-153"),
        ({"url": f"https://hub.example/v1/blobs/{BLOB}?x"}, "NL-153"),
        ({"url": f"https://hub.example/v1/blobs/{BLOB}\n"}, "NL-153"),
        ({"url": f"/v1/blobs/{BLOB}"}, "NL-153"),
    ],
)
def test_an_attachment_that_is_not_sealed_hashed_and_at_a_hub_is_refused(changes: dict[str, Any], check: str) -> None:
    assert read_attachments(external())
    wrapped = MultiPart(PartSemantics.CHOOSE_ONE, (SinglePart("text/plain;charset=utf-8", b""), external(**changes)))
    for body in (external(**changes), wrapped):
        with pytest.raises(RemoteProtocolError) as refused:
            read_attachments(body)
        assert refused.value.check == check


def test_every_attachment_is_found_wherever_it_stands() -> None:
    inner = MultiPart(PartSemantics.CHOOSE_ONE, (external(filename="1"), external(filename="2")))
    body = MultiPart(PartSemantics.PROCESS_ALL, (inner, PREVIEW, external(filename="3"), external(filename="4")))
    found = read_attachments(body)
    assert [attachment.filename for attachment in found] == ["1", "2", "3", "4"]
    assert [attachment.preview for attachment in found] == [None, None, PREVIEW, None]
    assert read_attachments(SinglePart("text/plain;charset=utf-8", b"hello")) == []


@pytest.mark.parametrize(
    "part",
    [
        replace(PREVIEW, disposition=Disposition.RENDER),
        replace(PREVIEW, content_type="image/svg+xml"),
        replace(PREVIEW, content_type="text/html"),
        replace(PREVIEW, content=bytes(MAX_PREVIEW_BYTES + 1)),
    ],
)
def test_a_preview_is_a_small_picture_of_a_harmless_kind(part: Part) -> None:
    body = MultiPart(PartSemantics.SINGLE_UNIT, (part, external()))
    assert [attachment.preview for attachment in read_attachments(body)] == [None]


def test_each_of_key_nonce_data_and_hash_changes_the_name_under_which_it_is_kept() -> None:
    seal = Seal(KEY, NONCE, bytes(32), 100)
    others = [
        replace(seal, key=bytes(16)),
        replace(seal, nonce=bytes(12)),
        replace(seal, aad=b"\x00"),
        replace(seal, content_hash=bytes(31) + b"\x01"),
    ]
    names = {other.name for other in [seal, *others]}
    assert len(names) == 5
    assert {len(name) for name in names} == {64}


def test_a_key_is_not_shown_by_accident() -> None:
    _, seal = sealed(b"a lake")
    assert str(KEY) not in repr(Attachment(HUB, BLOB, seal, "text/plain"))
