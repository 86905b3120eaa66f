"""What client and server say to each other: frames of the WebSocket and bodies of the HTTP interface.

Frames are MessagePack arrays ``[tag, field, …]``; bodies are JSON objects. Types only: what a field's bytes
hold is decoded elsewhere in this package. In JSON, bytes are base64.

A device sees each room's log without gaps, from the sequence number at which it joined. An entry of its own
comes as ``Accepted``, anyone else's as ``Delivery``; so one rule finds a gap, live and after a reconnect.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from nightlight.errors import ProblemName, RemoteProtocolError
from nightlight.protocol.credential import MAX_DEVICES
from nightlight.protocol.ids import parse_blob_id, parse_device_uri, parse_hub_uri, parse_room_uri, parse_user_uri
from nightlight.protocol.linking import PACKAGE_BYTES_MAX

Uri = Annotated[str, Meta(max_length=255)]
Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
U64 = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""A u64 that also fits a double: JSON has no other number in a browser."""
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Signature64 = Annotated[bytes, Meta(min_length=64, max_length=64)]
SignedList = Annotated[bytes, Meta(max_length=16_384)]
"""32 devices with the longest names take 9,500 bytes."""
SuccessionBytes = Annotated[bytes, Meta(max_length=20_480)]
"""It has a list in it."""
CredentialBytes = Annotated[bytes, Meta(max_length=1_024)]
KeyPackageBytes = Annotated[bytes, Meta(max_length=4_096)]
GroupInfoBytes = Annotated[bytes, Meta(max_length=16_384)]
"""Of a group with one leaf."""
MAX_CURSORS = 10_000
MAX_ROOMS = 100
"""In one answer to GET /v1/rooms."""


class EntryKind(StrEnum):
    """What a log entry holds."""

    APPLICATION = "application"
    COMMIT = "commit"
    WELCOME = "welcome"


# --- client to server -------------------------------------------------------------------------------------


class Hello(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="hello"):
    """The first frame: signs the connection in and says where to continue.

    ``cursors``: room URI → the last sequence number this device holds durably. Rooms left out start where the
    device joined.
    """

    token: Annotated[str, Meta(max_length=128)]
    cursors: Annotated[dict[Uri, U64], Meta(max_length=MAX_CURSORS)]


class SubmitMessage(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="submit"):
    """``message`` is an MLSMessage with a PrivateMessage of content type application."""

    submission_id: Id16
    room: Uri
    message: bytes


class SubmitCommit(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="commit"):
    """``commit``: MLSMessage with a PublicMessage; ``welcome``: MLSMessage with a Welcome, if it adds anyone."""

    submission_id: Id16
    room: Uri
    commit: bytes
    welcome: bytes | None = None


class Acknowledge(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="ack"):
    """Everything in ``room`` up to ``seq`` is durable on this device."""

    room: Uri
    seq: U64


class TellTyping(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="typing"):
    """This device's person is writing in ``room``: for whoever is connected now, and never answered."""

    room: Uri


ClientFrame = Hello | SubmitMessage | SubmitCommit | Acknowledge | TellTyping


# --- server to client -------------------------------------------------------------------------------------


class Ready(Struct, frozen=True, array_like=True, tag="ready"):
    """The connection is signed in. ``heads``: the device's rooms → the last sequence number in each log."""

    device: Uri
    heads: dict[Uri, U64]


class Accepted(Struct, frozen=True, array_like=True, tag="accepted"):
    """This device's own entry is durable in the log.

    ``epoch``: the epoch it was sent in. ``frank``: 100 bytes for a message, empty for a commit.
    """

    submission_id: Id16
    room: Uri
    seq: U64
    epoch: U64
    accepted_at_ms: U64
    frank: bytes


class Refused(Struct, frozen=True, array_like=True, tag="refused"):
    """A submission was not taken. ``epoch``: the room's current epoch, with ``wrong_epoch`` alone.

    ``submission_id`` is None when the frame could not be read.
    """

    submission_id: Id16 | None
    problem: ProblemName
    epoch: U64 | None = None
    retry_after_ms: U64 | None = None


class Delivery(Struct, frozen=True, array_like=True, tag="deliver"):
    """Somebody else's entry, submitted by the device ``sender``. ``frank`` is empty unless it is a message."""

    room: Uri
    seq: U64
    kind: EntryKind
    sender: Uri
    accepted_at_ms: U64
    payload: bytes
    frank: bytes


class Removed(Struct, frozen=True, array_like=True, tag="removed"):
    """This device is no longer a member of ``room``; the log ends for it at ``seq``."""

    room: Uri
    seq: U64


class Wake(Struct, frozen=True, array_like=True, tag="wake"):
    """Something that HTTP tells has changed: ``contacts``, ``devices``, ``key_packages`` or ``rooms``."""

    what: str


