"""A server and three friends in one process: the real application, the real clients, real SQLite, a network in memory.

Everything runs in a ``SimulatedLoop``, so a run can be repeated; either side can lose its power at any moment.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from nightlight.client import faults as client_faults
from nightlight.client.events import Event, FaultSeen, Message, MessageShown, Notice
from nightlight.client.identity import new_store, open_or_create
from nightlight.client.new_device import NewDevice
from nightlight.client.recovering import Recovering
from nightlight.client.sdk import Client
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.errors import NightlightError, UnavailableError
from nightlight.protocol.ids import DeviceUri, RoomUri, TimestampMs, UserUri
from nightlight.protocol.linking import LinkCode
from nightlight.server import faults as server_faults
from nightlight.server.main import Application, compose
from nightlight.server.settings import Settings
from tests.simulation.clock import SimulatedLoop
from tests.simulation.network import Link, MemoryTransport

NAMES = ("mira", "tomas", "juno")
URIS = {
    "mira": UserUri("mimi://courier.example/u/mira"),
    "tomas": UserUri("mimi://gallery.example/u/tomas"),
    "juno": UserUri("mimi://ring.example/u/juno"),
}
ORIGIN = "http://server"
STORE_KEY = bytes(range(32))
KEY_PACKAGES = 4
STARTED_MS = time.time_ns() // 1_000_000
"""OpenMLS looks at this machine's clock, so ours starts there too."""


class PowerLost(BaseException):
    """What a fault point raises here instead of ending the process."""


@dataclass
class Person:
    """One friend, over all lives of their client. ``shown``: every message an application was told to show."""

    name: str
    link: Link
    clock_offset_ms: int = 0
    client: Client | None = None
    shown: list[list[Message]] = field(default_factory=list)
    faults: list[FaultSeen] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    told: asyncio.Task[None] | None = None


