"""The chat screen, driven by its keys, between two real devices and a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from nightlight.cli.chat_app import PAGE, ChatApp, History, MessageRow
from nightlight.client.sdk import Client, Typing
from nightlight.protocol.ids import RoomUri
from tests.support.people import MIRA, TOMAS, befriend, newcomer, share_room, texts, until
from tests.support.server import ServerProcess

SIZE = (90, 24)


@dataclass(frozen=True)
class Pair:
    """Two friends; the screen under test is Mira's."""

    server: ServerProcess
    mira: Client
    tomas: Client
    room: RoomUri

    @property
    def screen(self) -> ChatApp:
        return ChatApp(self.mira, self.room)


@pytest.fixture
async def pair(server_process: ServerProcess, tmp_path: Path) -> AsyncIterator[Pair]:
    await server_process.start()
    mira = await newcomer(server_process.url, MIRA, tmp_path, receipts=True)
    tomas = await newcomer(server_process.url, TOMAS, tmp_path, receipts=True)
    await befriend(mira, tomas)
    yield Pair(server_process, mira, tomas, await share_room(mira, tomas))
    await mira.close()
    await tomas.close()


def lines(screen: ChatApp) -> list[str]:
    """The messages as they stand on the screen, without their times."""
    return [
        "\n".join(row.render_line(y).text.rstrip() for y in range(row.size.height)).partition(" ")[2]
        for row in screen.query(MessageRow)
    ]


def text_of(screen: ChatApp, name: str) -> str:
    return str(screen.query_one(name, Static).render())


async def shows(pilot: Pilot[None], true: Callable[[], bool], what: str) -> None:
    await until(true, what)
    await pilot.pause()


async def write(pilot: Pilot[None], text: str) -> None:
    pilot.app.query_one(Input).value = text
    await pilot.press("enter")


