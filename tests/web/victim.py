"""Tomas, whose hub lies to him: with the Python client, or in a browser, behind one set of words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from playwright.async_api import Browser

from nightlight.client.events import Event, FaultSeen
from nightlight.client.sdk import Client
from nightlight.errors import RefusedError, VerificationError
from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import newcomer as newcomer_in_python
from tests.support.relay import Relay
from tests.web.people import Person, Refused
from tests.web.people import newcomer as newcomer_in_a_browser

KINDS = ("python", "browser")
Fault = tuple[str, str]
"""A check's number, and who broke it: "hub", or a person's name."""


class Victim(Protocol):
    """What the tests need of a client."""

    user: UserUri

    async def accept(self, user: UserUri) -> None: ...
    async def create_room(self, user: UserUri) -> RoomUri: ...
    async def refusal(self, user: UserUri) -> str:
        """The check for which no room with ``user`` can be made."""

    async def strangers(self) -> list[UserUri]: ...
    async def accept_anew(self, user: UserUri) -> None: ...
    async def refusal_to_send(self, room: RoomUri, text: str) -> str:
        """The problem for which nothing can be said there."""

    async def rooms(self) -> set[RoomUri]: ...
    async def send(self, room: RoomUri, text: str) -> None: ...
    async def texts(self, room: RoomUri) -> list[str]: ...
    async def faults(self) -> list[Fault]: ...
    async def faults_heard(self) -> list[Fault]: ...
    async def checks_on_screen(self, count: int) -> list[str] | None:
        """The numbers that the app tells its person once there are ``count``, oldest first; None without an app."""


class InPython:
    """The Python SDK."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.user = client.user
        self.heard: list[Event] = []
        self._events = client.events()

    async def listen(self) -> None:
        async for event in self._events:
            self.heard.append(event)

    async def accept(self, user: UserUri) -> None:
        await self.client.accept_contact(user)

    async def create_room(self, user: UserUri) -> RoomUri:
        return await self.client.create_room([user])

    async def refusal(self, user: UserUri) -> str:
        try:
            await self.create_room(user)
        except VerificationError as error:
            return error.check
        return "none"

    async def strangers(self) -> list[UserUri]:
        return self.client.people.strangers()

    async def accept_anew(self, user: UserUri) -> None:
        self.client.people.accept_anew(user)

    async def refusal_to_send(self, room: RoomUri, text: str) -> str:
        try:
            await self.send(room, text)
        except RefusedError as error:
            return error.problem
        return "none"

    async def rooms(self) -> set[RoomUri]:
        return {summary.room for summary in self.client.rooms()}

    async def send(self, room: RoomUri, text: str) -> None:
        await self.client.send(room, text)

    async def texts(self, room: RoomUri) -> list[str]:
        return [message.text for message in self.client.messages(room, limit=1_000)]

    async def faults(self) -> list[Fault]:
        return [(fault.check, _name(fault.culprit)) for fault in self.client.faults()]

    async def faults_heard(self) -> list[Fault]:
        return [(event.check, _name(event.culprit)) for event in self.heard if isinstance(event, FaultSeen)]

    async def checks_on_screen(self, count: int) -> None:
        del count


class InBrowser:
    """The browser's SDK, in a page."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.user = person.user

    async def accept(self, user: UserUri) -> None:
        await self.person.accept(user)

    async def create_room(self, user: UserUri) -> RoomUri:
        return RoomUri(await self.person.call("createRoom", [user]))

    async def refusal(self, user: UserUri) -> str:
        try:
            await self.create_room(user)
        except Refused as error:
            return error.reason
        return "none"

    async def strangers(self) -> list[UserUri]:
        return [UserUri(user) for user in await self.person.call("strangers")]

    async def accept_anew(self, user: UserUri) -> None:
        await self.person.call("acceptAnew", user)

    async def refusal_to_send(self, room: RoomUri, text: str) -> str:
        try:
            await self.send(room, text)
        except Refused as error:
            return error.reason
        return "none"

    async def rooms(self) -> set[RoomUri]:
        return {RoomUri(summary["room"]) for summary in await self.person.call("rooms")}

    async def send(self, room: RoomUri, text: str) -> None:
        await self.person.call("send", room, text)

    async def texts(self, room: RoomUri) -> list[str]:
        return await self.person.texts(room)

    async def faults(self) -> list[Fault]:
        return [(fault["check"], _name(fault["culprit"])) for fault in await self.person.call("faults")]

    async def faults_heard(self) -> list[Fault]:
        return [(event["check"], _name(event["culprit"])) for event in await self.person.heard("fault_seen")]

    async def checks_on_screen(self, count: int) -> list[str]:
        page = await self.person.context.new_page()
        await page.goto(f"{self.person.address}#/settings")
        section = page.get_by_role("region", name="What could not be verified")
        lines = section.get_by_role("listitem")
        await (lines.nth(count - 1) if count else section).wait_for()
        told = await lines.all_inner_texts()
        await page.close()
        return [check for line in reversed(told) for check in re.findall(r"NL-\d{3}", line)]


@asynccontextmanager
async def victim_of(kind: str, relay: Relay, user: UserUri, browser: Browser, folder: Path) -> AsyncIterator[Victim]:
    """``user`` is registered and online, and all that the server says to them goes through ``relay``."""
    if kind == "browser":
        person = await newcomer_in_a_browser(browser, relay, user)
        yield InBrowser(person)
        await person.context.close()
        return
    victim = InPython(await newcomer_in_python(relay.url, user, folder))
    listening = asyncio.create_task(victim.listen())
    yield victim
    await victim.client.close()
    await listening


def _name(culprit: str) -> str:
    """``hub``, or the name in a user's or device's URI."""
    return culprit if culprit == "hub" else culprit.split("/")[4]
