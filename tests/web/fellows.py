"""People on either client, behind one set of words, so that a test need not know who uses which."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Error, Page

from nightlight.client.records import Lost
from nightlight.client.sdk import Client
from nightlight.protocol.credential import LeafCredential
from nightlight.protocol.ids import DeviceUri, RoomUri, UserUri, user_of
from nightlight.protocol.messages import ContactState
from tests.support import people
from tests.support.people import LOOK_EVERY_S, PATIENCE_S
from tests.support.server import ServerProcess
from tests.web.people import Person, newcomer


@dataclass(frozen=True)
class Agreement:
    """What all members of a room have alike."""

    epoch: int
    authenticator: str
    transcript: str
    devices: tuple[DeviceUri, ...]

    @property
    def users(self) -> list[UserUri]:
        return sorted(map(user_of, self.devices))


@dataclass(frozen=True)
class Said:
    """One message as somebody sees it."""

    message_id: str
    text: str
    state: str
    """How far it has come, such as ``queued``."""


class Fellow(ABC):
    """One person with one device."""

    user: UserUri

    @property
    def name(self) -> str:
        return self.user.rpartition("/")[2]

    async def until(self, true: Any, what: str) -> None:
        """``true()`` comes to hold; the test fails naming ``what`` if it never does."""
        for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
            if await true():
                return
            await asyncio.sleep(LOOK_EVERY_S)
        raise AssertionError(f"never happened to {self.name}: {what}")

    async def joined(self, room: RoomUri) -> None:
        """This person is in ``room``."""

        async def here() -> bool:
            return room in await self.rooms()

        await self.until(here, f"in {room}")

    async def left(self, room: RoomUri) -> None:
        """This person is not in ``room``, and knows."""

        async def gone() -> bool:
            return room not in await self.rooms()

        await self.until(gone, f"not in {room}")

    async def sees(self, room: RoomUri, members: Sequence[Fellow]) -> None:
        """This person is in ``room``, with ``members`` and nobody else."""
        await self.joined(room)
        wanted = sorted(member.user for member in members)

        async def up_to_date() -> bool:
            return (await self.agreement(room)).users == wanted

        await self.until(up_to_date, f"sees {wanted} in {room}")

    async def told_everything(self, room: RoomUri) -> None:
        """Nothing of this person's waits to be sent in ``room``."""

        async def nothing_waits() -> bool:
            return not any(said.state == "queued" for said in await self.conversation(room))

        await self.until(nothing_waits, f"everything is sent in {room}")

    async def befriend(self, other: Fellow) -> None:
        """Both may write to each other."""
        await self.ask(other.user)
        await other.accept(self.user)

    @abstractmethod
    async def ask(self, user: UserUri) -> None: ...

    @abstractmethod
    async def accept(self, user: UserUri) -> None: ...

    @abstractmethod
    async def create(self, users: Sequence[UserUri]) -> RoomUri: ...

    @abstractmethod
    async def add(self, room: RoomUri, users: Sequence[UserUri]) -> None: ...

    @abstractmethod
    async def remove(self, room: RoomUri, users: Sequence[UserUri]) -> None: ...

    @abstractmethod
    async def leave(self, room: RoomUri) -> None: ...

    @abstractmethod
    async def update(self, room: RoomUri) -> None: ...

    @abstractmethod
    async def send(self, room: RoomUri, text: str) -> None: ...

    @abstractmethod
    async def rooms(self) -> list[RoomUri]: ...

    @abstractmethod
    async def conversation(self, room: RoomUri) -> list[Said]: ...

    @abstractmethod
    async def agreement(self, room: RoomUri) -> Agreement: ...

    @abstractmethod
    async def faults(self) -> list[str]: ...

    @abstractmethod
    async def kill(self, *, while_sending: tuple[RoomUri, str] | None = None) -> None:
        """The device is dead at once, perhaps in the middle of sending."""

    @abstractmethod
    async def come_back(self) -> None:
        """The device is opened again, and connects."""

    @abstractmethod
    async def close(self) -> None: ...


