"""The ledger counts what went wrong: each fault is planted once, and counted once."""

from __future__ import annotations

from nightlight.cli.ledger import Ledger, Sent, Shown
from nightlight.protocol.ids import MessageId, RoomUri, UserUri

ALICE, BOB = UserUri("mimi://courier.example/u/alice"), UserUri("mimi://gallery.example/u/bob")
ROOM = RoomUri("mimi://courier.example/r/lake")


def message_id(number: int) -> MessageId:
    return MessageId(bytes([1, *([number] * 31)]))


def sent(number: int, sender: UserUri = ALICE) -> Sent:
    reader = BOB if sender is ALICE else ALICE
    return Sent(message_id(number), ROOM, sender, [reader], f"hello {number}", at_s=number)


def shown(number: int, reader: UserUri = BOB, text: str | None = None) -> Shown:
    return Shown(message_id(number), ROOM, reader, text or f"hello {number}", at_s=number + 0.25)


def three_messages() -> Ledger:
    return Ledger(sent=[sent(1), sent(2), sent(3)], shown=[shown(1), shown(2), shown(3)])


def test_a_run_without_faults_is_faultless_and_timed() -> None:
    outcome = three_messages().outcome()

    assert outcome.faultless
    assert (outcome.sent, outcome.delivered, outcome.lost) == (3, 3, 0)
    assert (outcome.p50_ms, outcome.p99_ms) == (250.0, 250.0)
    assert outcome.messages_per_s == round(3 / 2.25, 1)


def test_a_message_that_nobody_saw_is_lost() -> None:
    ledger = three_messages()
    del ledger.shown[1]

    outcome = ledger.outcome()
    assert (outcome.delivered, outcome.lost, outcome.duplicated, outcome.out_of_order) == (2, 1, 0, 0)


def test_a_message_that_came_with_another_text_is_lost() -> None:
    ledger = three_messages()
    ledger.shown[1] = shown(2, text="goodbye")

    assert (ledger.outcome().delivered, ledger.outcome().lost) == (2, 1)


def test_a_message_shown_twice_is_duplicated_and_not_out_of_order_at_once() -> None:
    ledger = three_messages()
    ledger.shown.insert(1, shown(1))

    outcome = ledger.outcome()
    assert (outcome.delivered, outcome.duplicated, outcome.out_of_order) == (3, 1, 0)


def test_a_message_that_was_overtaken_is_out_of_order() -> None:
    ledger = three_messages()
    ledger.shown[0], ledger.shown[1] = ledger.shown[1], ledger.shown[0]

    assert (ledger.outcome().out_of_order, ledger.outcome().lost) == (1, 0)


def test_messages_of_two_people_may_cross() -> None:
    ledger = Ledger(sent=[sent(1), sent(2, BOB)], shown=[shown(2, ALICE), shown(1)])

    assert ledger.outcome().faultless


def test_two_views_of_a_room_that_differ_are_out_of_order() -> None:
    ledger = three_messages()
    ledger.views[ROOM] = {
        ALICE: [message_id(1), message_id(2), message_id(3)],
        BOB: [message_id(1), message_id(3), message_id(2)],
    }

    assert ledger.outcome().out_of_order == 2


def test_a_hole_in_one_view_is_not_also_disorder() -> None:
    ledger = three_messages()
    ledger.views[ROOM] = {ALICE: [message_id(1), message_id(2), message_id(3)], BOB: [message_id(1), message_id(3)]}

    assert ledger.outcome().out_of_order == 0


def test_faults_are_told_apart_by_the_number_of_their_check() -> None:
    ledger = three_messages()
    ledger.faults.update(["NL-143", "NL-144", "NL-211"])

    outcome = ledger.outcome()
    assert (outcome.frank_failures, outcome.undecryptable, outcome.faultless) == (2, 1, False)


def test_a_message_to_several_people_is_due_to_each() -> None:
    carol = UserUri("mimi://ring.example/u/carol")
    to_both = Sent(message_id(1), ROOM, ALICE, [BOB, carol], "hello 1", at_s=1)

    outcome = Ledger(sent=[to_both], shown=[shown(1), shown(1, carol)]).outcome()
    assert (outcome.sent, outcome.delivered, outcome.lost) == (1, 2, 0)


def test_an_empty_run_has_an_outcome() -> None:
    assert Ledger().outcome().sent == 0
