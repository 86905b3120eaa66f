"""Invented people in browsers: the SDK of the built web app, in a page of its own, called from Python."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Route

from nightlight.protocol.ids import RoomUri, UserUri, provider_of
from tests.support.people import LOOK_EVERY_S, PATIENCE_S
from tests.support.relay import Relay
from tests.support.server import ServerProcess

BUILT = Path(__file__).parents[2] / "src" / "nightlight" / "server" / "web"

_OPEN = """async (path) => {
  const { nightlight } = await import(path);
  globalThis.device = nightlight();
  globalThis.heard = [];
  globalThis.device.listen((event) => globalThis.heard.push(event));
}"""
_CALL = """async ([method, args]) => {
  try {
    return { value: (await globalThis.device[method](...args)) ?? null };
  } catch (error) {
    return { refused: error.problem ?? error.check ?? error.fault ?? `${error.name}: ${error.message}` };
  }
}"""


class Refused(Exception):  # noqa: N818 - what the device answers, not a failure of the test
    """The device threw; ``reason`` is the name of the problem, the check or what is wrong with the storage."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass
class Person:
    """One person with one browser profile, and the tab that a test looks at."""

    user: UserUri
    context: BrowserContext
    page: Page
    address: str

    async def call(self, method: str, *args: Any, tab: Page | None = None) -> Any:
        """What the SDK's ``method`` returns, in ``tab`` if given."""
        answer = await (tab or self.page).evaluate(_CALL, [method, args])
        if "refused" in answer:
            raise Refused(answer["refused"])
        return answer["value"]

    async def open_tab(self) -> Page:
        """Another tab of the same profile, with the SDK at hand. ``page`` is that one from now on."""
        self.page = await self.context.new_page()
        await self.page.goto(self.address)
        await self.page.evaluate(_OPEN, f"/{sdk_file()}")
        return self.page

    async def begin_worker_with(self, script: str) -> None:
        """Workers that start from now on run ``script`` first: what a browser may do to them, or a wrong clock."""

        async def prepend(route: Route) -> None:
            worker = (BUILT / urlsplit(route.request.url).path.removeprefix("/")).read_text()
            await route.fulfill(body=f"{script};\n{worker}", content_type="text/javascript")

        await self.context.unroute("**/assets/worker-*.js")
        await self.context.route("**/assets/worker-*.js", prepend)

    async def open_again(self) -> None:
        """All tabs are closed, and one is opened."""
        await self.close_tabs()
        await self.open_tab()

    async def close_tabs(self) -> None:
        """Nothing of this profile runs."""
        for tab in self.context.pages:
            await tab.close()

    async def refuses(self, reason: str, method: str, *args: Any) -> None:
        """The SDK's ``method`` throws, for ``reason``."""
        try:
            answer = await self.call(method, *args)
        except Refused as refused:
            assert refused.reason == reason, refused.reason  # noqa: PT017 - what was refused is the point
        else:
            raise AssertionError(f"{method} answered {answer}")

    async def until_heard(self, kind: str, **fields: Any) -> None:
        """This tab has heard such an event."""

        async def heard() -> bool:
            return any(fields.items() <= event.items() for event in await self.heard(kind))

        await self.until(heard, f"hears {kind} {fields}")

    async def crash(self, tab: Page | None = None) -> None:
        """The process of ``tab`` and its worker is gone, as if killed."""
        tab = tab or self.page
        gone = asyncio.get_running_loop().create_future()
        tab.once("crash", lambda _tab: gone.set_result(None))
        debugger = await self.context.new_cdp_session(tab)
        crashing = asyncio.ensure_future(debugger.send("Page.crash"))
        await gone
        await tab.close()
        await asyncio.gather(crashing, return_exceptions=True)

    async def wait_online(self) -> None:
        """The connection is up, and everything the hub had for this device is processed."""
        await self.until(lambda: self._is("connectionState", "online"), "online")

    async def _is(self, method: str, value: Any) -> bool:
        return bool(await self.call(method) == value)

    async def until(self, true: Any, what: str) -> None:
        """``true()`` comes to hold; the test fails naming ``what`` if it never does."""
        for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
            if await true():
                return
            await asyncio.sleep(LOOK_EVERY_S)
        raise AssertionError(f"never happened to {self.user}: {what}")

    async def request(self, user: UserUri) -> None:
        """``user`` is asked to be a contact."""
        await self.call("contact", "request", user)

    async def accept(self, user: UserUri) -> None:
        """``user``'s request is accepted, once it is there."""

        async def asked() -> bool:
            return any(row["user"] == user and row["state"] == "asked" for row in await self.call("contacts"))

        await self.until(asked, f"asked by {user}")
        await self.call("contact", "accept", user)

    async def in_room(self, room: RoomUri) -> None:
        """This person is in ``room``."""

        async def joined() -> bool:
            return room in [summary["room"] for summary in await self.call("rooms")]

        await self.until(joined, f"in {room}")

    async def texts(self, room: RoomUri) -> list[str]:
        """What is shown of ``room``, oldest first."""
        return [message["text"] for message in await self.call("messages", room, 1_000_000)]

    async def reads(self, room: RoomUri, *texts: str) -> None:
        """These are shown in ``room``, in this order, and nothing else."""

        async def shown() -> bool:
            return await self.texts(room) == list(texts)

        try:
            await self.until(shown, "")
        except AssertionError:
            raise AssertionError(f"{self.user} reads {await self.texts(room)}, not {texts}") from None

    async def heard(self, kind: str) -> list[dict[str, Any]]:
        """The events of ``kind`` that this tab heard."""
        return [event for event in await self.page.evaluate("() => globalThis.heard") if event["kind"] == kind]


def sdk_file() -> str:
    """Where the SDK is among the built files."""
    (path,) = (BUILT / "assets").glob("parts/sdk-*.js")
    return path.relative_to(BUILT).as_posix()


def app_address(server: ServerProcess | Relay, user: UserUri) -> str:
    """Where the app of ``user`` is."""
    return f"http://{provider_of(user).split('.')[0]}.localhost:{urlsplit(server.url).port}/"


async def visitor(browser: Browser, server: ServerProcess | Relay, user: UserUri) -> Person:
    """A fresh profile at the app of ``user``, with the SDK at hand; nobody is registered."""
    context = await browser.new_context()
    person = Person(user, context, await context.new_page(), app_address(server, user))
    await person.page.close()
    await person.open_tab()
    return person


async def newcomer(browser: Browser, server: ServerProcess | Relay, user: UserUri) -> Person:
    """``user`` is registered in a fresh profile, and online."""
    person = await visitor(browser, server, user)
    await person.call("register", user)
    await person.wait_online()
    return person
