"""Rooms: conversations of two people or more."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, Room, examples, read_duration
from nightlight.cli.conversation import find_room, go_online, others, room_name
from nightlight.cli.faults import InputError
from nightlight.cli.output import clock_time, print_json, print_line, print_table, say
from nightlight.cli.people import read_person
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Client
from nightlight.errors import UnavailableError
from nightlight.protocol.ids import RoomUri, UserUri

SHORT = 12
"""So much of a room's name is shown; it is enough to name it."""
app = App(
    name="rooms",
    help_epilogue=examples(
        "nightlight rooms list",
        "nightlight rooms create bob@gallery.example carol@ring.example",
        "nightlight rooms add 3f2a dave@courier.example",
        "nightlight rooms remove 3f2a carol@ring.example",
        "nightlight rooms expire 3f2a 1h",
    ),
)


@app.command(name="list")
async def list_(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show your conversations, the one with the newest message first."""
    async with who.device() as client:
        if not await go_online(client):
            say("Offline: this is what this device knows.")
        rooms = client.rooms()
        rows = [
            (
                room_name(room.room)[:SHORT],
                others(client, room.members),
                room.unread or "",
                room.last.text.partition("\n")[0] if room.last else "",
                clock_time(room.last.accepted_at_ms) if room.last else "",
            )
            for room in rooms
        ]
    if json:
        print_json(rooms)
    else:
        print_table(("room", "with", "unread", "last message", ""), rows)


@app.command
async def create(*people: Person, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Begin a conversation with several people; you must be connected with each."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        room = await client.create_room(users)
    _tell(room, f"The room is {room_name(room)}.", json=json)


@app.command
async def add(room: Room, /, *people: Person, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Add people to a room; they see what is written from then on."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        uri = find_room(client, room).room
        await client.add(uri, users)
    _tell(uri, f"They are in {room_name(uri)}.", json=json)


@app.command
async def remove(room: Room, /, *people: Person, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Remove people from a room; they see nothing that is written from then on."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        uri = find_room(client, room).room
        await client.remove(uri, users)
    _tell(uri, f"They are not in {room_name(uri)} any more.", json=json)


@app.command
async def expire(
    room: Room,
    after: Annotated[str, Parameter(help="30s, 10m, 1h, 7d; from 5 seconds to a year. Or off.")],
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """What you send to a room from this device vanishes so long after it is read. Others may keep it all the same."""
    lifetime_s = None if after == "off" else read_duration(after)
    async with who.device() as client:
        uri = find_room(client, room).room
        await client.set_lifetime(uri, lifetime_s)
    line = "What you send there stays." if lifetime_s is None else f"What you send there goes {after} after it is read."
    _tell(uri, line, json=json)


def _read_people(people: tuple[str, ...]) -> list[UserUri]:
    if not people:
        raise InputError("name at least one person")
    return [read_person(person) for person in people]


async def _online_or_refuse(client: Client) -> None:
    if not await go_online(client):
        raise UnavailableError("the server cannot be reached")


def _tell(room: RoomUri, line: str, *, json: bool) -> None:
    if json:
        print_json({"room": room})
    else:
        print_line(line)
