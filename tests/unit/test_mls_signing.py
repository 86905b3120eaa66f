"""Signatures under a label are those of RFC 9420, byte for byte, alone and in a batch."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nightlight.mls.group import MlsError
from nightlight.mls.signing import SigningKey

CHAIN = json.loads((Path(__file__).parents[1] / "vectors" / "franking.json").read_text())["chain"]
SEED = bytes.fromhex(CHAIN["franking_private_key (Ed25519 seed)"])
CONTENT = bytes.fromhex(CHAIN["FrankingIntegrityTBS"])
SIGNED = bytes.fromhex(CHAIN["SignContent (RFC9420 5.1.2)"])
SIGNATURE = bytes.fromhex(CHAIN["franking_integrity_signature"])
LABEL = "FrankingIntegrityTBS"


def test_the_vector_s_signature() -> None:
    key = SigningKey.from_seed(SEED)
    assert key.public_key.hex() == CHAIN["franking_signature_key"]
    assert key.sign_with_label(LABEL, CONTENT) == SIGNATURE
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(SIGNATURE, SIGNED)


def test_a_batch_is_the_same_signatures_one_by_one() -> None:
    key = SigningKey.generate()
    contents = [b"", b"hello", CONTENT, b"x" * 20_000]
    batch = key.sign_many_with_label(LABEL, contents)
    assert batch == [key.sign_with_label(LABEL, content) for content in contents]
    assert key.sign_many_with_label(LABEL, []) == []


def test_long_contents_and_labels_are_written_as_vectors() -> None:
    key = SigningKey.generate()
    label, content = "l" * 70, b"c" * 20_000
    signed = b"\x40\x4eMLS 1.0 " + label.encode() + b"\x80\x00\x4e\x20" + content
    Ed25519PublicKey.from_public_bytes(key.public_key).verify(key.sign_with_label(label, content), signed)


def test_a_key_comes_back_from_its_seed() -> None:
    key = SigningKey.generate()
    again = SigningKey.from_seed(key.seed())
    assert (again.public_key, len(again.seed())) == (key.public_key, 32)
    assert Ed25519PrivateKey.from_private_bytes(key.seed()).public_key().public_bytes_raw() == key.public_key


def test_generated_keys_differ() -> None:
    assert len({SigningKey.generate().public_key for _ in range(20)}) == 20


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_is_32_bytes(length: int) -> None:
    with pytest.raises(MlsError, match="NL-265"):
        SigningKey.from_seed(bytes(length))


def test_a_key_does_not_show_its_private_half() -> None:
    assert SEED.hex() not in repr(SigningKey.from_seed(SEED))
