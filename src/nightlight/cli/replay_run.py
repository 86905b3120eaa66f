"""Plays a trace: every line is a message from one real client to another, as fast as its order allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from nightlight.cli.canary import Canaries
from nightlight.cli.community import Community, Participant
from nightlight.cli.ledger import Sent
from nightlight.cli.trace import TraceLine
from nightlight.protocol.ids import ProviderName, RoomUri, UserUri, user_uri

SEEN_SECONDS = 60
GIVE_UP_AFTER = 20
"""So many messages that never came are enough to know; the rest is not sent."""


@dataclass(slots=True)
class _Step:
    """A line on its way: its message is in the outbox once ``handed_over``, and ``seen`` by the recipient."""

    number: int
    line: TraceLine
    handed_over: asyncio.Event = field(default_factory=asyncio.Event)
    seen: asyncio.Event = field(default_factory=asyncio.Event)


class Replay:
    """One run over a trace.

    A sender's messages are handed over in the trace's order; whoever answers in a room has seen what it answers.
    Everything else goes at once, ``in_flight`` lines at a time.
    """

    def __init__(self, community: Community, trace: Sequence[TraceLine], canaries: Canaries, *, in_flight: int) -> None:
        """Nothing has been sent yet."""
        self._community = community
        self._trace = trace
        self._canaries = canaries
        self._places = asyncio.Semaphore(in_flight)
        self._people: dict[int, Participant] = {}
        self._rooms: dict[frozenset[int], asyncio.Task[RoomUri]] = {}
        self._never_seen = 0

    async def register(self, providers: Sequence[ProviderName], run: str, joined: Callable[[], None]) -> None:
        """Everybody in the trace is there, spread over the providers; ``joined`` is called for each."""
        async with asyncio.TaskGroup() as tasks:
            for number in people_of(self._trace):
                user = user_uri(providers[number % len(providers)], f"{run}-{number}")
                tasks.create_task(self._join(number, user)).add_done_callback(lambda _: joined())

    async def play(self, done: Callable[[], None]) -> int:
        """Every line is sent and seen, or given up, ``done`` called for each; both ends are written down.

        Returns how many rooms there are.
        """
        by_sender: dict[int, _Step] = {}
        by_room: dict[frozenset[int], _Step] = {}
        async with asyncio.TaskGroup() as tasks:
            for number, line in enumerate(self._trace):
                if self._never_seen >= GIVE_UP_AFTER:
                    break
                await self._places.acquire()
                pair = frozenset((line.sender, line.recipient))
                if pair not in self._rooms:
                    self._rooms[pair] = tasks.create_task(self._begin(line))
                step = _Step(number, line)
                task = tasks.create_task(self._carry_out(step, by_sender.get(line.sender), by_room.get(pair)))
                task.add_done_callback(lambda _: done())
                by_sender[line.sender] = by_room[pair] = step
        for pair, room in self._rooms.items():
            for person in pair:
                self._people[person].write_down_view(room.result())
        return len(self._rooms)

    async def _join(self, number: int, user: UserUri) -> None:
        self._people[number] = await self._community.join(user)

    async def _begin(self, line: TraceLine) -> RoomUri:
        """The first message of a pair: a contact request, its acceptance, a room."""
        sender, recipient = self._people[line.sender], self._people[line.recipient]
        await sender.befriend(recipient)
        return await sender.client.room_with(recipient.user)

    async def _carry_out(self, step: _Step, before: _Step | None, above: _Step | None) -> None:
        """``before``: the sender's previous step; ``above``: the room's."""
        sender, recipient = self._people[step.line.sender], self._people[step.line.recipient]
        room = await self._rooms[frozenset((step.line.sender, step.line.recipient))]
        if before:
            await before.handed_over.wait()
        if above and above.line.sender != step.line.sender:
            await above.seen.wait()
        sent = await sender.say(room, self._canaries.text(step.number), [recipient])
        step.handed_over.set()
        await self._wait_seen(recipient, sent)
        step.seen.set()
        self._places.release()

    async def _wait_seen(self, recipient: Participant, sent: Sent) -> None:
        try:
            async with asyncio.timeout(SEEN_SECONDS):
                await recipient.wait_seen(sent.message_id)
        except TimeoutError:
            self._never_seen += 1


def people_of(trace: Sequence[TraceLine]) -> list[int]:
    """Everybody in the trace, in the order in which they appear."""
    return list(dict.fromkeys(person for line in trace for person in (line.sender, line.recipient)))
