"""The server's disk is full, or somebody else holds its database."""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from nightlight.client.events import MessageState
from nightlight.errors import ProblemName
from nightlight.protocol.messages import Refused, read_server_frame
from tests.faults.conftest import Friends
from tests.support.people import conversation, settled, texts
from tests.support.server import ServerProcess

MESSAGES = 60
LONG = "a long walk along the lake, " * 140
"""About 4 KB."""
DISK_BYTES = 16_000_000
FREE_BYTES = 120_000
"""What a full disk has left: room for some of the messages."""


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The server's folder: a small disk of its own, where we may mount one."""
    folder = tmp_path / "server"
    folder.mkdir()
    if os.geteuid() != 0:
        yield folder
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def room_on(disk: Path) -> int:
    """How many bytes may be written to ``disk`` before the server says that it is not ready."""
    return min(shutil.disk_usage(disk).free // 2, 10**9)


@pytest.fixture
def settings(data: Path) -> str:
    """A server that is ready while its disk has what it has now, but for ``room_on``."""
    return f"disk_free_bytes_min = {shutil.disk_usage(data).free - room_on(data)}"


@contextmanager
def nearly_full_disk(folder: Path, room: int) -> Iterator[None]:
    """Inside, more than ``room`` of the disk has been taken."""
    with (folder / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, room + room // 4)
        yield
    (folder / "filler").unlink()


@contextmanager
def full_disk(server: ServerProcess) -> Iterator[None]:
    """Inside, the server's files can grow by ``FREE_BYTES`` and no more."""
    if server.data.is_mount():
        filler = server.data / "filler"
        disk = os.statvfs(server.data)
        filler.write_bytes(bytes(disk.f_bavail * disk.f_frsize - FREE_BYTES))
        yield
        filler.unlink()
    else:
        limit = FREE_BYTES + max(file.stat().st_size for file in server.data.rglob("*"))
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        yield
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def locked_database(server: ServerProcess) -> Iterator[None]:
    """Inside, another process holds the database for itself."""
    (database,) = [file for file in server.data.iterdir() if file.read_bytes()[:15] == b"SQLite format 3"]
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


def waiting(friends: Friends) -> int:
    """How many of Mira's messages the hub has not taken."""
    return sum(message.state is MessageState.QUEUED for message in conversation(friends.mira, friends.room))


async def talk_through(trouble: AbstractContextManager[None], friends: Friends) -> None:
    """Mira writes during ``trouble``; some of it waits, the server stays up, and all arrives when it is over."""
    await friends.mira.wait_sent(await friends.mira.send(friends.room, "before"))
    refused = asyncio.Event()

    def listen(frame: bytes) -> Sequence[bytes]:
        answer = read_server_frame(frame)
        if isinstance(answer, Refused) and answer.problem is ProblemName.UNAVAILABLE:
            refused.set()
        return [frame]

    friends.relay.to_client = listen
    with trouble:
        for number in range(MESSAGES):
            await friends.mira.send(friends.room, f"{number} {LONG}")
        await refused.wait()
        assert waiting(friends) > 0
        assert friends.server.running
    await settled(friends.room, friends.mira, friends.tomas)
    assert texts(friends.tomas, friends.room) == ["before", *(f"{number} {LONG}" for number in range(MESSAGES))]


async def test_a_full_disk_delays_messages_and_loses_none(friends: Friends) -> None:
    await talk_through(full_disk(friends.server), friends)


async def test_a_server_whose_disk_is_nearly_full_is_not_ready_until_there_is_room(friends: Friends) -> None:
    room = room_on(friends.server.data)
    async with httpx.AsyncClient(base_url=friends.server.url) as http:

        async def status(path: str) -> tuple[int, str]:
            answer = await http.get(path)
            return answer.status_code, answer.headers["content-type"]

        assert (await status("/ready"))[0] == 200
        with nearly_full_disk(friends.server.data, room):
            assert await status("/ready") == (503, "application/problem+json")
            assert (await status("/health"))[0] == 200
        assert (await status("/ready"))[0] == 200


async def test_a_locked_database_delays_messages_and_loses_none(friends: Friends) -> None:
    await talk_through(locked_database(friends.server), friends)


async def test_a_server_killed_with_a_full_disk_starts_again_and_has_everything(friends: Friends) -> None:
    await friends.mira.wait_sent(await friends.mira.send(friends.room, "before"))
    with full_disk(friends.server):
        for number in range(MESSAGES):
            await friends.mira.send(friends.room, f"{number} {LONG}")
        await friends.server.kill()
    await friends.server.start()
    await settled(friends.room, friends.mira, friends.tomas)
    assert len(texts(friends.tomas, friends.room)) == 1 + MESSAGES
