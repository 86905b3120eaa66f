"""A page in Chromium and a Python client converse: what one does to a message, the other shows, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nightlight.client.events import Event, Message, Typing
from nightlight.client.sdk import Client
from nightlight.protocol.ids import MessageId, RoomUri, UserUri
from tests.support.people import newcomer as python_newcomer
from tests.support.people import until
from tests.support.server import ServerProcess
from tests.web.people import Person, Refused, newcomer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")


@dataclass(frozen=True)
class Pair:
    """Mira at a command line, Tomas in a browser, in one room."""

    mira: Client
    tomas: Person
    room: RoomUri

    def in_python(self) -> list[dict[str, Any]]:
        """What Mira's device shows."""
        return [plain(message) for message in self.mira.messages(self.room, limit=100)]

    async def in_browser(self) -> list[dict[str, Any]]:
        """What Tomas's page shows, in the same words."""
        return [
            {
                "message_id": message["messageId"],
                "sender": message["sender"],
                "text": message["text"],
                "reply_to": message["replyTo"],
                "mentions": message["mentions"],
                "reactions": [[each["text"], each["users"]] for each in message["reactions"]],
                "edited": message["edited"],
                "deleted": message["deleted"],
                "forwarded": message["forwarded"],
                "lifetime_s": message["lifetimeS"],
            }
            for message in await self.tomas.call("messages", self.room, 100)
        ]

    async def agree(self, what: str) -> list[dict[str, Any]]:
        """Both show the same in the end."""

        async def same() -> bool:
            sent = all(message.accepted_at_ms for message in self.mira.messages(self.room, limit=100))
            return sent and await self.in_browser() == self.in_python()

        await self.tomas.until(same, what)
        return self.in_python()


def plain(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.message_id.hex(),
        "sender": message.sender,
        "text": message.text,
        "reply_to": message.reply_to and message.reply_to.hex(),
        "mentions": list(message.mentions),
        "reactions": [[each.text, list(each.users)] for each in message.reactions],
        "edited": message.edited,
        "deleted": message.deleted,
        "forwarded": message.forwarded,
        "lifetime_s": message.lifetime_s,
    }


@pytest_asyncio.fixture(loop_scope="session")
async def pair(browser: Browser, server: ServerProcess, tmp_path: Path) -> AsyncIterator[Pair]:
    # People of their own for each test: the server is shared.
    number = len(list(tmp_path.parent.iterdir()))
    tomas = await newcomer(browser, server, UserUri(f"{TOMAS}{number}"))
    mira = await python_newcomer(server.url, UserUri(f"{MIRA}{number}"), tmp_path, receipts=True)
    await mira.request_contact(tomas.user)
    await tomas.accept(mira.user)
    room = await mira.room_with(tomas.user)
    await tomas.in_room(room)
    yield Pair(mira, tomas, room)
    await mira.close()
    await tomas.context.close()


async def test_what_each_does_to_a_message_the_other_shows(pair: Pair) -> None:
    mira, tomas, room = pair.mira, pair.tomas, pair.room
    frozen = await mira.send(room, "The lake is frozen over.")
    await pair.agree("the page shows it")
    answer = await tomas.call("send", room, f"Then bring the skates, @{mira.user[7:].replace('/u/', '@')}!")
    await tomas.call("send", room, "Is it thick?", {"replyTo": frozen.hex()})
    await tomas.call("react", frozen.hex(), "❄")
    await tomas.call("react", frozen.hex(), "❤")
    await tomas.call("unreact", frozen.hex(), "❄")
    shown = await pair.agree("reply and reaction")
    assert shown[0]["reactions"] == [["❤", [tomas.user]]]
    assert shown[2]["reply_to"] == frozen.hex()

    await mira.edit(frozen, "The lake is frozen over: ten centimetres.")
    await mira.react(MessageId(bytes.fromhex(answer)), "❤")
    await tomas.call("edit", answer, "Then bring the skates!")
    await mira.send(room, f"All right, @{tomas.user[7:].replace('/u/', '@')} *or* [not]", reply_to=frozen)
    shown = await pair.agree("edits and mentions")
    assert [message["edited"] for message in shown] == [True, True, False, False]
    assert shown[1]["reactions"] == [["❤", [mira.user]]]

    await tomas.call("delete", answer)
    await mira.delete(frozen)
    (forwarded,) = await tomas.call("forward", shown[3]["message_id"], [room])
    shown = await pair.agree("deletions and a forward")
    assert [message["deleted"] for message in shown] == [True, True, False, False, False]
    assert (shown[4]["message_id"], shown[4]["forwarded"], shown[4]["text"]) == (forwarded, 1, shown[3]["text"])
    assert await tomas.call("versions", frozen.hex()) == [version.hex() for version in mira.versions(frozen)]
    assert len(mira.versions(frozen)) == 2
    for version in await tomas.call("versions", frozen.hex()):
        assert await tomas.call("evidence", version) is not None
    assert await tomas.call("faults") == mira.faults() == []


