"""One ciphertext that opens under two keys, each time to something else: AES-GCM does not commit to its key.

So a hash of the ciphertext does not say which picture somebody was sent. What does is the key, which stands in the
franked content: a reported attachment is opened with the key of its own message and no other, and whatever keeps
attachments names them by algorithm, key, nonce, additional data and hash together.
"""

from dataclasses import replace

import pytest

from nightlight.errors import VerificationError
from nightlight.protocol import content, franking
from nightlight.protocol.attachment import Attachment, Seal, UncheckedBlob, attachment_body, read_attachments
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import BlobId, HubUri
from tests.vectors.reading import read

SALAMANDER = read("salamander")
EXTENSIONS: dict[int | str, str] = {1: "mimi://courier.example/u/ada", 2: "mimi://courier.example/r/harbour"}
HUB = HubUri("mimi://hub.example")
BLOB = BlobId("0123456789abcdef" * 2)


def raw(name: str) -> bytes:
    return bytes.fromhex(SALAMANDER[name])


CIPHERTEXT = raw("ciphertext_and_tag")
SEALS = [Seal(raw(key), raw("nonce"), raw("sha256"), len(CIPHERTEXT), raw("aad")) for key in ("k1", "k2")]
PLAIN = [raw("plaintext_k1"), raw("plaintext_k2")]


def opened(seal: Seal) -> bytes:
    return b"".join(UncheckedBlob(seal, lambda: [CIPHERTEXT]).check().open())


def test_one_ciphertext_opens_under_both_keys_to_different_things() -> None:
    assert [opened(seal) for seal in SEALS] == PLAIN
    assert PLAIN[0] != PLAIN[1]
    with pytest.raises(VerificationError) as refused:
        opened(replace(SEALS[0], key=bytes(16)))
    assert refused.value.check == "NL-156"


def test_what_is_kept_of_the_two_has_two_names() -> None:
    assert SEALS[0].name != SEALS[1].name


def test_the_franked_content_says_which_key_was_meant() -> None:
    tags = set()
    for seal in SEALS:
        body = attachment_body([Attachment(HUB, BLOB, seal, "image/png")])
        data = content.encode(MimiContent(bytes(16), EXTENSIONS, body))
        (attachment,) = read_attachments(content.decode(data).body)
        assert attachment.seal == seal
        tags.add(franking.franking_tag(data))
    assert len(tags) == 2
