"""What the app makes a browser load that has nothing of it yet: all that a server sends, files, answers and frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, expect

from nightlight.protocol.ids import handle_of
from tests.support.meter import Meter
from tests.support.people import MIRA, TOMAS, newcomer
from tests.support.server import ServerProcess
from tests.web.app import Guest, address_of


@dataclass(frozen=True, slots=True)
class FirstLoad:
    """In bytes.

    ``newcomer``: from the first page until a first message is sent; ``returning``: a person whose browser has kept
    their device and nothing of the app, until a conversation is open and a message is sent.
    """

    newcomer: int
    returning: int


@asynccontextmanager
async def _metered(data: Path) -> AsyncIterator[tuple[Meter, Meter]]:
    """A server, and two ways to it: that of a browser, and that of somebody else."""
    browsers, others = Meter(), Meter()
    server = ServerProcess(data, f'origins = ["{_app(browsers)}", "{others.url}"]')
    with server.until_done():
        await server.start()
        async with browsers.running(server.port), others.running(server.port):
            yield browsers, others
        await server.stop()


async def first_load(browser: Browser, folder: Path) -> FirstLoad:
    """Mira makes an account, asks Tomas, and writes to him; then she comes back."""
    async with _metered(folder / "first-load") as (meter, others):
        url = _app(meter)
        tomas = await newcomer(others.url, TOMAS, folder, receipts=True)
        async with await browser.new_context() as context:
            page = await context.new_page()
            mira = Guest(MIRA, context, page, [])
            await page.goto(url)
            await page.get_by_label("Your name at").fill(handle_of(MIRA))
            await page.get_by_role("button", name="Create account").click()
            await expect(mira.standing).to_have_text("Online")
            await mira.ask(TOMAS)
            await tomas.accept_contact(MIRA)
            await mira.write_to(TOMAS)
            await _sends(mira, "Good morning!")
            new = meter.received
            await page.close()

            page = await context.new_page()
            devtools = await context.new_cdp_session(page)
            await devtools.send("Network.clearBrowserCache")
            meter.received = 0
            mira = Guest(MIRA, context, page, [])
            await page.goto(url)
            rooms = page.get_by_role("navigation", name="Conversations")
            await rooms.get_by_role("link", name=address_of(TOMAS)).click()
            await expect(mira.messages).to_have_count(1)
            await _sends(mira, "Here I am again.")
            again = meter.received
        await tomas.close()
    return FirstLoad(new, again)


def _app(meter: Meter) -> str:
    return f"http://courier.localhost:{meter.port}"


async def _sends(mira: Guest, text: str) -> None:
    count = await mira.messages.count()
    await mira.say(text)
    await expect(mira.messages).to_have_count(count + 1)
    await expect(mira.messages.last).to_contain_text("Delivered")
