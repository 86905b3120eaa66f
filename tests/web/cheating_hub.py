"""A hub that lies to Tomas and to nobody else: whatever it has for him may be changed, held back or made up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri
from nightlight.protocol.messages import Delivery, EntryKind, ServerFrame, encode_frame, read_server_frame
from tests.support.people import LOOK_EVERY_S, PATIENCE_S, texts
from tests.support.relay import Relay
from tests.web.juno import Juno
from tests.web.victim import Fault, Victim

T = TypeVar("T")
Change = Callable[[Delivery], Delivery]
Frames = Callable[[ServerFrame], Sequence[ServerFrame]]
MESSAGES = EntryKind.APPLICATION
COMMITS = EntryKind.COMMIT
WELCOMES = EntryKind.WELCOME


class CheatingHub:
    """``relay`` passes on what an honest server says; this decides what arrives."""

    def __init__(self, relay: Relay) -> None:
        """It is honest as yet."""
        self.relay = relay
        relay.to_client = self._tell
        self.be_honest()

    def be_honest(self) -> None:
        """From now on everything arrives as it is."""
        self.relay.answers = lambda _path, body: body
        self.frames: Frames = lambda frame: [frame]

    def change_next(self, kind: EntryKind, change: Change) -> None:
        """The next entry of ``kind`` arrives changed."""

        def frames(frame: ServerFrame) -> Sequence[ServerFrame]:
            if not isinstance(frame, Delivery) or frame.kind is not kind:
                return [frame]
            self.be_honest()
            return [change(frame)]

        self.frames = frames

    def change_answers(self, path: str, answer: type[T], change: Callable[[T], T]) -> None:
        """Whatever is answered at ``path`` arrives changed."""

        def lie(asked: str, body: bytes) -> bytes:
            if asked != path:
                return body
            return msgspec.json.encode(change(msgspec.json.decode(body, type=answer)))

        self.relay.answers = lie

    def _tell(self, data: bytes) -> Sequence[bytes]:
        return [encode_frame(frame) for frame in self.frames(read_server_frame(data))]


@dataclass(frozen=True)
class Stage:
    """The people who are there before Tomas is."""

    relay: Relay
    mira: Client
    juno: Juno


@dataclass(frozen=True)
class Scene:
    """Tomas, Mira and Juno are in ``room``. Mira is honest, and so is the server to her; Juno is not."""

    hub: CheatingHub
    tomas: Victim
    mira: Client
    juno: Juno
    room: RoomUri

    async def until(self, true: Callable[[], Awaitable[bool]], what: str) -> None:
        """``true()`` comes to hold; the test fails naming ``what`` if it never does."""
        for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
            if await true():
                return
            await asyncio.sleep(LOOK_EVERY_S)
        raise AssertionError(f"never happened: {what}; Tomas has recorded {await self.tomas.faults()}")

    async def reads(self, *expected: str, room: RoomUri | None = None) -> None:
        """Tomas is shown these in ``room``, in this order, and nothing else."""

        async def shown() -> bool:
            return await self.tomas.texts(room or self.room) == list(expected)

        await self.until(shown, f"Tomas reads {expected}")

    async def recorded(self, *expected: Fault) -> None:
        """These faults are recorded, in this order and no others; Tomas's application has heard of each and says so."""

        async def complete() -> bool:
            return len(await self.tomas.faults()) >= len(expected) <= len(await self.tomas.faults_heard())

        await self.until(complete, f"{expected} is recorded")
        assert await self.tomas.faults() == list(expected)
        assert await self.tomas.faults_heard() == list(expected)
        assert await self.tomas.checks_on_screen(len(expected)) in (None, [check for check, _ in expected])

    async def is_in(self, room: RoomUri) -> None:
        """Tomas is in ``room``."""

        async def joined() -> bool:
            return room in await self.tomas.rooms()

        await self.until(joined, "Tomas joins")

    async def talk(self, room: RoomUri | None = None) -> None:
        """Mira and Tomas hear each other in ``room``."""
        room = room or self.room

        async def present() -> bool:
            return room in {summary.room for summary in self.mira.rooms()}

        await self.until(present, "Mira is in the room")
        before = await self.tomas.texts(room)
        await self.mira.send(room, "Are you there?")
        await self.reads(*before, "Are you there?", room=room)
        await self.tomas.send(room, "Yes.")

        async def heard() -> bool:
            return texts(self.mira, room)[-1:] == ["Yes."]

        await self.until(heard, "Mira hears Tomas")
