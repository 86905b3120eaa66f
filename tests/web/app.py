"""Invented people who use the app as people do: they see, type and press."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from nightlight.protocol.ids import UserUri, handle_of, provider_of
from tests.support.people import PATIENCE_S
from tests.support.server import ServerProcess

PATIENCE_MS = PATIENCE_S * 1_000
expect.set_options(timeout=PATIENCE_MS)

WATCH = """
globalThis.violations = [];
addEventListener('securitypolicyviolation', (event) => globalThis.violations.push(event.violatedDirective));
"""


def address_of(user: UserUri) -> str:
    """``mira@courier.example``."""
    return f"{handle_of(user)}@{provider_of(user)}"


def app_url(server: ServerProcess, user: UserUri) -> str:
    """Where the app of ``user`` is."""
    return f"http://{provider_of(user).split('.')[0]}.localhost:{urlsplit(server.url).port}/"


@dataclass
class Guest:
    """One person at the app, in a browser profile of their own. ``complaints``: what the console said."""

    user: UserUri
    context: BrowserContext
    page: Page
    complaints: list[str]

    @property
    def address(self) -> str:
        """As people write it."""
        return address_of(self.user)

    @property
    def messages(self) -> Locator:
        """What is said in the conversation that is open."""
        return self.page.get_by_role("list", name="Messages").locator("li.message")

    @property
    def composer(self) -> Locator:
        """Where messages are written."""
        return self.page.get_by_role("textbox", name="Message")

    @property
    def standing(self) -> Locator:
        """How the connection stands, in words."""
        return self.page.locator(".sidebar .standing p")

    async def go(self, screen: str) -> None:
        """The screen named ``screen`` is open; from the list of conversations on."""
        await self.page.goto(f"{self.page.url.partition('#')[0]}#/{screen}")

    async def say(self, text: str) -> None:
        """``text`` is typed in the open conversation, and Enter pressed."""
        await self.composer.fill(text)
        await self.composer.press("Enter")

    async def ask(self, other: UserUri) -> None:
        """``other`` is asked to be a contact."""
        await self.go("contacts")
        await self.page.get_by_label("Address or contact code").fill(address_of(other))
        await self.page.get_by_role("button", name="Ask", exact=True).click()
        await expect(self.page.get_by_text(f"You have asked {address_of(other)}.")).to_be_visible()

    async def accept(self, other: UserUri) -> None:
        """``other``, who asks, is accepted."""
        await self.go("contacts")
        await self.page.get_by_role("button", name=f"Accept: {address_of(other)}").click()
        await expect(self.page.get_by_role("button", name=f"Message: {address_of(other)}")).to_be_visible()

    async def write_to(self, other: UserUri) -> None:
        """The conversation with ``other`` alone is open."""
        await self.go("contacts")
        await self.page.get_by_role("button", name=f"Message: {address_of(other)}").click()
        await expect(self.composer).to_be_focused()

    async def open(self, name: str) -> None:
        """The conversation called ``name`` is open."""
        await self.go("")
        await self.page.get_by_role("navigation", name="Conversations").get_by_role("link", name=name).click()
        await expect(self.composer).to_be_focused()


async def arrive(browser: Browser, server: ServerProcess, user: UserUri, **options: object) -> Guest:
    """Somebody has opened the app of ``user`` for the first time. ``options``: of the browser's context."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]  # whatever a test varies
    await context.add_init_script(WATCH)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(app_url(server, user))
    return Guest(user, context, page, complaints)


async def join(browser: Browser, server: ServerProcess, user: UserUri, **options: object) -> Guest:
    """``user`` has an account, made in the app, and is online."""
    guest = await arrive(browser, server, user, **options)
    await guest.page.get_by_label("Your name at").fill(handle_of(user))
    await guest.page.get_by_role("button", name="Create account").click()
    await expect(guest.standing).to_have_text("Online")
    return guest
