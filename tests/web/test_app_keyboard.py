"""The app without a mouse."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from nightlight.client.sdk import Client
from nightlight.protocol.ids import UserUri
from tests.support.people import newcomer
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of, arrive, join

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def tab_to(page: Page, role: Literal["button", "link", "textbox"], name: str) -> None:
    """Pressing Tab leads there, and the focus can be seen."""
    wanted = page.get_by_role(role, name=name).first
    await wanted.wait_for()
    for _ in range(40):
        if await wanted.evaluate("(wanted) => wanted === document.activeElement"):
            assert await wanted.evaluate("(wanted) => wanted.matches(':focus-visible')")
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to {name} by Tab")


async def befriended(guest: Guest, *friends: Client) -> None:
    """``guest`` asks each by keyboard, is accepted, and says three things to them."""
    page, keys = guest.page, guest.page.keyboard
    for friend in friends:
        await tab_to(page, "link", "Contacts")
        await keys.press("Enter")
        await expect(page.get_by_role("heading", name="Contacts", level=1)).to_be_focused()
        await tab_to(page, "textbox", "Address or contact code")
        await keys.type(address_of(friend.user))
        await keys.press("Enter")
        await expect(page.get_by_text(f"You have asked {address_of(friend.user)}.")).to_be_visible()
        await friend.accept_contact(guest.user)
        await tab_to(page, "button", f"Message: {address_of(friend.user)}")
        await keys.press("Enter")
        await expect(guest.composer).to_be_focused()
        for text in ("one", "two", "three"):
            await keys.type(text)
            await keys.press("Enter")
        await expect(guest.messages).to_have_count(3)
        await keys.press("Escape")
        await expect(page.get_by_role("heading", name="Courier")).to_be_focused()


async def test_the_keyboard_is_enough(server: ServerProcess, browser: Browser, tmp_path: Path) -> None:
    vera = await newcomer(server.url, UserUri("mimi://gallery.example/u/vera"), tmp_path)
    zora = await newcomer(server.url, UserUri("mimi://gallery.example/u/zora"), tmp_path)
    guest = await arrive(browser, server, UserUri("mimi://courier.example/u/yara"))
    page, keys = guest.page, guest.page.keyboard
    await tab_to(page, "textbox", "Your name at")
    await keys.type("yara")
    await keys.press("Enter")
    await expect(guest.standing).to_have_text("Online")
    await befriended(guest, vera, zora)

    # The list is one stop of Tab; the arrows go through it.
    rows = page.get_by_role("navigation", name="Conversations").get_by_role("link")
    await tab_to(page, "link", "zora@gallery.example")
    await keys.press("ArrowDown")
    await expect(rows.nth(1)).to_be_focused()
    await keys.press("Home")
    await expect(rows.nth(0)).to_be_focused()
    await keys.press("End")
    await keys.press("Enter")
    await expect(page.get_by_role("heading", name="vera@gallery.example")).to_be_visible()
    await expect(guest.composer).to_be_focused()

    # From the newest message upwards.
    await keys.press("Shift+Tab")
    await expect(guest.messages.last).to_be_focused()
    await keys.press("ArrowUp")
    await expect(guest.messages.nth(1)).to_be_focused()
    await keys.press("Home")
    await expect(guest.messages.first).to_be_focused()
    for client in (vera, zora):
        await client.close()


async def test_a_question_keeps_the_focus_and_gives_it_back(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    rolf = await newcomer(server.url, UserUri("mimi://gallery.example/u/rolf"), tmp_path)
    guest = await join(browser, server, UserUri("mimi://courier.example/u/sara"))
    await guest.ask(rolf.user)
    await rolf.accept_contact(guest.user)
    page, keys = guest.page, guest.page.keyboard
    block = page.get_by_role("button", name=f"Block: {address_of(rolf.user)}")
    await tab_to(page, "button", f"Block: {address_of(rolf.user)}")
    await keys.press("Enter")
    cancel = page.get_by_role("dialog").get_by_role("button", name="Cancel")
    await expect(cancel).to_be_focused()
    await keys.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(block).to_be_focused()
    await rolf.close()
