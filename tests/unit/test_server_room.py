"""What may enter a room's log, and who may be in it."""

import pytest

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.codec import PrivateMessageHeader
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri, device_uri
from nightlight.server.domain.room import (
    Departure,
    Member,
    Newcomer,
    RoomState,
    check_header,
    check_may_write,
    check_membership,
    check_size,
)

MIRA, TOMAS, JUNO = (UserUri(f"mimi://ring.example/u/{name}") for name in ("mira", "tomas", "juno"))


def member(user: UserUri, name: str = "phone") -> Member:
    """A device of ``user`` that has been in the room from its beginning."""
    return Member(device_uri(user, name), len(user), user, 1)


def room(*users: UserUri, severed: bool = False) -> RoomState:
    """A room of the first, in epoch 3."""
    members = {device_uri(user, "phone"): member(user) for user in users}
    return RoomState(RoomUri("mimi://ring.example/r/lake"), 1, users[0], 3, 7, TimestampMs(1_000), severed, members)


def phone(user: UserUri) -> DeviceUri:
    """The device that ``room`` gives a user."""
    return device_uri(user, "phone")


def newcomer(user: UserUri, *, vouched: bool = True, connected: bool = True) -> Newcomer:
    """A phone that may be added, but for what is said."""
    return Newcomer(phone(user), user, vouched=vouched, connected=connected)


def departure(user: UserUri, *, revoked: bool = False) -> Departure:
    """The phone of ``user``, removed."""
    return Departure(phone(user), user, revoked=revoked)


def header(*, group: bytes = b"mimi://ring.example/r/lake", epoch: int = 3) -> PrivateMessageHeader:
    """Of a message to ``room``."""
    return PrivateMessageHeader(group, epoch, b"", 0, 0)


def refusal_of(state: RoomState, committer: UserUri, added: list[Newcomer], removed: list[Departure]) -> ProblemName:
    """How the commit is refused in a room of at most three."""
    with pytest.raises(RefusedError) as refusal:
        check_membership(state, member(committer), added, removed, 3)
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
    check_membership(room(MIRA), member(MIRA), [newcomer(TOMAS)], [], 3)
    tablet = Newcomer(device_uri(MIRA, "tablet"), MIRA, vouched=True, connected=False)
    check_membership(room(MIRA), member(MIRA), [tablet], [], 3)


def test_strangers_are_not_added() -> None:  # NL-424
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS, connected=False)], []) is ProblemName.NOT_ALLOWED


def test_a_leaf_that_nobody_vouches_for_is_not_added() -> None:  # NL-425
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS, vouched=False)], []) is ProblemName.INVALID_COMMIT


def test_a_device_is_in_a_room_once() -> None:  # NL-426
    twice = ProblemName.INVALID_COMMIT
    assert refusal_of(room(MIRA, TOMAS), MIRA, [newcomer(TOMAS)], []) is twice
    assert refusal_of(room(MIRA), MIRA, [newcomer(TOMAS), newcomer(TOMAS)], []) is twice
    check_membership(room(MIRA, TOMAS), member(MIRA), [newcomer(TOMAS)], [departure(TOMAS)], 3)


def test_a_room_holds_no_more_than_the_limit_and_a_leaver_makes_place() -> None:  # NL-427
    full = room(MIRA, TOMAS, JUNO)
    hanna = UserUri("mimi://ring.example/u/hanna")
    assert refusal_of(full, MIRA, [newcomer(hanna)], []) is ProblemName.ROOM_FULL
    check_membership(full, member(MIRA), [newcomer(hanna)], [departure(JUNO)], 3)


def test_the_creator_removes_anyone_others_only_their_own_and_what_was_revoked() -> None:  # NL-428
    state = room(MIRA, TOMAS, JUNO)
    check_membership(state, member(MIRA), [], [departure(TOMAS), departure(JUNO)], 3)
    check_membership(state, member(TOMAS, "tablet"), [], [departure(TOMAS)], 3)
    check_membership(state, member(TOMAS), [], [departure(JUNO, revoked=True)], 3)
    assert refusal_of(state, TOMAS, [], [departure(JUNO)]) is ProblemName.NOT_ALLOWED
