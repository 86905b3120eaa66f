"""What the delivery services need of a database: one unit of work over people, rooms, logs and blobs.

The operations are coroutines for a database across a network; SQLite answers without ever waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from nightlight.errors import ProblemName
from nightlight.protocol.ids import DeviceUri, RoomUri, SubmissionId, TimestampMs, UserUri
from nightlight.protocol.messages import Delivery, EntryKind, UserDevices
from nightlight.protocol.roles import Roles
from nightlight.server.domain.contact import Pair
from nightlight.server.domain.room import RoomState
from nightlight.server.ports.blobs import BlobRecords

Clock = Callable[[], TimestampMs]
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Caller:
    """A device that has signed in, and its user."""

    device: DeviceUri
    device_id: int
    user: UserUri
    user_id: int


@dataclass(frozen=True, slots=True)
class Account:
    """A user as the directory holds them. ``device_list``: the newest SignedDeviceList, come at ``listed_at_ms``.

    ``former_keys``: account keys that ``account_key`` has replaced, oldest first.
    """

    user: UserUri
    user_id: int
    account_key: bytes
    list_version: int
    device_list: bytes
    listed_at_ms: TimestampMs
    former_keys: tuple[bytes, ...] = ()

    def told(self, successions: Sequence[bytes] = ()) -> UserDevices:
        """What anybody is told of it who is told anything."""
        return UserDevices(self.user, self.account_key, self.device_list, list(successions))


@dataclass(frozen=True, slots=True)
class Device:
    """A device as the directory holds it."""

    device: DeviceUri
    device_id: int
    session_key: bytes
    revoked: bool


@dataclass(frozen=True, slots=True)
class WaitingRecovery:
    """A fresh device whose person has proved to hold the recovery key of their account. Keys are Ed25519, 32 bytes."""

    device: DeviceUri
    signature_key: bytes
    session_key: bytes
    account_key: bytes
    begun_at_ms: TimestampMs
    ready_at_ms: TimestampMs


@dataclass(frozen=True, slots=True)
class StoredKeyPackage:
    """A key package ready for upload. ``reference``: KeyPackageRef, 32 bytes."""

    reference: bytes
    message: bytes
    expires_at_ms: TimestampMs
    last_resort: bool


class Answered(Struct, frozen=True, gc=False):
    """What a device was told about a submission of its own."""

    room: RoomUri
    seq: int
    epoch: int
    accepted_at_ms: TimestampMs
    frank: bytes


class Entry(Struct, frozen=True, gc=False):
    """One entry of a room's log. ``payload`` is empty once it is purged.

    ``welcome`` and ``roles``, everyone's after it, go with a commit that adds.
    """

    seq: int
    kind: EntryKind
    sender: DeviceUri
    submission_id: SubmissionId
    epoch: int
    accepted_at_ms: TimestampMs
    frank: bytes
    payload: bytes
    welcome: bytes | None = None
    roles: bytes | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A device's latest time in a room. ``left_seq`` is None while it is in it; ``head`` is the log's end."""

    room: RoomUri
    room_id: int
    joined_seq: int
    left_seq: int | None
    cursor: int
    head: int

    @property
    def end(self) -> int:
        """The last entry of which the device is told."""
        return self.head if self.left_seq is None else self.left_seq


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """What a device may know of a room it is in. ``members``: device, first entry, whether revoked, whether lost."""

    room: RoomUri
    epoch: int
    head: int
    members: list[tuple[DeviceUri, int, bool, bool]]
    roles: Roles


