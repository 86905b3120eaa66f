"""What messages mean to each other, where hostile ones would mean too much. The usual ones are in the vectors."""

from dataclasses import replace

import pytest

from nightlight.protocol import content, conversation, words
from nightlight.protocol.content import MimiContent
from nightlight.protocol.ids import MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.part import MultiPart, NullPart, PartSemantics, SinglePart
from tests.support.rooms import Room

ADA = UserUri("mimi://courier.example/u/ada")
BEN = UserUri("mimi://gallery.example/u/ben")
ROOM = RoomUri("mimi://courier.example/r/harbour")
NOW_MS = TimestampMs(1_900_000_000_000)


def salt(number: int) -> bytes:
    return number.to_bytes(16, "big")


def hear(room: Room, message: MimiContent) -> MessageId:
    assert room.hear(message, NOW_MS) is None
    return content.message_id(message.sender, message.room, content.encode(message))


def test_a_reaction_is_short_and_has_no_spaces() -> None:
    room = Room()
    hello = hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    for text in ("", "two words", "x" * 65, "x" * 64_000):
        assert room.hear(content.reaction(salt(1), BEN, ROOM, hello, text), NOW_MS) == "NL-130"
    assert room.hear(content.reaction(salt(1), BEN, ROOM, hello, "👩‍👩‍👧‍👦"), NOW_MS) is None


def test_nobody_changes_what_somebody_else_said() -> None:
    room = Room()
    hello = hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    heart = hear(room, content.reaction(salt(1), ADA, ROOM, hello, "❤"))
    for message in (
        content.text_message(salt(2), BEN, ROOM, "good night", replaces=hello),
        content.deletion(salt(3), BEN, ROOM, hello),
        content.reaction_taken_back(salt(4), BEN, ROOM, hello, heart),
    ):
        assert room.hear(message, NOW_MS) == "NL-131"
    ((_, shown),) = room.shown()
    assert (shown.words.text, shown.edited, len(shown.reactions)) == ("hello", False, 1)


def test_one_user_reacts_to_one_message_so_many_times_and_no_more() -> None:
    room = Room()
    hello = hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    for number in range(conversation.MAX_REACTION_MESSAGES):
        hear(room, content.reaction(salt(number), BEN, ROOM, hello, f"r{number}"))
    assert room.hear(content.reaction(salt(999), BEN, ROOM, hello, "❤"), NOW_MS) == "NL-132"
    assert room.hear(content.reaction(salt(999), ADA, ROOM, hello, "❤"), NOW_MS) is None
    ((_, shown),) = room.shown()
    assert [each.users for each in shown.reactions] == [(BEN,)] * conversation.MAX_REACTIONS + [(ADA,)]


@pytest.mark.parametrize("count", [0, 65_536, -1, "5", True, None, [1]])
def test_a_count_of_forwarding_is_a_small_number(count: object) -> None:
    message = content.text_message(salt(0), ADA, ROOM, "hello")
    counted = replace(message, extensions={**message.extensions, "forwarded": count})
    assert Room().hear(counted, NOW_MS) == "NL-133"


def test_no_reply_answers_itself() -> None:
    room = Room()
    first = hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    second = hear(room, content.text_message(salt(1), BEN, ROOM, "hello to you", in_reply_to=first))
    hear(room, content.text_message(salt(2), ADA, ROOM, "hello!", replaces=first, in_reply_to=second))
    assert [heard.said.reply_to for heard, _ in room.shown()] == [None, first]


def test_a_body_of_many_parts_shows_and_reacts_within_bounds() -> None:
    room = Room()
    hello = hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    hearts = MultiPart(PartSemantics.PROCESS_ALL, (SinglePart("text/plain;charset=utf-8", b"!", 2),) * 1000, 2)
    reaction = content.reaction(salt(1), BEN, ROOM, hello, "!")
    assert room.hear(replace(reaction, body=hearts), NOW_MS) == "NL-130"


def test_a_deletion_of_nothing_changes_nothing() -> None:
    room = Room()
    hear(room, content.text_message(salt(0), ADA, ROOM, "hello"))
    hear(room, MimiContent(salt(1), {1: ADA, 2: ROOM}, NullPart()))
    ((_, shown),) = room.shown()
    assert not shown.deleted


def test_a_text_full_of_brackets_is_read_in_a_moment() -> None:
    for source in ("[" * 60_000, "\\[" * 30_000, "[a" * 30_000, "[" + "a" * 60_000, "](mimi://" * 6_000):
        assert words.from_markdown(source).mentions == ()
    assert words.to_markdown("@a@b" * 15_000, [ADA]) is None
