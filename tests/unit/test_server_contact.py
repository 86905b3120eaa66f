"""Contact requests: the table, and what nobody can tell from it."""

import itertools
from collections.abc import Sequence

import pytest

from nightlight.errors import ProblemName, RefusedError
from nightlight.protocol.messages import ContactAction, ContactState
from nightlight.server.domain.contact import NOBODY, TRANSITIONS, Pair, Stance, act, connected, severed, visible

REQUEST, ACCEPT, DECLINE = ContactAction.REQUEST, ContactAction.ACCEPT, ContactAction.DECLINE
CANCEL, BLOCK, UNBLOCK = ContactAction.CANCEL, ContactAction.BLOCK, ContactAction.UNBLOCK


def play(*moves: tuple[str, ContactAction]) -> Pair:
    """How A stands to B, and B to A, after ``moves`` by "a" and "b"."""
    pair = NOBODY
    for who, action in moves:
        pair = act(pair, action) if who == "a" else act(pair.turned(), action).turned()
    return pair


def reachable() -> set[Pair]:
    """Every pair that some row of moves leads to."""
    found, waiting = {NOBODY}, [NOBODY]
    while waiting:
        pair = waiting.pop()
        for action in ContactAction:
            after = TRANSITIONS.get((pair.mine, pair.theirs, action))
            for new in () if after is None else (after, after.turned()):
                if new not in found:
                    found.add(new)
                    waiting.append(new)
    return found


def looks(pair: Pair, actions: Sequence[ContactAction]) -> list[ContactState | str | None]:
    """What the first of ``pair`` sees after each of their actions."""
    seen: list[ContactState | str | None] = []
    for action in actions:
        after = TRANSITIONS.get((pair.mine, pair.theirs, action))
        pair = pair if after is None else after
        seen.append("refused" if after is None else visible(pair))
    return seen


def test_a_request_that_is_accepted_connects() -> None:
    assert connected(play(("a", REQUEST), ("b", ACCEPT)))


def test_crossing_requests_connect() -> None:
    assert connected(play(("a", REQUEST), ("b", REQUEST)))


def test_nobody_is_connected_by_one_side_alone() -> None:
    for length in range(1, 5):
        for actions in itertools.product(ContactAction, repeat=length):
            pair = NOBODY
            for action in actions:
                after = TRANSITIONS.get((pair.mine, pair.theirs, action))
                pair = pair if after is None else after
            assert not connected(pair), actions


def test_a_declined_request_stays_unseen_however_often_it_is_repeated() -> None:
    pair = play(("a", REQUEST), ("b", DECLINE), ("a", CANCEL), ("a", REQUEST), ("a", REQUEST))
    assert visible(pair.turned()) is None
    assert visible(pair) is ContactState.REQUESTED


def test_who_declined_may_ask_themselves_and_is_connected_at_once() -> None:
    assert connected(play(("a", REQUEST), ("b", DECLINE), ("b", REQUEST)))


def test_blocking_ends_reaching_and_unblocking_brings_a_connection_back() -> None:
    blocked = play(("a", REQUEST), ("b", ACCEPT), ("a", BLOCK))
    assert severed(blocked)
    assert not connected(blocked)
    assert connected(act(blocked, UNBLOCK))


def test_unblocking_somebody_who_had_asked_does_not_bring_the_request_back() -> None:
    assert visible(play(("b", REQUEST), ("a", BLOCK), ("a", UNBLOCK))) is None


def test_a_request_that_was_cancelled_is_gone() -> None:
    assert play(("a", REQUEST), ("a", CANCEL)) == NOBODY


@pytest.mark.parametrize("action", [ACCEPT, DECLINE])
def test_there_is_nothing_to_answer_without_a_request(action: ContactAction) -> None:
    with pytest.raises(RefusedError) as refusal:
        act(NOBODY, action)
    assert refusal.value.problem is ProblemName.CONFLICT  # NL-470


def test_a_person_who_blocks_cannot_request_before_unblocking() -> None:
    with pytest.raises(RefusedError):
        act(play(("a", BLOCK)), REQUEST)


def test_every_row_can_come_up_and_leads_to_a_pair_that_can_be_left() -> None:
    pairs = reachable()
    assert {(mine, theirs) for mine, theirs, _ in TRANSITIONS} == {(pair.mine, pair.theirs) for pair in pairs}
    for pair in pairs:
        assert any((pair.mine, pair.theirs, action) in TRANSITIONS for action in (BLOCK, UNBLOCK))


def test_asking_again_after_a_lost_answer_changes_nothing() -> None:
    for (mine, theirs, action), after in TRANSITIONS.items():
        assert TRANSITIONS.get((after.mine, after.theirs, action)) == after, (mine, theirs, action)


def test_what_the_other_made_of_a_request_cannot_be_told_from_what_one_may_do_or_see() -> None:
    """Whatever is done next, and after that: three actions in a row look the same to who takes them."""
    for pair, other in itertools.combinations(sorted(reachable()), 2):
        if (
            pair.mine is other.mine
            and visible(pair) is visible(other)
            and Stance.REQUESTED not in {pair.theirs, other.theirs}
        ):
            for actions in itertools.product(ContactAction, repeat=3):
                assert looks(pair, actions) == looks(other, actions), (pair, other, actions)


def test_a_person_who_is_blocked_sees_no_change() -> None:
    for pair in reachable():
        after = TRANSITIONS.get((pair.mine, pair.theirs, BLOCK))
        if after is not None and pair.theirs is not Stance.NONE:
            assert visible(after.turned()) == visible(pair.turned())
