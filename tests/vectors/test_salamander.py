"""One ciphertext that opens under two keys, each time to something else: AES-GCM does not commit to its key.

So a hash of the ciphertext does not say which picture somebody was sent. What does is the key, which stands in the
franked content: a reported attachment is opened with the key of its own message and no other, and a cache of opened
attachments is keyed by algorithm, key, nonce, additional data and hash together.
"""

import hashlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nightlight.protocol import content, franking
from nightlight.protocol.content import MimiContent
from nightlight.protocol.part import ExternalPart
from tests.vectors.reading import read

SALAMANDER = read("salamander")
EXTENSIONS: dict[int | str, str] = {1: "mimi://courier.example/u/ada", 2: "mimi://courier.example/r/harbour"}
AES_128_GCM = 1
SHA_256 = 1


def raw(name: str) -> bytes:
    return bytes.fromhex(SALAMANDER[name])


def opened(key: bytes) -> bytes:
    return AESGCM(key).decrypt(raw("nonce"), raw("ciphertext_and_tag"), raw("aad"))


def test_one_ciphertext_opens_under_both_keys_to_different_things() -> None:
    assert hashlib.sha256(raw("ciphertext_and_tag")).digest() == raw("sha256")
    assert opened(raw("k1")) == raw("plaintext_k1")
    assert opened(raw("k2")) == raw("plaintext_k2")
    assert raw("plaintext_k1") != raw("plaintext_k2")
    with pytest.raises(InvalidTag):
        opened(bytes(16))


def test_the_franked_content_says_which_key_was_meant() -> None:
    tags = set()
    for key in (raw("k1"), raw("k2")):
        part = ExternalPart(
            "image/png",
            "https://hub.example/blob/1",
            encryption_algorithm=AES_128_GCM,
            key=key,
            nonce=raw("nonce"),
            hash_algorithm=SHA_256,
            content_hash=raw("sha256"),
        )
        data = content.encode(MimiContent(bytes(16), EXTENSIONS, part))
        body = content.decode(data).body
        assert isinstance(body, ExternalPart)
        assert body.key == key
        tags.add(franking.franking_tag(data))
    assert len(tags) == 2
