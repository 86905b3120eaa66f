"""A message of 1 KiB as it looks at each step: text, content, franked."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from bench.load import CONTENT_BYTES
from nightlight.protocol import content, franking
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri
from nightlight.protocol.signature import sign_content

SENDER = UserUri("mimi://courier.example/u/anna")
DEVICE = DeviceUri("mimi://courier.example/d/anna/phone")
ROOM = RoomUri("mimi://courier.example/r/bench")
_ACCEPTED_AT_MS = TimestampMs(1_790_000_000_000)


def text_content() -> bytes:
    """The encoded content of a text of 1 KiB."""
    return content.encode(content.text_message(os.urandom(content.SALT_BYTES), SENDER, ROOM, "x" * CONTENT_BYTES))


@dataclass(frozen=True, slots=True)
class SignedSample:
    """A franked message, and its hub signature as bare bytes: ``signature`` over ``signed`` by ``key``."""

    message: franking.FrankedMessage
    key: Ed25519PublicKey
    signature: bytes
    signed: bytes


def franked() -> SignedSample:
    """A message as it is after decryption, franked by a hub with a fresh key."""
    key = Ed25519PrivateKey.generate()
    data = text_content()
    tag = franking.franking_tag(data)
    ctx = franking.context(SENDER, ROOM, _ACCEPTED_AT_MS)
    mac = franking.frank_mac(os.urandom(32), tag, ctx)
    signed = sign_content(franking.FRANKING_LABEL, franking.signature_content(mac, franking.CIPHERSUITE, ctx))
    signature = key.sign(signed)
    frank = franking.Frank(mac, franking.CIPHERSUITE, signature).encode()
    message = franking.FrankedMessage(data, tag, frank, SENDER, ROOM, _ACCEPTED_AT_MS)
    return SignedSample(message, key.public_key(), signature, signed)
