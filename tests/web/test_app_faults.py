"""The app when the network, the server or a tab goes away: what was written goes out, and what was missed comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import newcomer, texts, until
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, join

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A hub of the test's own, to be killed."""
    process = ServerProcess(tmp_path / "server")
    with process.until_done():
        await process.start()
        yield process


async def pair(server: ServerProcess, browser: Browser, folder: Path) -> tuple[Guest, Client, RoomUri]:
    """Mira at the app, Tomas with the Python client, and their conversation, which she has open."""
    tomas = await newcomer(server.url, TOMAS, folder, receipts=True)
    mira = await join(browser, server, MIRA)
    await mira.ask(TOMAS)
    await tomas.accept_contact(MIRA)
    await mira.write_to(TOMAS)
    await until(lambda: len(tomas.rooms()) == 1, "Tomas is in the room")
    return mira, tomas, tomas.rooms()[0].room


async def test_what_is_written_while_the_server_is_away_goes_out_in_order_when_it_is_back(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira, tomas, room = await pair(server, browser, tmp_path)
    await server.kill()
    await expect(mira.standing).to_have_text("No connection to the server. Trying again…")
    for number in range(3):
        await mira.say(f"Written while it slept, {number}.")
        await expect(mira.messages.nth(number)).to_contain_text("Waiting to be sent")
    await mira.page.get_by_role("button", name="Try now").first.click()
    await server.start()
    await until(lambda: len(texts(tomas, room)) == 3, "Tomas reads all")
    assert texts(tomas, room) == [f"Written while it slept, {number}." for number in range(3)]
    await expect(mira.messages.last).to_contain_text("Delivered")
    await expect(mira.standing).to_have_text("Online")
    await tomas.close()


async def test_a_browser_without_a_network_says_so_at_once(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira, tomas, room = await pair(server, browser, tmp_path)
    await mira.context.set_offline(True)
    await expect(mira.standing).to_have_text("Offline. What you write goes out when you are back.")
    await mira.context.set_offline(False)
    await expect(mira.standing).to_have_text("Online")
    await mira.say("Back again.")
    await until(lambda: texts(tomas, room) == ["Back again."], "Tomas reads")
    await tomas.close()


async def test_what_is_begun_stays_while_somebody_looks_elsewhere(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira, tomas, _ = await pair(server, browser, tmp_path)
    await mira.composer.fill("Half a thought")
    await mira.go("settings")
    await mira.open(address_of(TOMAS))
    await expect(mira.composer).to_have_value("Half a thought")
    await mira.composer.fill("x" * 32_001)
    await expect(mira.page.get_by_text("1 byte too long")).to_be_visible()
    await expect(mira.page.get_by_role("button", name="Send")).to_be_disabled()
    await mira.composer.press("Enter")
    await expect(mira.messages).to_have_count(0)
    await mira.composer.fill("one")
    await mira.composer.press("Shift+Enter")
    await mira.composer.press_sequentially("two")
    await mira.composer.press("Enter")
    await expect(mira.messages.last.locator(".text")).to_have_text("one\ntwo", use_inner_text=True)
    await tomas.close()


async def test_several_tabs_show_the_same_and_any_of_them_may_be_closed(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira, tomas, room = await pair(server, browser, tmp_path)
    first, second = mira.page, await mira.context.new_page()
    await second.goto(first.url)

    tabs = Guest(MIRA, mira.context, second, [])
    await tabs.say("From the second tab.")
    await expect(mira.messages.last).to_contain_text("From the second tab.")
    await first.close()
    await tomas.send(room, "To whichever is open.")
    await expect(tabs.messages.last).to_contain_text("To whichever is open.")
    await tabs.say("The first is closed.")
    await until(lambda: texts(tomas, room)[-1] == "The first is closed.", "Tomas reads")
    await expect(tabs.messages.last).to_contain_text("Delivered")
    await tomas.close()


async def test_a_message_that_is_refused_for_good_is_shown_so_and_can_be_written_again(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira, tomas, _ = await pair(server, browser, tmp_path)
    await mira.say("hello")
    await expect(mira.messages.last).to_contain_text("Delivered")
    await tomas.block(MIRA)
    await mira.say("Are you there?")
    await expect(mira.messages.last).to_contain_text("Not sent")
    await mira.messages.last.get_by_role("button", name="Write again").click()
    await expect(mira.composer).to_have_value("Are you there?")
    await expect(mira.composer).to_be_focused()
    await tomas.close()


async def test_the_colours_that_were_chosen_stay(server: ServerProcess, browser: Browser) -> None:
    mira = await join(browser, server, MIRA, color_scheme="light")

    async def ground() -> str:
        return str(await mira.page.evaluate("() => getComputedStyle(document.documentElement).colorScheme"))

    assert await ground() == "light dark"
    await mira.go("settings")
    await mira.page.get_by_label("Dark").check()
    assert await ground() == "dark"
    await mira.page.reload()
    await expect(mira.page.get_by_label("Dark")).to_be_checked()
    assert await ground() == "dark"
