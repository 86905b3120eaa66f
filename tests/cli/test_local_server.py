"""The server that `demo` and `replay` start for themselves."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nightlight.server.main import DATABASE

OWNER = """
import asyncio, sys
from pathlib import Path
from nightlight.cli.local_server import local_server

async def keep():
    async with local_server(Path(sys.argv[1])) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(keep())
"""


def test_a_server_ends_well_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "hub"
    with subprocess.Popen([sys.executable, "-c", OWNER, data], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        server = psutil.Process(int(owner.stdout.readline()))
        owner.kill()

    server.wait(30)
    assert '"stopped"' in (data / "server.log").read_text().splitlines()[-1]
    assert sorted(path.name for path in data.iterdir()) == ["franking.key", DATABASE, "server.log"]


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, None])
def test_serve_ends_at_once_where_standard_input_has_ended(tmp_path: Path, stdin: int | None) -> None:
    serve = [sys.executable, "-m", "nightlight.cli.main", "serve", "--data", str(tmp_path), "--port", "0"]
    closed = [] if stdin else ["sh", "-c", 'exec "$@" <&-', "-"]
    done = subprocess.run(
        [*closed, *serve, "--while-stdin"], stdin=stdin, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode in {0, -signal.SIGTERM}  # the latter when it was too early for a goodbye
    assert "Traceback" not in done.stderr
