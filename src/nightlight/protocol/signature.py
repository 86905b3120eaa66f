"""Ed25519 signatures under a label, as MLS makes them.

This package holds no private key: whoever signs hands in a ``Sign``.

Source: RFC 9420 section 5.1.2 "Signing".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nightlight.errors import VerificationError
from nightlight.protocol.codec import write_vector

Sign: TypeAlias = Callable[[str, bytes], bytes]
"""``sign(label, content)`` → 64 bytes; ``SigningKey.sign_with_label`` is one."""

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64


@lru_cache(maxsize=4096)
def _public_key(public_key: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public_key)


def sign_content(label: str, content: bytes) -> bytes:
    """The bytes that a signature under ``label`` covers: ``SignContent``."""
    return write_vector(b"MLS 1.0 " + label.encode()) + write_vector(content)


def verify_with_label(public_key: bytes, label: str, content: bytes, signature: bytes, *, check: str) -> None:
    """``signature`` over ``content`` under ``label`` is by ``public_key``.

    ``check`` is the caller's number for this signature. Raises ``VerificationError`` with it, also where the key or
    the signature is no Ed25519 key or signature at all.
    """
    try:
        _public_key(public_key).verify(signature, sign_content(label, content))
    except (InvalidSignature, ValueError):
        raise VerificationError(check, f"the signature under {label!r} does not hold") from None
