"""Who may do what in a room: each user's role, and how a commit moves from one set of roles to the next.

Hub and members apply the same rules to the same signed commits, so that they hold the same roles. Source:
draft-ietf-mimi-room-policy-03; what we take of it is in ``docs/protocol.md``, Roles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.codec import Reader, write_vector
from nightlight.protocol.ids import DeviceUri, UserUri, parse_user_uri, user_of


class Role(IntEnum):
    """What a user is in a room. Who is not named has none, and no leaf."""

    LEFT = 0
    """Has left; a leaf is still to be removed."""
    BANNED = 1
    MEMBER = 2
    ADMIN = 3
    OWNER = 4


class Capability(StrEnum):
    """What a role allows beyond what everyone may who takes part: write, add, leave, see to their own devices."""

    REMOVE_PARTICIPANT = "canRemoveParticipant"
    BAN = "canBan"
    CHANGE_ROLE = "canChangeUserRole"
    CHANGE_PROFILE = "canChangeRoomName"


MAX_BANNED = 1_000

_ADMIN = frozenset({Capability.REMOVE_PARTICIPANT, Capability.BAN, Capability.CHANGE_PROFILE})
CAPABILITIES: Mapping[Role, frozenset[Capability]] = {
    Role.LEFT: frozenset(),
    Role.BANNED: frozenset(),
    Role.MEMBER: frozenset(),
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN | {Capability.CHANGE_ROLE},
}
"""Whoever acts on somebody else must besides have a higher role than they."""

Roles = Mapping[UserUri, Role]
"""Participants in the order in which they came, those who left and still have a leaf, and those who are banned."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a commit of ``committer`` does. ``present``: the devices with a leaf before it.

    ``revoked``: those of them that their user's newest device list no longer names. ``given``: the roles it names.
    """

    committer: UserUri
    present: frozenset[DeviceUri]
    added: tuple[DeviceUri, ...] = ()
    removed: tuple[DeviceUri, ...] = ()
    revoked: frozenset[DeviceUri] = frozenset()
    given: Roles = field(default_factory=dict)

    @property
    def after(self) -> list[DeviceUri]:
        """The devices with a leaf after it, one named twice that has two."""
        gone = set(self.removed)
        return [*(device for device in self.present if device not in gone), *self.added]


def encode_roles(roles: Roles) -> bytes:
    """``V(user URI) ‖ u8 role`` for each."""
    return b"".join(write_vector(user.encode()) + bytes([role]) for user, role in roles.items())


def decode_roles(data: bytes) -> dict[UserUri, Role]:
    """The roles in ``data``. Raises ``RemoteProtocolError`` NL-170, and as ``parse_user_uri``."""
    reader = Reader(data)
    roles: dict[UserUri, Role] = {}
    while not reader.at_end:
        user = parse_user_uri(reader.text())
        number = reader.u8()
        if user in roles or number > max(Role):
            raise RemoteProtocolError("NL-170", "not a list of users with a role each")
        roles[user] = Role(number)
    return roles


def may(roles: Roles, user: UserUri, capability: Capability) -> bool:
    """Whether the role of ``user`` allows it."""
    return capability in CAPABILITIES[roles.get(user, Role.LEFT)]


def participants(roles: Roles) -> tuple[UserUri, ...]:
    """Who is in the room, sorted."""
    return tuple(sorted(user for user, role in roles.items() if role >= Role.MEMBER))


def owed(roles: Roles) -> bool:
    """Whether somebody has left whose leaves are still to be removed."""
    return Role.LEFT in roles.values()


def follow(roles: Roles, step: Step) -> dict[UserUri, Role]:
    """The roles after ``step``, which they allow.

    Raises ``VerificationError``: NL-171 (who commits takes part), NL-172 (nobody banned or still leaving is added),
    NL-173 (whom they remove), NL-174 (a role given is one that they may give), NL-175 (a role is given to somebody
    whom it fits), NL-176 (not too many are banned).
    """
    mine = roles.get(step.committer, Role.LEFT)
    if mine < Role.MEMBER:
        raise VerificationError("NL-171", "a commit by somebody who takes no part")
    _check_added(roles, step)
    _check_removed(roles, step, mine)
    present = {user_of(device) for device in step.after}
    after = {user: role for user, role in roles.items() if user in present or role is Role.BANNED}
    for device in step.added:
        user = user_of(device)
        if roles.get(user, Role.LEFT) is Role.LEFT:
            after.pop(user, None)
            after[user] = Role.MEMBER
    for user, role in step.given.items():
        _check_given(roles, step, user, role, after=after.get(user), present=user in present)
        if role is Role.LEFT and user not in present:
            after.pop(user, None)
        else:
            after[user] = role
    if sum(role is Role.BANNED for role in after.values()) > MAX_BANNED:
        raise VerificationError("NL-176", "more are banned than a room remembers")
    return _with_an_owner(after)


def leavers(roles: Roles, devices: Iterable[DeviceUri]) -> list[DeviceUri]:
    """Those of ``devices`` whose user has left."""
    return [device for device in devices if roles.get(user_of(device)) is Role.LEFT]


def _check_added(roles: Roles, step: Step) -> None:
    if not step.added:
        return
    after = step.after
    for user in {user_of(device) for device in step.added}:
        role = roles.get(user)
        stays = any(user_of(device) == user for device in after if device not in step.added)
        if role is Role.BANNED or (role is Role.LEFT and stays):
            raise VerificationError("NL-172", "somebody is added who is banned, or whose leaves are still to go")


def _check_removed(roles: Roles, step: Step, mine: Role) -> None:
    may_remove = Capability.REMOVE_PARTICIPANT in CAPABILITIES[mine]
    for device in step.removed:
        user = user_of(device)
        theirs = roles.get(user, Role.LEFT)
        replaced = device in step.added
        anyone_may = replaced or user == step.committer or theirs is Role.LEFT or device in step.revoked
        if not anyone_may and not (may_remove and theirs < mine):
            raise VerificationError("NL-173", "somebody is removed by a role that may not")


def _check_given(  # noqa: PLR0913 - the whole case
    roles: Roles, step: Step, user: UserUri, role: Role, *, after: Role | None, present: bool
) -> None:
    """``after``: their role so far; ``present``: they have a leaf after the commit."""
    mine, theirs = roles[step.committer], roles.get(user)
    if user == step.committer:
        allowed = role < mine and role is not Role.BANNED
        fits = True
    elif Role.BANNED in {role, theirs}:
        allowed = Capability.BAN in CAPABILITIES[mine] and (theirs or Role.LEFT) < mine
        fits = not present and role in {Role.BANNED, Role.LEFT}
    else:
        allowed = Capability.CHANGE_ROLE in CAPABILITIES[mine] and (theirs or Role.MEMBER) < mine >= role
        fits = present and role >= Role.MEMBER and after not in {None, Role.LEFT}
    if not allowed:
        raise VerificationError("NL-174", "a role is given by somebody who may not")
    if not fits:
        raise VerificationError("NL-175", "a role is given to somebody whom it does not fit")


def _with_an_owner(roles: dict[UserUri, Role]) -> dict[UserUri, Role]:
    """Where no owner is left, whoever has the highest role follows, and of those who came first."""
    there = [user for user, role in roles.items() if role >= Role.MEMBER]
    if there and not any(roles[user] is Role.OWNER for user in there):
        roles[max(there, key=lambda user: roles[user])] = Role.OWNER
    return roles
