"""A server of our own, for as long as a command runs."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx
import msgspec

from nightlight.cli.faults import InputError
from nightlight.errors import UnavailableError
from nightlight.protocol.ids import ProviderName
from nightlight.protocol.messages import Directory
from nightlight.server.main import DATABASE, DEMO_SETTINGS

READY_SECONDS = 30
STOP_SECONDS = 15
POLL_SECONDS = 0.05
READY = "/ready"
LOG = "server.log"


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A running ``nightlight serve`` with the demonstration's three apps."""

    url: str
    pid: int
    data: Path

    @property
    def log(self) -> Path:
        """Where the server's output goes."""
        return self.data / LOG

    @property
    def database(self) -> Path:
        """The server's SQLite file."""
        return self.data / DATABASE


@asynccontextmanager
async def local_server(data: Path) -> AsyncIterator[LocalServer]:
    """A server on a free port of the loopback, with everything it keeps in ``data``, which must be empty or not there.

    It is stopped by its process id, also when this process is told to end, and ends by itself when this process was
    killed. Raises ``InputError``, ``UnavailableError``.
    """
    port = _free_port()
    with _new_log(data) as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "nightlight.cli.main", "serve"),
            *("--settings", str(DEMO_SETTINGS), "--data", str(data), "--port", str(port), "--while-stdin"),
            stdin=asyncio.subprocess.PIPE,  # it closes when we end, in whatever way
            stdout=log,
            stderr=log,
            start_new_session=True,  # so that Ctrl-C reaches us alone, and we stop the server after its clients
        )
    server = LocalServer(f"http://127.0.0.1:{port}", process.pid, data)
    try:
        with _ended_by(signal.SIGTERM, signal.SIGHUP):
            await _wait_ready(server, process)
            yield server
    finally:
        await _stop(process)


def _new_log(data: Path) -> BinaryIO:
    data.mkdir(parents=True, exist_ok=True)
    if any(data.iterdir()):
        raise InputError(f"{data} is not empty")
    return (data / LOG).open("wb")


async def providers_of(server_url: str) -> list[ProviderName]:
    """The apps that a server has. Raises ``UnavailableError``."""
    async with httpx.AsyncClient() as http:
        try:
            answer = await http.get(f"{server_url}/v1/directory")
            answer.raise_for_status()
            directory = msgspec.json.decode(answer.content, type=Directory)
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
            raise UnavailableError(f"no Nightlight server answers at {server_url}") from error
    return [ProviderName(provider) for provider in directory.providers]


async def _wait_ready(server: LocalServer, process: asyncio.subprocess.Process) -> None:
    deadline_s = time.monotonic() + READY_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None and time.monotonic() < deadline_s:
            with suppress(httpx.TransportError):
                if (await http.get(f"{server.url}{READY}")).is_success:
                    return
            await asyncio.sleep(POLL_SECONDS)
    raise UnavailableError(f"the server did not start: {_last_line(server.log)}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else "it said nothing"


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


@contextmanager
def _ended_by(*signals: signal.Signals) -> Iterator[None]:
    """These signals cancel the current task, so that everything it holds is released."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task
    for number in signals:
        loop.add_signal_handler(number, task.cancel)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


def _free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
