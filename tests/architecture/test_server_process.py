"""The server cannot open a message: it never loads the code that could, and runs with a crate that has none."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.people import MIRA, TOMAS, befriend, newcomer, settled, share_room
from tests.support.server import ServerProcess

ROOT = Path(__file__).parents[2]
HUB_MODULE = ROOT / "build" / "hub" / "nightlight_mls" / "nightlight_mls.abi3.so"
CLIENT_ONLY = re.compile(r"nightlight\.(?:mls\.group|client)(?:\.|$)")


@pytest.fixture(scope="module")
def hub_crate() -> Path:
    """The folder with the crate as a hub is to run it: built without the feature "member"."""
    subprocess.run(["make", "--silent", str(HUB_MODULE.relative_to(ROOT))], cwd=ROOT, check=True)
    return HUB_MODULE.parents[1]


async def converse(server: ServerProcess, folder: Path) -> None:
    """Two people meet on ``server``, make a room and say something each way."""
    mira, tomas = [await newcomer(server.url, user, folder) for user in (MIRA, TOMAS)]
    await befriend(mira, tomas)
    room = await share_room(mira, tomas)
    await mira.wait_sent(await mira.send(room, "hello, the lake is calm"))
    await tomas.wait_sent(await tomas.send(room, "the meadow too"))
    await settled(room, mira, tomas)
    await asyncio.gather(mira.close(), tomas.close())


async def test_a_server_that_has_served_never_loaded_the_member_s_code(
    server_process: ServerProcess, tmp_path: Path
) -> None:
    await server_process.start(PYTHONPROFILEIMPORTTIME="1")
    await converse(server_process, tmp_path)
    await server_process.stop()
    log = server_process.log.read_text()
    loaded = {line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")}
    assert "nightlight.mls.public_group" in loaded
    assert sorted(module for module in loaded if CLIENT_ONLY.match(module)) == []


def test_importing_the_server_in_a_fresh_process_leaves_the_member_s_code_out() -> None:
    program = "import sys, nightlight.server.main; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = answer.stdout.split()
    assert "nightlight.server.main" in modules
    assert [module for module in modules if CLIENT_ONLY.match(module)] == []


def test_the_hub_s_crate_has_no_member(hub_crate: Path) -> None:
    program = "import nightlight_mls as crate; print(crate.__file__); print(*dir(crate))"
    environment = {**os.environ, "PYTHONPATH": str(hub_crate)}
    answer = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    where, names = answer.stdout.splitlines()
    assert Path(where).parent == HUB_MODULE.parent
    assert "PublicGroup" in names.split()
    assert {"Member", "Group"} & set(names.split()) == set()


async def test_a_server_with_the_hub_s_crate_serves(
    hub_crate: Path, server_process: ServerProcess, tmp_path: Path
) -> None:
    await server_process.start(PYTHONPATH=str(hub_crate))
    mapped = {Path(memory.path) for memory in server_process.process.memory_maps()}
    assert HUB_MODULE in mapped
    await converse(server_process, tmp_path)
