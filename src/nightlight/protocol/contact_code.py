"""A contact code: somebody's address and account key as one line, to be handed over where the hub cannot change it.

Source: ``docs/protocol.md``, Contact code.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from nightlight.errors import RemoteProtocolError
from nightlight.protocol.base64url import decode_base64url, encode_base64url
from nightlight.protocol.codec import Reader, write_vector
from nightlight.protocol.ids import UserUri, parse_user_uri

ACCOUNT_KEY_BYTES = 32
CHECKSUM_BYTES = 4
_SCHEME = "nightlight:"
_LABEL = b"NLF1 contact code"


@dataclass(frozen=True, slots=True)
class ContactCode:
    """``account_key``: an Ed25519 public key of 32 bytes."""

    user: UserUri
    account_key: bytes

    def encode(self) -> str:
        """``nightlight:`` and base64url."""
        body = write_vector(self.user.encode()) + self.account_key
        return _SCHEME + encode_base64url(body + _checksum(body))

    @staticmethod
    def decode(text: str) -> ContactCode:
        """What ``text``, a code or a link that ends with one, says. Raises ``RemoteProtocolError`` NL-341, NL-001."""
        encoded = re.split("[:/]", text.strip(" \t\r\n"))[-1]
        try:
            data = decode_base64url(encoded)
        except ValueError:
            data = b""
        body, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
        if encode_base64url(data) != encoded or checksum != _checksum(body):
            raise RemoteProtocolError("NL-341", "not a contact code, or not all of it")
        reader = Reader(body)
        user, account_key = parse_user_uri(reader.text()), reader.take(ACCOUNT_KEY_BYTES)
        reader.finish()
        return ContactCode(user, account_key)


def is_contact_code(text: str) -> bool:
    """Whether ``text`` means to be a contact code, rather than somebody's address."""
    return text.startswith(_SCHEME) or "/#/contact/" in text


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(_LABEL + body).digest()[:CHECKSUM_BYTES]
