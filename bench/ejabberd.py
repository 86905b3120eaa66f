"""A throwaway ejabberd: own folder, own loopback port, no distribution, no limits."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.pinned import AbsentError, Server, free_port, start

_LIBRARIES = Path("/usr/lib/x86_64-linux-gnu")
_ERLANG_LIBRARIES = Path("/usr/lib/erlang/lib")

_SETTINGS = """\
hosts: [localhost]
loglevel: warning
auth_method: internal
default_db: mnesia
registration_timeout: infinity
shaper: {{}}
sql_type: sqlite
sql_database: "{folder}/archive.sqlite"
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, starttls: false, shaper: none, access: all}}
modules:
  mod_register: {{access: all, ip_access: all, welcome_message: {{}}}}
"""
_ARCHIVE = """\
  mod_mam: {db_type: sql, default: always, assume_mam_usage: true, request_activates_archiving: false}
"""


def _check_installed(*, archive: bool) -> None:
    if shutil.which("erl") is None or not list(_LIBRARIES.glob("ejabberd-*/ebin")):
        raise AbsentError("ejabberd is not installed")
    if archive and not list(_ERLANG_LIBRARIES.glob("p1_sqlite3-*")):
        raise AbsentError("erlang-p1-sqlite3 is not installed")


async def start_ejabberd(folder: Path, *, archive: bool) -> Server:
    """A server runs in ``folder``; with ``archive``, every message goes into mod_mam on SQLite.

    Raises ``AbsentError``.
    """
    _check_installed(archive=archive)
    port = free_port()
    settings = folder / "ejabberd.yml"
    settings.write_text(_SETTINGS.format(folder=folder, port=port) + (_ARCHIVE if archive else ""))
    return await start(
        ["erl", "-noinput", "-mnesia", "dir", f'"{folder}/mnesia"', "-s", "ejabberd"],
        port=port,
        folder=folder,
        env={
            "ERL_LIBS": str(_LIBRARIES),
            "EJABBERD_CONFIG_PATH": str(settings),
            "EJABBERD_LOG_PATH": str(folder / "ejabberd.log"),
            "HOME": str(folder),
        },
    )
