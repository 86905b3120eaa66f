"""Franking: what lets a person prove to the hub which message they got, while the hub sees no content.

The sender's tag commits to the content, the hub's MAC binds the tag to sender, room and time, and the hub's signature
lets every receiver check the latter two before anything is shown.

Source: draft-ietf-mimi-protocol-06, "Franking"; draft-ietf-mls-extensions, "Safe AAD"; ``docs/protocol.md``, Franking.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from nightlight.errors import LocalProtocolError, RemoteProtocolError, VerificationError
from nightlight.protocol import content
from nightlight.protocol.codec import Reader, u16, u64, write_vector
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import HubUri, RoomUri, TimestampMs, UserUri, parse_hub_uri
from nightlight.protocol.signature import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verify_with_label

FRANKING_LABEL = "FrankingIntegrityTBS"
CIPHERSUITE = 1
"""MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519."""
TAG_BYTES = 32
DAY_KEY_BYTES = 32
DAY_MS = 86_400_000
_MAC_BYTES = 32
_SUITE_AND_LENGTH = u16(CIPHERSUITE) + write_vector(bytes(SIGNATURE_BYTES))[:-SIGNATURE_BYTES]
FRANK_BYTES = _MAC_BYTES + len(_SUITE_AND_LENGTH) + SIGNATURE_BYTES
_HUB_KEY_BYTES = 32

_BASIC_CREDENTIAL = 1
_TAG_COMPONENT = bytes.fromhex("0020")
_AAD_PREFIX = bytes([len(_TAG_COMPONENT) + 1 + TAG_BYTES]) + _TAG_COMPONENT + bytes([TAG_BYTES])
_AAD_BYTES = len(_AAD_PREFIX) + TAG_BYTES


@dataclass(frozen=True, slots=True)
class Frank:
    """The hub's statement about one message: MAC (32 bytes), ciphersuite, Ed25519 signature (64 bytes)."""

    mac: bytes
    suite: int
    signature: bytes

    def encode(self) -> bytes:
        """``mac ‖ u16 suite ‖ V(signature)``: 100 bytes."""
        return self.mac + u16(self.suite) + write_vector(self.signature)

    @staticmethod
    def decode(data: bytes) -> Frank:
        """A frank of the only suite there is. Raises ``RemoteProtocolError`` NL-101 to NL-103, NL-141."""
        if len(data) == FRANK_BYTES and data[_MAC_BYTES:-SIGNATURE_BYTES] == _SUITE_AND_LENGTH:
            return Frank(data[:_MAC_BYTES], CIPHERSUITE, data[-SIGNATURE_BYTES:])
        reader = Reader(data)  # whatever it is, it says what is wrong with it
        frank = Frank(reader.take(_MAC_BYTES), reader.u16(), reader.vector())
        reader.finish()
        if frank.suite != CIPHERSUITE or len(frank.signature) != SIGNATURE_BYTES:
            raise RemoteProtocolError("NL-141", "a frank of another suite")
        return frank


@dataclass(frozen=True, slots=True)
class FrankingAgent:
    """Who franks in a room: the GroupContext's component 0x0021. ``key``: Ed25519 public key, 32 bytes."""

    key: bytes
    hub: HubUri

    def encode(self) -> bytes:
        """``V(key) ‖ u16 1 ‖ V(hub URI)``."""
        return write_vector(self.key) + u16(_BASIC_CREDENTIAL) + write_vector(self.hub.encode())

    @staticmethod
    def decode(data: bytes) -> FrankingAgent:
        """The agent that ``data`` names. Raises ``RemoteProtocolError`` NL-004, NL-101 to NL-104, NL-142."""
        reader = Reader(data)
        key, credential_type, hub = reader.vector(), reader.u16(), reader.text()
        reader.finish()
        if len(key) != PUBLIC_KEY_BYTES or credential_type != _BASIC_CREDENTIAL:
            raise RemoteProtocolError("NL-142", "not a franking agent with an Ed25519 key and a basic credential")
        return FrankingAgent(key, parse_hub_uri(hub))


