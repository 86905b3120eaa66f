"""A throwaway Prosody with its archive on SQLite: own folder, own loopback port, no limits."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.pinned import AbsentError, Server, free_port, start

_SETTINGS = """\
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
certificates = "{folder}"
log = {{ warn = "{folder}/prosody.log" }}
c2s_ports = {{ {port} }}
c2s_interfaces = {{ "127.0.0.1" }}
modules_enabled = {{ "saslauth", "register_ibr", "mam" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
allow_registration = true
authentication = "internal_plain"
storage = {{ archive = "sql" }}
sql = {{ driver = "SQLite3", database = "{folder}/archive.sqlite" }}
default_archive_policy = true
VirtualHost "localhost"
"""


async def start_prosody(folder: Path) -> Server:
    """A server runs in ``folder``, and every message goes into mod_mam on SQLite. Raises ``AbsentError``."""
    if shutil.which("prosody") is None:
        raise AbsentError("prosody is not installed")
    port = free_port()
    settings = folder / "prosody.cfg.lua"
    settings.write_text(_SETTINGS.format(folder=folder, port=port))
    return await start(["prosody", "-F", "--config", str(settings)], port=port, folder=folder)