class Accounts(Protocol):
    """Users, their devices, sessions and key packages."""

    async def add(self, account: Account, device: DeviceUri, session_key: bytes) -> None:
        """The account, whose handle is free, and its first device are there. ``account.user_id`` is not looked at."""

    async def of(self, user: UserUri) -> Account | None:
        """The account of ``user``."""

    async def devices(self, user_id: int) -> list[Device]:
        """The user's devices that are not revoked, in the order they came."""

    async def device(self, device: DeviceUri) -> Device | None:
        """The device of that URI."""

    async def add_device(self, user_id: int, device: DeviceUri, session_key: bytes, now_ms: TimestampMs) -> bool:
        """The device may sign in; False where there is, or was, one of that name."""

    async def add_link(self, mailbox: bytes, package: bytes, expires_at_ms: TimestampMs) -> bool:
        """The package lies at ``mailbox`` until then; False where something else does."""

    async def link(self, mailbox: bytes, now_ms: TimestampMs) -> bytes | None:
        """The package at ``mailbox``."""

    async def replace_list(self, account: Account, revoked: Sequence[int]) -> None:
        """``account``'s list is the newest; the devices ``revoked`` are signed out and have no key packages."""

    async def replace_key(self, account: Account, succession: bytes, credentials: Mapping[DeviceUri, bytes]) -> None:
        """``account``'s key is the newest, as ``succession`` says; its devices have these leaf credentials.

        Key packages are under the former key, and gone.
        """

    async def successions(self, user_id: int) -> list[bytes]:
        """How each account key followed the one before, oldest first."""

    async def credential(self, device_id: int) -> bytes | None:
        """The leaf credential that another device made for this one when it replaced the account key."""

    async def put_recovery(self, user_id: int, recovery: WaitingRecovery | None) -> None:
        """The one recovery of the user that waits, or that none does."""

    async def recovery(self, user_id: int) -> WaitingRecovery | None:
        """The recovery of the user that waits."""

    async def recovering(self, device: DeviceUri) -> tuple[Account, WaitingRecovery] | None:
        """The recovery that waits for ``device``, and whose it is."""

    async def spend_nonce(self, nonce: bytes, expires_at_ms: TimestampMs) -> bool:
        """False where the nonce was spent before."""

    async def add_session(self, token_hash: bytes, device_id: int, expires_at_ms: TimestampMs, kept: int) -> None:
        """The token signs the device in until then; of its tokens, ``kept`` are left, the newest."""

    async def caller(self, token_hash: bytes, now_ms: TimestampMs) -> Caller | None:
        """The device that the token signs in, unless it has expired or the device was revoked."""

    async def add_key_packages(self, device_id: int, packages: Sequence[StoredKeyPackage]) -> None:
        """They can be claimed. One that is or was there stays so; a last-resort one takes the place of the former."""

    async def key_package_count(self, device_id: int, now_ms: TimestampMs) -> tuple[int, bool]:
        """How many single-use ones are within their lifetime, and whether there is a last-resort one."""

    async def claim_key_package(self, device_id: int, now_ms: TimestampMs) -> bytes | None:
        """The oldest usable single-use one, which nobody else gets; else the last-resort one; else None."""


class Contacts(Protocol):
    """How users stand to each other."""

    async def pair(self, mine: UserUri, theirs: UserUri) -> Pair:
        """Both stances."""

    async def put(self, mine: UserUri, theirs: UserUri, before: Pair, after: Pair, now_ms: TimestampMs) -> None:
        """Both stances are ``after``."""

    async def of(self, user: UserUri) -> list[tuple[UserUri, Pair, TimestampMs]]:
        """Everyone ``user`` stands to in some way, by URI, with the time of the newer stance."""

    async def count(self, user: UserUri) -> int:
        """How many others ``user`` holds a stance about."""

    async def replacements(self, user: UserUri) -> dict[UserUri, int]:
        """How often their account keys were replaced, of those others about whom ``user`` holds a stance."""

    async def rooms_of_two(self, one: UserUri, other: UserUri) -> list[RoomUri]:
        """The rooms in which exactly these two users are."""

    async def have_met(self, one: UserUri, other: UserUri) -> bool:
        """There is a room in which both were at one time, as far back as it is kept who was."""


class Rooms(Protocol):
    """Rooms, who is in them, and the hub's view of their MLS groups."""

    async def add(
        self,
        room: RoomUri,
        creator: Caller,
        group_info_hash: bytes,
        state: Iterable[tuple[bytes, bytes]],
        now_ms: TimestampMs,
    ) -> bool:
        """The room is there, its creator in it as its owner; False where one of that name was not begun like this."""

    async def load(self, room: RoomUri) -> RoomState | None:
        """The room as it is now."""

    async def group_entries(self, room_id: int) -> list[tuple[bytes, bytes]]:
        """The hub's view of the MLS group."""

    async def write_group(self, room_id: int, epoch: int, writes: Iterable[tuple[bytes, bytes | None]]) -> None:
        """The view and the epoch have moved on."""

    async def write_roles(self, room_id: int, roles: bytes) -> None:
        """These are everyone's roles, encoded."""

    async def join(self, room_id: int, device_ids: Iterable[int], seq: int) -> None:
        """The devices are members from ``seq`` on."""

    async def leave(self, room_id: int, device_ids: Iterable[int], seq: int, now_ms: TimestampMs) -> None:
        """The devices are members no longer; ``seq`` is the commit that says so."""

    async def count(self, device_id: int) -> int:
        """How many rooms the device is in."""

    async def of_device(self, device_id: int, after: RoomUri | None, limit: int) -> list[RoomFacts]:
        """The rooms that the device is in, in the order in which they began; at most so many after ``after``."""

    async def facts(self, device_id: int, room: RoomUri) -> RoomFacts | None:
        """The room, if the device is in it."""

    async def revoked(self, device_ids: Sequence[int]) -> tuple[list[RoomUri], list[UserUri]]:
        """The rooms that these devices are in, and the users who are in one of them."""

    async def mark_lost(self, room_id: int, device_id: int, seq: int) -> None:
        """The device, which is in the room, could not use the entry ``seq``."""

    async def lost_beside(self, device_id: int, candidates: Sequence[DeviceUri]) -> list[DeviceUri]:
        """Those of ``candidates`` that cannot go on in a room that the device is in."""

    async def owes(self, device_id: int) -> bool:
        """Whether a device that is revoked, or another that is lost, is in a room with the device."""

    async def stays(self, device_id: int) -> list[Stay]:
        """The device's latest stay in every room it was ever in, if anything of it is still to be told."""

    async def stay(self, device_id: int, room: RoomUri) -> Stay | None:
        """The device's latest stay in ``room``."""

    async def move_cursors(self, cursors: Mapping[tuple[int, int], int]) -> None:
        """(room id, device id) → acknowledged up to; a cursor never moves back."""


