"""What an MLS commit does to a room: staged on the hub's view of the group, checked, written."""

from __future__ import annotations

from dataclasses import dataclass

from nightlight.errors import ProblemName, RefusedError, RemoteProtocolError
from nightlight.mls.public_group import (
    Change,
    FatalError,
    Leaf,
    MalformedError,
    MlsError,
    PublicGroup,
    UnknownGroupError,
    WrongEpochError,
    read_welcome,
)
from nightlight.protocol.credential import DeviceList, LeafCredential
from nightlight.protocol.ids import DeviceUri, RoomUri, SubmissionId, TimestampMs, UserUri, user_of
from nightlight.protocol.messages import Accepted, Delivery, EntryKind, SubmitCommit
from nightlight.protocol.roles import Role, Step, decode_roles, encode_roles
from nightlight.server.cache import RoomCache
from nightlight.server.domain.contact import connected
from nightlight.server.domain.identity import stored_list, vouched_leaf
from nightlight.server.domain.room import Newcomer, RoomState, check_is_in, check_membership, check_open
from nightlight.server.ports.delivery import Caller, DeliveryUnit, Entry, Published

_NO_FRANK = b""
_BYTES = 65_536
_BYTES_A_MEMBER = 2_048
"""A leaf with the longest name, its path and its Welcome take half of it."""


