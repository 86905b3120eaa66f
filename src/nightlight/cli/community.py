"""The people of a replay or a demonstration: real clients that accept whoever asks, and write down what they see."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from nightlight.cli.ledger import Ledger, Sent, Shown
from nightlight.client.sdk import (
    Client,
    ContactChanged,
    FaultSeen,
    MessageShown,
    MessageState,
    MessageStateChanged,
    RoomChanged,
)
from nightlight.protocol.ids import MessageId, RoomUri, UserUri, handle_of, provider_of
from nightlight.protocol.messages import ContactState

STORE_KEY_BYTES = 32
VIEW_LIMIT = 1_000_000
MEMORY = Path("/dev/shm")  # noqa: S108  a folder with a random name is made in it
STORE_BYTES = 3 * 2**20
"""More than a store and its write-ahead log take in a replay."""
KEY_PACKAGES = 30
"""Topped up as they are used; a hundred for each of a thousand people would be most of what a replay does."""
AT_A_TIME = 8
"""How many register or leave at a time."""


@contextmanager
def folder_for_stores(people: int) -> Iterator[Path]:
    """An empty folder, gone afterwards: in memory if there is room, since in life no two people share a disk."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > people * STORE_BYTES
    with tempfile.TemporaryDirectory(prefix="nightlight-people-", dir=MEMORY if roomy else None) as folder:
        yield Path(folder)


class Participant:
    """One person with one connected device; what they see goes into the ledger."""

    def __init__(self, client: Client, ledger: Ledger) -> None:
        """``client`` is registered; ``read`` has to run."""
        self.client = client
        self.user: UserUri = client.user
        self._ledger = ledger
        self._connected: defaultdict[UserUri, asyncio.Event] = defaultdict(asyncio.Event)
        self._joined: defaultdict[RoomUri, asyncio.Event] = defaultdict(asyncio.Event)
        self._seen: defaultdict[MessageId, asyncio.Event] = defaultdict(asyncio.Event)

    async def befriend(self, other: Participant) -> None:
        """This person asks, ``other`` accepts, and both know."""
        await self.client.request_contact(other.user)
        await self._connected[other.user].wait()

    async def say(self, room: RoomUri, text: str, to: Iterable[Participant]) -> Sent:
        """``text`` is in the outbox, and in the ledger as sent."""
        at_s = time.perf_counter()
        message_id = await self.client.send(room, text)
        sent = Sent(message_id, room, self.user, [reader.user for reader in to], text, at_s)
        self._ledger.sent.append(sent)
        return sent

    async def wait_joined(self, room: RoomUri) -> None:
        """This person's device is a member of ``room``."""
        await self._joined[room].wait()

    async def wait_seen(self, message_id: MessageId) -> None:
        """The message has been shown to this person."""
        await self._seen[message_id].wait()

    def write_down_view(self, room: RoomUri) -> None:
        """The ledger has what this device's store holds of ``room``."""
        messages = self.client.messages(room, limit=VIEW_LIMIT)
        self._ledger.views[room][self.user] = [message.message_id for message in messages]

    async def read(self) -> None:
        """Whoever asks is accepted, and what is shown is written down, until the client is closed."""
        async for event in self.client.events():
            match event:
                case ContactChanged(user, ContactState.ASKED):
                    await self.client.accept_contact(user)
                case ContactChanged(user, ContactState.CONNECTED):
                    self._connected[user].set()
                case RoomChanged(joined=True):
                    self._joined[event.room].set()
                case MessageShown(message) if not message.own:
                    shown = Shown(message.message_id, message.room, self.user, message.text, time.perf_counter())
                    self._ledger.shown.append(shown)
                    self._seen[message.message_id].set()
                case MessageStateChanged(state=MessageState.FAILED):
                    self._ledger.refusals[event.reason or "unknown"] += 1
                case FaultSeen():
                    self._ledger.faults[event.check] += 1
                case _:
                    pass


class Community:
    """Everybody of one run, at one server, with their stores in ``folder``; they leave when it ends.

    A fault in anybody's reading ends the run with that fault.
    """

    def __init__(self, server_url: str, folder: Path, ledger: Ledger, *, receipts: bool) -> None:
        """Nobody is there yet."""
        self._server_url = server_url
        self._folder = folder
        self._ledger = ledger
        self._receipts = receipts
        self._store_key = os.urandom(STORE_KEY_BYTES)
        self._places = asyncio.Semaphore(AT_A_TIME)
        self._readers = asyncio.TaskGroup()
        self._people: list[Participant] = []

    async def __aenter__(self) -> Self:
        """People can join."""
        await self._readers.__aenter__()
        return self

    async def join(self, user: UserUri) -> Participant:
        """``user`` is registered, connected and reads."""
        async with self._places:
            client = await Client.register(
                self._server_url,
                user,
                self._folder / f"{handle_of(user)}@{provider_of(user)}.db",
                store_key=self._store_key,
                receipts=self._receipts,
                key_packages=KEY_PACKAGES,
            )
            person = Participant(client, self._ledger)
            self._people.append(person)
            self._readers.create_task(person.read())
            await client.connect()
            await client.wait_online()
        return person

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Every client is closed, which ends their reading."""
        await asyncio.gather(*(self._leave(person) for person in self._people))
        await self._readers.__aexit__(kind, error, trace)

    async def _leave(self, person: Participant) -> None:
        async with self._places:
            await person.client.close()
