"""The server as a process: how it starts, what it logs, how it ends."""

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from nightlight.client.transport import IDLE_S
from nightlight.protocol.ids import UserUri
from nightlight.protocol.messages import ContactAction, Delivery
from nightlight.server import main
from nightlight.server.main import DATABASE, FRANKING_KEY
from tests.contract.conftest import Hub
from tests.contract.device import Device, Line, befriend, room_of_two
from tests.support.server import ServerProcess

SERVE = [sys.executable, "-c", "from nightlight.cli.main import main; main()", "serve"]
MIRA, TOMAS = UserUri("mimi://courier.example/u/mira"), UserUri("mimi://gallery.example/u/tomas")


async def two_friends(server: ServerProcess) -> tuple[Line, Line]:
    """Mira and Tomas, who are contacts."""
    mira, tomas = Line(Device(MIRA), server.url), Line(Device(TOMAS), server.url)
    await mira.join()
    await tomas.join()
    await befriend(mira, tomas)
    return mira, tomas


async def test_a_message_that_was_acknowledged_outlives_a_kill(server_process: ServerProcess) -> None:
    await server_process.start()
    mira, tomas = await two_friends(server_process)
    lake = await room_of_two(mira, tomas)
    async with mira.stream({lake: 1}) as frames:
        message = mira.device.message(lake)
        accepted = await frames.submit(message)
        await server_process.kill()
    await server_process.start()
    async with tomas.stream({lake: 1}) as frames:
        delivery = await frames.expect(Delivery)
    assert (delivery.seq, delivery.payload, delivery.frank) == (accepted.seq, message.message, accepted.frank)
    await mira.close()
    await tomas.close()


async def test_the_log_is_json_and_names_nobody(server_process: ServerProcess) -> None:
    await server_process.start()
    mira, tomas = await two_friends(server_process)
    lake = await room_of_two(mira, tomas)
    async with mira.stream({lake: 1}) as frames:
        await frames.submit(mira.device.message(lake, b"hello from the lake"))
        await frames.nothing_more()
    await mira.raw("POST", "/v1/accounts", {"user": MIRA})
    await mira.contact(ContactAction.BLOCK, TOMAS)
    token = mira.token
    await mira.close()
    await tomas.close()
    assert await server_process.stop() == 0
    text = server_process.log.read_text()
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert (events[0], events[-1]) == ("listening", "stopped")
    for secret in ("mira", "tomas", "lake", "mimi:", token):
        assert secret not in text


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_that_is_asked_to_stop_ends_well_and_leaves_two_files(
    server_process: ServerProcess, how: signal.Signals
) -> None:
    await server_process.start()
    assert await server_process._end(how) == 0
    assert {file.name for file in server_process.data.iterdir()} == {DATABASE, FRANKING_KEY}
    assert {file.stat().st_mode & 0o777 for file in server_process.data.iterdir()} == {0o600}


async def test_a_port_that_is_taken_is_one_line_and_exit_code_two(
    server_process: ServerProcess, tmp_path: Path
) -> None:
    await server_process.start()
    port = str(httpx.URL(server_process.url).port)
    command = [*SERVE, "--data", str(tmp_path / "other"), "--port", port]
    second = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await second.communicate()
    assert second.returncode == 2
    assert len(said.splitlines()) == 1
    assert b"Address already in use" in said


def test_a_mistake_in_the_settings_is_one_line_and_exit_code_two(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('hub = "mimi://hub.example"\nproviders = ["ring.example"]\ncolour = 1\n')
    ended = subprocess.run([*SERVE, "--settings", settings, "--data", tmp_path], capture_output=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.decode().splitlines() == [f"nightlight: {settings}: unknown key `colour`"]


def test_a_franking_key_that_is_none_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / FRANKING_KEY).write_bytes(bytes(31))
    command = [*SERVE, "--data", str(tmp_path), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert FRANKING_KEY in line
    assert (tmp_path / FRANKING_KEY).read_bytes() == bytes(31)


def test_a_new_franking_key_is_durable_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_durable: list[str] = []
    fsync = os.fsync

    def note(opened: int) -> None:
        fsync(opened)
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        made_durable.append(" ".join(sorted(os.listdir(opened))) if is_folder else "file")

    monkeypatch.setattr(os, "fsync", note)
    key = main._key_file(tmp_path / FRANKING_KEY, os.urandom)
    assert made_durable == ["file", FRANKING_KEY]
    assert main._key_file(tmp_path / FRANKING_KEY, os.urandom) == key


async def test_the_server_keeps_a_connection_for_longer_than_clients_use_it_again(hub: Hub) -> None:
    """Else it would now and then end one with a request on its way."""
    assert main._uvicorn_config(hub.application, hub.settings).timeout_keep_alive > 2 * IDLE_S
