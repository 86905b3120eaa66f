"""Ed25519 keys from fixed seeds, for tests and vectors: never for anything else."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nightlight.protocol.signature import sign_content


@dataclass(frozen=True, slots=True)
class TestKey:
    """A key pair whose private half anyone can know."""

    __test__ = False

    seed: bytes
    public: bytes
    sign: Callable[[str, bytes], bytes]


def key_from(seed: bytes) -> TestKey:
    """The key pair of ``seed``, 32 bytes."""
    private = Ed25519PrivateKey.from_private_bytes(seed)

    def sign(label: str, content: bytes) -> bytes:
        return private.sign(sign_content(label, content))

    return TestKey(seed, private.public_key().public_bytes_raw(), sign)