class Goodbye(Struct, frozen=True, array_like=True, tag="goodbye"):
    """The server is closing this connection, and why: ``stopping``, ``replaced`` or ``removed``."""

    reason: str


class Typing(Struct, frozen=True, array_like=True, tag="typing"):
    """``user`` is writing in ``room``, as their device said just now."""

    room: Uri
    user: Uri


ServerFrame = Ready | Accepted | Refused | Delivery | Removed | Wake | Goodbye | Typing

_client_frames: msgspec.msgpack.Decoder[ClientFrame] = msgspec.msgpack.Decoder(ClientFrame)
_server_frames: msgspec.msgpack.Decoder[ServerFrame] = msgspec.msgpack.Decoder(ServerFrame)
encode_frame = msgspec.msgpack.Encoder().encode


def read_client_frame(data: bytes) -> ClientFrame:
    """The frame that a client sent. Raises ``RemoteProtocolError`` NL-010."""
    try:
        return _client_frames.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError("NL-010", "not a frame that a client may send") from error


def read_server_frame(data: bytes) -> ServerFrame:
    """The frame that a server sent. Raises ``RemoteProtocolError`` NL-011."""
    try:
        return _server_frames.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError("NL-011", "not a frame that a server may send") from error


# --- HTTP bodies ------------------------------------------------------------------------------------------


