"""The names of things on the wire: ``mimi:`` URIs and the small numbers beside them.

Source: draft-ietf-mimi-protocol-06, "Identifiers"; our narrower grammar is in ``docs/protocol.md``, Identity.
"""

from __future__ import annotations

import re
from typing import NewType

from nightlight.errors import RemoteProtocolError

ProviderName = NewType("ProviderName", str)
"""A host name, lower case, such as ``courier.example``."""
UserUri = NewType("UserUri", str)
"""``mimi://{provider}/u/{name}``."""
DeviceUri = NewType("DeviceUri", str)
"""``mimi://{provider}/d/{name}/{device}``."""
RoomUri = NewType("RoomUri", str)
"""``mimi://{provider}/r/{room}``; its UTF-8 bytes are the MLS ``group_id``."""
HubUri = NewType("HubUri", str)
"""``mimi://{host}``: the server that orders and franks a room's messages."""
SubmissionId = NewType("SubmissionId", bytes)
"""16 bytes chosen by the sending device, shaped as a version 7 UUID so that they sort by time."""
MessageId = NewType("MessageId", bytes)
"""32 bytes: 0x01 and the first 31 of a SHA-256 (``protocol.content.message_id``)."""
BlobId = NewType("BlobId", str)
"""32 hexadecimal digits, 128 random bits chosen by the hub: who knows it may fetch the blob."""
TimestampMs = NewType("TimestampMs", int)
"""Unix milliseconds, u64."""

SUBMISSION_ID_BYTES = 16
MAX_URI_BYTES = 255

_PROVIDER = r"(?P<provider>[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
_NAME = r"[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?"
_USER = re.compile(rf"mimi://{_PROVIDER}/u/(?P<name>{_NAME})")
_DEVICE = re.compile(rf"mimi://{_PROVIDER}/d/(?P<name>{_NAME})/(?P<device>[a-z0-9]{{1,32}})")
_ROOM = re.compile(rf"mimi://{_PROVIDER}/r/(?P<room>[a-z0-9_-]{{1,64}})")
_HUB = re.compile(rf"mimi://{_PROVIDER}")
_BLOB = re.compile(r"[0-9a-f]{32}")


def _match(pattern: re.Pattern[str], text: str, check: str, kind: str) -> re.Match[str]:
    found = pattern.fullmatch(text) if len(text) <= MAX_URI_BYTES else None
    if found is None:
        raise RemoteProtocolError(check, f"not a {kind} URI")
    return found


def parse_user_uri(text: str) -> UserUri:
    """``text`` is a user URI within our grammar. Raises ``RemoteProtocolError`` NL-001."""
    _match(_USER, text, "NL-001", "user")
    return UserUri(text)


def parse_device_uri(text: str) -> DeviceUri:
    """``text`` is a device URI within our grammar. Raises ``RemoteProtocolError`` NL-002."""
    _match(_DEVICE, text, "NL-002", "device")
    return DeviceUri(text)


def parse_room_uri(text: str) -> RoomUri:
    """``text`` is a room URI within our grammar. Raises ``RemoteProtocolError`` NL-003."""
    _match(_ROOM, text, "NL-003", "room")
    return RoomUri(text)


def parse_hub_uri(text: str) -> HubUri:
    """``text`` is a hub URI within our grammar. Raises ``RemoteProtocolError`` NL-004."""
    _match(_HUB, text, "NL-004", "hub")
    return HubUri(text)


def parse_blob_id(text: str) -> BlobId:
    """``text`` is a blob's id. Raises ``RemoteProtocolError`` NL-005."""
    if _BLOB.fullmatch(text) is None:
        raise RemoteProtocolError("NL-005", "not a blob's id")
    return BlobId(text)


def user_uri(provider: ProviderName, name: str) -> UserUri:
    """The URI of ``name`` (a handle) at ``provider``. Raises ``RemoteProtocolError`` NL-001."""
    return parse_user_uri(f"mimi://{provider}/u/{name}")


def device_uri(user: UserUri, device: str) -> DeviceUri:
    """The URI of ``user``'s device named ``device``. Raises ``RemoteProtocolError`` NL-001, NL-002."""
    found = _match(_USER, user, "NL-001", "user")
    return parse_device_uri(f"mimi://{found['provider']}/d/{found['name']}/{device}")


def room_uri(provider: ProviderName, room: str) -> RoomUri:
    """The URI of ``room`` at ``provider``. Raises ``RemoteProtocolError`` NL-003."""
    return parse_room_uri(f"mimi://{provider}/r/{room}")


def user_of(device: DeviceUri) -> UserUri:
    """The user whose device this is. Raises ``RemoteProtocolError`` NL-002."""
    found = _match(_DEVICE, device, "NL-002", "device")
    return UserUri(f"mimi://{found['provider']}/u/{found['name']}")


def provider_of(uri: UserUri | DeviceUri | RoomUri) -> ProviderName:
    """The provider in any of the three URIs."""
    return ProviderName(uri.removeprefix("mimi://").partition("/")[0])


def handle_of(user: UserUri) -> str:
    """The name part of a user URI."""
    return user.rpartition("/")[2]