def franking_tag(application_data: bytes) -> bytes:
    """32 bytes that commit to ``application_data``, encoded content. Raises ``RemoteProtocolError`` NL-120."""
    return hmac.digest(content.salt_of(application_data), application_data, "sha256")


def safe_aad(tag: bytes) -> bytes:
    """The authenticated data of a message: ``SafeAAD`` with the one item 0x0020, 36 bytes."""
    return _AAD_PREFIX + tag


def read_safe_aad(authenticated_data: bytes) -> bytes:
    """The tag in a message's authenticated data, 32 bytes. Raises ``RemoteProtocolError`` NL-140."""
    if len(authenticated_data) != _AAD_BYTES or not authenticated_data.startswith(_AAD_PREFIX):
        raise RemoteProtocolError("NL-140", "not exactly one franking tag of 32 bytes")
    return authenticated_data[len(_AAD_PREFIX) :]


def context(sender: UserUri, room: RoomUri, accepted_at_ms: TimestampMs) -> bytes:
    """What the hub states about a message: ``V(sender) ‖ V(room) ‖ u64 accepted_at_ms``."""
    return write_vector(sender.encode()) + write_vector(room.encode()) + u64(accepted_at_ms)


def day_of(accepted_at_ms: TimestampMs) -> int:
    """The number of the day, from 1970-01-01 UTC, whose key franks a message."""
    return accepted_at_ms // DAY_MS


def hub_key(k_day: bytes, room: RoomUri) -> bytes:
    """The 32-byte key with which the hub franks in ``room`` on one day. ``k_day``: 32 random bytes."""
    if len(k_day) != DAY_KEY_BYTES:
        raise LocalProtocolError("a day key that is not 32 bytes")
    info = b"NLF1 hub_key" + write_vector(room.encode())
    return HKDFExpand(algorithm=SHA256(), length=_HUB_KEY_BYTES, info=info).derive(k_day)


def frank_mac(key: bytes, tag: bytes, ctx: bytes) -> bytes:
    """The hub's MAC over ``tag`` and ``ctx`` under a ``hub_key``, 32 bytes."""
    return hmac.digest(key, tag + ctx, "sha256")


def signature_content(mac: bytes, suite: int, ctx: bytes) -> bytes:
    """What the hub signs under ``FRANKING_LABEL``: ``mac ‖ u16 suite ‖ ctx``."""
    return mac + u16(suite) + ctx


def verify_frank(frank: Frank, franking_key: bytes, ctx: bytes) -> None:
    """The holder of ``franking_key`` stated ``ctx``. Raises ``VerificationError`` NL-143."""
    signed = signature_content(frank.mac, frank.suite, ctx)
    verify_with_label(franking_key, FRANKING_LABEL, signed, frank.signature, check="NL-143")


@dataclass(frozen=True, slots=True)
class FrankedMessage:
    """A decrypted message as it came: nothing in it is believed yet.

    ``tag`` is from the authenticated data, ``sender`` from the leaf that signed, ``room`` from the group.
    """

    application_data: bytes
    tag: bytes
    frank: bytes
    sender: UserUri
    room: RoomUri
    accepted_at_ms: TimestampMs

    def verify(self, franking_key: bytes) -> MimiContent:
        """The content, now that tag, frank, sender and room agree.

        Raises ``RemoteProtocolError`` for malformed content or frank; ``VerificationError`` NL-143 (the hub's
        statement), NL-144 (the tag), NL-145 (the sender), NL-146 (the room).
        """
        if not hmac.compare_digest(franking_tag(self.application_data), self.tag):
            raise VerificationError("NL-144", "the tag is not of this content")
        verify_frank(Frank.decode(self.frank), franking_key, context(self.sender, self.room, self.accepted_at_ms))
        message = content.decode(self.application_data)
        if message.sender != self.sender:
            raise VerificationError("NL-145", "the content names another sender")
        if message.room != self.room:
            raise VerificationError("NL-146", "the content names another room")
        return message
