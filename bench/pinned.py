"""A server under measurement: a process of its own, pinned to the server's core, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

SERVER_CORE = 0
LOAD_CORE = 1
_START_S = 60
_STOP_S = 20


class AbsentError(Exception):
    """What is to be measured is not on this machine; the text is the reason shown in the table."""


def pin_load() -> None:
    """This process, the load, runs on the load's core; on a machine with one core nothing is pinned."""
    if LOAD_CORE in os.sched_getaffinity(0):
        os.sched_setaffinity(0, {LOAD_CORE})


def free_port() -> int:
    """A loopback TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Server:
    """A running server that listens on ``port`` of the loopback."""

    process: asyncio.subprocess.Process
    port: int
    folder: Path

    @property
    def cpu_s(self) -> float:
        """Processor time used so far, children included, in seconds."""
        root = psutil.Process(self.process.pid)
        return sum(sum(each.cpu_times()[:2]) for each in (root, *root.children(recursive=True)))

    @property
    def rss_bytes(self) -> int:
        """Resident memory, children included."""
        root = psutil.Process(self.process.pid)
        return sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))

    async def stop(self) -> None:
        """The process has ended, by SIGTERM or, where that is not heard, SIGKILL."""
        if self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def start(command: Sequence[str], *, port: int, folder: Path, env: Mapping[str, str] | None = None) -> Server:
    """``command`` runs on the server's core and listens on ``port``; what it prints is in ``folder``/output.txt.

    Raises ``AbsentError`` with the last line it printed if it ends instead.
    """
    output = folder / "output.txt"
    with output.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            *("taskset", "-c", str(SERVER_CORE), *command),
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdout=sink,
            stderr=sink,
        )
    server = Server(process, port, folder)
    for _ in range(_START_S * 20):
        if process.returncode is not None:
            break
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return server
    await server.stop()
    said = output.read_text(errors="replace").strip().splitlines()
    raise AbsentError(f"{command[0]} did not start: {said[-1][:200] if said else 'it said nothing'}")