async def test_the_page_refuses_what_nobody_may(pair: Pair) -> None:
    hello = await pair.mira.send(pair.room, "hello")
    await pair.agree("the page shows it")
    for call, problem in (
        (("edit", hello.hex(), "good night"), "not_allowed"),
        (("delete", hello.hex()), "not_allowed"),
        (("react", hello.hex(), "two words"), "malformed"),
        (("react", "01" * 32, "❤"), "not_found"),
        (("send", pair.room, "x", {"replyTo": "01" * 32}), "not_found"),
        (("send", pair.room, "x", {"lifetimeS": 1}), "malformed"),
        (("forward", hello.hex(), [pair.room] * 6), "too_many"),
        (("setLifetime", pair.room, 4), "malformed"),
    ):
        with pytest.raises(Refused) as refused:
            await pair.tomas.call(*call)
        assert refused.value.reason == problem


async def test_a_message_that_vanishes_is_gone_from_both(pair: Pair) -> None:
    mira, tomas, room = pair.mira, pair.tomas, pair.room
    await mira.set_lifetime(room, 5)
    await tomas.call("setLifetime", room, 5)
    first = await mira.send(room, "meet me at the pier")
    second = await tomas.call("send", room, "at six")
    await until(lambda: len(mira.messages(room, limit=10)) == 2 or not mira.messages(room, limit=10), "both are there")
    await tomas.reads(room, "meet me at the pier", "at six")
    await mira.mark_read(room)
    await tomas.call("markRead", room)
    await tomas.reads(room)
    await until(lambda: mira.messages(room, limit=10) == [], "Mira's device shows nothing")
    assert {event["messageId"] for event in await tomas.heard("message_expired")} == {first.hex(), second}
    assert await tomas.call("evidence", first.hex()) is not None
    assert mira.evidence(first) is not None
    await tomas.page.reload()
    await tomas.open_tab()
    await tomas.reads(room)


async def test_each_sees_that_the_other_is_writing_unless_it_is_switched_off(pair: Pair) -> None:
    mira, tomas, room = pair.mira, pair.tomas, pair.room
    seen: list[Event] = []

    async def listen(events: AsyncIterator[Event]) -> None:
        async for event in events:
            seen.extend([event] if isinstance(event, Typing) else [])

    listening = asyncio.create_task(listen(mira.events()))
    await tomas.call("typing", room)
    await until(lambda: seen == [Typing(room, tomas.user)], "Mira sees it")
    await mira.typing(room)

    async def heard() -> bool:
        return [(event["room"], event["user"]) for event in await tomas.heard("typing")] == [(room, mira.user)]

    await tomas.until(heard, "Tomas sees it")
    await tomas.call("setTyping", False)
    assert (await tomas.call("me"))["typing"] is False
    await tomas.call("typing", room)
    await tomas.call("send", room, "that is all")
    await until(lambda: bool(mira.messages(room, limit=1)), "it is there")
    assert len(seen) == 1
    listening.cancel()
