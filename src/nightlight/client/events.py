"""What a client tells the application: messages, rooms, and the events that say something has changed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from nightlight.protocol.conversation import Reaction
from nightlight.protocol.ids import DeviceUri, MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.messages import ContactState
from nightlight.protocol.roles import Roles


class MessageState(StrEnum):
    """How far a message has come. A state is only ever followed by a later one in this list."""

    QUEUED = "queued"
    """Durable in the outbox; the hub has not taken it yet."""
    SENT = "sent"
    """The hub took it."""
    DELIVERED = "delivered"
    """At least one other member's device holds it."""
    READ = "read"
    """At least one other member has read it."""
    FAILED = "failed"
    """The hub refused it for good; see ``MessageStateChanged.reason``."""
    RECEIVED = "received"
    """Somebody else's message, verified and stored."""


class ConnectionState(StrEnum):
    """Where the connection to the hub stands."""

    OFFLINE = "offline"
    CONNECTING = "connecting"
    CATCHING_UP = "catching_up"
    ONLINE = "online"
    WAITING = "waiting"
    """Backing off after a failure; the next attempt comes by itself."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, ready to show."""

    room: RoomUri
    message_id: MessageId
    sender: UserUri
    text: str
    state: MessageState
    own: bool
    accepted_at_ms: TimestampMs | None = None
    """When the hub took it; None while it is queued."""
    reply_to: MessageId | None = None
    """The message that it answers, as first sent; it may not be here any more, or never have been."""
    mentions: tuple[UserUri, ...] = ()
    """Whom ``text`` calls ``@name@provider`` and means."""
    reactions: tuple[Reaction, ...] = ()
    edited: bool = False
    deleted: bool = False
    """By its sender: ``text`` is empty."""
    forwarded: int = 0
    """How often it was forwarded, as its sender says."""
    lifetime_s: int | None = None
    """How long it stays once it is read; the sender's own, once the hub has it."""
    expires_at_ms: TimestampMs | None = None
    """When it goes; None for never, or when its time has not begun."""


@dataclass(frozen=True, slots=True)
class OwnDevice:
    """One line in a list of this person's devices."""

    device: DeviceUri
    may_sign: bool
    """Whether it may take others in and remove them."""
    this: bool


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """One line in a list of rooms."""

    room: RoomUri
    members: tuple[UserUri, ...]
    """The participants, this client's user included, sorted."""
    unread: int
    last: Message | None
    roles: Roles
    """Of the participants, in the order in which they came, and of those who are banned."""
    lifetime_s: int | None = None
    """What this device sends there stays so long once it is read; None for ever."""


@dataclass(frozen=True, slots=True)
class MessageShown:
    """A message is to be appended to its room's view; each message once, in the room's order."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """A message that was shown is shown otherwise now: somebody edited it, deleted it, or reacted to it."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageExpired:
    """A message is not shown any more: its time is over."""

    room: RoomUri
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class MessageStateChanged:
    """One of this client's own messages has come further; edits, deletions and reactions are messages, too."""

    room: RoomUri
    message_id: MessageId
    state: MessageState
    reason: str | None = None
    """With ``FAILED`` alone: the problem's name."""


@dataclass(frozen=True, slots=True)
class ContactChanged:
    """A contact has another state; ``None`` when there is no relation any more."""

    user: UserUri
    state: ContactState | None


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The room was joined, its members or their roles changed, or this device left it."""

    room: RoomUri
    members: tuple[UserUri, ...]
    joined: bool
    """Whether this device is a member."""


@dataclass(frozen=True, slots=True)
class FaultSeen:
    """Something arrived that breaks a rule; it was not shown, and the conversation goes on."""

    room: RoomUri | None
    check: str
    """The number of the check in ``docs/protocol.md``, such as ``NL-511``."""
    culprit: str
    """A device or user URI, or ``hub``."""
    at_ms: TimestampMs


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """The connection to the hub has another state."""

    state: ConnectionState
    reason: str | None = None


Event = (
    MessageShown
    | MessageChanged
    | MessageExpired
    | MessageStateChanged
    | ContactChanged
    | RoomChanged
    | FaultSeen
    | ConnectionChanged
)
