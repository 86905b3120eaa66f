"""What every test may ask for."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.server import ServerProcess


@pytest.fixture
def server_process(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server process that is not started yet; none is left behind."""
    with ServerProcess(tmp_path / "server").until_done() as server:
        yield server


# How long an example takes says nothing: no test asserts on time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# A shell that starts us in the background has SIGINT ignored, and every process that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