async def test_what_is_written_is_sent_and_its_ticks_come(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await write(pilot, "hello from the lake")
        await shows(pilot, lambda: lines(screen) == ["you  hello from the lake ✓✓"], "the message is delivered")
        assert screen.query_one(Input).value == ""
        assert texts(pair.tomas, pair.room) == ["hello from the lake"]

        await pair.tomas.mark_read(pair.room)
        await shows(pilot, lambda: lines(screen) == ["you  hello from the lake ✓✓ read"], "the message is read")


async def test_what_the_other_writes_appears_and_counts_as_read(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await pair.tomas.send(pair.room, "the heron is back")
        await shows(pilot, lambda: lines(screen) == ["tomas@gallery.example  the heron is back"], "it appears")
        (message,) = pair.tomas.messages(pair.room, limit=10)
        await until(lambda: pair.tomas.messages(pair.room, limit=10)[0].state == "read", "he sees that it is read")
        assert message.text == "the heron is back"


async def test_the_top_line_says_who_and_whether_there_is_a_connection(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await shows(pilot, lambda: "online" in text_of(screen, "#connection"), "it says online")
        assert text_of(screen, "#people") == "tomas@gallery.example"
        assert "mira@courier.example" in screen.query_one(Input).placeholder


async def test_both_see_that_the_other_is_writing(pair: Pair) -> None:
    screen = pair.screen
    events = pair.tomas.events()
    async with screen.run_test(size=SIZE) as pilot:
        await shows(pilot, lambda: "online" in text_of(screen, "#connection"), "it says online")
        await pilot.press("h", "i")
        async for event in events:
            if isinstance(event, Typing):
                assert event == Typing(pair.room, MIRA)
                break
        await pair.tomas.typing(pair.room)
        people = "tomas@gallery.example · tomas@gallery.example writing…"
        await shows(pilot, lambda: text_of(screen, "#people") == people, "it says that he is writing")
        await pair.tomas.send(pair.room, "the heron is back")
        await shows(pilot, lambda: text_of(screen, "#people") == "tomas@gallery.example", "he has written")


async def test_without_a_connection_messages_wait_and_go_out_later(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await pair.server.kill()
        await shows(pilot, lambda: "offline" in text_of(screen, "#connection"), "it says offline")
        await write(pilot, "written in the dark")
        await shows(pilot, lambda: lines(screen) == ["you  written in the dark ◷"], "the message waits")

        await pair.server.start()
        await shows(pilot, lambda: lines(screen) == ["you  written in the dark ✓✓"], "it went out")
        assert "online" in text_of(screen, "#connection")


async def test_a_chosen_message_is_answered_reacted_to_edited_and_deleted(pair: Pair) -> None:
    await pair.tomas.send(pair.room, "the heron is back")
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await shows(pilot, lambda: len(lines(screen)) == 1, "it appears")
        await pilot.press("up")
        assert "/react" in text_of(screen, "#notice")
        await write(pilot, "/react ❤")
        await shows(pilot, lambda: lines(screen)[0].endswith("\n      ❤"), "the reaction is there")
        await pilot.press("up")
        await write(pilot, "where?")
        await until(lambda: len(texts(pair.tomas, pair.room)) == 2, "Tomas has it")
        await pair.tomas.mark_read(pair.room)
        answer = "you  ↳ tomas@gallery.example: the heron is back\n      where? ✓✓ read"
        await shows(pilot, lambda: lines(screen)[-1] == answer, "the answer is read")

        await pilot.press("up")
        await write(pilot, "/edit where exactly?")
        await shows(pilot, lambda: "where exactly? (edited)" in lines(screen)[-1], "it is edited")
        await pilot.press("up")
        await write(pilot, "/delete")
        await shows(pilot, lambda: "this message was deleted" in lines(screen)[-1], "it is deleted")
        await until(lambda: pair.tomas.messages(pair.room, limit=1)[0].deleted, "and for Tomas, too")

        await write(pilot, "/react ❤")
        assert "choose a message first" in text_of(screen, "#notice")
        await write(pilot, "/dance")
        assert text_of(screen, "#notice").startswith("commands:")
        await pilot.press("up")
        await pilot.press("escape")
        assert text_of(screen, "#notice") == ""
        assert screen.is_running


async def test_what_vanishes_is_gone_from_the_screen(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await write(pilot, "/expire 5s")
        await write(pilot, "meet me at the pier")
        await shows(pilot, lambda: lines(screen)[0].startswith("you  meet me at the pier ⏱ 5s"), "it is there")
        await shows(pilot, lambda: lines(screen) == [], "it is gone")
        await write(pilot, "/expire soon")
        assert "not a time" in text_of(screen, "#notice")


async def test_hostile_text_is_shown_as_what_it_is(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await pair.tomas.send(
            pair.room, "\x1b[2J[bold]x[/bold] \u202eevil\n12:00 you  yes ✓✓" + " " * 80 + "12:01 you  no"
        )
        await shows(pilot, lambda: len(lines(screen)) == 1, "it appears")
        first, second, *others = lines(screen)[0].split("\n")
        assert first == "tomas@gallery.example  ␛[2J[bold]x[/bold] ⟨U+202E⟩evil"
        assert second == "      12:00 you  yes ✓✓"
        assert others
        assert all(line.startswith("      ") for line in others)


async def test_older_messages_come_when_scrolling_up_and_the_view_stays(pair: Pair) -> None:
    for number in range(3 * PAGE):
        await pair.tomas.send(pair.room, f"stone {number}")
    await until(lambda: len(texts(pair.mira, pair.room)) == 3 * PAGE, "all have come")
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await shows(pilot, lambda: len(lines(screen)) == PAGE, "a page is there")
        history = screen.query_one(History)
        assert history.is_vertical_scroll_end
        assert lines(screen)[-1].endswith(f"stone {3 * PAGE - 1}")

        while len(lines(screen)) == PAGE:
            await pilot.press("pageup")
        await shows(pilot, lambda: len(lines(screen)) == 2 * PAGE, "another page is there")
        await shows(pilot, lambda: history.scroll_y > 0, "what was seen stays in view")
        assert [line.rpartition(" ")[2] for line in lines(screen)] == [str(n) for n in range(PAGE, 3 * PAGE)]


async def test_the_newest_message_stays_in_view_when_the_window_changes(pair: Pair) -> None:
    for number in range(30):
        await pair.tomas.send(pair.room, f"stone {number}")
    await until(lambda: len(texts(pair.mira, pair.room)) == 30, "all have come")
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await shows(pilot, lambda: len(lines(screen)) == 30, "all are there")
        await pilot.resize_terminal(40, 12)
        await pilot.pause()
        assert screen.query_one(History).is_vertical_scroll_end
        await write(pilot, "a message that is longer than forty columns are wide, so that it wraps")
        await shows(pilot, lambda: len(lines(screen)) == 31, "mine is there")
        assert screen.query_one(History).is_vertical_scroll_end


async def test_a_refused_message_stays_in_the_input_and_says_why(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await write(pilot, "🦆" * 10_000)
        await shows(pilot, lambda: "larger than" in text_of(screen, "#notice"), "it says why")
        assert len(screen.query_one(Input).value) == 10_000
        assert lines(screen) == []


async def test_nothing_is_not_sent(pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await write(pilot, "   ")
        await pilot.pause()
        assert lines(screen) == []


@pytest.mark.parametrize(("key", "code"), [("escape", 0), ("ctrl+c", 130)])
async def test_escape_and_ctrl_c_leave(key: str, code: int, pair: Pair) -> None:
    screen = pair.screen
    async with screen.run_test(size=SIZE) as pilot:
        await pilot.press(key)
    assert screen.return_code == code
