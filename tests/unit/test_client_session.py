"""The client's state machine: what it wants done for each event, and what it keeps."""

import pytest

from nightlight.client.events import ConnectionState
from nightlight.client.session import (
    FIRST_BACKOFF_MS,
    LONGEST_BACKOFF_MS,
    MAX_AHEAD,
    STALL_MS,
    TRANSITIONS,
    Build,
    Connect,
    Disconnect,
    Effect,
    Fail,
    Outgoing,
    Process,
    Refresh,
    SendFrame,
    Session,
    Signal,
    Submit,
    TellFault,
    TellState,
)
from nightlight.errors import LocalProtocolError, ProblemName
from nightlight.protocol.ids import RoomUri, SubmissionId
from nightlight.protocol.messages import (
    Accepted,
    Acknowledge,
    Delivery,
    EntryKind,
    Goodbye,
    Ready,
    Refused,
    Removed,
    Wake,
)

ROOM = RoomUri("mimi://courier.example/r/lake")
OTHER = RoomUri("mimi://courier.example/r/hill")
ME = "mimi://courier.example/d/mira/a1"
FIRST, SECOND, THIRD = (SubmissionId(bytes([number]) * 16) for number in (1, 2, 3))
S = ConnectionState


def delivery(seq: int, room: RoomUri = ROOM, kind: EntryKind = EntryKind.APPLICATION) -> Delivery:
    return Delivery(room, seq, kind, "mimi://gallery.example/d/tomas/b2", 1_000 + seq, b"payload", b"")


def accepted(seq: int, submission_id: SubmissionId = FIRST, epoch: int = 1) -> Accepted:
    return Accepted(submission_id, ROOM, seq, epoch, 1_000 + seq, b"frank")


def online(stored: int = 4, queue: tuple[Outgoing, ...] = ()) -> Session:
    """A session that is online in ``ROOM``, whose epoch is 1."""
    session = Session()
    session.open_room(ROOM, stored, 1, queue)
    session.start()
    session.opened(0)
    session.receive([Ready(ME, {ROOM: stored})], 0)
    assert session.state is S.ONLINE
    return session


def only(effects: list[Effect], kind: type) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, kind)]


# --- the connection -----------------------------------------------------------------------------------------


def test_every_state_can_be_stopped_and_every_connection_lost() -> None:
    assert {state for state, signal in TRANSITIONS if signal is Signal.STOP} == set(S)
    assert {state for state, signal in TRANSITIONS if signal is Signal.LOST} == {S.CONNECTING, S.CATCHING_UP, S.ONLINE}


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("signal", list(Signal))
def test_a_signal_without_a_row_in_the_table_is_our_bug(state: ConnectionState, signal: Signal) -> None:
    session = Session()
    session.state = state
    if (state, signal) in TRANSITIONS:
        assert session._move(signal) == TellState(TRANSITIONS[state, signal])
    else:
        with pytest.raises(LocalProtocolError):
            session._move(signal)


def test_it_says_hello_with_what_is_durable_in_each_room() -> None:
    session = Session()
    session.open_room(ROOM, 4, 1)
    session.open_room(OTHER, 9, 1)
    assert session.start() == [TellState(S.CONNECTING), Connect({ROOM: 4, OTHER: 9})]


def test_it_is_online_once_it_holds_what_the_hub_had() -> None:
    session = Session()
    session.open_room(ROOM, 4, 1)
    session.start()
    assert session.receive([Ready(ME, {ROOM: 5})], 0) == [TellState(S.CATCHING_UP)]
    assert session.receive([delivery(5)], 0) == [Process({ROOM: [delivery(5)]})]
    assert session.stored(ROOM, 5, 1) == [SendFrame(Acknowledge(ROOM, 5)), TellState(S.ONLINE)]


