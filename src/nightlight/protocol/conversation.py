"""What messages of a room mean to each other: replies, edits, deletions, reactions, forwarding, expiry.

A message means what it means at its place in the room's log: only what stands before it counts. So every device that
has the same log shows the same, whatever it knew first. The rules are in ``docs/protocol.md``, Conversations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.attachment import Attachment, read_attachments
from nightlight.protocol.content import FORWARDED_EXTENSION, Expiry, MimiContent, words_of
from nightlight.protocol.ids import MessageId, TimestampMs, UserUri
from nightlight.protocol.part import Disposition, MultiPart, NullPart, Part, PartSemantics
from nightlight.protocol.words import Words

MAX_REACTION_BYTES = 64
MAX_REACTIONS = 16
"""Of one user to one message: as many stand."""
MAX_REACTION_MESSAGES = 256
"""In which one user reacts to one message, reactions taken back included."""
MAX_FORWARDED = 65_535
SHORTEST_LIFE_S, LONGEST_LIFE_S = 5, 366 * 86_400

_SPACE, _DELETE = 0x20, 0x7F


class Kind(StrEnum):
    """What a message does."""

    MESSAGE = "message"
    EDIT = "edit"
    DELETION = "deletion"
    REACTION = "reaction"
    """It sets reactions, takes them back, or both."""
    NOTHING = "nothing"
    """What it is about is not here, or it says nothing that we can show."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says. ``target``: what an edit, a deletion or a reaction is about, as it was first sent."""

    kind: Kind
    target: MessageId | None = None
    words: Words | None = None
    reply_to: MessageId | None = None
    """The message answered, as it was first sent; if it is not here, as the reply names it."""
    forwarded: int = 0
    """How often, as its sender says."""
    expires: Expiry | None = None
    sets: tuple[str, ...] = ()
    """Reactions, each once."""
    unsets: tuple[str, ...] = ()
    """Reactions taken back, before ``sets``."""
    attachments: tuple[Attachment, ...] = ()


NOTHING = Said(Kind.NOTHING)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A message that stands in the room already, as far as later ones need to know it."""

    sender: UserUri
    kind: Kind
    target: MessageId | None
    sets: tuple[str, ...]


class Before(Protocol):
    """What stands in the room before a message."""

    def find(self, message_id: MessageId) -> Earlier | None:
        """The message, if it is in this room and stands before."""

    def reactions(self, target: MessageId, sender: UserUri) -> int:
        """In how many messages ``sender`` has reacted to ``target``."""


def read(message: MimiContent, before: Before) -> Said:
    """What ``message``, verified, says where ``before`` is what stands before it.

    Raises ``RemoteProtocolError`` NL-130, NL-133, NL-150 to NL-153; ``VerificationError`` NL-131, NL-132.
    """
    if message.body.disposition == Disposition.PROFILE and not isinstance(message.body, NullPart):
        return NOTHING  # it shows around the conversation, not in it
    if message.replaces is not None:
        return _replacement(message, message.replaces, before)
    if message.body.disposition == Disposition.REACTION:
        return _reaction(message, before)
    words = words_of(message.body)
    attachments = tuple(read_attachments(message.body))
    if words is None and not attachments:
        return NOTHING
    return Said(
        Kind.MESSAGE,
        words=words or Words(""),
        reply_to=None if message.in_reply_to is None else _root(message.in_reply_to, before) or message.in_reply_to,
        forwarded=_forwarded(message),
        expires=message.expires,
        attachments=attachments,
    )


def _replacement(message: MimiContent, replaced: MessageId, before: Before) -> Said:
    """An edit of an edit is an edit of the message; so is a deletion."""
    earlier = before.find(replaced)
    if earlier is None:
        return NOTHING
    if earlier.sender != message.sender:
        raise VerificationError("NL-131", "a replacement of somebody else's message")
    body = message.body
    as_reaction = body.disposition == Disposition.REACTION and not isinstance(body, NullPart)
    if earlier.kind is Kind.REACTION and earlier.target is not None:
        sets = _reactions_in(body) if as_reaction else ()
        _check_reactions(earlier.target, message.sender, before)
        return Said(Kind.REACTION, earlier.target, sets=sets, unsets=earlier.sets)
    target = _root(replaced, before)
    if target is None or as_reaction:
        return NOTHING
    if isinstance(body, NullPart):
        return Said(Kind.DELETION, target)
    words = words_of(body)
    return NOTHING if words is None else Said(Kind.EDIT, target, words)


def _root(named: MessageId, before: Before) -> MessageId | None:
    """The message that ``named`` is, or is an edit of; None if it is neither, or not here."""
    match before.find(named):
        case Earlier(kind=Kind.MESSAGE):
            return named
        case Earlier(kind=Kind.EDIT | Kind.DELETION, target=target):
            return target
    return None


def _reaction(message: MimiContent, before: Before) -> Said:
    sets = _reactions_in(message.body)
    target = None if message.in_reply_to is None else _root(message.in_reply_to, before)
    if target is None or not sets:
        return NOTHING
    _check_reactions(target, message.sender, before)
    return Said(Kind.REACTION, target, sets=sets)


def _check_reactions(target: MessageId, sender: UserUri, before: Before) -> None:
    if before.reactions(target, sender) >= MAX_REACTION_MESSAGES:
        raise VerificationError("NL-132", "more reactions to one message than one user may send")


def _reactions_in(body: Part) -> tuple[str, ...]:
    """The reactions in ``body``, each once; none if it has no text. Raises ``RemoteProtocolError`` NL-130."""
    parts = body.parts if isinstance(body, MultiPart) and body.semantics is PartSemantics.PROCESS_ALL else (body,)
    said = [words.text for words in map(words_of, parts) if words is not None]
    if len(said) > MAX_REACTIONS or not all(map(is_reaction, said)):
        raise RemoteProtocolError("NL-130", "a reaction that is not 1 to 64 bytes without spaces")
    return tuple(dict.fromkeys(said))


def is_reaction(text: str) -> bool:
    """Whether ``text`` can be a reaction: 1 to 64 bytes of UTF-8, no ASCII space or control character."""
    data = text.encode()
    return 1 <= len(data) <= MAX_REACTION_BYTES and all(byte > _SPACE and byte != _DELETE for byte in data)


def _forwarded(message: MimiContent) -> int:
    count = message.extensions.get(FORWARDED_EXTENSION, 0)
    if type(count) is not int or (FORWARDED_EXTENSION in message.extensions and not 1 <= count <= MAX_FORWARDED):
        raise RemoteProtocolError("NL-133", "a count of forwarding that is not 1 to 65,535")
    return count


# --- what is shown ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reaction:
    """One reaction to a message, and the users of whom it stands, the first first."""

    text: str
    users: tuple[UserUri, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An edit, a deletion or a reaction, by whom it was sent."""

    sender: UserUri
    said: Said


