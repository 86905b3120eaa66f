"""MIMI content: what is inside an application message.

Source: draft-ietf-mimi-content-08; draft-mahy-mimi-message-status-01. Our narrower rules are in ``docs/protocol.md``,
Content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from nightlight.errors import RemoteProtocolError
from nightlight.protocol import cbor
from nightlight.protocol.codec import u16
from nightlight.protocol.ids import MessageId, RoomUri, UserUri, parse_room_uri, parse_user_uri
from nightlight.protocol.part import (
    TEXT_MARKDOWN,
    TEXT_PLAIN,
    Disposition,
    MultiPart,
    NullPart,
    Part,
    PartSemantics,
    SinglePart,
    part_value,
    read_body,
)
from nightlight.protocol.words import Words, from_markdown, to_markdown

SALT_BYTES = 16
MESSAGE_ID_BYTES = 32
MESSAGE_STATUS = "application/mimi-message-status"

SENDER_EXTENSION = 1
ROOM_EXTENSION = 2
FORWARDED_EXTENSION = "forwarded"
"""How often a message was forwarded, as its sender says. Ours: the standard has none."""

MAX_TOPIC_BYTES = 4096
MAX_EXTENSION_DEPTH = 4
MAX_EXTENSION_NAME_BYTES = 255
MAX_EXTENSION_NUMBER = 2**53 - 1

_SHA_256 = 1
_STATUSES = range(256)
_FIELDS = 7
_SALT_PREFIX = bytes([0x80 | _FIELDS, 0x40 | SALT_BYTES])
"""CBOR: an array of seven, and the head of its first item, a byte string of sixteen."""
_SALT_END = len(_SALT_PREFIX) + SALT_BYTES


class MessageStatus(IntEnum):
    """What a receiver says of a message in a status report."""

    UNREAD = 0
    DELIVERED = 1
    READ = 2
    EXPIRED = 3
    DELETED = 4
    HIDDEN = 5
    ERROR = 6


@dataclass(frozen=True, slots=True)
class Expiry:
    """When the message should vanish: ``seconds`` after it is read, or Unix seconds if not ``relative``."""

    relative: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class MimiContent:
    """One message. ``extensions`` always has 1 (sender URI) and 2 (room URI); ``salt`` is 16 random bytes."""

    salt: bytes
    extensions: Mapping[int | str, Any]
    body: Part
    replaces: MessageId | None = None
    topic_id: bytes = b""
    expires: Expiry | None = None
    in_reply_to: MessageId | None = None

    @property
    def sender(self) -> UserUri:
        """The user who says they sent it."""
        return UserUri(self.extensions[SENDER_EXTENSION])

    @property
    def room(self) -> RoomUri:
        """The room it says it was sent to."""
        return RoomUri(self.extensions[ROOM_EXTENSION])


# --- bytes ------------------------------------------------------------------------------------------------


def encode(content: MimiContent) -> bytes:
    """The one encoding of ``content``. Raises ``LocalProtocolError`` for values that CBOR cannot hold."""
    expires = content.expires
    return cbor.encode(
        [
            content.salt,
            content.replaces,
            content.topic_id,
            None if expires is None else [expires.relative, expires.seconds],
            content.in_reply_to,
            content.extensions,
            part_value(content.body),
        ]
    )


def decode(data: bytes) -> MimiContent:
    """The content whose one encoding is ``data``.

    Raises ``RemoteProtocolError``: NL-110, NL-111 from CBOR; NL-001, NL-003 for its URIs; NL-120 to NL-128.
    """
    salt = salt_of(data)
    value: Any = cbor.decode(data)
    _, replaces, topic_id, expires, in_reply_to, extensions, body = value
    if type(topic_id) is not bytes or len(topic_id) > MAX_TOPIC_BYTES:
        raise RemoteProtocolError("NL-121", "a topic id that is not at most 4096 bytes")
    return MimiContent(
        salt=salt,
        replaces=_read_message_id(replaces),
        topic_id=topic_id,
        expires=_read_expiry(expires),
        in_reply_to=_read_message_id(in_reply_to),
        extensions=_read_extensions(extensions),
        body=read_body(body),
    )


def salt_of(data: bytes) -> bytes:
    """The 16 bytes of salt at the front of encoded content. Raises ``RemoteProtocolError`` NL-120."""
    if data[:2] != _SALT_PREFIX or len(data) < _SALT_END:
        raise RemoteProtocolError("NL-120", "not an array of seven that starts with 16 bytes of salt")
    return data[2:_SALT_END]


def message_id(sender: UserUri, room: RoomUri, data: bytes) -> MessageId:
    """The id of the message whose encoded content is ``data``. Raises ``RemoteProtocolError`` NL-120.

    Source: draft-ietf-mimi-content-08, "Message ID".
    """
    salt = salt_of(data)
    sender_bytes = sender.encode()
    room_bytes = room.encode()
    hashed = hashlib.sha256(
        u16(len(sender_bytes)) + sender_bytes + u16(len(room_bytes)) + room_bytes + data + salt
    ).digest()
    return MessageId(bytes([_SHA_256]) + hashed[:31])


def _read_message_id(value: object) -> MessageId | None:
    if value is None:
        return None
    if type(value) is not bytes or len(value) != MESSAGE_ID_BYTES or value[0] != _SHA_256:
        raise RemoteProtocolError("NL-122", "not a message id of SHA-256")
    return MessageId(value)


def _read_expiry(value: object) -> Expiry | None:
    if value is None:
        return None
    match value:
        case [bool() as relative, int() as seconds] if type(seconds) is int and 0 <= seconds < 2**32:
            return Expiry(relative=relative, seconds=seconds)
    raise RemoteProtocolError("NL-123", "not an expiry")


def _read_extensions(value: object) -> dict[int | str, Any]:
    if type(value) is not dict:
        raise RemoteProtocolError("NL-124", "the extensions are not a map")
    sender, room = value.get(SENDER_EXTENSION), value.get(ROOM_EXTENSION)
    if type(sender) is not str or type(room) is not str:
        raise RemoteProtocolError("NL-125", "no sender URI or no room URI")
    parse_user_uri(sender)
    parse_room_uri(room)
    if len(value) > 2:  # noqa: PLR2004 - there are others than these two
        for key in value:
            if type(key) is not int and not (type(key) is str and 1 <= len(key.encode()) <= MAX_EXTENSION_NAME_BYTES):
                raise RemoteProtocolError("NL-124", "an extension whose key is neither a number nor a name")
        _check_extension(value, 1)
    return value


def _check_extension(value: object, depth: int) -> None:
    """Arrays and maps go no deeper than four, and numbers that are keys survive a double."""
    if not isinstance(value, list | dict):
        return
    if depth > MAX_EXTENSION_DEPTH:
        raise RemoteProtocolError("NL-124", "extensions nested too deeply")
    if isinstance(value, dict):
        if any(type(key) is int and abs(key) > MAX_EXTENSION_NUMBER for key in value):
            raise RemoteProtocolError("NL-124", "a number that no double holds as a key")
        value = list(value.values())
    for item in value:
        _check_extension(item, depth + 1)


# --- messages ---------------------------------------------------------------------------------------------


def extensions_of(sender: UserUri, room: RoomUri) -> dict[int | str, Any]:
    """What every message says of itself."""
    return {SENDER_EXTENSION: sender, ROOM_EXTENSION: room}


def text_message(  # noqa: PLR0913 - all that a message may be
    salt: bytes,
    sender: UserUri,
    room: RoomUri,
    text: str,
    *,
    mentions: Collection[UserUri] = (),
    in_reply_to: MessageId | None = None,
    replaces: MessageId | None = None,
    expires: Expiry | None = None,
    forwarded: int = 0,
) -> MimiContent:
    """A message that says ``text``, in which ``@name@provider`` mentions those of ``mentions``.

    ``salt``: 16 fresh random bytes. ``replaces``: it is an edit of that message. ``forwarded``: how often, 0 for not.
    """
    extensions = extensions_of(sender, room)
    if forwarded:
        extensions[FORWARDED_EXTENSION] = forwarded
    markdown = to_markdown(text, mentions)
    body = SinglePart(TEXT_PLAIN, text.encode()) if markdown is None else SinglePart(TEXT_MARKDOWN, markdown.encode())
    return MimiContent(salt, extensions, body, replaces=replaces, expires=expires, in_reply_to=in_reply_to)


def deletion(salt: bytes, sender: UserUri, room: RoomUri, deleted: MessageId) -> MimiContent:
    """A message that deletes ``deleted``, which ``sender`` sent. ``salt``: 16 fresh random bytes."""
    return MimiContent(salt, extensions_of(sender, room), NullPart(), replaces=deleted)


def reaction(salt: bytes, sender: UserUri, room: RoomUri, to: MessageId, text: str) -> MimiContent:
    """A message that reacts to ``to`` with ``text``, an emoji as a rule. ``salt``: 16 fresh random bytes."""
    body = SinglePart(TEXT_PLAIN, text.encode(), disposition=Disposition.REACTION)
    return MimiContent(salt, extensions_of(sender, room), body, in_reply_to=to)


def reaction_taken_back(salt: bytes, sender: UserUri, room: RoomUri, to: MessageId, reacted: MessageId) -> MimiContent:
    """A message that takes back ``reacted``, a reaction to ``to``. ``salt``: 16 fresh random bytes."""
    body = NullPart(disposition=Disposition.REACTION)
    return MimiContent(salt, extensions_of(sender, room), body, replaces=reacted, in_reply_to=to)


def words_of(part: Part) -> Words | None:
    """What ``part`` says in text that we can show, or None; of parts to choose from, the first that we can show."""
    match part:
        case SinglePart(content_type, content) if content_type == TEXT_PLAIN:
            return Words(content.decode())
        case SinglePart(content_type, content) if content_type == TEXT_MARKDOWN:
            return from_markdown(content.decode())
        case MultiPart(semantics, parts):
            found = [words for words in map(words_of, parts) if words is not None]
            shown = found[:1] if semantics is PartSemantics.CHOOSE_ONE else found
            mentions = dict.fromkeys(user for words in shown for user in words.mentions)
            return Words("\n".join(words.text for words in shown), tuple(mentions)) if shown else None
    return None


def status_report(
    salt: bytes, sender: UserUri, room: RoomUri, statuses: Sequence[tuple[MessageId, MessageStatus]]
) -> MimiContent:
    """A message in which ``sender`` tells how messages of ``room`` fared; ``salt``: 16 fresh random bytes.

    Source: draft-mahy-mimi-message-status-01.
    """
    report = cbor.encode([[reported, status] for reported, status in statuses])
    body = SinglePart(MESSAGE_STATUS, report, disposition=Disposition.UNSPECIFIED)
    return MimiContent(salt=salt, extensions=extensions_of(sender, room), body=body)


def read_status_report(part: Part) -> tuple[tuple[MessageId, MessageStatus], ...] | None:
    """The statuses that ``part`` tells, or None if it is no status report. Unknown ones, up to 255, are left out.

    Raises ``RemoteProtocolError`` NL-110, NL-111, NL-122; NL-129 for another shape.
    """
    if not isinstance(part, SinglePart) or part.content_type != MESSAGE_STATUS:
        return None
    rows = cbor.decode(part.content)
    if type(rows) is not list:
        raise RemoteProtocolError("NL-129", "not a status report")
    told = map(_read_status, rows)
    return tuple((reported, MessageStatus(status)) for reported, status in told if status <= max(MessageStatus))


def _read_status(row: object) -> tuple[MessageId, int]:
    match row:
        case [bytes() as value, int() as status] if type(status) is int and status in _STATUSES:
            reported = _read_message_id(value)
            assert reported is not None
            return reported, status
    raise RemoteProtocolError("NL-129", "not a message id and a status")
