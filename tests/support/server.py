"""A real server process on loopback, for tests that restart it, kill it or starve it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

PATIENCE_S = 60.0
TRY_EVERY_S = 0.05


def free_port() -> int:
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """``nightlight serve`` on one data folder and one port, over as many lives as a test needs."""

    def __init__(self, data: Path, settings: str = "") -> None:
        """``settings`` is TOML that goes after ours."""
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        data.mkdir(parents=True, exist_ok=True)
        self.log = data.parent / f"{data.name}.log"
        self._settings = data.parent / f"{data.name}.toml"
        self._settings.write_text(
            'hub = "mimi://hub.example"\n'
            'providers = ["courier.example", "gallery.example", "ring.example"]\n'
            f"{settings}\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> psutil.Process:
        """The running process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def spawn(self, **environment: str) -> None:
        """The process runs; it may not answer yet. ``environment`` goes on top of ours."""
        assert self._process is None
        command = [sys.executable, "-m", "nightlight.cli.main", "serve"]
        options = ["--settings", str(self._settings), "--data", str(self.data), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options], stdout=log, stderr=log, env={**os.environ, **environment}
            )

    async def start(self, **environment: str) -> None:
        """The server answers that it is ready."""
        self.spawn(**environment)
        async with httpx.AsyncClient(base_url=self.url) as http:
            for _ in range(int(PATIENCE_S / TRY_EVERY_S)):
                assert self._process is not None
                assert self._process.poll() is None, self.log.read_text()[-2000:]
                try:
                    if (await http.get("/ready")).is_success:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(TRY_EVERY_S)
        raise AssertionError(self.log.read_text()[-2000:])

    async def kill(self) -> None:
        """The process is gone as if the power had failed for it (SIGKILL)."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """The process ended by itself after SIGTERM; its exit status."""
        return await self._end(signal.SIGTERM)

    async def died(self) -> int:
        """The exit status of a server that ends by itself, once it has."""
        return await self._end(None)

    async def _end(self, how: signal.Signals | None) -> int:
        process = self._process
        assert process is not None
        if how is not None:
            process.send_signal(how)
        status = await asyncio.to_thread(process.wait, PATIENCE_S)
        self._process = None
        return status

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @contextmanager
    def until_done(self) -> Iterator["ServerProcess"]:
        """Whatever happens inside, no process is left behind."""
        try:
            yield self
        finally:
            if self._process is not None:
                self._process.kill()
                self._process.wait()
