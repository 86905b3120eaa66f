"""Writes conversation.json: rooms' logs, and what a receiver shows of them; texts that mention people."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from nightlight.protocol import content, conversation, words
from nightlight.protocol.content import FORWARDED_EXTENSION, Expiry, MimiContent
from nightlight.protocol.ids import MessageId, RoomUri, TimestampMs, UserUri
from nightlight.protocol.part import Disposition, MultiPart, NullPart, PartSemantics, SinglePart
from tests.support.rooms import Room
from tests.vectors.writing import write

ADA = UserUri("mimi://courier.example/u/ada")
BEN = UserUri("mimi://gallery.example/u/ben")
CLEO = UserUri("mimi://ring.example/u/cleo")
HARBOUR = RoomUri("mimi://courier.example/r/harbour")
AT_MS = 1_900_000_000_000
NOWHERE = MessageId(b"\x01" + bytes([7]) * 31)
HEART, PARTY, LUCK = "❤", "🥳", "🤞"


@dataclass
class Log:
    """A conversation as it comes about: each call says something more."""

    name: str
    messages: list[MimiContent] = field(default_factory=list)

    def _salt(self) -> bytes:
        return bytes([len(self.messages)]) * 16

    def add(self, message: MimiContent) -> MessageId:
        self.messages.append(message)
        return content.message_id(message.sender, message.room, content.encode(message))

    def say(self, sender: UserUri, text: str, **how: Any) -> MessageId:
        return self.add(content.text_message(self._salt(), sender, HARBOUR, text, **how))

    def delete(self, sender: UserUri, deleted: MessageId) -> MessageId:
        return self.add(content.deletion(self._salt(), sender, HARBOUR, deleted))

    def react(self, sender: UserUri, to: MessageId, *texts: str, replaces: MessageId | None = None) -> MessageId:
        message = content.reaction(self._salt(), sender, HARBOUR, to, texts[0])
        if len(texts) > 1:
            parts = tuple(SinglePart("text/plain;charset=utf-8", text.encode(), Disposition.REACTION) for text in texts)
            message = replace(message, body=MultiPart(PartSemantics.PROCESS_ALL, parts, Disposition.REACTION))
        return self.add(replace(message, replaces=replaces))

    def take_back(self, sender: UserUri, to: MessageId, reacted: MessageId) -> MessageId:
        return self.add(content.reaction_taken_back(self._salt(), sender, HARBOUR, to, reacted))

    def extended(self, sender: UserUri, text: str, forwarded: object) -> MessageId:
        message = content.text_message(self._salt(), sender, HARBOUR, text)
        return self.add(replace(message, extensions={**message.extensions, FORWARDED_EXTENSION: forwarded}))

    def vector(self) -> dict[str, Any]:
        room = Room()
        log = []
        for number, message in enumerate(self.messages):
            at_ms = TimestampMs(AT_MS + number)
            check = room.hear(message, at_ms)
            log.append(
                {
                    "sender": message.sender,
                    "accepted_at_ms": at_ms,
                    "application_data": content.encode(message),
                    "check": check,
                }
            )
        shown = []
        for heard, said in room.shown():
            expires = heard.said.expires
            shown.append(
                {
                    "message_id": heard.message_id,
                    "sender": heard.sender,
                    "text": said.words.text,
                    "mentions": said.words.mentions,
                    "reply_to": None if said.deleted else heard.said.reply_to,
                    "edited": said.edited,
                    "deleted": said.deleted,
                    "reactions": [{"text": each.text, "users": each.users} for each in said.reactions],
                    "forwarded": 0 if said.deleted else heard.said.forwarded,
                    "lifetime_s": expires and conversation.lifetime_s(expires),
                    "end_ms": expires and conversation.end_ms(expires, heard.accepted_at_ms),
                }
            )
        return {"name": self.name, "room": HARBOUR, "log": log, "shown": shown}


def replies() -> Log:
    log = Log("replies")
    hello = log.say(ADA, "hello")
    log.say(BEN, "hello to you", in_reply_to=hello)
    log.say(BEN, "what was that?", in_reply_to=NOWHERE)
    edit = log.say(ADA, "hello, all", replaces=hello)
    log.say(CLEO, "hello from me", in_reply_to=edit)
    heart = log.react(BEN, hello, HEART)
    log.say(CLEO, "how kind", in_reply_to=heart)
    log.delete(ADA, hello)
    log.say(BEN, "where is it?", in_reply_to=hello)
    return log


def edits() -> Log:
    log = Log("edits")
    hello = log.say(ADA, "helo", in_reply_to=NOWHERE, forwarded=3)
    log.say(BEN, "hm?")
    edit = log.say(ADA, "hello", replaces=hello)
    log.say(ADA, "hello, all", replaces=edit)
    other = log.say(BEN, "one")
    log.say(BEN, "two", replaces=other, in_reply_to=hello, expires=Expiry(relative=True, seconds=60))
    picture = content.text_message(bytes([9]) * 16, BEN, HARBOUR, "", replaces=other)
    log.add(replace(picture, body=SinglePart("image/png", b"\x89PNG")))
    log.add(
        replace(
            content.reaction(bytes([8]) * 16, BEN, HARBOUR, hello, HEART),
            replaces=other,
        )
    )
    return log


def an_edit_before_its_message() -> Log:
    log = Log("an edit before its message")
    later = content.text_message(bytes([9]) * 16, ADA, HARBOUR, "hello")
    later_id = content.message_id(ADA, HARBOUR, content.encode(later))
    log.say(ADA, "changed", replaces=later_id)
    log.react(BEN, later_id, HEART)
    log.say(BEN, "what?", in_reply_to=later_id)
    log.add(later)
    return log


def others_messages() -> Log:
    log = Log("edits and deletions of somebody else's messages")
    hello = log.say(ADA, "hello")
    edit = log.say(ADA, "hello, all", replaces=hello)
    heart = log.react(ADA, hello, HEART)
    log.say(BEN, "good night", replaces=hello)
    log.say(BEN, "good night", replaces=edit)
    log.delete(BEN, hello)
    log.take_back(BEN, hello, heart)
    log.delete(ADA, NOWHERE)
    return log


def deletions() -> Log:
    log = Log("deletions")
    hello = log.say(ADA, "hello", forwarded=2)
    log.react(BEN, hello, HEART)
    log.delete(ADA, hello)
    log.say(ADA, "back again", replaces=hello)
    log.react(BEN, hello, PARTY)
    second = log.say(BEN, "one")
    edit = log.say(BEN, "two", replaces=second)
    gone = log.delete(BEN, edit)
    log.say(BEN, "back again", replaces=gone)
    log.add(MimiContent(bytes([9]) * 16, {1: CLEO, 2: HARBOUR}, NullPart()))
    return log


def reactions() -> Log:
    log = Log("reactions")
    hello = log.say(ADA, "hello")
    edit = log.say(ADA, "hello, all", replaces=hello)
    first = log.react(BEN, hello, HEART)
    log.react(BEN, hello, HEART)
    log.react(CLEO, edit, HEART)
    party = log.react(CLEO, hello, PARTY)
    log.take_back(BEN, hello, first)
    log.take_back(BEN, hello, first)
    log.react(CLEO, hello, LUCK, replaces=party)
    log.react(ADA, hello, PARTY, LUCK, PARTY)
    log.react(ADA, first, HEART)
    log.react(ADA, NOWHERE, HEART)
    log.add(MimiContent(bytes([40]) * 16, {1: BEN, 2: HARBOUR}, SinglePart("text/plain;charset=utf-8", b"!", 2)))
    heart = SinglePart("image/png", b"\x89PNG", Disposition.REACTION)
    log.add(MimiContent(bytes([41]) * 16, {1: BEN, 2: HARBOUR}, heart, in_reply_to=hello))
    log.react(BEN, hello, "x" * 64)
    log.say(CLEO, "in words", replaces=log.react(CLEO, hello, "!"))
    return log


def refused_reactions() -> Log:
    log = Log("reactions that are none")
    hello = log.say(ADA, "hello")
    for text in ("", "x" * 65, "a b", "a\nb", "\x7f", "x" * 6_000):
        log.react(BEN, hello, text)
    log.react(BEN, hello, *(f"{number}" for number in range(17)))
    log.react(BEN, hello, *(f"{number}" for number in range(10)))
    log.react(BEN, hello, *(f"{number}" for number in range(5, 20)))
    return log


def forwarded() -> Log:
    log = Log("forwarding")
    for count in (1, 5, 65_535, 0, 65_536, -1, 2**60, "5", None, True):
        log.extended(ADA, f"the lake is frozen, {count}", count)
    return log


def expiry() -> Log:
    log = Log("expiry")
    for seconds in (0, 5, 60, 31_622_400, 31_622_401, 2**32 - 1):
        log.say(ADA, f"for {seconds} s", expires=Expiry(relative=True, seconds=seconds))
    now_s = AT_MS // 1000
    for seconds in (0, now_s - 3600, now_s + 5, now_s + 3600, now_s + 400 * 86_400, 2**32 - 1):
        log.say(ADA, f"until {seconds}", expires=Expiry(relative=False, seconds=seconds))
    return log


def mentioned() -> Log:
    log = Log("mentions")
    hello = log.say(ADA, "ask @ben@gallery.example", mentions=[BEN, CLEO])
    log.say(ADA, "ask @cleo@ring.example, not *him*", mentions=[BEN, CLEO], replaces=hello)
    return log


MARKDOWN = (
    "ask [@Ben](mimi://gallery.example/u/ben)!",
    "[@Ada](mimi://gallery.example/u/ben) and [@Ben](mimi://gallery.example/u/ben) and [](mimi://ring.example/u/cleo)",
    r"\[@Ben](mimi://gallery.example/u/ben)",
    r"\\[@Ben](mimi://gallery.example/u/ben)",
    r"[a \[b\] c](mimi://gallery.example/u/ben)",
    "[a [b](mimi://gallery.example/u/ben) c](mimi://ring.example/u/cleo)",
    "[a room](mimi://courier.example/r/harbour) and [nobody](mimi://gallery.example/u/Ben)",
    "[elsewhere](https://gallery.example/u/ben) [x] (y) [",
    r"back\slash \* \_ \` \é \ " + "\\",
    "[" + "é" * 256 + "](mimi://gallery.example/u/ben)[" + "🥳" * 257 + "](mimi://gallery.example/u/ben)",
    "two\nlines [of\na label](mimi://gallery.example/u/ben)",
    "",
)
TEXTS: Sequence[tuple[str, Sequence[UserUri]]] = (
    ("ask @ben@gallery.example", (BEN,)),
    ("ask @ben@gallery.example", (CLEO,)),
    ("ask @ben@gallery.example.", (BEN,)),
    ("ask @ben@gallery.example-", (BEN,)),
    ("(@ben@gallery.example),@cleo@ring.example @ada@courier.example", (BEN, CLEO)),
    ("x@ben@gallery.example @@ben@gallery.example @ben@gallery.example2", (BEN,)),
    ("@Ben@gallery.example @ben@Gallery.example @ben", (BEN,)),
    ("*stars* [brackets](x) \\ `code` # 1. @ben@gallery.example é 🥳\nline", (BEN,)),
    ("@ben@gallery.example@cleo@ring.example", (BEN, CLEO)),
)


def vector() -> dict[str, Any]:
    """All of conversation.json."""
    logs = [
        replies(),
        edits(),
        an_edit_before_its_message(),
        others_messages(),
        deletions(),
        reactions(),
        refused_reactions(),
        forwarded(),
        expiry(),
        mentioned(),
    ]
    read = [(source, words.from_markdown(source)) for source in MARKDOWN]
    return {
        "source": "made by generate_conversation.py after docs/protocol.md, Conversations",
        "markdown": [{"markdown": source, "text": said.text, "mentions": said.mentions} for source, said in read],
        "texts": [{"text": text, "users": users, "markdown": words.to_markdown(text, users)} for text, users in TEXTS],
        "conversations": [log.vector() for log in logs],
    }


if __name__ == "__main__":
    write("conversation", vector())