def test_backoff_doubles_up_to_a_minute_and_is_spread_by_chance() -> None:
    session = Session()
    session.start()
    now_ms, waits = 0, []
    for _ in range(12):
        session.lost(now_ms, "no network", random=0)
        due_ms = session.next_timer_ms(now_ms)
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        assert session.tick(due_ms - 1) == []
        assert session.tick(due_ms) == [TellState(S.CONNECTING), Connect({})]
        now_ms = due_ms
    assert waits[:3] == [FIRST_BACKOFF_MS // 2, FIRST_BACKOFF_MS, FIRST_BACKOFF_MS * 2]
    assert waits[-1] == LONGEST_BACKOFF_MS // 2
    session.lost(now_ms, "no network", random=2**32 - 1)
    assert session.next_timer_ms(now_ms) == now_ms + LONGEST_BACKOFF_MS - 1


def test_backoff_begins_anew_after_being_online() -> None:
    session = Session()
    session.start()
    for now_ms in range(0, 50_000_000, 10_000_000):
        session.lost(now_ms, "no network", random=0)
        session.tick(now_ms + LONGEST_BACKOFF_MS)
    session.receive([Ready(ME, {})], 0)
    session.lost(0, "no network", random=0)
    assert session.next_timer_ms(0) == FIRST_BACKOFF_MS // 2


def test_when_the_network_is_back_it_hurries() -> None:
    session = Session()
    session.start()
    session.lost(0, "no network", random=0)
    session.hurry(7)
    assert session.tick(7) == [TellState(S.CONNECTING), Connect({})]


def test_a_second_greeting_changes_nothing() -> None:
    assert online().receive([Ready(ME, {ROOM: 9})], 0) == []


def test_a_hub_that_does_not_greet_is_left() -> None:
    session = Session()
    session.start()
    session.opened(100)
    assert session.next_timer_ms(100) == 100 + STALL_MS
    assert session.tick(100 + STALL_MS) == [Disconnect("no greeting")]


def test_a_token_that_the_hub_refuses_is_forgotten() -> None:
    session = Session()
    session.start()
    refused = Refused(None, ProblemName.UNAUTHENTICATED)
    assert session.receive([refused], 0) == [Disconnect("unauthenticated", forget_token=True)]


def test_a_goodbye_ends_the_connection_and_a_wake_refreshes() -> None:
    session = online()
    assert session.receive([Wake("contacts")], 0) == [Refresh("contacts")]
    assert session.receive([Goodbye("stopping")], 0) == [Disconnect("stopping")]


def test_nothing_happens_after_stop() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.stop() == [TellState(S.OFFLINE)]
    assert session.next_timer_ms(0) is None
    assert session.queue(ROOM, Outgoing(SECOND, 1)) == []


# --- order --------------------------------------------------------------------------------------------------


def test_entries_are_processed_in_the_order_of_the_log_however_they_arrive() -> None:
    session = online()
    assert session.receive([delivery(6), delivery(7)], 0) == []
    assert session.receive([delivery(5)], 0) == [Process({ROOM: [delivery(5), delivery(6), delivery(7)]})]


def test_what_came_before_is_dropped() -> None:
    session = online()
    session.receive([delivery(5)], 0)
    assert session.receive([delivery(5), delivery(4)], 0) == []


def test_own_and_other_entries_share_one_order() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.receive([accepted(6)], 0) == []
    assert session.receive([delivery(5)], 0) == [Process({ROOM: [delivery(5), accepted(6)]})]


def test_what_is_not_durable_comes_again_after_a_reconnect() -> None:
    session = online()
    session.receive([delivery(5), delivery(7)], 0)
    session.lost(0, "no network", random=0)
    assert only(session.tick(LONGEST_BACKOFF_MS), Connect) == [Connect({ROOM: 4})]
    session.receive([Ready(ME, {ROOM: 7})], 0)
    assert session.receive([delivery(5), delivery(6)], 0) == [Process({ROOM: [delivery(5), delivery(6)]})]


def test_a_room_begins_with_its_welcome() -> None:
    session = online()
    welcome = delivery(12, OTHER, EntryKind.WELCOME)
    assert session.receive([delivery(13, OTHER)], 0) == []
    assert session.receive([welcome], 0) == [Process({OTHER: [welcome, delivery(13, OTHER)]})]
    assert only(session.stored(OTHER, 13, 3), SendFrame) == [SendFrame(Acknowledge(OTHER, 13))]


def test_being_added_again_goes_on_from_the_new_welcome() -> None:
    session = online()
    welcome = delivery(20, ROOM, EntryKind.WELCOME)
    session.receive([delivery(8), delivery(21)], 0)
    assert session.receive([welcome], 0) == [Process({ROOM: [welcome, delivery(21)]})]


def test_leaving_is_acknowledged_as_often_as_it_is_told() -> None:
    session = online()
    assert session.receive([Removed(ROOM, 5)], 0) == [Process({ROOM: [Removed(ROOM, 5)]})]
    assert session.stored(ROOM, 5, 1) == [SendFrame(Acknowledge(ROOM, 5))]
    assert session.receive([Removed(ROOM, 5)], 0) == [SendFrame(Acknowledge(ROOM, 5))]


def test_entries_ahead_are_bounded() -> None:
    session = online()
    assert session.receive([delivery(seq) for seq in range(6, 6 + MAX_AHEAD)], 0) == []
    assert session.receive([delivery(6 + MAX_AHEAD)], 0) == [Disconnect("too far ahead")]


def test_a_room_that_waits_its_turn_in_a_long_catch_up_is_not_missing_anything() -> None:
    session = Session()
    session.open_room(ROOM, 0, 1)
    session.open_room(OTHER, 0, 1)
    session.start()
    session.opened(0)
    session.receive([Ready(ME, {ROOM: 10, OTHER: 2})], 0)
    now_ms = 0
    for seq in range(1, 11):
        due_ms = session.next_timer_ms(now_ms)
        assert due_ms is not None
        now_ms = due_ms - 1
        assert session.receive([delivery(seq)], now_ms) == [Process({ROOM: [delivery(seq)]})]
        session.stored(ROOM, seq, 1)
        assert session.tick(now_ms) == []
    assert now_ms > STALL_MS
    late: list[Accepted | Delivery | Removed] = [delivery(1, OTHER), delivery(2, OTHER)]
    assert session.receive(late, now_ms) == [Process({OTHER: late})]
    assert session.stored(OTHER, 2, 1)[-1] == TellState(S.ONLINE)


def test_a_room_that_is_left_out_of_a_catch_up_is_asked_for_once_nothing_more_comes() -> None:
    session = Session()
    session.open_room(ROOM, 0, 1)
    session.open_room(OTHER, 0, 1)
    session.start()
    session.opened(0)
    session.receive([Ready(ME, {ROOM: 1, OTHER: 2})], 0)
    session.receive([delivery(1)], 1_000)
    session.stored(ROOM, 1, 1)
    session.next_timer_ms(1_000)
    for seq in range(2, 7):  # what is new in the other room is nothing that was missed
        session.receive([delivery(seq)], 1_000 * seq)
        session.stored(ROOM, seq, 1)
        assert bool(only(session.tick(1_000 * seq), Disconnect)) == (1_000 * seq >= 1_000 + STALL_MS)
        session.next_timer_ms(1_000 * seq)


def test_a_gap_is_asked_for_once_and_then_skipped_and_told_as_the_hub_s_fault_nl_501() -> None:
    session = online()
    session.receive([delivery(7)], 0)
    assert session.next_timer_ms(0) == STALL_MS
    assert session.tick(STALL_MS) == [Disconnect("the server does not answer")]
    session.lost(STALL_MS, "an entry is missing", random=0)
    session.tick(10**9)
    session.receive([Ready(ME, {ROOM: 8}), delivery(7), delivery(8)], 10**9)
    due_ms = session.next_timer_ms(10**9)
    assert due_ms is not None
    assert session.tick(due_ms) == [TellFault(ROOM, "NL-501"), Process({ROOM: [delivery(7), delivery(8)]})]


def test_a_log_that_ends_earlier_than_the_hub_said_keeps_nobody_from_being_online() -> None:
    session = Session()
    session.open_room(ROOM, 4, 1)
    session.start()
    for now_ms in (0, 10**9):
        session.receive([Ready(ME, {ROOM: 6})], now_ms)
        due_ms = session.next_timer_ms(now_ms)
        assert due_ms is not None
        effects = session.tick(due_ms)
        if now_ms == 0:
            assert effects == [Disconnect("the server does not answer")]
            session.lost(due_ms, "gap", random=0)
            session.tick(10**9)
    assert effects == [TellFault(ROOM, "NL-501"), TellState(S.ONLINE)]


# --- outbox -------------------------------------------------------------------------------------------------


def test_one_submission_of_a_room_is_under_way_at_a_time() -> None:
    session = online()
    assert session.queue(ROOM, Outgoing(FIRST, 1)) == [Submit(ROOM, FIRST)]
    assert session.queue(ROOM, Outgoing(SECOND, 1)) == []
    session.receive([accepted(5)], 0)
    assert session.stored(ROOM, 5, 1, [FIRST]) == [SendFrame(Acknowledge(ROOM, 5)), Submit(ROOM, SECOND)]


def test_rooms_do_not_wait_for_each_other() -> None:
    session = online()
    session.open_room(OTHER, 0, 1)
    session.queue(ROOM, Outgoing(FIRST, 1))
    assert session.queue(OTHER, Outgoing(SECOND, 1)) == [Submit(OTHER, SECOND)]


def test_after_a_reconnect_the_same_submission_goes_out_again_once_the_log_is_read() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    session.lost(0, "no network", random=0)
    session.tick(LONGEST_BACKOFF_MS)
    assert session.receive([Ready(ME, {ROOM: 5})], 0) == [TellState(S.CATCHING_UP)]
    session.receive([delivery(5)], 0)
    assert session.stored(ROOM, 5, 1) == [SendFrame(Acknowledge(ROOM, 5)), Submit(ROOM, FIRST), TellState(S.ONLINE)]


def test_an_answer_that_was_lost_is_found_in_the_log_and_nothing_goes_out_twice() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    session.lost(0, "no network", random=0)
    session.tick(LONGEST_BACKOFF_MS)
    session.receive([Ready(ME, {ROOM: 5}), accepted(5)], 0)
    assert only(session.stored(ROOM, 5, 1, [FIRST]), Submit) == []


def test_what_is_built_for_another_epoch_is_built_again_first() -> None:
    session = online()
    assert session.queue(ROOM, Outgoing(FIRST, None)) == [Build(ROOM, FIRST)]
    assert session.built(ROOM, Outgoing(FIRST, 1)) == [Submit(ROOM, FIRST)]
    with pytest.raises(LocalProtocolError):
        session.built(ROOM, Outgoing(SECOND, 1))


def test_after_wrong_epoch_it_waits_for_the_commit_and_builds_again_under_the_same_id() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.receive([Refused(FIRST, ProblemName.WRONG_EPOCH, epoch=2)], 0) == []
    assert session.next_timer_ms(0) is None
    session.receive([delivery(5, kind=EntryKind.COMMIT)], 0)
    assert session.stored(ROOM, 5, 2) == [SendFrame(Acknowledge(ROOM, 5)), Build(ROOM, FIRST)]
    assert session.built(ROOM, Outgoing(FIRST, 2)) == [Submit(ROOM, FIRST)]


def test_a_refusal_that_comes_after_the_commit_is_as_good() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    session.receive([delivery(5, kind=EntryKind.COMMIT)], 0)
    assert only(session.stored(ROOM, 5, 2), Build) == []
    assert session.receive([Refused(FIRST, ProblemName.WRONG_EPOCH, epoch=2)], 0) == [Build(ROOM, FIRST)]


@pytest.mark.parametrize("problem", [ProblemName.TOO_MANY, ProblemName.UNAVAILABLE, ProblemName.INTERNAL])
def test_after_a_passing_refusal_it_tries_again_and_nothing_overtakes(problem: ProblemName) -> None:
    session = online(queue=(Outgoing(FIRST, 1), Outgoing(SECOND, 1)))
    assert session.receive([Refused(FIRST, problem, retry_after_ms=300)], 0) == []
    assert session.queue(ROOM, Outgoing(THIRD, 1)) == []
    assert session.tick(299) == []
    assert session.tick(300) == [Submit(ROOM, FIRST)]


def test_refusals_without_a_time_are_spaced_ever_wider() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    now_ms, waits = 0, []
    for _ in range(3):
        session.receive([Refused(FIRST, ProblemName.UNAVAILABLE)], now_ms)
        due_ms = session.next_timer_ms(now_ms)
        assert due_ms is not None
        waits.append(due_ms - now_ms)
        now_ms = due_ms
        session.tick(now_ms)
    assert waits == [FIRST_BACKOFF_MS, 2 * FIRST_BACKOFF_MS, 4 * FIRST_BACKOFF_MS]


def test_what_is_refused_for_good_is_dropped_and_the_next_one_goes_out() -> None:
    session = online(queue=(Outgoing(FIRST, 1), Outgoing(SECOND, 1)))
    refused = Refused(FIRST, ProblemName.TOO_LARGE)
    assert session.receive([refused], 0) == [Fail(ROOM, FIRST, ProblemName.TOO_LARGE)]
    assert session.dropped(ROOM, [FIRST]) == [Submit(ROOM, SECOND)]


def test_a_refusal_of_what_is_not_under_way_changes_nothing() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.receive([Refused(SECOND, ProblemName.TOO_LARGE)], 0) == []
    assert session.receive([Refused(None, ProblemName.MALFORMED)], 0) == []


def test_a_submission_without_an_answer_is_sent_again_over_a_new_connection() -> None:
    session = online()
    session.queue(ROOM, Outgoing(FIRST, 1))
    assert session.next_timer_ms(100) == 100 + STALL_MS
    assert session.tick(100 + STALL_MS) == [Disconnect("the server does not answer")]


def test_a_repeated_answer_settles_what_is_still_under_way() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.receive([accepted(3)], 0) == [Process({ROOM: [accepted(3)]})]


def test_an_answer_that_came_twice_at_once_is_processed_once() -> None:
    session = online(queue=(Outgoing(FIRST, 1),))
    assert session.receive([accepted(5), accepted(5)], 0) == [Process({ROOM: [accepted(5)]})]
    assert session.receive([accepted(5)], 0) == []


def test_what_is_dropped_does_not_go_out() -> None:
    session = online(queue=(Outgoing(FIRST, 1), Outgoing(SECOND, 1), Outgoing(THIRD, 1)))
    assert session.dropped(ROOM, [FIRST, SECOND]) == [Submit(ROOM, THIRD)]
    assert session.dropped(OTHER, [FIRST]) == []