class Registration(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/accounts: a new person with their first device.

    ``device_list``: version 1, signed by ``account_key``, encoded as ``protocol.credential.DeviceList``.
    ``session_key``: Ed25519 public key of the first device, for signing in only.
    """

    user: Uri
    device: Uri
    account_key: Key32
    device_list: SignedList
    session_key: Key32


class ChallengeRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/challenges."""

    device: Uri


class Challenge(Struct, frozen=True):
    """What to sign: ``protocol.credential.session_content(origin, device, nonce, expires_at_ms)``."""

    origin: str
    nonce: Key32
    expires_at_ms: U64


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/sessions: the challenge again, and its signature by the device's session key."""

    device: Uri
    nonce: Key32
    expires_at_ms: U64
    signature: Signature64


class Session(Struct, frozen=True):
    """A bearer token bound to the device."""

    token: str
    expires_at_ms: U64


class DeviceLink(Struct, frozen=True, forbid_unknown_fields=True):
    """A device that its user takes in with the list that names it first.

    ``session_key``: Ed25519 public key, for signing in only. ``package``: what the device fetches at ``mailbox``,
    sealed for it alone (``protocol.linking``).
    """

    device: Uri
    session_key: Key32
    mailbox: Key32
    package: Annotated[bytes, Meta(max_length=PACKAGE_BYTES_MAX)]


class AccountKeyChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes with the first list under a new account key. ``succession``: a ``protocol.succession.Succession``.

    ``credentials``: a leaf credential under the new key for each device on the list.
    """

    succession: SuccessionBytes
    credentials: Annotated[list[CredentialBytes], Meta(max_length=MAX_DEVICES)]


class DeviceListUpdate(Struct, frozen=True, forbid_unknown_fields=True):
    """PUT /v1/device-list: the caller's next device list, and the device that it links, or its new account key."""

    device_list: SignedList
    link: DeviceLink | None = None
    change: AccountKeyChange | None = None


class Mailbox(Struct, frozen=True):
    """GET /v1/link?mailbox=…: what an old device has left there, sealed. Public: who asks knows the link code."""

    package: bytes


class PendingRecovery(Struct, frozen=True):
    """Somebody with the recovery key of the caller makes ``device`` theirs, and their only one, at ``ready_at_ms``."""

    device: Uri
    begun_at_ms: U64
    ready_at_ms: U64

    def __post_init__(self) -> None:
        parse_device_uri(self.device)


class UserDevices(Struct, frozen=True, omit_defaults=True):
    """GET /v1/device-list?user=…: what a contact needs to check a leaf.

    ``successions``: how each account key of the user followed the one before, oldest first. Of
    oneself alone: ``credential``, of the caller's leaves, where another device has replaced the account key;
    ``recovery``, if one waits.
    """

    user: Uri
    account_key: Key32
    device_list: bytes
    successions: list[bytes] = []
    credential: bytes | None = None
    recovery: PendingRecovery | None = None

    def __post_init__(self) -> None:
        parse_user_uri(self.user)


class RecoveryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/recovery: a fresh device asks to become the one device of ``user``, whose recovery key signs.

    ``signature`` is over ``protocol.succession.recovery_content``; keys are Ed25519.
    """

    user: Uri
    device: Uri
    signature_key: Key32
    session_key: Key32
    account_key: Key32
    signature: Signature64


class Recovery(Struct, frozen=True):
    """POST /v1/recovery and GET /v1/recovery?device=…: it waits until ``ready_at_ms``, by the server's clock."""

    devices: UserDevices
    ready_at_ms: U64


class RecoveryEnd(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/recovery/end: the first list under the recovered account key, once the wait is over."""

    device: Uri
    device_list: SignedList
    succession: SuccessionBytes


class KeyPackageUpload(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/key-packages: MLSMessages with one KeyPackage each, for the caller's device."""

    key_packages: Annotated[list[KeyPackageBytes], Meta(max_length=200)]
    last_resort: KeyPackageBytes | None = None


class KeyPackageCount(Struct, frozen=True):
    """GET /v1/key-packages: how many single-use ones are left for the caller's device."""

    remaining: U64
    has_last_resort: bool


class KeyPackageClaim(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/key-packages/claim: one for each device of ``user``, a contact or oneself; or for ``devices`` alone."""

    user: Uri
    devices: Annotated[list[Uri], Meta(max_length=MAX_DEVICES)] | None = None


class ClaimedKeyPackages(Struct, frozen=True):
    """The devices of one user, each with a key package; and the list that vouches for them."""

    devices: UserDevices
    key_packages: list[bytes]


class ContactState(StrEnum):
    """How the caller stands to another user."""

    REQUESTED = "requested"
    """The caller has asked."""
    ASKED = "asked"
    """The other has asked; accept or decline."""
    CONNECTED = "connected"
    BLOCKED = "blocked"
    """The caller has blocked the other."""


class Contact(Struct, frozen=True, omit_defaults=True):
    """One row of GET /v1/contacts. ``successions``: of somebody connected, how often their account key was replaced."""

    user: Uri
    state: ContactState
    since_ms: U64
    successions: U64 = 0

    def __post_init__(self) -> None:
        parse_user_uri(self.user)


class ContactAction(StrEnum):
    """POST /v1/contacts/{action}."""

    REQUEST = "request"
    ACCEPT = "accept"
    DECLINE = "decline"
    CANCEL = "cancel"
    BLOCK = "block"
    UNBLOCK = "unblock"


class ContactTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom a contact action is about."""

    user: Uri


class RoomCreation(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/rooms: a new group at epoch 0 whose one leaf is the caller's device.

    ``group_info``: MLSMessage with a GroupInfo that carries the ratchet tree.
    """

    room: Uri
    group_info: GroupInfoBytes


class EntryUnusable(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/rooms/unusable: the caller's device cannot go on in ``room``, and asks to be added anew.

    ``seq``: the entry at which it stopped. ``digest``: SHA-256 of its payload as it came; None for a Welcome, or if
    nothing came.
    """

    room: Uri
    seq: U64
    digest: Key32 | None = None


class RoomMember(Struct, frozen=True):
    """A device in a room. ``revoked``: its user's device list no longer names it, and somebody has to remove it.

    ``lost``: it has said that it cannot go on, and somebody has to add it anew.
    """

    device: Uri
    joined_seq: U64
    revoked: bool
    lost: bool

    def __post_init__(self) -> None:
        parse_device_uri(self.device)


class RoomParticipant(Struct, frozen=True):
    """A user's role in a room, as ``protocol.roles.Role`` names it, in lower case."""

    user: Uri
    role: str

    def __post_init__(self) -> None:
        parse_user_uri(self.user)


class Room(Struct, frozen=True):
    """GET /v1/rooms?after=… and GET /v1/room?room=…: what the hub knows.

    ``participants`` in the order in which they came.
    """

    room: Uri
    epoch: U64
    head: U64
    members: list[RoomMember]
    participants: list[RoomParticipant]

    def __post_init__(self) -> None:
        parse_room_uri(self.room)


class BlobCreation(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/blobs: an upload of so many bytes of ciphertext begins."""

    size: Annotated[int, Meta(ge=1, le=2**53 - 1)]


class BlobHash(Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/blobs/{blob}/upload: SHA-256 of the whole ciphertext, all of which is there."""

    sha256: Key32


class BlobUpload(Struct, frozen=True):
    """How far an upload is: ``received`` of ``size`` bytes. ``chunk_bytes``: what each chunk but the last has."""

    blob: Annotated[str, Meta(max_length=32)]
    size: U64
    received: U64
    chunk_bytes: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    finished: bool

    def __post_init__(self) -> None:
        parse_blob_id(self.blob)


class Directory(Struct, frozen=True):
    """GET /v1/directory: what clients pin of this hub. Public.

    ``franking_keys``: Ed25519 public keys that a room may name, newest first.
    """

    hub: Uri
    providers: list[str]
    franking_keys: list[Key32]

    def __post_init__(self) -> None:
        parse_hub_uri(self.hub)
