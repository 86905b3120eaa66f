"""Rooms: conversations of two people or more."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, Person, Room, examples, read_duration
from nightlight.cli.conversation import find_room, go_online, others, room_id, settle, title
from nightlight.cli.faults import InputError
from nightlight.cli.output import clock_time, print_json, print_line, print_table, say
from nightlight.cli.people import read_person, written
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Client, Role, RoomProfile, RoomSummary
from nightlight.errors import UnavailableError
from nightlight.protocol.ids import RoomUri, UserUri

SHORT = 12
"""So much of a room's id is shown; it is enough to name it."""
app = App(
    name="rooms",
    help_epilogue=examples(
        "nightlight rooms list",
        "nightlight rooms create bob@gallery.example carol@ring.example --name 'Lake trip'",
        "nightlight rooms members lake",
        "nightlight rooms add lake dave@courier.example",
        "nightlight rooms role lake admin bob@gallery.example",
        "nightlight rooms remove lake carol@ring.example --ban",
        "nightlight rooms expire lake 1h",
        "nightlight rooms leave lake",
    ),
)


class GivenRole(StrEnum):
    """A role that can be given."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


Name = Annotated[str, Parameter(help="What the room is called, in one line.")]


@app.command(name="list")
async def list_(*, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show your conversations, the one with the newest message first."""
    async with who.device() as client:
        if not await go_online(client):
            say("Offline: this is what this device knows.")
        rooms = client.rooms()
        rows = [
            (
                room_id(room.room)[:SHORT],
                room.name,
                others(client, room.members),
                room.unread or "",
                room.last.text.partition("\n")[0] if room.last else "",
                clock_time(room.last.accepted_at_ms) if room.last else "",
            )
            for room in rooms
        ]
    if json:
        print_json([_with_names_of_roles(room) for room in rooms])
    else:
        print_table(("room", "name", "with", "unread", "last message", ""), rows)


@app.command
async def create(*people: Person, name: Name = "", json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Begin a conversation with several people; you must be connected with each. You own the room."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        room = await client.create_room(users, profile=RoomProfile(name) if name else None)
        await settle(client)
    _tell(room, f"The room is {name or room_id(room)}.", json=json)


@app.command
async def members(room: Room, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Show who is in a room, the first who came first, and what each may do; and who is banned."""
    async with who.device() as client:
        if not await go_online(client):
            say("Offline: this is what this device knows.")
        summary = find_room(client, room)
    roles = [(user, _role_name(role)) for user, role in summary.roles.items()]
    if json:
        print_json([{"user": user, "role": role} for user, role in roles])
    else:
        print_table(("who", "role"), [(written(user), role) for user, role in roles])


@app.command
async def add(room: Room, /, *people: Person, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Add people to a room; they see what is written from then on."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        summary = find_room(client, room)
        await client.add(summary.room, users)
        await settle(client)
    _tell(summary.room, f"They are in {title(client, summary)}.", json=json)


@app.command
async def remove(
    room: Room,
    /,
    *people: Person,
    ban: Annotated[bool, Parameter(negative="", help="Nobody may add them again.")] = False,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """Remove people from a room; they see nothing that is written from then on. For owners and admins."""
    users = _read_people(people)
    async with who.device() as client:
        await _online_or_refuse(client)
        summary = find_room(client, room)
        await client.remove(summary.room, users, ban=ban)
    _tell(summary.room, f"They are not in {title(client, summary)} any more.", json=json)


@app.command
async def leave(room: Room, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Leave a room; what was written until now stays with you. The last owner's place goes to who came first."""
    async with who.device() as client:
        online = await go_online(client)
        summary = find_room(client, room)
        name = title(client, summary)
        await client.leave(summary.room)
        if online:
            await settle(client)
        else:
            say("Offline: the others are told once you are connected.")
    _tell(summary.room, f"You have left {name}.", json=json)


@app.command
async def unban(room: Room, person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Let somebody be added again who was banned. For owners and admins."""
    user = read_person(person)
    async with who.device() as client:
        await _online_or_refuse(client)
        summary = find_room(client, room)
        await client.unban(summary.room, user)
    _tell(summary.room, f"{written(user)} may be added to {title(client, summary)} again.", json=json)


@app.command
async def role(room: Room, role: GivenRole, person: Person, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Make somebody a member, an admin or an owner. For owners; anyone may give themselves a lower role."""
    user = read_person(person)
    async with who.device() as client:
        await _online_or_refuse(client)
        summary = find_room(client, room)
        await client.give_role(summary.room, user, Role[role.name])
    _tell(summary.room, f"{written(user)} is {role.value} in {title(client, summary)}.", json=json)


@app.command
async def rename(room: Room, name: Name, /, *, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """Give a room another name; its picture stays. For owners and admins."""
    async with who.device() as client:
        await _online_or_refuse(client)
        uri = find_room(client, room).room
        known = client.profile(uri)
        await client.set_profile(uri, RoomProfile(name, known.picture if known else None))
    _tell(uri, f"The room is {name}.", json=json)


def _with_names_of_roles(room: RoomSummary) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(room)
    return told | {"roles": {user: _role_name(role) for user, role in room.roles.items()}}


def _role_name(role: Role) -> str:
    return role.name.lower()


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
