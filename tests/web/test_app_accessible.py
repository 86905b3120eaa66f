"""The app without sight, in light and dark, on a phone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Browser, Page, expect

from nightlight.protocol.ids import UserUri
from tests.support.people import newcomer, until
from tests.support.server import ServerProcess
from tests.web.app import address_of, arrive, join

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = (Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js").read_text()
MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
JUNO = UserUri("mimi://ring.example/u/juno")
WIM = UserUri("mimi://ring.example/u/wim")
TORNAS = UserUri("mimi://gallery.example/u/tornas")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def check(page: Page, screen: str) -> None:
    """Axe finds nothing on this screen; it is evaluated, since the policy lets no script in."""
    for size in (DESKTOP, PHONE):
        await page.set_viewport_size(size)  # type: ignore[arg-type]  # a dict is what it takes
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.evaluate(AXE)
            found = await page.evaluate("() => axe.run({ resultTypes: ['violations'] })")
            violations = [
                (rule["id"], [node["html"] for node in rule["nodes"]], rule["nodes"][0].get("failureSummary"))
                for rule in found["violations"]
            ]
            assert violations == [], f"{screen}, {scheme}, {size['width']}: {json.dumps(violations, indent=1)}"


async def test_axe_finds_nothing_on_any_screen(server: ServerProcess, browser: Browser, tmp_path: Path) -> None:
    tomas = await newcomer(server.url, TOMAS, tmp_path, receipts=True)
    juno = await newcomer(server.url, JUNO, tmp_path)
    others = [await newcomer(server.url, user, tmp_path) for user in (WIM, TORNAS)]
    mira = await arrive(browser, server, MIRA)
    page = mira.page
    await page.goto(f"http://localhost:{server.port}/")
    await expect(page.get_by_role("link", name="Courier")).to_be_visible()
    await check(page, "choice of apps")
    await page.get_by_role("link", name="Courier").click()
    await page.get_by_label("Your name at").fill("Mira!")
    await check(page, "welcome")
    await page.get_by_label("Your name at").fill("mira")
    await page.get_by_role("button", name="Create account").click()
    await expect(mira.standing).to_have_text("Online")
    await check(page, "no conversations")
    await mira.go("new")
    await check(page, "nobody to write to")

    for friend in (tomas, juno):
        await mira.ask(friend.user)
        await friend.accept_contact(MIRA)
    for stranger in others:
        await stranger.request_contact(MIRA)
    await mira.ask(UserUri("mimi://gallery.example/u/pia"))
    await mira.go("contacts")
    await expect(page.get_by_text("Not tomas@gallery.example: look closely.")).to_be_visible()
    await check(page, "contacts")
    await page.get_by_role("button", name=f"Block: {address_of(WIM)}").click()
    await check(page, "blocking")
    await page.get_by_role("button", name="Cancel").click()
    await mira.go("settings")
    await check(page, "settings")

    await mira.write_to(TOMAS)
    await check(page, "empty conversation")
    await mira.say("Good morning!\nThe lake is like glass.")
    await until(lambda: len(tomas.rooms()) == 1, "Tomas is in the room")
    await tomas.send(tomas.rooms()[0].room, "long " * 1_000)
    await expect(page.get_by_role("button", name="Show all")).to_be_visible()
    await check(page, "conversation")
    await mira.go("new")
    for user in (TOMAS, JUNO):
        await page.get_by_label(address_of(user)).check()
    await check(page, "new conversation")
    await page.get_by_role("button", name="Start group").click()
    await expect(mira.composer).to_be_focused()
    await page.get_by_role("link", name="People and safety numbers").click()
    await page.get_by_text("Safety number").first.click()
    await expect(page.locator(".digits span")).to_have_count(12)
    await check(page, "people")
    await mira.go("")
    await check(page, "conversations")
    for client in (tomas, juno, *others):
        await client.close()


async def test_a_new_message_is_read_aloud_once(server: ServerProcess, browser: Browser, tmp_path: Path) -> None:
    ugo = await newcomer(server.url, UserUri("mimi://gallery.example/u/ugo"), tmp_path, receipts=True)
    xenia = await join(browser, server, UserUri("mimi://courier.example/u/xenia"))
    await ugo.request_contact(xenia.user)
    await xenia.accept(ugo.user)
    room = await ugo.room_with(xenia.user)
    await xenia.open(address_of(ugo.user))
    aloud = xenia.page.locator("[aria-live=polite]")
    await aloud.evaluate(
        """element => {
            window.heard = [];
            new MutationObserver(() => window.heard.push(element.textContent))
                .observe(element, {childList: true, characterData: true, subtree: true});
        }"""
    )
    await ugo.send(room, "The heron is back.")
    await expect(aloud).to_have_text("ugo: The heron is back.")
    await xenia.say("I see it.")
    await expect(xenia.messages.last).to_contain_text("Delivered")
    await expect(aloud).to_have_text("")
    assert await xenia.page.evaluate("window.heard") == ["ugo: The heron is back.", ""]
    await ugo.close()
