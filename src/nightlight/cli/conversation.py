"""Which conversation a command is about, and being online for it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from nightlight.cli.faults import InputError
from nightlight.cli.notices import tell_unseen
from nightlight.cli.output import say
from nightlight.cli.people import read_person, written
from nightlight.cli.plain import neutralise
from nightlight.client.sdk import Client, ConnectionChanged, ConnectionState, RoomSummary
from nightlight.errors import NightlightError, ProblemName
from nightlight.protocol.ids import RoomUri, UserUri

ONLINE_SECONDS = 10
SETTLE_SECONDS = 5
_REMOVED = "This device was removed by another of your devices: it keeps what it has, and gets nothing new."
_DECIDED = frozenset({ConnectionState.ONLINE, ConnectionState.WAITING, ConnectionState.OFFLINE})


async def go_online(client: Client) -> bool:
    """Whether the first attempt gets a connection, and everything the hub had, within ten seconds."""
    events = client.events()
    await client.connect()
    try:
        async with asyncio.timeout(ONLINE_SECONDS):
            async for event in events:
                if isinstance(event, ConnectionChanged) and event.state in _DECIDED:
                    if event.reason == ProblemName.DEVICE_REMOVED:
                        say(_REMOVED)
                    if event.state is ConnectionState.ONLINE:
                        with suppress(
                            NightlightError
                        ):  # recorded where it was found; asked again with the next command
                            await client.people.refresh()
                        return True
                    return False
    except TimeoutError:
        pass
    finally:
        tell_unseen(client)
    return False


async def settle(client: Client) -> None:
    """What was to be sent is sent, receipts included; or it goes out next time."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            await client.wait_settled()
    except TimeoutError:
        pass


def find_room(client: Client, text: str) -> RoomSummary:
    """The room meant by ``text``: a person, or the beginning of a room's name or id. Raises ``InputError``."""
    rooms = client.rooms()
    if _names_person(text):
        person = read_person(text)
        found = [room for room in rooms if set(room.members) == {client.user, person}]
        if not found:
            raise InputError(f"there is no conversation with {written(person)} yet; nightlight send starts one")
        return found[0]
    called = text.casefold()
    match [
        room
        for room in rooms
        if text == room.room or room_id(room.room).startswith(text) or room.name.casefold().startswith(called)
    ]:
        case [room]:
            return room
        case []:
            raise InputError(f"there is no room {text!r}; see nightlight rooms list")
        case several:
            raise InputError(f"{len(several)} rooms begin with {text!r}; write more of it")


async def open_room(client: Client, text: str) -> RoomUri:
    """The room meant by ``text``; a conversation with a person is begun if there is none. Raises ``InputError``."""
    return await client.room_with(read_person(text)) if _names_person(text) else find_room(client, text).room


def room_id(room: RoomUri) -> str:
    """The last part of a room's URI."""
    return room.rpartition("/")[2]


def title(client: Client, room: RoomSummary) -> str:
    """What its people call the room, or else who is in it."""
    return neutralise(room.name) or others(client, room.members)


def others(client: Client, members: tuple[UserUri, ...]) -> str:
    """Everybody but this person, as people write them."""
    return ", ".join(written(member) for member in members if member != client.user) or "nobody else"


def _names_person(text: str) -> bool:
    return "@" in text or (text.startswith("mimi://") and "/u/" in text)