class Log(Protocol):
    """The rooms' logs."""

    async def answered(self, submission_id: SubmissionId, device_id: int) -> Answered | None:
        """What the device was told about this submission, if it was taken."""

    def append(self, room_id: int, device_id: int, entry: Entry) -> bool:
        """The entry is in the log; False, and nothing is written, where the device's submission id is known."""

    async def page(self, room_id: int, after_seq: int, up_to_seq: int, bytes_max: int) -> list[Entry]:
        """Entries in order after ``after_seq``: at least one if there is one, as many as fit ``bytes_max``."""

    async def day_key(self, day: int) -> bytes | None:
        """k_day, 32 bytes."""

    async def add_day_key(self, day: int, key: bytes) -> None:
        """The day has its key."""


class Housekeeping(Protocol):
    """Erasing what ``domain.records`` no longer allows to be kept. Each call does a bounded piece of the work."""

    async def received(self) -> list[int]:
        """The rooms with payloads that every member device has acknowledged."""

    async def purge_received(self, room_ids: Sequence[int]) -> list[int]:
        """Payloads that every member device has acknowledged are gone. Names the rooms in which some are left."""

    async def purge(self, table: str, before_ms: TimestampMs, now_ms: TimestampMs, rows_max: int) -> int:
        """At most ``rows_max`` rows of ``table`` whose time to be kept ended before ``before_ms`` are gone.

        The bytes of blobs among them are to be erased since ``now_ms``: a chunk may be on its way until now.
        """

    async def latest_purge(self) -> TimestampMs | None:
        """The latest time at which the purge has run."""

    async def note_purge(self, now_ms: TimestampMs) -> None:
        """The purge has run; it never ran later than it did."""


class DeliveryUnit(Protocol):
    """One transaction."""

    accounts: Accounts
    contacts: Contacts
    rooms: Rooms
    log: Log
    blobs: BlobRecords
    housekeeping: Housekeeping


class DeliveryStore(Protocol):
    """Where units of work come from. Both raise ``UnavailableError`` when the database cannot be used now."""

    def write(self, label: str) -> AbstractAsyncContextManager[DeliveryUnit]:
        """A transaction, durable when the block ends, undone when it raises. ``label`` names its fault points."""

    def read(self) -> AbstractAsyncContextManager[DeliveryUnit]:
        """A view that does not change and cannot write."""


class Published(Struct, frozen=True):
    """A durable entry on its way to the members' devices.

    ``members``: the devices to which it goes, with the sender's own, whose ``Accepted`` is on its way already.
    ``changed``: those whose time in the room begins or ends with it, who find out from the log.
    """

    delivery: Delivery
    members: AbstractSet[DeviceUri]
    changed: frozenset[DeviceUri] = frozenset()


class Meter(Protocol):
    """What the operator may count."""

    def batch(self, submissions: int, refused: Sequence[ProblemName], seconds: float) -> None:
        """A batch is durable, but for those refused."""

    def failed_batch(self) -> None:
        """Nothing of a batch is durable."""

    def purge_held(self, *, held: bool) -> None:
        """Whether nothing is erased because the clock is further ahead than it can be."""


class Bus(Protocol):
    """Tells connected devices. It only wakes: who misses it finds everything in the database."""

    def publish(self, entry: Published) -> None:
        """Connected members have the entry in their outbox, or know that the log is ahead of them."""

    def typing(self, room: RoomUri, user: UserUri, devices: Iterable[DeviceUri]) -> None:
        """Those of ``devices`` that are connected and have nothing else to read hear that ``user`` is writing."""

    def wake(self, user: UserUri, what: str) -> None:
        """The user's connected devices ask again for ``contacts``, ``devices``, ``key_packages`` or ``rooms``."""

    def revoke(self, device: DeviceUri) -> None:
        """The device's connection ends."""