@dataclass(frozen=True, slots=True)
class Shown:
    """What a message shows after all that was said about it."""

    words: Words
    edited: bool = False
    deleted: bool = False
    reactions: tuple[Reaction, ...] = ()


def show(words: Words, changes: Iterable[Change]) -> Shown:
    """A message of ``words`` as ``changes``, in the order of the log, leave it. A deletion is for good."""
    edited = False
    standing: dict[str, dict[UserUri, None]] = {}
    for change in changes:
        match change.said:
            case Said(kind=Kind.DELETION):
                return Shown(Words(""), deleted=True)
            case Said(kind=Kind.EDIT, words=Words() as later):
                words, edited = later, True
            case Said(kind=Kind.REACTION) as said:
                _react(standing, change.sender, said)
    reactions = tuple(Reaction(text, tuple(users)) for text, users in standing.items())
    return Shown(words, edited=edited, reactions=reactions)


def _react(standing: dict[str, dict[UserUri, None]], user: UserUri, said: Said) -> None:
    for text in said.unsets:
        users = standing.get(text, {})
        users.pop(user, None)
        if not users:
            standing.pop(text, None)
    for text in said.sets:
        if sum(user in users for users in standing.values()) < MAX_REACTIONS:
            standing.setdefault(text, {})[user] = None


# --- how long -----------------------------------------------------------------------------------------------


def lifetime_s(expires: Expiry) -> int | None:
    """Seconds for which a message stays once it is read, from 5 to a year; None if it says a time instead."""
    return min(max(expires.seconds, SHORTEST_LIFE_S), LONGEST_LIFE_S) if expires.relative else None


def end_ms(expires: Expiry, accepted_at_ms: TimestampMs) -> TimestampMs | None:
    """When a message goes, from 5 seconds to a year after the hub took it; None if it is so long after being read."""
    if expires.relative:
        return None
    earliest, latest = (accepted_at_ms + life_s * 1000 for life_s in (SHORTEST_LIFE_S, LONGEST_LIFE_S))
    return TimestampMs(min(max(expires.seconds * 1000, earliest), latest))
