"""Invented people with real clients, for tests that run a whole server."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from nightlight.client.events import Message, MessageState
from nightlight.client.identity import new_store
from nightlight.client.sdk import Client
from nightlight.client.store import Store
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport
from nightlight.client.trust import Clock
from nightlight.errors import UnavailableError
from nightlight.protocol.ids import RoomUri, UserUri

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
JUNO = UserUri("mimi://ring.example/u/juno")
STORE_KEY = bytes(range(32))
KEY_PACKAGES = 10
PATIENCE_S = 120.0
"""How long a test waits for what must happen; it is no bound on the product."""
LOOK_EVERY_S = 0.02
TRIES = 1_000
T = TypeVar("T")
RIGHT_TIME = Surroundings().clock
UNSENT = {MessageState.QUEUED, MessageState.FAILED}


async def until(true: Callable[[], bool], what: str) -> None:
    """``true`` holds; the test fails naming ``what`` if it never does."""
    for _ in range(int(PATIENCE_S / LOOK_EVERY_S)):
        if true():
            return
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError(f"never happened: {what}")


def store_path(folder: Path, user: UserUri) -> Path:
    """Where the tests keep the store of ``user``."""
    return folder / f"{user.rpartition('/')[2]}.store"


async def newcomer(  # noqa: PLR0913 - all that tests vary
    url: str,
    user: UserUri,
    folder: Path,
    *,
    through: str | None = None,
    clock: Clock = RIGHT_TIME,
    receipts: bool = False,
) -> Client:
    """``user`` has an account at the server ``url`` and a connected client, which goes ``through`` a relay if named."""
    surroundings = Surroundings(receipts=receipts, key_packages=KEY_PACKAGES, clock=clock)
    store = new_store(store_path(folder, user), STORE_KEY, url, user, surroundings)
    client = Client(store, NetworkTransport(through or url), surroundings)
    try:
        await client.publish()
        await client.connect()
        await client.wait_online()
    except BaseException:
        await client.close()
        raise
    return client


def offline(user: UserUri, folder: Path, *, through: str | None = None, clock: Clock = RIGHT_TIME) -> Client:
    """The client of ``user``, opened again and not connected."""
    surroundings = Surroundings(receipts=False, key_packages=KEY_PACKAGES, clock=clock)
    store = Store.open(store_path(folder, user), STORE_KEY, surroundings.random)
    return Client(store, NetworkTransport(through or store.identity().server_url), surroundings)


async def returning(user: UserUri, folder: Path, *, through: str | None = None) -> Client:
    """The client of ``user``, opened again and connecting."""
    client = offline(user, folder, through=through)
    await client.connect()
    return client


async def drop(client: Client) -> None:
    """The power of the device fails: nothing of it runs any more, and nothing is put in order first."""
    connection = client._connection
    running, connection._running = connection._running, None
    tasks = [task for task in (running, connection._reading, *connection._chores.values()) if task is not None]
    for task in tasks:
        task.cancel()
    connection.watchers.end(UnavailableError("the power is gone"))
    client._store.close()
    await asyncio.gather(*tasks, return_exceptions=True)
    await connection._close_stream()
    await client._hub.close()


async def insist(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of ``ask``, which is asked again while the server cannot be reached, as a person would."""
    for _ in range(TRIES):
        with suppress(UnavailableError):
            return await ask()
        await asyncio.sleep(LOOK_EVERY_S)
    raise AssertionError("never answered")


async def befriend(asking: Client, asked: Client) -> None:
    """Both may write to each other."""
    await asking.request_contact(asked.user)
    await asked.accept_contact(asking.user)


def _joined(client: Client, room: RoomUri) -> bool:
    return room in {summary.room for summary in client.rooms()}


async def share_room(owner: Client, *others: Client) -> RoomUri:
    """A room of ``owner`` and ``others``, who are its contacts and have joined."""
    if len(others) == 1:
        room = await owner.room_with(others[0].user)
    else:
        room = await owner.create_room([other.user for other in others])
    for other in others:
        await until(partial(_joined, other, room), f"{other.user} joins")
    return room


def conversation(client: Client, room: RoomUri) -> list[Message]:
    """Everything that ``client`` shows of ``room``, oldest first."""
    return client.messages(room, limit=1_000_000)


def texts(client: Client, room: RoomUri) -> list[str]:
    """The texts of ``conversation``."""
    return [message.text for message in conversation(client, room)]


async def settled(room: RoomUri, *clients: Client) -> None:
    """Every client shows the same messages in the same order, and none is still to be sent."""

    def same() -> bool:
        shown = [conversation(client, room) for client in clients]
        everything_sent = not any(message.state in UNSENT for messages in shown for message in messages)
        orders = {tuple(message.message_id for message in messages) for messages in shown}
        return everything_sent and len(orders) == 1

    await until(same, "everyone shows the same conversation")
