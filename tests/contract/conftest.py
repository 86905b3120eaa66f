"""A whole hub in this process, on a real port and a real database, with a clock that the test sets."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from nightlight.protocol.ids import DeviceUri, TimestampMs, UserUri
from nightlight.server import main
from nightlight.server.adapters.sql.database import Database
from nightlight.server.adapters.sql.delivery import SqlDeliveryStore
from nightlight.server.http.connection import Connection
from nightlight.server.settings import Settings
from tests.contract.device import Device, Line

PROVIDERS = ["courier.example", "gallery.example", "ring.example"]


class SetClock:
    """The real time, moved by as much as the test says."""

    def __init__(self) -> None:
        """Right."""
        self.ahead_ms = 0

    def __call__(self) -> TimestampMs:
        """Now, to the server."""
        return TimestampMs(time.time_ns() // 1_000_000 + self.ahead_ms)


class Hub:
    """The server, over as many lives as a test needs."""

    def __init__(self, data: Path, **settings: Any) -> None:
        """Not started yet."""
        self.settings = Settings(hub="mimi://hub.example", providers=PROVIDERS, data=data, **settings)
        self.clock = SetClock()
        self.url = ""
        self.application: main.Application
        self._lines: list[Line] = []
        self._stop: Callable[[], Awaitable[None]] | None = None

    async def start(self) -> None:
        """It answers."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.application = main.compose(self.settings, origins=["https://hub.example"], clock=self.clock)
        server = main._Server(main._uvicorn_config(self.application, self.settings), self.application)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn sets a flag
            await asyncio.sleep(0.01)

        async def stop() -> None:
            server.should_exit = True
            await serving
            listener.close()

        self._stop = stop

    async def stop(self) -> None:
        """It has ended as after SIGTERM."""
        assert self._stop is not None
        await self._stop()
        self._stop = None

    async def restart(self) -> None:
        """It has ended and answers again; those on the line call the new one."""
        await self.stop()
        await self.start()
        for line in self._lines:
            await line.move(self.url)

    def line(self, user: UserUri) -> Line:
        """A new person's device that has not registered yet."""
        return self.of_device(Device(user))

    def of_device(self, device: Device) -> Line:
        """A device that is not signed in."""
        self._lines.append(Line(device, self.url))
        return self._lines[-1]

    async def person(self, user: UserUri) -> Line:
        """A new person who is registered and can be added to rooms."""
        line = self.line(user)
        await line.join()
        return line

    @property
    def database(self) -> Database:
        """What the server stores in."""
        store = self.application.delivery.store
        assert isinstance(store, SqlDeliveryStore)
        return store._database

    async def flush(self) -> None:
        """Acknowledgements are durable, and what everyone has is erased."""
        await self.application.stream._log.flush_cursors()
        await self.application.stream._log.erase_received()

    def connection_of(self, device: DeviceUri) -> Connection:
        """The server's side of a device's connection."""
        return self.application.connections._by_device[device]

    async def end(self) -> None:
        """Nothing is left."""
        for line in self._lines:
            await line.close()
        if self._stop is not None:
            await self.stop()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the schema and nothing in it, made once."""
    path = tmp_path_factory.mktemp("empty") / main.DATABASE
    asyncio.run(Database(path, wait_ms=0).close())
    return path


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings on top of the hub's; a test that needs other ones overrides it."""
    return {}


@pytest.fixture
async def hub(tmp_path: Path, empty_database: Path, settings: dict[str, Any]) -> AsyncIterator[Hub]:
    """A hub that runs."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copyfile(empty_database, data / main.DATABASE)
    (data / main.DATABASE).chmod(0o600)
    hub = Hub(data, **settings)
    await hub.start()
    yield hub
    await hub.end()


@pytest.fixture
async def mira(hub: Hub) -> Line:
    """At the courier's app."""
    return await hub.person(UserUri("mimi://courier.example/u/mira"))


@pytest.fixture
async def tomas(hub: Hub) -> Line:
    """At the gallery's app."""
    return await hub.person(UserUri("mimi://gallery.example/u/tomas"))


@pytest.fixture
async def juno(hub: Hub) -> Line:
    """At the ring's app."""
    return await hub.person(UserUri("mimi://ring.example/u/juno"))
