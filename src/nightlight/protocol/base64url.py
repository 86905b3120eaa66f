"""Bytes as text that may stand in a link: base64url without padding (RFC 4648, 5)."""

from __future__ import annotations

import base64


def encode_base64url(data: bytes) -> str:
    """``data`` as text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_base64url(text: str) -> bytes:
    """The bytes of ``text``, which need not be their one encoding. Raises ``ValueError`` for other characters."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
