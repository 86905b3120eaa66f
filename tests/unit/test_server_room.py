"""What may enter a room's log, and who may be in it."""

import pytest

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.codec import PrivateMessageHeader
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri, device_uri
from nightlight.protocol.roles import Role, Step
from nightlight.server.domain.room import (
    Member,
    Newcomer,
    RoomState,
    check_header,
    check_may_tell_typing,
    check_may_write,
    check_membership,
    check_size,
)

MIRA, TOMAS, JUNO = (UserUri(f"mimi://ring.example/u/{name}") for name in ("mira", "tomas", "juno"))


def member(user: UserUri, name: str = "phone") -> Member:
    """A device of ``user`` that has been in the room from its beginning."""
    return Member(device_uri(user, name), len(user), user, 1)


def room(*users: UserUri, severed: bool = False) -> RoomState:
    """A room that the first owns, in epoch 3."""
    members = {device_uri(user, "phone"): member(user) for user in users}
    roles = {user: Role.OWNER if user == users[0] else Role.MEMBER for user in users}
    return RoomState(RoomUri("mimi://ring.example/r/lake"), 1, roles, 3, 7, TimestampMs(1_000), severed, members)


def phone(user: UserUri) -> DeviceUri:
    """The device that ``room`` gives a user."""
    return device_uri(user, "phone")


def newcomer(user: UserUri, *, vouched: bool = True, connected: bool = True) -> Newcomer:
    """A phone that may be added, but for what is said."""
    return Newcomer(phone(user), user, vouched=vouched, connected=connected)


def check(
    state: RoomState, committer: UserUri, added: list[Newcomer], removed: list[UserUri], *, revoked: bool = False
) -> list[UserUri]:
    """Who takes part after a commit that removes the phones of ``removed``, in a room of at most three."""
    phones = tuple(phone(user) for user in removed)
    step = Step(
        committer,
        frozenset(state.members),
        tuple(newcomer.device for newcomer in added),
        phones,
        frozenset(phones if revoked else ()),
    )
    return list(check_membership(state, added, step, 3))


def header(*, group: bytes = b"mimi://ring.example/r/lake", epoch: int = 3) -> PrivateMessageHeader:
    """Of a message to ``room``."""
    return PrivateMessageHeader(group, epoch, b"")


def refusal_of(state: RoomState, committer: UserUri, added: list[Newcomer], removed: list[UserUri]) -> ProblemName:
    """How the commit is refused."""
    with pytest.raises(RefusedError) as refusal:
        check(state, committer, added, removed)
    return refusal.value.problem


def test_those_in_a_room_may_write_and_others_learn_nothing() -> None:
    state = room(MIRA, TOMAS)
    assert check_may_write(state, phone(TOMAS)) is state
    unknown = [(None, MIRA), (state, JUNO), (room(MIRA, TOMAS, severed=True), MIRA)]  # NL-410, NL-411
    for where, user in unknown:
        with pytest.raises(RefusedError) as refusal:
            check_may_write(where, phone(user))
        assert (refusal.value.problem, refusal.value.epoch) == (ProblemName.NOT_FOUND, None)


def test_a_message_is_of_the_room_s_group_and_epoch() -> None:
    check_header(room(MIRA), header())
    with pytest.raises(RefusedError) as refusal:
        check_header(room(MIRA), header(group=b"mimi://ring.example/r/hill"))  # NL-412
    assert refusal.value.problem is ProblemName.MALFORMED
    for epoch in (2, 4):
        with pytest.raises(RefusedError) as refusal:
            check_header(room(MIRA), header(epoch=epoch))  # NL-413
        assert (refusal.value.problem, refusal.value.epoch) == (ProblemName.WRONG_EPOCH, 3)


def test_a_message_over_the_limit_is_refused_and_one_at_it_is_not() -> None:
    check_size(bytes(10), 10)
    with pytest.raises(RefusedError) as refusal:
        check_size(bytes(11), 10)  # NL-403
    assert refusal.value.problem is ProblemName.TOO_LARGE


def test_accepted_times_rise_whatever_the_clock_does() -> None:
    state = room(MIRA)
    times = [state.accept_time(TimestampMs(now_ms)) for now_ms in (5_000, 5_000, 1, 4_999, 6_000, 6_000)]
    assert times == [5_000, 5_001, 5_002, 5_003, 6_000, 6_001]


def test_contacts_and_one_s_own_devices_may_be_added() -> None:
    assert check(room(MIRA), MIRA, [newcomer(TOMAS)], []) == [MIRA, TOMAS]
    tablet = Newcomer(device_uri(MIRA, "tablet"), MIRA, vouched=True, connected=False)
    assert check(room(MIRA), MIRA, [tablet], []) == [MIRA]


def test_strangers_are_not_added() -> None:  # NL-424
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS, connected=False)], []) is ProblemName.NOT_ALLOWED


def test_a_leaf_that_nobody_vouches_for_is_not_added() -> None:  # NL-425
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS, vouched=False)], []) is ProblemName.INVALID_COMMIT


def test_a_device_is_in_a_room_once() -> None:  # NL-426
    twice = ProblemName.INVALID_COMMIT
    assert refusal_of(room(MIRA, TOMAS), MIRA, [newcomer(TOMAS)], []) is twice
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS), newcomer(TOMAS)], []) is twice
    assert check(room(MIRA, TOMAS), MIRA, [newcomer(TOMAS)], [TOMAS]) == [MIRA, TOMAS]


def test_a_room_holds_no_more_than_the_limit_and_a_leaver_makes_place() -> None:  # NL-427
    full = room(MIRA, TOMAS, JUNO)
    hanna = UserUri("mimi://ring.example/u/hanna")
    assert refusal_of(full, MIRA, [newcomer(hanna)], []) is ProblemName.ROOM_FULL
    assert check(full, MIRA, [newcomer(hanna)], [JUNO]) == [MIRA, TOMAS, hanna]


def test_that_somebody_writes_is_told_in_small_rooms_only() -> None:  # NL-415
    users = [UserUri(f"mimi://ring.example/u/guest{number}") for number in range(17)]
    assert check_may_tell_typing(room(*users[:16]), phone(users[0])).epoch == 3
    with pytest.raises(RefusedError) as refused:
        check_may_tell_typing(room(*users), phone(users[0]))
    assert refused.value.problem is ProblemName.NOT_ALLOWED
    with pytest.raises(RefusedError):
        check_may_tell_typing(room(*users[:2]), phone(users[2]))


def test_an_owner_removes_anyone_others_only_their_own_and_what_was_revoked() -> None:  # NL-428
    state = room(MIRA, TOMAS, JUNO)
    assert check(state, MIRA, [], [TOMAS, JUNO]) == [MIRA]
    assert check(state, TOMAS, [], [JUNO], revoked=True) == [MIRA, TOMAS]
    assert refusal_of(state, TOMAS, [], [JUNO]) is ProblemName.NOT_ALLOWED
