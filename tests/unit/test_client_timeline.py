"""What was said in a room: its order, what is shown of it, and when words are gone for good."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from nightlight.client.events import Message, MessageState
from nightlight.client.records import RoomRecord, Standing
from nightlight.client.store import Store
from nightlight.client.timeline import Placed
from nightlight.errors import ProblemName, RemoteProtocolError, VerificationError
from nightlight.protocol import content, conversation
from nightlight.protocol.content import Expiry
from nightlight.protocol.conversation import Kind, Reaction, Said
from nightlight.protocol.ids import MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.words import Words
from tests.vectors.reading import read

KEY = bytes(range(32))
ROOM = RoomUri("mimi://courier.example/r/lake")
HILL = RoomUri("mimi://courier.example/r/hill")
MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
NOW_MS = TimestampMs(1_800_000_000_000)
HELLO = Said(Kind.MESSAGE, words=Words("hello from the lake"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "mira.store", KEY, os.urandom)
    with store.transaction():
        store.put_room(RoomRecord(ROOM, Standing.JOINED, 9, 1, b"", (MIRA, TOMAS), read_seq=2))
    yield store
    store.close()


def message_id(number: int) -> MessageId:
    return MessageId(bytes([1, number]) * 16)


def receive(store: Store, number: int, said: Said = HELLO, *, seq: int | None = None, at_ms: int = NOW_MS) -> bool:
    """Tomas said it, at place ``seq`` of the log."""
    place = number if seq is None else seq
    state, accepted_at_ms = MessageState.RECEIVED, TimestampMs(at_ms)
    placed = Placed(ROOM, message_id(number), TOMAS, own=False, state=state, seq=place, accepted_at_ms=accepted_at_ms)
    with store.transaction():
        return store.timeline.add(placed, said, NOW_MS)


def queue(store: Store, number: int, said: Said = HELLO) -> None:
    """Mira, whose store it is, says it; the hub does not have it yet."""
    with store.transaction():
        placed = Placed(ROOM, message_id(number), MIRA, own=True, state=MessageState.QUEUED)
        assert store.timeline.add(placed, said, NOW_MS)


def accept(store: Store, number: int, seq: int) -> None:
    with store.transaction():
        store.timeline.accept(message_id(number), seq, NOW_MS, NOW_MS)


def shown(store: Store, number: int = 1) -> Message:
    message = store.timeline.message(message_id(number))
    assert message is not None
    assert message in store.timeline.messages(ROOM, 100)
    return message


def edit(text: str, of: int = 1) -> Said:
    return Said(Kind.EDIT, message_id(of), Words(text))


def reaction(text: str, to: int = 1) -> Said:
    return Said(Kind.REACTION, message_id(to), sets=(text,))


DELETION = Said(Kind.DELETION, message_id(1))


def on_disk(store: Store) -> set[str]:
    """All texts that are left in the table, whatever is shown."""
    return {row[0] for row in store._rows("SELECT body FROM messages WHERE body <> ''")}


@pytest.mark.parametrize("row", read("conversation")["conversations"], ids=lambda row: row["name"])
def test_a_log_comes_to_what_is_shown(store: Store, row: dict[str, Any]) -> None:
    room = RoomUri(row["room"])
    for seq, entry in enumerate(row["log"], 1):
        data = bytes.fromhex(entry["application_data"])
        message = content.decode(data)
        placed = Placed(
            room,
            content.message_id(message.sender, room, data),
            message.sender,
            own=False,
            state=MessageState.RECEIVED,
            seq=seq,
            accepted_at_ms=entry["accepted_at_ms"],
        )
        check = entry["check"]
        refused = (
            pytest.raises((RemoteProtocolError, VerificationError), match=f"^{check}:") if check else nullcontext()
        )
        with refused, store.transaction():
            store.timeline.add(placed, conversation.read(message, store.timeline.before(room)), NOW_MS)
    assert [
        {
            "message_id": message.message_id.hex(),
            "sender": message.sender,
            "text": message.text,
            "mentions": list(message.mentions),
            "reply_to": message.reply_to and message.reply_to.hex(),
            "edited": message.edited,
            "deleted": message.deleted,
            "reactions": [{"text": each.text, "users": list(each.users)} for each in message.reactions],
            "forwarded": message.forwarded,
            "lifetime_s": message.lifetime_s,
            "end_ms": message.expires_at_ms,
        }
        for message in store.timeline.messages(room, 100)
    ] == row["shown"]


# --- order ----------------------------------------------------------------------------------------------------


def test_messages_are_in_the_order_of_the_log_and_queued_ones_last(store: Store) -> None:
    queue(store, 9)
    receive(store, 2, seq=7)
    receive(store, 1, seq=3)
    queue(store, 8)
    messages = store.timeline.messages(ROOM, 10)
    assert [message.message_id for message in messages] == [message_id(number) for number in (1, 2, 9, 8)]


def test_older_messages_come_page_by_page(store: Store) -> None:
    for number in range(1, 8):
        receive(store, number)
    newest = store.timeline.messages(ROOM, 3)
    older = store.timeline.messages(ROOM, 3, before=newest[0].message_id)
    oldest = store.timeline.messages(ROOM, 3, before=older[0].message_id)
    assert [message.message_id[1] for message in [*oldest, *older, *newest]] == [1, 2, 3, 4, 5, 6, 7]


def test_a_message_is_stored_once(store: Store) -> None:
    assert receive(store, 1, seq=3)
    assert not receive(store, 1, seq=4)
    assert len(store.timeline.messages(ROOM, 10)) == 1


def test_a_queued_message_takes_its_place_when_the_hub_has_taken_it(store: Store) -> None:
    queue(store, 1)
    receive(store, 2, seq=6)
    accept(store, 1, seq=5)
    messages = store.timeline.messages(ROOM, 10)
    assert [(message.message_id, message.state) for message in messages] == [
        (message_id(1), MessageState.SENT),
        (message_id(2), MessageState.RECEIVED),
    ]
    assert messages[0].accepted_at_ms == NOW_MS


def test_a_state_only_goes_forward_and_only_in_its_own_room(store: Store) -> None:
    queue(store, 1)
    accept(store, 1, seq=5)
    sent, delivered = (MessageState.SENT,), (MessageState.SENT, MessageState.DELIVERED)
    with store.transaction():
        assert not store.timeline.advance(HILL, message_id(1), MessageState.READ, delivered)
        assert store.timeline.advance(ROOM, message_id(1), MessageState.READ, delivered)
        assert not store.timeline.advance(ROOM, message_id(1), MessageState.DELIVERED, sent)
    assert shown(store).state is MessageState.READ


def test_what_cannot_be_shown_is_kept_and_not_listed(store: Store) -> None:
    receive(store, 5, Said(Kind.NOTHING))
    assert store.timeline.messages(ROOM, 10) == []
    assert store.timeline.unread(ROOM) == []
    assert store.timeline.placed(message_id(5)) is not None


def test_unread_is_what_others_wrote_after_the_place_read_to(store: Store) -> None:
    for number in (1, 2, 3, 4):
        receive(store, number)
    receive(store, 5, edit("hello from the hill", of=3))
    queue(store, 6)
    assert store.timeline.unread(ROOM) == [message_id(3), message_id(4)]


# --- what changes a message -----------------------------------------------------------------------------------


def test_an_edit_shows_in_the_place_of_the_message_and_only_its_words_are_left(store: Store) -> None:
    reply = Said(Kind.MESSAGE, words=Words("@mira@courier.example", (MIRA,)), reply_to=message_id(7), forwarded=2)
    receive(store, 1, reply)
    receive(store, 2)
    receive(store, 3, edit("hello from the hill"))
    message = shown(store)
    assert (message.text, message.edited, message.mentions) == ("hello from the hill", True, ())
    assert (message.reply_to, message.forwarded) == (message_id(7), 2)
    assert [each.message_id for each in store.timeline.messages(ROOM, 10)] == [message_id(1), message_id(2)]
    assert on_disk(store) == {"hello from the hill", "hello from the lake"}


def test_the_edit_that_comes_last_in_the_log_is_shown_whenever_it_was_learnt(store: Store) -> None:
    receive(store, 1)
    receive(store, 4, edit("third"), seq=8)
    receive(store, 3, edit("second"), seq=7)
    assert shown(store).text == "third"
    assert store.timeline.versions(message_id(1)) == [message_id(1), message_id(3), message_id(4)]


def test_an_edit_that_waits_shows_at_once_and_is_undone_if_the_hub_refuses_it(store: Store) -> None:
    queue(store, 1)
    accept(store, 1, seq=1)
    queue(store, 2, edit("hello from the hill"))
    assert shown(store).text == "hello from the hill"
    with store.transaction():
        store.timeline.fail(message_id(2), ProblemName.TOO_LARGE)
    assert (shown(store).text, shown(store).edited) == ("hello from the lake", False)


def test_a_deletion_leaves_a_place_without_words(store: Store) -> None:
    receive(store, 1)
    receive(store, 2, edit("hello from the hill"))
    receive(store, 3, reaction("❤"))
    receive(store, 4, DELETION)
    message = shown(store)
    assert (message.text, message.deleted, message.reactions) == ("", True, ())
    assert on_disk(store) == set()
    receive(store, 5, edit("back again"))
    assert shown(store) == message
    assert on_disk(store) == set()


def test_reactions_stand_by_their_message_until_they_are_taken_back(store: Store) -> None:
    receive(store, 1)
    receive(store, 2, reaction("❤"))
    queue(store, 3, reaction("❤"))
    assert shown(store).reactions == (Reaction("❤", (TOMAS, MIRA)),)
    assert store.timeline.reaction_of(MIRA, message_id(1), "❤") == message_id(3)
    receive(store, 4, Said(Kind.REACTION, message_id(1), unsets=("❤",)))
    assert shown(store).reactions == (Reaction("❤", (MIRA,)),)


# --- how long -------------------------------------------------------------------------------------------------

HOUR = Said(Kind.MESSAGE, words=Words("for an hour"), expires=Expiry(relative=True, seconds=3600))


def expire(store: Store, at_ms: int) -> list[tuple[RoomUri, MessageId]]:
    with store.transaction():
        return store.timeline.expire(TimestampMs(at_ms))


def test_the_time_of_a_message_runs_from_when_it_is_read(store: Store) -> None:
    receive(store, 3, HOUR)
    assert expire(store, NOW_MS + 86_400_000) == []
    with store.transaction():
        store.timeline.begin_lives(ROOM, NOW_MS)
    assert store.timeline.next_end_ms() == NOW_MS + 3_600_000
    receive(store, 4, edit("for an hour or so", of=3))
    receive(store, 5, reaction("❤", to=3))
    assert expire(store, NOW_MS + 3_599_999) == []
    assert expire(store, NOW_MS + 3_600_000) == [(ROOM, message_id(3))]
    assert store.timeline.messages(ROOM, 10) == []
    assert on_disk(store) == set()
    assert store.timeline.next_end_ms() is None
    with store.transaction():
        store.timeline.begin_lives(ROOM, NOW_MS)
    assert store.timeline.next_end_ms() is None


def test_the_senders_own_copy_goes_that_long_after_the_hub_took_it(store: Store) -> None:
    queue(store, 1, HOUR)
    assert store.timeline.next_end_ms() is None
    accept(store, 1, seq=3)
    assert (shown(store).expires_at_ms, shown(store).lifetime_s) == (NOW_MS + 3_600_000, 3600)


def test_what_is_said_about_an_expired_message_is_not_kept(store: Store) -> None:
    receive(store, 1, HOUR)
    with store.transaction():
        store.timeline.begin_lives(ROOM, NOW_MS)
    expire(store, NOW_MS + 3_600_000)
    receive(store, 2, edit("back again"))
    receive(store, 3, reaction("❤"))
    assert store.timeline.message(message_id(1)) is None
    assert on_disk(store) == set()


def test_a_message_whose_time_was_over_before_it_came_is_not_shown(store: Store) -> None:
    past = Said(Kind.MESSAGE, words=Words("too late"), expires=Expiry(relative=False, seconds=NOW_MS // 1000 - 3600))
    receive(store, 1, past, at_ms=NOW_MS - 7_200_000)
    assert store.timeline.messages(ROOM, 10) == []
    assert on_disk(store) == set()
