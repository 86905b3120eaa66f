"""Two friends with a room, behind a relay that tests may make hostile."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri
from tests.support.people import MIRA, TOMAS, befriend, newcomer, share_room
from tests.support.relay import Relay
from tests.support.server import ServerProcess


@dataclass
class Friends:
    """Mira's clients pass through the relay, Tomas's go straight to the server."""

    server: ServerProcess
    relay: Relay
    folder: Path
    mira: Client
    tomas: Client
    room: RoomUri


@pytest.fixture
def relay() -> Relay:
    """A relay that is not running yet."""
    return Relay()


@pytest.fixture
def settings() -> str:
    """TOML on top of the server's settings; a test that needs other ones overrides it."""
    return ""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The server's data folder; a test that needs another disk overrides it."""
    return tmp_path / "server"


@pytest.fixture
async def friends(tmp_path: Path, data: Path, relay: Relay, settings: str) -> AsyncIterator[Friends]:
    """Mira and Tomas are online and share a room."""
    with ServerProcess(data, settings).until_done() as server:
        await server.start()
        async with relay.running(server.url):
            mira = await newcomer(server.url, MIRA, tmp_path, through=relay.url)
            tomas = await newcomer(server.url, TOMAS, tmp_path)
            await befriend(mira, tomas)
            room = await share_room(mira, tomas)
            friends = Friends(server, relay, tmp_path, mira, tomas, room)
            yield friends
            # A test may have opened them anew.
            await friends.mira.close()
            await friends.tomas.close()
