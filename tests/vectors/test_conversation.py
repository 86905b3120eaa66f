from typing import Any

import pytest

from nightlight.protocol import content, conversation, words
from tests.support.rooms import Room
from tests.vectors.reading import read

VECTOR = read("conversation")


@pytest.mark.parametrize("row", VECTOR["markdown"], ids=lambda row: row["markdown"][:30])
def test_mentions_are_shown_as_whom_they_link_to(row: dict[str, Any]) -> None:
    said = words.from_markdown(row["markdown"])
    assert (said.text, list(said.mentions)) == (row["text"], row["mentions"])


@pytest.mark.parametrize("row", VECTOR["texts"], ids=lambda row: row["text"][:30])
def test_who_is_called_by_name_is_linked(row: dict[str, Any]) -> None:
    assert words.to_markdown(row["text"], row["users"]) == row["markdown"]


@pytest.mark.parametrize("row", VECTOR["conversations"], ids=lambda row: row["name"])
def test_a_log_comes_to_what_is_shown(row: dict[str, Any]) -> None:
    room = Room()
    for entry in row["log"]:
        message = content.decode(bytes.fromhex(entry["application_data"]))
        assert message.sender == entry["sender"]
        assert room.hear(message, entry["accepted_at_ms"]) == entry["check"]
    for wanted, (heard, shown) in zip(row["shown"], room.shown(), strict=True):
        expires, reply_to = heard.said.expires, None if shown.deleted else heard.said.reply_to
        assert wanted == {
            "message_id": heard.message_id.hex(),
            "sender": heard.sender,
            "text": shown.words.text,
            "mentions": list(shown.words.mentions),
            "reply_to": reply_to and reply_to.hex(),
            "edited": shown.edited,
            "deleted": shown.deleted,
            "reactions": [{"text": each.text, "users": list(each.users)} for each in shown.reactions],
            "forwarded": 0 if shown.deleted else heard.said.forwarded,
            "lifetime_s": expires and conversation.lifetime_s(expires),
            "end_ms": expires and conversation.end_ms(expires, heard.accepted_at_ms),
        }
