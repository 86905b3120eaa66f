"""What the local store's rows say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from msgspec import Struct

from nightlight.errors import ProblemName
from nightlight.protocol.attachment import Seal
from nightlight.protocol.ids import BlobId, DeviceUri, MessageId, RoomUri, SubmissionId, TimestampMs, UserUri
from nightlight.protocol.messages import AccountKeyChange, RecoveryEnd
from nightlight.protocol.part import SinglePart
from nightlight.protocol.roles import Role, Roles


class Standing(StrEnum):
    """How this device stands to a room."""

    CREATED = "created"
    """The group is made here; the hub may not know the room yet."""
    JOINED = "joined"
    LEAVING = "leaving"
    """This person has left, and the others are still to be told: the outbox ends with the commit that does it."""
    LEFT = "left"
    BROKEN = "broken"
    """Its group can't go on here; somebody has to add this device again."""


class ItemKind(StrEnum):
    """What an item of the outbox is."""

    MESSAGE = "message"
    STATUS = "status"
    COMMIT = "commit"


class Identity(Struct, frozen=True):
    """One device of one person. Seeds are of Ed25519 keys, 32 bytes; a device that may not sign has no account seed.

    ``registered``: the server has the account.
    """

    server_url: str
    user: UserUri
    device: DeviceUri
    account_seed: bytes
    session_seed: bytes
    registered: bool = False


class Preferences(Struct, frozen=True):
    """What this person has chosen, on this device.

    ``receipts``: senders are told what the device holds and its person has read. ``typing``: others see that the person
    is writing, and the person sees it of them.
    """

    receipts: bool = True
    typing: bool = True


class Intent(Struct, frozen=True):
    """What a commit is for, so that it can be built again after another commit won.

    ``add``: key packages; ``remove``: users; ``drop``: devices; ``give``: roles; ``renew``: key packages of devices in
    the room that cannot go on with the leaf that they have. All empty: fresh keys for this device's leaf.
    """

    add: list[bytes] = []
    remove: list[str] = []
    drop: list[str] = []
    give: dict[UserUri, Role] = {}
    renew: list[bytes] = []


class PendingLink(Struct, frozen=True):
    """A device that shows its link code. ``sealing_seed``: X25519 private key; ``session_seed``: Ed25519; 32 bytes."""

    server_url: str
    user: UserUri
    code: str
    sealing_seed: bytes
    session_seed: bytes


class LinkingDevice(Struct, frozen=True):
    """A device being taken in: durable before the server is told, so that it is told the same again.

    ``code``: what it shows; ``device_list``: signed; ``package``: sealed for it.
    """

    code: str
    may_sign: bool
    device_list: bytes
    package: bytes


class KeyReplacement(Struct, frozen=True):
    """A new account key on its way to the hub: durable before the server is told, so that it is told the same again.

    ``account_seed``: Ed25519 private key, 32 bytes; ``removed``: the devices that go with it; ``device_list``: signed;
    ``change``: what the server is told with it; ``credential``: of this device's own leaves.
    """

    account_seed: bytes
    removed: list[DeviceUri]
    device_list: bytes
    change: AccountKeyChange
    credential: bytes


class RecoveringDevice(Struct, frozen=True):
    """A fresh device whose person has their recovery key and no other device. Seeds are of Ed25519 keys, 32 bytes.

    ``signature``: the recovery key's, over what follows the account key ``former_key``; both empty before the hub has
    told which that is. ``end``: what ends the recovery, once it was built.
    """

    server_url: str
    user: UserUri
    device: DeviceUri
    account_seed: bytes
    session_seed: bytes
    former_key: bytes = b""
    signature: bytes = b""
    ready_at_ms: TimestampMs = TimestampMs(0)
    end: RecoveryEnd | None = None


@dataclass(frozen=True, slots=True)
class RoomRecord:
    """One room. ``cursor``: the log is processed up to here; ``read_seq``: the person has read up to here.

    ``lifetime_s``: what this device sends there stays so long once it is read; None for ever.
    """

    room: RoomUri
    standing: Standing
    cursor: int
    epoch: int
    franking_key: bytes
    members: tuple[UserUri, ...]
    read_seq: int = 0
    accepted_at_ms: TimestampMs = field(default=TimestampMs(0))
    lifetime_s: int | None = None
    roles: Roles = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether this device can write there."""
        return self.standing in {Standing.CREATED, Standing.JOINED}

    @property
    def follows(self) -> bool:
        """Whether this device takes in what the room's log says."""
        return self.standing in {Standing.JOINED, Standing.LEAVING}


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One submission. ``content``: application data, or an encoded ``Intent``; ``payload`` is built for ``epoch``."""

    submission_id: SubmissionId
    room: RoomUri
    kind: ItemKind
    content: bytes = field(repr=False)
    message_id: MessageId | None = None
    epoch: int | None = None
    payload: bytes | None = field(default=None, repr=False)
    welcome: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Lost:
    """Where a room stopped here. ``digest``: SHA-256 of the payload of the entry ``seq``, if it came."""

    room: RoomUri
    seq: int
    digest: bytes | None


class Upload(Struct, frozen=True):
    """A file on its way to the hub. ``seal``: how it is sealed and kept here; ``blob``: its id once the hub gave one.

    ``problem``: why it cannot be sent.
    """

    upload_id: str
    room: RoomUri
    seal: Seal
    content_type: str
    filename: str
    preview: SinglePart | None
    caption: str
    reply_to: MessageId | None
    blob: BlobId | None = None
    problem: ProblemName | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """One message as a report shows it: the exact content, and the hub's statement."""

    application_data: bytes = field(repr=False)
    frank: bytes
    accepted_at_ms: TimestampMs