class World:
    """The server is in ``folder/server``, the stores beside it. Use ``running``."""

    def __init__(self, folder: Path, seed: int, *, receipts: bool = False) -> None:
        self.folder = folder
        self.random = Random(seed)  # noqa: S311 - chance that can be repeated
        self.receipts = receipts
        self.server: Application | None = None
        self.server_offset_ms = 0
        self.people = {name: Person(name, Link(lambda: self.server)) for name in NAMES}
        self.room = RoomUri("")
        self._armed: dict[str, str] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- the server

    def start_server(self) -> None:
        """The server runs on what is on its disk."""
        settings = Settings(
            hub="mimi://hub.example",
            providers=["courier.example", "gallery.example", "ring.example"],
            data=self.folder / "server",
        )
        clock = self._clock(lambda: self.server_offset_ms)
        self.server = compose(settings, origins=[ORIGIN], clock=clock, random=self.random.randbytes)
        self.do(self._flush_cursors(self.server))

    async def _flush_cursors(self, server: Application) -> None:
        """What the server's worker does every second."""
        while self.server is server:
            with suppress(NightlightError):
                await server.stream._log.flush_cursors()
                await server.stream._log.erase_received()
            await asyncio.sleep(1)

    def crash_server(self) -> None:
        """The server's power fails; what was not committed is gone, and every connection with it."""
        server, self.server = self.server, None
        for person in self.people.values():
            person.link.cut()
        if server is not None:
            database: Any = server.delivery.store
            database = database._database
            with suppress(Exception):
                database._rollback()
            database._read_engine.dispose()
            database._writer.close()
            database._write_engine.dispose()

    # --- people

    def _clock(self, offset_ms: Callable[[], int]) -> Callable[[], TimestampMs]:
        loop = asyncio.get_running_loop()
        return lambda: TimestampMs(STARTED_MS + int(loop.time() * 1000) + offset_ms())

    def surroundings(self, person: Person) -> Surroundings:
        """Virtual clocks, and chance from the seed."""
        loop = asyncio.get_running_loop()
        return Surroundings(
            receipts=self.receipts,
            key_packages=KEY_PACKAGES,
            clock=self._clock(lambda: person.clock_offset_ms),
            monotonic_ms=lambda: int(loop.time() * 1000),
            random=self.random.randbytes,
        )

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.store"

    async def register(self, name: str) -> Client:
        """A new person is online."""
        person = self.people[name]
        surroundings = self.surroundings(person)
        store = new_store(self._path(name), STORE_KEY, ORIGIN, URIS[name], surroundings)
        client = self._live(person, Client(store, MemoryTransport(person.link), surroundings))
        await client.publish()
        await client.connect()
        await client.wait_online()
        return client

    async def show_code(self, name: str, user: UserUri) -> NewDevice:
        """A new device called ``name``, to be one of ``user``, shows its link code."""
        person = self.people.setdefault(name, Person(name, Link(lambda: self.server)))
        surroundings = self.surroundings(person)
        store = open_or_create(self._path(name), STORE_KEY, surroundings)
        return NewDevice(store, MemoryTransport(person.link), surroundings, ORIGIN, user)

    async def link(self, old: str, name: str, *, may_sign: bool = False) -> Client:
        """A device called ``name`` is taken in by ``old``, online and in every room of theirs."""
        new = await self.show_code(name, self.client(old).user)
        await self.client(old).accept_device(LinkCode.read(new.code.text()), may_sign=may_sign)
        client = await self.come_online(name, new)
        await self.until_everywhere(old, client.device)
        return client

    async def come_online(self, name: str, new: NewDevice) -> Client:
        """The device that shows the code of ``new`` has been taken in, and is online."""
        client = self._live(self.people[name], await Client.link(new))
        await client.connect()
        await client.wait_online()
        return client

    async def begin_recovery(self, name: str, user: UserUri, words: str) -> Recovering:
        """A fresh device called ``name`` has asked to become the one device of ``user``, by their ``words``."""
        fresh = self.open_recovery(name, user)
        await fresh.begin(words)
        return fresh

    def open_recovery(self, name: str, user: UserUri) -> Recovering:
        """The fresh device called ``name`` is what is on its disk."""
        person = self.people.setdefault(name, Person(name, Link(lambda: self.server)))
        surroundings = self.surroundings(person)
        store = open_or_create(self._path(name), STORE_KEY, surroundings)
        return Recovering(store, MemoryTransport(person.link), surroundings, ORIGIN, user)

    async def finish_recovery(self, name: str, fresh: Recovering) -> Client:
        """The device that has waited is its person's, and online."""
        client = self._live(self.people[name], await Client.recover(fresh))
        await client.connect()
        await client.wait_online()
        return client

    def pass_time(self, ms: int) -> None:
        """So much later, by every clock."""
        self.server_offset_ms += ms
        for person in self.people.values():
            person.clock_offset_ms += ms

    async def until_everywhere(self, name: str, which: DeviceUri) -> None:
        """``which``, another device of ``name``, is in every room that ``name`` is in."""

        def everywhere() -> bool:
            there, rooms = self.client(name).rooms_of(which)
            return there == rooms

        await self.until(everywhere, f"{which} is in every room")

    async def open_client(self, name: str) -> Client:
        """The client of ``name`` runs on what is on its disk."""
        client = self.open_offline(name)
        await client.connect()
        return client

    def open_offline(self, name: str) -> Client:
        """The client of ``name`` is what is on its disk, and not connected."""
        person = self.people[name]
        surroundings = self.surroundings(person)
        store = Store.open(self._path(name), STORE_KEY, surroundings.random)
        return self._live(person, Client(store, MemoryTransport(person.link), surroundings))

    def _live(self, person: Person, client: Client) -> Client:
        person.client = client
        person.shown.append([])
        events = client.events()

        async def listen() -> None:
            async for event in events:
                self._heard(person, event)

        person.told = self.do(listen())
        return client

    def _heard(self, person: Person, event: Event) -> None:
        if isinstance(event, MessageShown):
            person.shown[-1].append(event.message)
        elif isinstance(event, FaultSeen):
            person.faults.append(event)
        elif isinstance(event, Notice):
            person.notices.append(event)

    def client(self, name: str) -> Client:
        """The running client of ``name``."""
        client = self.people[name].client
        assert client is not None
        return client

    async def crash_client(self, name: str) -> None:
        """The power of ``name``'s device fails, and comes back."""
        person = self.people[name]
        client, person.client = person.client, None
        if client is None:
            return  # it is failing already
        running, client._connection._running = client._connection._running, None
        for task in [running, *client._connection._chores.values(), client._connection._reading, person.told]:
            if task is not None:
                task.cancel()
        client._connection.watchers.end(UnavailableError("the power is gone"))
        client._store.close()
        person.link.cut()
        await asyncio.sleep(0)
        await self.open_client(name)

    async def until_restarted(self, name: str, former: Client) -> None:
        """``name`` has another client than ``former``."""
        await self.until(lambda: self.people[name].client not in {None, former}, f"{name} is back")

    async def until_joined(self, name: str, room: RoomUri) -> None:
        """``name`` is in ``room``, and in no other."""
        await self.until(lambda: [summary.room for summary in self.client(name).rooms()] == [room], f"{name} joins")

    # --- power failures at fault points

    def arm(self, whose: str, point: str) -> None:
        """The power of ``whose`` ("server", or a name) fails at the next ``point``."""
        self._armed[point] = whose

    def disarm(self) -> None:
        """Nobody's power fails any more."""
        self._armed.clear()

    def _reached(self, point: str) -> None:
        if point not in self._armed or self._armed[point] != self._whose_turn():
            return
        whose = self._armed.pop(point)
        self.do(self._restart_server() if whose == "server" else self.crash_client(whose))
        raise PowerLost(point)

    def _whose_turn(self) -> str:
        """Whose code runs at this fault point: that of the client whose store is at work, or else the server's."""
        frame = sys._getframe(2)
        while frame.f_back is not None:
            store = getattr(frame.f_locals.get("self"), "_store", None)
            if isinstance(store, Store):
                return next((p.name for p in self.people.values() if p.client and p.client._store is store), "nobody")
            frame = frame.f_back
        return "server"

    async def _restart_server(self) -> None:
        self.crash_server()
        await asyncio.sleep(1)
        self.start_server()

    # --- running

    def do(self, work: Any) -> asyncio.Task[Any]:
        """``work`` goes on beside everything else."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def until(self, true: Callable[[], bool], what: str, *, within_s: float = 900) -> None:
        """``true`` holds, within fifteen minutes of virtual time; the run fails naming ``what`` if it never does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within_s
        while not true():
            assert loop.time() < end, f"never happened: {what}"
            await asyncio.sleep(0.5)

    async def finish(self) -> None:
        """Everything is closed."""
        for person in self.people.values():
            if person.client is not None:
                with suppress(Exception):
                    await person.client.close()
        self.crash_server()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def _fault_points(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fault points ask ``world``, whichever module they are in."""
    points = {client_faults.crash_point, server_faults.crash_point}
    with monkeypatch.context() as patch:
        for module in list(sys.modules.values()):
            if module.__name__.startswith("nightlight.") and getattr(module, "crash_point", None) in points:
                patch.setattr(module, "crash_point", world._reached)
        yield


def run(world: World, story: Callable[[World], Any]) -> None:
    """``story`` happens in ``world``, in virtual time."""
    loop = SimulatedLoop()
    loop.set_exception_handler(lambda _loop, _context: None)  # who loses power leaves exceptions that nobody fetches
    asyncio.set_event_loop(loop)

    async def happen() -> None:
        world.start_server()
        try:
            await story(world)
        finally:
            await world.finish()

    try:
        with pytest.MonkeyPatch.context() as monkeypatch, _fault_points(world, monkeypatch):
            loop.run_until_complete(happen())
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def make_friends(world: World) -> RoomUri:
    """Three people, all contacts, in one room that Mira began."""
    clients = [await world.register(name) for name in NAMES]
    for asking in clients:
        for asked in clients:
            if asking.user < asked.user:
                await asking.request_contact(asked.user)
                await asked.accept_contact(asking.user)
    room = await world.client("mira").create_room([URIS["tomas"], URIS["juno"]])
    for name in NAMES:
        await world.until_joined(name, room)
    return room
