"""What the hub holds of a room, and the rules for what may enter its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nightlight.errors import ProblemName, RefusedError, VerificationError
from nightlight.protocol.codec import PrivateMessageHeader
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri
from nightlight.protocol.roles import Capability, Role, Roles, Step, follow, leavers, may, owed

TYPING_USERS = 16
"""In larger rooms nobody tells that they are writing, as nobody tells what they have read."""


@dataclass(frozen=True, slots=True)
class Member:
    """A device in a room. ``joined_seq``: the entry with which it came, the first that it sees.

    ``revoked``: its user's device list no longer names it: it may do nothing, and a member has to remove it.
    ``lost``: it has said that it cannot go on: any member may add it anew.
    """

    device: DeviceUri
    device_id: int
    user: UserUri
    joined_seq: int
    revoked: bool = False
    lost: bool = False


@dataclass(slots=True)
class RoomState:
    """A room as the hub knows it. ``members`` is replaced, never changed: who reads an old one reads it whole.

    ``head``: the last sequence number in the log, 0 for an empty one. ``severed``: it is a room of two users, one of
    whom blocks the other.
    """

    room: RoomUri
    room_id: int
    roles: Roles
    epoch: int
    head: int
    last_accepted_at_ms: TimestampMs
    severed: bool
    members: Mapping[DeviceUri, Member] = field(default_factory=dict)
    group_id: bytes = field(init=False)
    revoked: frozenset[DeviceUri] = field(init=False)
    """The revoked devices that a member has to remove."""
    owes_removal: bool = field(init=False)
    """Whether a member has to remove somebody before anything is said: a revoked device, or who has left."""

    def __post_init__(self) -> None:
        """The MLS group is named by the room's URI."""
        self.group_id = self.room.encode()
        self.revoked = frozenset(member.device for member in self.members.values() if member.revoked)
        self.owes_removal = bool(self.revoked) or owed(self.roles)

    def is_lost(self, device: DeviceUri) -> bool:
        """Whether ``device`` is in the room and has said that it cannot go on."""
        member = self.members.get(device)
        return member is not None and member.lost

    def accept_time(self, now_ms: TimestampMs) -> TimestampMs:
        """The time of the next entry: now, yet later than every entry before it, even where the clock jumped back."""
        last = self.last_accepted_at_ms
        taken = now_ms if now_ms > last else TimestampMs(last + 1)
        self.last_accepted_at_ms = taken
        return taken


def check_is_in(state: RoomState | None, device: DeviceUri) -> RoomState:
    """The room, which ``device`` is in.

    Raises ``RefusedError`` ``not_found`` NL-410, which tells nobody the reason: there is no such room, or the device
    is not in it or revoked.
    """
    if state is None or device not in state.members or device in state.revoked:
        raise RefusedError(ProblemName.NOT_FOUND)  # NL-410
    return state


def check_open(state: RoomState) -> None:
    """It is no room of two of whom one blocks the other: who may only leave. Raises ``not_found`` NL-411."""
    if state.severed:
        raise RefusedError(ProblemName.NOT_FOUND)  # NL-411


def check_may_write(state: RoomState | None, device: DeviceUri) -> RoomState:
    """The room, in whose log ``device`` may put something. Raises as ``check_is_in`` and ``check_open``."""
    state = check_is_in(state, device)
    check_open(state)
    return state


def check_may_tell_typing(state: RoomState | None, device: DeviceUri) -> RoomState:
    """The room, whose members may hear that the person at ``device`` is writing.

    Raises ``RefusedError``: ``not_found`` as ``check_may_write``; ``not_allowed`` NL-415 (more than 16 users).
    """
    state = check_may_write(state, device)
    if len({member.user for member in state.members.values()}) > TYPING_USERS:
        raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-415
    return state


def check_size(message: bytes, bytes_max: int) -> None:
    """Raises ``RefusedError`` ``too_large`` NL-403."""
    if len(message) > bytes_max:
        raise RefusedError(ProblemName.TOO_LARGE)  # NL-403


def check_header(state: RoomState, header: PrivateMessageHeader) -> None:
    """A message with ``header`` is of the room's group and of its epoch, which nobody is in who should not be.

    Raises ``RefusedError`` ``malformed`` NL-412, ``wrong_epoch`` NL-413, ``removal_owed`` NL-414.
    """
    if header.group_id != state.group_id:
        raise RefusedError(ProblemName.MALFORMED)  # NL-412
    if header.epoch != state.epoch:
        raise RefusedError(ProblemName.WRONG_EPOCH, epoch=state.epoch)  # NL-413
    if state.owes_removal:
        raise RefusedError(ProblemName.REMOVAL_OWED)  # NL-414


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A leaf that a commit adds. ``vouched``: its credential stands in its user's newest device list."""

    device: DeviceUri
    user: UserUri
    vouched: bool
    connected: bool
    """The committer's user has this user as an accepted contact, and neither blocks the other."""


def check_membership(state: RoomState, newcomers: list[Newcomer], step: Step, members_max: int) -> dict[UserUri, Role]:
    """The membership that ``step`` leaves behind is one that its committer may make. Returns everyone's role then.

    ``newcomers``: those whom it adds. Anyone may bring in their own devices and, if their role allows it, their
    contacts, and put a new leaf in the place of a device's that has asked for it; whom they remove and which roles they
    give, the roles say.

    Raises ``RefusedError``: ``not_allowed`` NL-424 (adding a stranger), NL-428 (what the roles do not allow), NL-439
    (replacing the leaf of a device that has not asked for it, by somebody who could not remove it either);
    ``invalid_commit`` NL-425 (a leaf nobody vouches for), NL-426 (a device twice); ``room_full`` NL-427;
    ``removal_owed`` NL-429 (a revoked device would stay, or the leaves of somebody who has left).
    """
    for newcomer in newcomers:
        own, asked = newcomer.user == step.committer, state.is_lost(newcomer.device)
        replaced = newcomer.device in step.removed and not own
        if replaced and not (asked or _outranks(state.roles, step.committer, newcomer.user)):
            raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-439
        if not (own or newcomer.connected or (replaced and asked)):
            raise RefusedError(ProblemName.NOT_ALLOWED)  # NL-424
        if not newcomer.vouched:
            raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-425
    after = step.after
    if len(set(after)) != len(after):
        raise RefusedError(ProblemName.INVALID_COMMIT)  # NL-426
    if len(after) > members_max:
        raise RefusedError(ProblemName.ROOM_FULL)  # NL-427
    if not {*state.revoked, *leavers(state.roles, step.present)} <= set(step.removed):
        raise RefusedError(ProblemName.REMOVAL_OWED)  # NL-429
    try:
        return follow(state.roles, step)
    except VerificationError:
        raise RefusedError(ProblemName.NOT_ALLOWED) from None  # NL-428


def _outranks(roles: Roles, user: UserUri, other: UserUri) -> bool:
    """Whether ``user`` could remove ``other``, who may have left, and add them again."""
    theirs = roles.get(other, Role.LEFT)
    return theirs is Role.LEFT or (may(roles, user, Capability.REMOVE_PARTICIPANT) and theirs < roles[user])
