"""A small community of invented people on this machine, that anybody can join from another terminal."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import uvloop
from cyclopts import App, Parameter

from nightlight.cli.arguments import Json, examples
from nightlight.cli.community import Community, Participant, folder_for_stores
from nightlight.cli.demo_report import loopback_bytes, make_report, print_invitation, print_report
from nightlight.cli.demo_script import GROUPS, MESSAGES, PEOPLE, answer, friendships, sayings
from nightlight.cli.faults import NOT_DONE
from nightlight.cli.ledger import Ledger
from nightlight.cli.local_server import local_server
from nightlight.cli.output import counting, print_json
from nightlight.cli.people import read_person
from nightlight.client.sdk import MessageShown
from nightlight.protocol.ids import RoomUri, UserUri

SEED = 1
ANSWER_SECONDS = 1.5
T = TypeVar("T")
app = App(
    name="demo",
    help_epilogue=examples("nightlight demo", "nightlight demo --data ./hub", "nightlight demo --once --json"),
)


@app.default
def demo(
    *,
    once: Annotated[bool, Parameter(negative="", help="End after the table.")] = False,
    data: Annotated[Path | None, Parameter(help="Keep the server's data here; an empty folder.")] = None,
    json: Json = False,
) -> int:
    """A server starts, people talk, a table says what came of it, and you can join."""
    return uvloop.run(_run(data, once=once, json=json))


async def _run(data: Path | None, *, once: bool, json: bool) -> int:
    ledger = Ledger()
    with tempfile.TemporaryDirectory(prefix="nightlight-demo-") as folder, folder_for_stores(len(PEOPLE)) as stores:
        async with (
            local_server(data or Path(folder) / "server") as server,
            Community(server.url, stores, ledger, receipts=True) as community,
        ):
            before, (people, rooms), after = loopback_bytes(), await _talk(community), loopback_bytes()
            report = await asyncio.to_thread(
                make_report,
                server,
                ledger,
                people=len(people),
                rooms=rooms,
                wire_bytes=None if before is None or after is None else after - before,
            )
            if json:
                print_json(report)
            else:
                print_report(report)
            if not once:
                print_invitation(server, Path(folder) / "you")
                await _receive_visitors(people)
    return 0 if report.faultless else NOT_DONE


async def _talk(community: Community) -> tuple[list[Participant], int]:
    """Everybody has joined, made friends and said something; also, how many rooms there are."""
    draw = random.Random(SEED)  # noqa: S311  a script, not a secret
    friends = friendships(draw)
    with counting(("people", len(PEOPLE)), ("rooms", len(friends) + len(GROUPS)), ("messages", MESSAGES)) as ticks:
        joined, opened, said = ticks
        people = await asyncio.gather(*(_then(joined, community.join(read_person(name))) for name in PEOPLE))
        pairs = [[people[one], people[other]] for one, other in friends]
        groups = [[people[place] for place in group] for group in GROUPS]
        rooms = await asyncio.gather(*(_then(opened, _befriend(*pair)) for pair in pairs))
        rooms += await asyncio.gather(*(_then(opened, _gather(group)) for group in groups))
        texts = sayings(draw)
        talks: list[list[tuple[Participant, str]]] = [[] for _ in rooms]
        members = [*pairs, *groups]
        for _ in range(MESSAGES):
            room = draw.randrange(len(rooms))
            talks[room].append((draw.choice(members[room]), next(texts)))
        await asyncio.gather(
            *(_converse(*conversation, said) for conversation in zip(rooms, members, talks, strict=True))
        )
    return people, len(rooms)


async def _befriend(one: Participant, other: Participant) -> RoomUri:
    await one.befriend(other)
    room = await one.client.room_with(other.user)
    await other.wait_joined(room)
    return room


async def _gather(group: Sequence[Participant]) -> RoomUri:
    founder, *others = group
    room = await founder.client.create_room([person.user for person in others])
    await asyncio.gather(*(person.wait_joined(room) for person in others))
    return room


async def _converse(
    room: RoomUri, members: Sequence[Participant], talk: Sequence[tuple[Participant, str]], said: Callable[[], None]
) -> None:
    """One after the other says something; everybody else has seen and read it before the next."""
    for speaker, text in talk:
        listeners = [member for member in members if member is not speaker]
        sent = await speaker.say(room, text, listeners)
        for listener in listeners:
            await listener.wait_seen(sent.message_id)
            await listener.client.mark_read(room)
        said()
    for member in members:
        member.write_down_view(room)


async def _then(tick: Callable[[], None], work: Awaitable[T]) -> T:
    result = await work
    tick()
    return result


async def _receive_visitors(people: Sequence[Participant]) -> None:
    """Whoever writes to somebody here gets an answer, until the demonstration is interrupted."""
    known = {person.user for person in people}
    async with asyncio.TaskGroup() as tasks:
        for person in people:
            tasks.create_task(_answer_visitors(person, known))


async def _answer_visitors(person: Participant, known: set[UserUri]) -> None:
    answered = 0
    async for event in person.client.events():
        if isinstance(event, MessageShown) and event.message.sender not in known:
            await asyncio.sleep(ANSWER_SECONDS)
            await person.client.mark_read(event.message.room)
            await asyncio.sleep(ANSWER_SECONDS)
            await person.client.send(event.message.room, answer(answered))
            answered += 1