@dataclass(frozen=True, slots=True)
class HandshakeService:
    """Commits, one at a time, within a unit of work of whoever takes them in."""

    rooms: RoomCache
    room_members_max: int
    rooms_max: int

    async def append(
        self, unit: DeliveryUnit, caller: Caller, frame: SubmitCommit, now_ms: TimestampMs
    ) -> tuple[Accepted, Published]:
        """The commit is in the log, the group is in its next epoch, and the members are those that it leaves.

        Raises ``RefusedError``, and then nothing is written: as ``check_is_in``, ``_check_sizes``, ``_stage``,
        ``_check``; and, unless the caller leaves with it, as ``check_open``.
        """
        state = check_is_in(await self.rooms.state(unit, RoomUri(frame.room)), caller.device)
        self._check_sizes(frame)
        group = await self.rooms.group(unit, state)
        change = self._stage(group, frame.commit, state, now_ms)
        try:
            joined, roles = await self._check(unit, caller, frame, state, change, now_ms)
            if roles.get(caller.user) is not Role.LEFT:
                check_open(state)
        except RefusedError:
            group.discard()
            raise
        group.accept()
        gone = frozenset(_device_of(leaf) for leaf in change.removed) & state.members.keys()
        gone |= {device for device, member in state.members.items() if roles.get(member.user) is Role.LEFT}
        encoded_roles = encode_roles(roles)
        entry = Entry(
            seq=state.head + 1,
            kind=EntryKind.COMMIT,
            sender=caller.device,
            submission_id=SubmissionId(frame.submission_id),
            epoch=state.epoch,
            accepted_at_ms=state.accept_time(now_ms),
            frank=_NO_FRANK,
            payload=frame.commit,
            welcome=frame.welcome,
            roles=encoded_roles if joined else None,
        )
        unit.log.append(state.room_id, caller.device_id, entry)
        await unit.rooms.write_group(state.room_id, change.epoch, group.take_writes())
        await unit.rooms.write_roles(state.room_id, encoded_roles)
        gone_ids = [state.members[device].device_id for device in gone]
        await unit.rooms.leave(state.room_id, gone_ids, entry.seq, entry.accepted_at_ms)
        await unit.rooms.join(state.room_id, joined.values(), entry.seq)
        await self.rooms.reload(unit, state.room)
        seq, at_ms = entry.seq, entry.accepted_at_ms
        answer = Accepted(frame.submission_id, state.room, seq, entry.epoch, at_ms, _NO_FRANK)
        delivery = Delivery(state.room, seq, EntryKind.COMMIT, caller.device, at_ms, frame.commit, _NO_FRANK)
        return answer, Published(delivery, state.members.keys() - gone, gone | joined.keys())

    def _check_sizes(self, frame: SubmitCommit) -> None:
        """What costs nothing to find out, before any signature is looked at.

        Raises ``RefusedError``: ``too_large`` NL-562; ``room_full`` NL-427 (a Welcome for more than a room may have);
        ``invalid_commit`` NL-422 (a Welcome that is none).
        """
        bytes_max = _BYTES + _BYTES_A_MEMBER * self.room_members_max
        if max(len(frame.commit), len(frame.welcome or b"")) > bytes_max:
            raise RefusedError(ProblemName.TOO_LARGE)  # NL-562
        if len(_welcomed(frame.welcome)) > self.room_members_max:
            raise RefusedError(ProblemName.ROOM_FULL)  # NL-427

    def _stage(self, group: PublicGroup, commit: bytes, state: RoomState, now_ms: TimestampMs) -> Change:
        """What the commit would do. Raises ``RefusedError`` by what the crate found (NL-420)."""
        try:
            return group.process(commit, now_ms // 1_000)
        except WrongEpochError:
            raise RefusedError(ProblemName.WRONG_EPOCH, epoch=state.epoch) from None  # NL-420
        except (MalformedError, UnknownGroupError):
            raise RefusedError(ProblemName.MALFORMED) from None  # NL-420
        except FatalError:
            self.rooms.forget(state.room)
            raise RefusedError(ProblemName.INTERNAL) from None
        except MlsError:
            raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-420

    async def _check(  # noqa: PLR0913, PLR0917 - everything that a commit touches
        self,
        unit: DeliveryUnit,
        caller: Caller,
        frame: SubmitCommit,
        state: RoomState,
        change: Change,
        now_ms: TimestampMs,
    ) -> tuple[dict[DeviceUri, int], dict[UserUri, Role]]:
        """The commit is the caller's to make. Returns the devices that it adds, with their ids, and everyone's role.

        Raises ``RefusedError`` ``invalid_commit``: NL-421 (a committer who is not the caller), NL-422 (a Welcome for
        others than those added), NL-423 (a credential that is none, roles that are none); ``room_full`` NL-427;
        ``no_key_package`` NL-563 (somebody whose device is in as many rooms as it may be); as ``check_membership``.
        """
        lists = _DeviceLists(unit, now_ms)
        if await lists.vouch(change.committer, newest_key=False) != caller.device:
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-421
        if change.added and len(change.members) > self.room_members_max:
            raise RefusedError(ProblemName.ROOM_FULL)  # NL-427
        if _welcomed(frame.welcome) != sorted(change.references):
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-422
        joined: dict[DeviceUri, int] = {}
        newcomers: list[Newcomer] = []
        for leaf in change.added:
            device = _device_of(leaf)
            user = user_of(device)
            known = await unit.accounts.device(device)
            vouched = known is not None and await lists.vouch(leaf) == device
            pair = await unit.contacts.pair(caller.user, user)
            newcomers.append(Newcomer(device, user, vouched=vouched, connected=connected(pair)))
            if known is not None:
                joined[device] = known.device_id
        added = tuple(newcomer.device for newcomer in newcomers)
        removed = tuple(_device_of(leaf) for leaf in change.removed)
        revoked = frozenset([device for device in removed if not await lists.names(device)])
        try:
            given = decode_roles(change.roles)
        except RemoteProtocolError:
            raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-423
        present = frozenset({_device_of(leaf) for leaf in change.members} - set(added) | set(removed))
        step = Step(caller.user, present, added, removed, revoked, given)
        after = check_membership(state, newcomers, step, self.room_members_max)
        for device, device_id in joined.items():
            if device not in state.members and await unit.rooms.count(device_id) >= self.rooms_max:
                raise RefusedError(ProblemName.NO_KEY_PACKAGE)  # NL-563
        return joined, after


class _DeviceLists:
    """The newest device lists of the people in a commit, each read once."""

    def __init__(self, unit: DeliveryUnit, now_ms: TimestampMs) -> None:
        self._unit = unit
        self._now_ms = now_ms
        self._read: dict[UserUri, DeviceList | None] = {}

    async def vouch(self, leaf: Leaf, *, newest_key: bool = True) -> DeviceUri | None:
        """The device that its user's newest list says this leaf is. ``newest_key``: under their newest account key."""
        listed = await self._of(user_of(_device_of(leaf)))
        vouched = None if listed is None else vouched_leaf(leaf.credential, leaf.signature_key, listed, self._now_ms)
        if vouched is None or listed is None or (newest_key and vouched.account_key != listed.account_key):
            return None
        return vouched.device

    async def names(self, device: DeviceUri) -> bool:
        """The device stands in its user's newest list."""
        listed = await self._of(user_of(device))
        return listed is not None and any(entry.uri == device for entry in listed.devices)

    async def _of(self, user: UserUri) -> DeviceList | None:
        if user not in self._read:
            account = await self._unit.accounts.of(user)
            if account is None:
                self._read[user] = None
            else:
                self._read[user] = stored_list(
                    account.device_list, user, account.account_key, account.listed_at_ms, account.former_keys
                )
        return self._read[user]


def _device_of(leaf: Leaf) -> DeviceUri:
    """Whose leaf it says it is. Raises ``RefusedError`` ``invalid_commit`` NL-423."""
    try:
        return LeafCredential.decode(leaf.credential).device
    except RemoteProtocolError:
        raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-423


def _welcomed(welcome: bytes | None) -> list[bytes]:
    """The KeyPackageRefs that it is for, sorted. Raises ``RefusedError`` ``invalid_commit`` NL-422."""
    try:
        return [] if welcome is None else sorted(read_welcome(welcome))
    except MlsError:
        raise RefusedError(ProblemName.INVALID_COMMIT) from None  # NL-422
