"""A client's whole life as a process, to die at a fault point and be started again: ``… FOLDER URL``.

Each step looks at what is there already, so that every start goes on where the last one ended. Prints ``away`` when
it has left the connection and wants others to commit; goes on when it reads a line.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

from nightlight.client.identity import open_or_create
from nightlight.client.new_device import NewDevice
from nightlight.client.recovering import Recovering
from nightlight.client.sdk import Client
from nightlight.client.store import StoreError
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport
from nightlight.errors import RefusedError
from nightlight.protocol.ids import RoomUri, device_uri
from nightlight.protocol.messages import ContactState
from tests.support.people import (
    KEY_PACKAGES,
    MIRA,
    STORE_KEY,
    TOMAS,
    UNSENT,
    conversation,
    insist,
    newcomer,
    offline,
    returning,
    until,
)

MESSAGES = 6
SONG = b"A song of the lake. " * 60_000
"""More than one chunk."""


async def alive(folder: Path, url: str) -> Client:
    """Mira's client, new or returning."""
    try:
        return await insist(lambda: newcomer(url, MIRA, folder))
    except StoreError:
        return await returning(MIRA, folder)


async def connected(client: Client) -> None:
    """Tomas is a contact."""
    while True:
        states = {contact.user: contact.state for contact in await client.contacts()}
        if states.get(TOMAS) is ContactState.CONNECTED:
            return
        if TOMAS not in states:
            await insist(lambda: client.request_contact(TOMAS))
        await asyncio.sleep(0.05)


async def talk(client: Client, room: RoomUri, *, up_to: int) -> None:
    """Mira's messages up to that number are in the outbox."""
    said = sum(message.text.startswith("mira") for message in conversation(client, room))
    for number in range(said, up_to):
        await client.send(room, f"mira {number}")


async def link(client: Client, folder: Path, url: str) -> None:
    """Mira's tablet is linked, and in both of her rooms."""
    surroundings = Surroundings(receipts=False, key_packages=KEY_PACKAGES)
    store = open_or_create(folder / "tablet.store", STORE_KEY, surroundings)
    if store.has_identity():
        tablet = Client(store, NetworkTransport(url), surroundings)
    else:
        new = NewDevice(store, NetworkTransport(url), surroundings, url, MIRA)
        await client.connect()
        await client.wait_online()
        if device_uri(MIRA, new.code.name) not in {entry.device for entry in client.devices()}:
            await insist(lambda: client.accept_device(new.code))
        tablet = await insist(lambda: Client.link(new))
    await tablet.connect()
    await until(lambda: client.rooms_of(tablet.device) == (2, 2), "the tablet is in both rooms")
    await tablet.close()


async def replace_key(client: Client, folder: Path, url: str) -> None:
    """Mira's laptop came, held her account key, and went with it."""
    listed = client._connection.device.trust.device_list(MIRA)
    if listed is not None and listed.former_keys:
        return
    surroundings = Surroundings(receipts=False, key_packages=KEY_PACKAGES)
    new = NewDevice(
        open_or_create(folder / "laptop.store", STORE_KEY, surroundings), NetworkTransport(url), surroundings, url, MIRA
    )
    with suppress(RefusedError):  # it has come and gone
        await insist(lambda: client.accept_device(new.code, may_sign=True))
    await insist(lambda: client.remove_device(device_uri(MIRA, new.code.name)))
    await new.close()


async def recover(client: Client, folder: Path, url: str) -> None:
    """A fresh device waited for Mira's recovery, and she has ended that."""
    words = await insist(client.recovery.make_key)
    surroundings = Surroundings(receipts=False, key_packages=KEY_PACKAGES)
    store = open_or_create(folder / "fresh.store", STORE_KEY, surroundings)
    fresh = Recovering(store, NetworkTransport(url), surroundings, url, MIRA)
    await insist(lambda: fresh.begin(words))
    await insist(client.recovery.cancel)
    await fresh.close()


async def share(client: Client, room: RoomUri, folder: Path) -> None:
    """Mira's file is on its way, or there."""
    if not client.files.waiting(room) and not any(message.attachments for message in conversation(client, room)):
        path = folder / "song.txt"
        path.write_bytes(SONG)
        await client.files.send(room, path, caption="a song")


async def leave_rooms_of_her_own(client: Client) -> None:
    """Where Mira is alone, she leaves."""
    for summary in client.rooms():
        if summary.members == (MIRA,):
            await client.leave(summary.room)


async def live(folder: Path, url: str) -> None:
    """Everything a client does: registers, asks, makes, joins and leaves rooms, commits, and talks, also offline."""
    client = await alive(folder, url)
    await leave_rooms_of_her_own(client)
    await connected(client)
    room = await insist(lambda: client.room_with(TOMAS))
    await talk(client, room, up_to=MESSAGES // 2)
    await share(client, room, folder)
    await client.update(room)
    await until(lambda: len(client.rooms()) == 2, "Mira is in Tomas's room too")
    await link(client, folder, url)
    await replace_key(client, folder, url)
    await recover(client, folder, url)
    await client.close()

    sys.stdout.write(f"away {room}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)
    client = offline(MIRA, folder)
    await talk(client, room, up_to=MESSAGES)
    await client.connect()
    await until(lambda: sum(not message.own for message in conversation(client, room)) > 0, "Mira hears Tomas")
    await until(lambda: not client.files.waiting(room), "the file is a message")
    await until(lambda: not any(message.state in UNSENT for message in conversation(client, room)), "all is sent")
    await insist(lambda: client.create_room([]))
    await leave_rooms_of_her_own(client)
    await client.wait_settled()
    await client.close()


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