class PythonFellow(Fellow):
    """A person with the Python SDK."""

    def __init__(self, client: Client, folder: Path) -> None:
        self.user = client.user
        self._client = client
        self._folder = folder

    async def ask(self, user: UserUri) -> None:
        await self._client.request_contact(user)

    async def accept(self, user: UserUri) -> None:
        async def asked() -> bool:
            return (user, ContactState.ASKED) in {(row.user, row.state) for row in await self._client.contacts()}

        await self.until(asked, f"asked by {user}")
        await self._client.accept_contact(user)

    async def create(self, users: Sequence[UserUri]) -> RoomUri:
        return await self._client.create_room(users)

    async def add(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        await self._client.add(room, users)

    async def remove(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        await self._client.remove(room, users)

    async def leave(self, room: RoomUri) -> None:
        await self._client.leave(room)

    async def say_lost(self, room: RoomUri) -> None:
        """The hub hears that this device cannot go on in ``room``, whether or not it can."""
        record = self._client._store.room(room)
        assert record is not None
        await self._client._hub.say_unusable(Lost(room, record.cursor, None))

    async def update(self, room: RoomUri) -> None:
        await self._client.update(room)

    async def send(self, room: RoomUri, text: str) -> None:
        await self._client.send(room, text)

    async def rooms(self) -> list[RoomUri]:
        return [summary.room for summary in self._client.rooms()]

    async def conversation(self, room: RoomUri) -> list[Said]:
        return [
            Said(message.message_id.hex(), message.text, message.state.value)
            for message in people.conversation(self._client, room)
        ]

    async def agreement(self, room: RoomUri) -> Agreement:
        group = self._client._connection.device.groups.get(room)
        devices = tuple(LeafCredential.decode(leaf.credential).device for leaf in group.members)
        return Agreement(group.epoch, group.epoch_authenticator.hex(), group.confirmed_transcript_hash.hex(), devices)

    async def faults(self) -> list[str]:
        return [fault.check for fault in self._client.faults()]

    async def kill(self, *, while_sending: tuple[RoomUri, str] | None = None) -> None:
        sending = asyncio.ensure_future(self._client.send(*while_sending)) if while_sending else None
        await asyncio.sleep(0)
        await people.drop(self._client)
        if sending is not None:
            await asyncio.gather(sending, return_exceptions=True)

    async def come_back(self) -> None:
        self._client = await people.returning(self.user, self._folder)

    async def close(self) -> None:
        await self._client.close()


class BrowserFellow(Fellow):
    """A person with the web app's SDK, in two tabs; the first one leads."""

    def __init__(self, person: Person) -> None:
        self.user = person.user
        self.person = person
        self._tabs: list[Page] = [person.page]
        self._turn = 0

    async def call(self, method: str, *args: Any) -> Any:
        """What ``method`` answers in whichever tab's turn it is."""
        self._turn += 1
        return await self.person.call(method, *args, tab=self._tabs[self._turn % len(self._tabs)])

    async def ask(self, user: UserUri) -> None:
        await self.person.request(user)

    async def accept(self, user: UserUri) -> None:
        await self.person.accept(user)

    async def create(self, users: Sequence[UserUri]) -> RoomUri:
        return RoomUri(await self.call("createRoom", users))

    async def add(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        await self.call("add", room, users)

    async def remove(self, room: RoomUri, users: Sequence[UserUri]) -> None:
        await self.call("remove", room, users)

    async def leave(self, room: RoomUri) -> None:
        await self.call("leave", room)

    async def update(self, room: RoomUri) -> None:
        await self.call("update", room)

    async def send(self, room: RoomUri, text: str) -> None:
        await self.call("send", room, text)

    async def rooms(self) -> list[RoomUri]:
        return [RoomUri(summary["room"]) for summary in await self.call("rooms")]

    async def conversation(self, room: RoomUri) -> list[Said]:
        return [
            Said(message["messageId"], message["text"], message["state"])
            for message in await self.call("messages", room, 1_000_000)
        ]

    async def agreement(self, room: RoomUri) -> Agreement:
        answer = await self.call("agreement", room)
        return Agreement(answer["epoch"], answer["authenticator"], answer["transcript"], tuple(answer["devices"]))

    async def faults(self) -> list[str]:
        return [fault["check"] for fault in await self.call("faults")]

    async def kill(self, *, while_sending: tuple[RoomUri, str] | None = None) -> None:
        tabs, self._tabs = self._tabs, []
        sending = (
            asyncio.ensure_future(self.person.call("send", *while_sending, tab=tabs[-1])) if while_sending else None
        )
        await asyncio.sleep(0)
        for tab in tabs:
            await self.person.crash(tab)
        if sending is not None:
            await asyncio.gather(sending, return_exceptions=True)

    async def come_back(self) -> None:
        self._tabs = [await self.person.open_tab(), await self.person.open_tab()]

    @property
    def last_tab(self) -> Page:
        """The tab that was opened last."""
        return self._tabs[-1]

    async def lose_leader(self) -> None:
        """The leading tab is killed, with its worker; another one opened, which follows."""
        await self.person.crash(self._tabs.pop(0))
        self._tabs.append(await self.person.open_tab())

    async def end_worker(self) -> None:
        """The worker of the leading tab ends; its tab stays."""
        for worker in self._tabs[0].workers:
            with suppress(Error):
                await worker.evaluate("() => self.close()")

    async def close(self) -> None:
        await self.person.context.close()


async def in_python(server: ServerProcess, user: UserUri, folder: Path) -> Fellow:
    """``user`` is registered with the Python SDK, and online."""
    return PythonFellow(await people.newcomer(server.url, user, folder), folder)


async def in_browser(browser: Browser, server: ServerProcess, user: UserUri) -> BrowserFellow:
    """``user`` is registered in a fresh profile, and online."""
    fellow = BrowserFellow(await newcomer(browser, server, user))
    fellow._tabs.append(await fellow.person.open_tab())
    return fellow


async def agreed(room: RoomUri, members: Sequence[Fellow]) -> Agreement:
    """What all ``members`` have alike, once they do."""
    seen: list[Agreement] = []
    for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
        seen = [await fellow.agreement(room) for fellow in members]
        if len(set(seen)) == 1:
            return seen[0]
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(dict(zip([fellow.name for fellow in members], seen, strict=True)))
