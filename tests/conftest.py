"""What every test may ask for."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server process that is not started yet; none is left behind."""
    with ServerProcess(tmp_path / "server").until_done() as server:
        yield server


# A shell that starts us in the background has SIGINT ignored, and every process that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
