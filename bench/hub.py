"""Our own server as a process on a data folder."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import msgspec

from bench.pinned import AbsentError, Server, free_port, start
from bench.rooms import HUB, PROVIDER
from nightlight.protocol.messages import Directory
from nightlight.server.main import DATABASE

_DATA = "data"

_SETTINGS = f"""\
hub = "{HUB}"
providers = ["{PROVIDER}"]
submissions_per_second = 1000000
submissions_burst = 1000000
arrivals_burst = 1000000
claims_burst = 1000000
connections_max = 1000000
connections_per_address_max = 1000000
purge_seconds = 86400
log_level = "warning"
"""
"""No limit on the rate, and no purge that would fall into one turn and not into another."""


def database_of(folder: Path) -> Path:
    """The database of the hub whose data is in ``folder``."""
    return folder / _DATA / DATABASE


async def start_hub(folder: Path) -> Server:
    """``nightlight serve`` runs on the data in ``folder``. Ours is never absent: raises ``RuntimeError``."""
    port = free_port()
    settings = folder / "bench.toml"
    settings.write_text(_SETTINGS)
    serve = [sys.executable, "-c", "from nightlight.cli.main import main; main()", "serve"]
    options = ["--settings", str(settings), "--data", str(folder / _DATA), "--port", str(port)]
    try:
        return await start([*serve, *options], port=port, folder=folder)
    except AbsentError as reason:
        raise RuntimeError(str(reason)) from None


async def create_hub(folder: Path) -> bytes:
    """A new hub's data is in ``folder``: its schema and its keys. Its franking key, Ed25519, 32 bytes."""
    server = await start_hub(folder)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            answer = await http.get("/v1/directory")
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=Directory).franking_keys[0]
    finally:
        await server.stop()
