"""Server and client die at each step that their fault points name, as if the power had failed, and start again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from nightlight.client import faults as client_faults
from nightlight.client.events import ContactChanged
from nightlight.client.sdk import Client
from nightlight.errors import RefusedError
from nightlight.mls.signing import SigningKey
from nightlight.protocol.ids import BlobId, RoomUri, UserUri
from nightlight.protocol.messages import ContactState
from nightlight.server import faults as server_faults
from tests.faults.life import MESSAGES, SONG
from tests.support.people import MIRA, TOMAS, conversation, insist, newcomer, returning, settled, texts, until
from tests.support.server import ServerProcess

ROOT = Path(__file__).parents[2]
KILLED = 137
SOON = "purge_seconds = 1\ncursor_flush_ms = 50"


# --- the server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that does its housekeeping at once."""
    with ServerProcess(tmp_path / "server", SOON).until_done() as process:
        yield process


async def restarted(server: ServerProcess) -> int:
    """The server has died and was started again, without a fault; the status it died with."""
    status = await server.died()
    await server.start()
    return status


async def renew_device_list(client: Client) -> None:
    """The server has the client's next device list."""
    device = client._connection.device
    listed = device.trust.device_list(client.user)
    assert listed is not None
    following = listed.next(listed.devices, listed.expires_at_ms)
    signed = following.sign(SigningKey.from_seed(device.identity.account_seed).sign_with_label)
    await client._hub.publish_device_list(signed.encode())


async def share_and_take_back(client: Client, room: RoomUri, folder: Path, caption: str) -> None:
    """A file is a message, and what was uploaded beside it is gone."""
    path = folder / "song.txt"
    path.write_bytes(SONG)
    await client.wait_sent(await client.files.outcome(await client.files.send(room, path, caption=caption)))
    blob = BlobId((await insist(lambda: client._hub.begin_upload(1))).blob)
    with suppress(RefusedError):  # it may be gone, and the answer lost
        await insist(lambda: client._hub.remove_blob(blob))


@pytest.mark.parametrize("point", server_faults.POINTS)
async def test_the_server_dies_at_a_step_and_nothing_acknowledged_is_lost(
    server: ServerProcess, tmp_path: Path, point: str
) -> None:
    server.spawn(**{server_faults.VARIABLE: point})
    death = asyncio.create_task(restarted(server))
    mira = await insist(lambda: newcomer(server.url, MIRA, tmp_path))
    tomas = await insist(lambda: newcomer(server.url, TOMAS, tmp_path))
    await insist(lambda: mira.request_contact(TOMAS))
    await insist(lambda: tomas.accept_contact(MIRA))
    room = await insist(lambda: mira.room_with(TOMAS))
    await until(lambda: bool(tomas.rooms()), "Tomas has joined")
    said: list[str] = []
    while len(said) < MESSAGES or not death.done():
        for client in (mira, tomas):
            said.append(f"{client.user} {len(said)}")
            await client.wait_sent(await client.send(room, said[-1]))
        await mira.update(room)
        if point.startswith("device_list"):
            await insist(lambda: renew_device_list(mira))
        elif point.startswith("recovery"):
            await insist(mira.recovery.cancel)
        elif "_blob." in point:
            said.append(f"song {len(said)}")
            await share_and_take_back(mira, room, tmp_path, said[-1])
    assert await death == KILLED
    await settled(room, mira, tomas)
    assert texts(tomas, room) == said
    await mira.close()
    await tomas.close()


# --- the client


class Life:
    """The process of ``tests.faults.life``, over its lives."""

    def __init__(self, folder: Path, url: str) -> None:
        self._command = [sys.executable, "-m", "tests.faults.life", str(folder), url]
        self._complaints = folder / "life.log"

    async def lived(self, friend: Client, **environment: str) -> int:
        """The exit status of one life, during which ``friend`` commits whenever the client is away."""
        with self._complaints.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                room = RoomUri(line.split()[1].decode())
                await friend.send(room, "tomas while mira is away")
                await friend.update(room)
                process.stdin.write(b"on\n")
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def asked(client: Client, user: UserUri) -> None:
    """``user`` has asked to be a contact."""
    async for event in client.events():
        if event == ContactChanged(user, ContactState.ASKED):
            return


@asynccontextmanager
async def welcoming(tomas: Client) -> AsyncIterator[None]:
    """Inside, Tomas accepts Mira's request when it comes, and once he is in her room makes one that she has to join."""

    async def welcome() -> None:
        await until_asked
        await tomas.accept_contact(MIRA)
        await until(lambda: bool(tomas.rooms()), "Tomas is in Mira's room")
        await tomas.create_room([MIRA])

    until_asked = asyncio.create_task(asked(tomas, MIRA))
    welcoming = asyncio.create_task(welcome())
    yield
    await welcoming


@pytest.mark.parametrize("point", client_faults.POINTS)
async def test_a_client_dies_at_a_step_and_goes_on_where_it_was(
    server: ServerProcess, tmp_path: Path, point: str
) -> None:
    await server.start()
    tomas = await newcomer(server.url, TOMAS, tmp_path)
    life = Life(tmp_path, server.url)
    async with welcoming(tomas):
        assert await life.lived(tomas, **{client_faults.VARIABLE: point}) == KILLED
        assert await life.lived(tomas) == 0, (tmp_path / "life.log").read_text()[-2000:]
    mira = await returning(MIRA, tmp_path)
    for summary in tomas.rooms():
        await settled(summary.room, mira, tomas)
    said = [text for summary in tomas.rooms() for text in texts(tomas, summary.room) if text.startswith("mira")]
    assert said == [f"mira {number}" for number in range(MESSAGES)]
    assert len(mira.rooms()) == len(tomas.rooms()) == 2
    (song,) = [
        message for summary in tomas.rooms() for message in conversation(tomas, summary.room) if message.attachments
    ]
    assert b"".join(await tomas.files.open(song.message_id)) == SONG
    await mira.close()
    await tomas.close()
