"""What a client tells the application: messages, rooms, and the events that say something has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from nightlight.errors import ProblemName
from nightlight.protocol.attachment import TAG_BYTES, Attachment
from nightlight.protocol.conversation import Reaction
from nightlight.protocol.filename import safe_filename
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
class AttachedFile:
    """A file that a message has. ``filename`` is harmless here; ``content_type`` is its sender's word.

    ``size``: bytes. ``preview``: a small picture of its sender's making, ``preview_type``, or None.
    """

    filename: str
    content_type: str
    size: int
    description: str = ""
    preview: bytes | None = field(default=None, repr=False)
    preview_type: str = ""


def attached(attachment: Attachment) -> AttachedFile:
    """What an application is told of an attachment: nothing that opens it."""
    preview = attachment.preview
    return AttachedFile(
        safe_filename(attachment.filename),
        attachment.content_type,
        attachment.seal.size - TAG_BYTES,
        attachment.description,
        None if preview is None else preview.content,
        "" if preview is None else preview.content_type,
    )


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
    attachments: tuple[AttachedFile, ...] = ()
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
    name: str
    """What its owner or admins call it; empty, if nothing."""
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
class FileUpload:
    """A file that is not a message yet. ``size``: bytes that go to the hub; ``problem``: why it cannot be sent."""

    upload_id: str
    filename: str
    content_type: str
    size: int
    caption: str
    problem: ProblemName | None


@dataclass(frozen=True, slots=True)
class UploadChanged:
    """A file that this person sends has come further: ``sent`` of ``size`` bytes are at the hub.

    Then it is a message, ``message_id``; or it cannot be sent, for ``reason``: the problem's name.
    """

    upload_id: str
    room: RoomUri
    sent: int
    size: int
    message_id: MessageId | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Typing:
    """``user`` is writing; that holds for some seconds, or until a message of theirs is shown."""

    room: RoomUri
    user: UserUri


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


class NoticeKind(StrEnum):
    """What a notice tells."""

    RECOVERY_WAITS = "recovery_waits"
    """Somebody with this person's recovery key waits to make another device theirs: they, or a thief."""
    RECOVERED = "recovered"
    """The user came back on a new device by their recovery key; the safety number is another."""
    KEY_REPLACED = "key_replaced"
    """The user has another account key, for which the one before or their recovery key vouches; so is the number."""
    RECOVERY_KEY_CHANGED = "recovery_key_changed"
    """This person's recovery key was made, or made anew: the words from before are worth nothing."""
    NEW_PERSON = "new_person"
    """The user has an account key that nobody vouches for: somebody else, until accepted anew."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What this person has to be told, and sees again until they say that they have.

    ``about``: the device, or the key in hexadecimal. ``until_ms``: when a wait is over.
    """

    kind: NoticeKind
    user: UserUri
    about: str
    at_ms: TimestampMs
    until_ms: TimestampMs | None = None


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
    | Typing
    | UploadChanged
    | ContactChanged
    | RoomChanged
    | FaultSeen
    | Notice
    | ConnectionChanged
)
