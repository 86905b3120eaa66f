"""Who may do what in a room, and who is what after each commit."""

from itertools import pairwise

import pytest

from nightlight.errors import RemoteProtocolError, VerificationError
from nightlight.protocol.ids import DeviceUri, UserUri, device_uri
from nightlight.protocol.roles import (
    CAPABILITIES,
    MAX_BANNED,
    Capability,
    Role,
    Roles,
    Step,
    decode_roles,
    encode_roles,
    follow,
    leavers,
    may,
    participants,
)

MIRA, TOMAS, JUNO, HANNA = (UserUri(f"mimi://ring.example/u/{name}") for name in ("mira", "tomas", "juno", "hanna"))
ROOM: Roles = {MIRA: Role.OWNER, TOMAS: Role.ADMIN, JUNO: Role.MEMBER}


def phone(user: UserUri) -> DeviceUri:
    return device_uri(user, "phone")


def tablet(user: UserUri) -> DeviceUri:
    return device_uri(user, "tablet")


def step(  # noqa: PLR0913 - what a commit may do
    roles: Roles,
    committer: UserUri,
    *,
    add: tuple[DeviceUri, ...] = (),
    remove: tuple[DeviceUri, ...] = (),
    revoked: frozenset[DeviceUri] = frozenset(),
    give: Roles = {},  # noqa: B006
) -> dict[UserUri, Role]:
    """The roles after a commit in a room in which everybody there has a phone."""
    present = frozenset(phone(user) for user, role in roles.items() if role is not Role.BANNED)
    return follow(roles, Step(committer, present, add, remove, revoked, give))


def refused(roles: Roles, committer: UserUri, **what: object) -> str:
    """The number of the check that refuses the commit."""
    with pytest.raises(VerificationError) as refusal:
        step(roles, committer, **what)  # type: ignore[arg-type]
    return refusal.value.check


def test_a_list_of_roles_is_read_as_it_was_written() -> None:
    roles = {**ROOM, HANNA: Role.BANNED, UserUri("mimi://ring.example/u/" + "a" * 32): Role.LEFT}
    assert list(decode_roles(encode_roles(roles)).items()) == list(roles.items())
    assert decode_roles(b"") == {}


def test_what_is_no_list_of_roles_is_refused() -> None:  # NL-170
    one = encode_roles({MIRA: Role.OWNER})
    for data in (one + one, one[:-1] + b"\x05", one + encode_roles({MIRA: Role.MEMBER})):
        with pytest.raises(RemoteProtocolError) as error:
            decode_roles(data)
        assert error.value.check == "NL-170"
    for data in (one[:-1], one[:5]):
        with pytest.raises(RemoteProtocolError) as error:
            decode_roles(data)
        assert error.value.check == "NL-101"


def test_each_role_may_what_the_one_below_it_may() -> None:
    allowed = [CAPABILITIES[role] for role in sorted(Role)]
    assert all(lower <= higher for lower, higher in pairwise(allowed))
    assert may(ROOM, TOMAS, Capability.CHANGE_PROFILE)
    assert not may(ROOM, JUNO, Capability.CHANGE_PROFILE)
    assert not may(ROOM, HANNA, Capability.BAN)


def test_only_who_takes_part_commits() -> None:  # NL-171
    assert refused(ROOM, HANNA) == "NL-171"
    assert refused({**ROOM, HANNA: Role.LEFT}, HANNA) == "NL-171"
    assert refused({**ROOM, HANNA: Role.BANNED}, HANNA) == "NL-171"
    assert step(ROOM, JUNO) == ROOM


def test_who_is_added_is_a_member_and_comes_last() -> None:
    after = step(ROOM, JUNO, add=(phone(HANNA), tablet(HANNA)))
    assert list(after.items()) == [*ROOM.items(), (HANNA, Role.MEMBER)]
    assert step(ROOM, JUNO, add=(tablet(JUNO), tablet(MIRA))) == ROOM


def test_who_is_banned_or_still_leaving_is_not_added() -> None:  # NL-172
    assert refused({**ROOM, HANNA: Role.BANNED}, MIRA, add=(phone(HANNA),)) == "NL-172"
    leaving = {HANNA: Role.LEFT, **ROOM}
    assert refused(leaving, MIRA, add=(tablet(HANNA),)) == "NL-172"
    after = step(leaving, JUNO, add=(phone(HANNA),), remove=(phone(HANNA),))
    assert list(after.items()) == [*ROOM.items(), (HANNA, Role.MEMBER)]


