"""A server for the commands of a test file, and machines to run them on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess
from tests.support.terminal import Terminal


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("hub") / "data").until_done() as process:
        asyncio.run(process.start())
        yield process


@pytest.fixture
def machine(server: ServerProcess, tmp_path: Path) -> Callable[[str], Terminal]:
    """A machine by its name, with a home of its own."""
    return lambda name: Terminal(tmp_path / name, server.url)


@pytest.fixture
def offline(tmp_path: Path) -> Terminal:
    """A machine whose server is not there."""
    return Terminal(tmp_path, "http://127.0.0.1:9")