def test_one_removes_oneself_s_devices_and_those_of_lower_roles() -> None:  # NL-173
    assert step(ROOM, TOMAS, remove=(phone(JUNO),)) == {MIRA: Role.OWNER, TOMAS: Role.ADMIN}
    assert refused(ROOM, JUNO, remove=(phone(TOMAS),)) == "NL-173"
    assert refused(ROOM, TOMAS, remove=(phone(MIRA),)) == "NL-173"
    assert refused({**ROOM, JUNO: Role.ADMIN}, TOMAS, remove=(phone(JUNO),)) == "NL-173"
    assert step(ROOM, JUNO, remove=(phone(TOMAS),), revoked=frozenset({phone(TOMAS)})) == {
        MIRA: Role.OWNER,
        JUNO: Role.MEMBER,
    }


def test_who_leaves_may_do_nothing_and_anyone_may_remove_their_leaf() -> None:
    after = step(ROOM, JUNO, give={JUNO: Role.LEFT})
    assert after == {**ROOM, JUNO: Role.LEFT}
    assert participants(after) == (MIRA, TOMAS)
    assert leavers(after, [phone(MIRA), phone(JUNO)]) == [phone(JUNO)]
    assert step({**after, HANNA: Role.MEMBER}, HANNA, remove=(phone(JUNO),)) == {
        MIRA: Role.OWNER,
        TOMAS: Role.ADMIN,
        HANNA: Role.MEMBER,
    }


def test_an_owner_gives_any_role_and_an_admin_none() -> None:  # NL-174
    for role in (Role.ADMIN, Role.OWNER):
        assert step(ROOM, MIRA, give={JUNO: role})[JUNO] is role
    assert step(ROOM, MIRA, give={TOMAS: Role.MEMBER})[TOMAS] is Role.MEMBER
    assert step(ROOM, MIRA, add=(phone(HANNA),), give={HANNA: Role.ADMIN})[HANNA] is Role.ADMIN
    assert refused(ROOM, TOMAS, give={JUNO: Role.ADMIN}) == "NL-174"
    assert refused(ROOM, JUNO, give={JUNO: Role.ADMIN}) == "NL-174"
    two = {**ROOM, JUNO: Role.OWNER}
    assert refused(two, MIRA, give={JUNO: Role.MEMBER}) == "NL-174"
    assert step(two, JUNO, give={JUNO: Role.MEMBER}) == ROOM


def test_a_ban_goes_with_the_removal_and_is_lifted_by_an_admin() -> None:  # NL-175
    banned = step(ROOM, TOMAS, remove=(phone(JUNO),), give={JUNO: Role.BANNED})
    assert banned == {**ROOM, JUNO: Role.BANNED}
    assert step(banned, TOMAS, give={JUNO: Role.LEFT}) == {MIRA: Role.OWNER, TOMAS: Role.ADMIN}
    assert step(ROOM, TOMAS, give={HANNA: Role.BANNED})[HANNA] is Role.BANNED
    assert refused(ROOM, TOMAS, give={JUNO: Role.BANNED}) == "NL-175"
    assert refused(ROOM, MIRA, give={HANNA: Role.ADMIN}) == "NL-175"
    assert refused(banned, MIRA, give={JUNO: Role.MEMBER}) == "NL-175"
    assert refused(ROOM, MIRA, give={JUNO: Role.LEFT}) == "NL-175"
    assert refused({**banned, HANNA: Role.MEMBER}, HANNA, give={JUNO: Role.LEFT}) == "NL-174"
    assert refused(ROOM, JUNO, give={JUNO: Role.BANNED}) == "NL-174"


def test_a_room_remembers_only_so_many_who_are_banned() -> None:  # NL-176
    crowd = {UserUri(f"mimi://ring.example/u/n{number}"): Role.BANNED for number in range(MAX_BANNED)}
    full = {**ROOM, **crowd}
    assert step(full, MIRA) == full
    assert refused(full, MIRA, give={HANNA: Role.BANNED}) == "NL-176"


@pytest.mark.parametrize(
    ("others", "heir"),
    [
        ({JUNO: Role.MEMBER, TOMAS: Role.ADMIN, HANNA: Role.ADMIN}, TOMAS),
        ({JUNO: Role.MEMBER, HANNA: Role.MEMBER}, JUNO),
        ({JUNO: Role.MEMBER, HANNA: Role.OWNER}, HANNA),
    ],
)
def test_a_room_always_has_an_owner(others: Roles, heir: UserUri) -> None:
    after = step({MIRA: Role.OWNER, **others}, MIRA, give={MIRA: Role.LEFT})
    assert [user for user, role in after.items() if role is Role.OWNER] == [heir]


def test_who_leaves_may_hand_over() -> None:
    after = step(ROOM, MIRA, give={JUNO: Role.OWNER, MIRA: Role.LEFT})
    assert after == {MIRA: Role.LEFT, TOMAS: Role.ADMIN, JUNO: Role.OWNER}


def test_the_last_one_out_leaves_nobody_to_own_the_room() -> None:
    assert step({MIRA: Role.OWNER}, MIRA, give={MIRA: Role.LEFT}) == {MIRA: Role.LEFT}
