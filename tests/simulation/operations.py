"""What can happen in a simulated world, as a list of operations that can be shrunk and repeated.

It is a failure when
- a message whose ``send`` returned is missing at the end anywhere but with who was not in the room, shown twice, or
  shown in another order somewhere; or it failed although its sender was never removed;
- two messages of one person are shown in another order than that person sent them;
- an application is told to show a message twice, or in another order than the room's;
- a fault is recorded although nobody broke a rule;
- a message that is shown has no evidence, or evidence that does not verify;
- a commit that was asked for has not happened, or the members are in different epochs;
- anything still waits to be sent, told or processed once the network is well again.

It is no failure when
- anything takes long: what is lost is noticed after seconds, and the backoff is up to a minute;
- ``send`` raises because the device's power failed, whether the message is sent or not;
- an event is not told because the power failed after the message was durable: the application reads the store anew;
- a request over HTTP fails with ``UnavailableError``;
- who left is not told what became of what they had sent;
- who was removed and added again learns late, and so out of order, that a message from before had been taken.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hypothesis import strategies as st

from nightlight.client.events import MessageState
from nightlight.client.faults import POINTS as CLIENT_POINTS
from nightlight.client.records import RoomRecord
from nightlight.errors import NightlightError, RefusedError
from nightlight.protocol.ids import MessageId
from nightlight.protocol.roles import Role
from nightlight.server.faults import POINTS as SERVER_POINTS
from tests.simulation.network import Deed
from tests.simulation.world import NAMES, URIS, PowerLost, World

names = st.sampled_from(NAMES)


@dataclass(slots=True)
class Promises:
    """What has been promised so far: whose ``send`` returned, in which order, and which commits were asked for.

    ``left``: who has left, if only for a time.
    """

    sent: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in NAMES})
    commits: list[asyncio.Task[None]] = field(default_factory=list)
    left: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Send:
    """``who`` says ``count`` things."""

    who: str
    count: int

    async def happen(self, world: World, promises: Promises) -> None:
        for _ in range(self.count):
            client = world.people[self.who].client
            text = f"{self.who} {len(promises.sent[self.who])}"
            if client is None:
                return
            try:
                await client.send(world.room, text)
            except RefusedError:
                return  # not in the room at this moment
            except PowerLost:
                await world.until_restarted(self.who, client)
                if text not in {m.text for m in world.client(self.who).messages(world.room, limit=1000)}:
                    return
            promises.sent[self.who].append(text)


@dataclass(frozen=True, slots=True)
class Update:
    """All of ``who`` commit fresh keys at once."""

    who: tuple[str, ...]

    async def happen(self, world: World, promises: Promises) -> None:
        for name in self.who:
            promises.commits.append(world.do(self._update(world, name)))

    async def _update(self, world: World, name: str) -> None:
        client = world.people[name].client
        if client is not None:
            with suppress(NightlightError):
                await client.update(world.room)


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Mira, who began the room, removes Juno and adds her again."""

    async def happen(self, world: World, promises: Promises) -> None:
        promises.commits.append(world.do(self._rejoin(world)))

    async def _rejoin(self, world: World) -> None:
        client = world.people["mira"].client
        if client is not None:
            with suppress(NightlightError):
                await client.remove(world.room, [URIS["juno"]])
                await client.add(world.room, [URIS["juno"]])


@dataclass(frozen=True, slots=True)
class Leave:
    """Juno leaves, and Mira adds her again when all is over."""

    async def happen(self, world: World, promises: Promises) -> None:
        client = world.people["juno"].client
        if client is None:
            return
        promises.left.add("juno")
        try:
            await client.leave(world.room)
        except PowerLost:
            await world.until_restarted("juno", client)


@dataclass(frozen=True, slots=True)
class GiveRole:
    """Mira, the owner, gives Tomas a role."""

    role: Role

    async def happen(self, world: World, promises: Promises) -> None:
        promises.commits.append(world.do(self._give(world)))

    async def _give(self, world: World) -> None:
        client = world.people["mira"].client
        if client is not None:
            with suppress(NightlightError):
                await client.give_role(world.room, URIS["tomas"], self.role)


@dataclass(frozen=True, slots=True)
class Read:
    """``who`` reads everything."""

    who: str

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        client = world.people[self.who].client
        if client is not None:
            await client.mark_read(world.room)


@dataclass(frozen=True, slots=True)
class Wait:
    """Time passes."""

    ms: int

    async def happen(self, world: World, promises: Promises) -> None:
        del world, promises
        await asyncio.sleep(self.ms / 1000)


@dataclass(frozen=True, slots=True)
class Trouble:
    """The next frames of ``who`` on the way ``to_server`` or from it meet these deeds."""

    who: str
    to_server: bool
    deeds: tuple[Deed, ...]

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        link = world.people[self.who].link
        (link.to_server if self.to_server else link.to_client).deeds.extend(self.deeds)


@dataclass(frozen=True, slots=True)
class TroubleWithRequests:
    """The next HTTP requests of ``who`` meet these deeds."""

    who: str
    deeds: tuple[Deed, ...]

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        world.people[self.who].link.requests.extend(self.deeds)


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The connection of ``who`` is cut."""

    who: str

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        world.people[self.who].link.cut()


@dataclass(frozen=True, slots=True)
class CrashClient:
    """The power of the device of ``who`` fails: now, or at the next fault point."""

    who: str
    point: str | None

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        if self.point is not None:
            world.arm(self.who, self.point)
        elif world.people[self.who].client is not None:
            await world.crash_client(self.who)


@dataclass(frozen=True, slots=True)
class CrashServer:
    """The server's power fails: now, for ``down_ms``, or at the next fault point."""

    point: str | None
    down_ms: int

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        if self.point is not None:
            world.arm("server", self.point)
        elif world.server is not None:
            world.crash_server()
            await asyncio.sleep(self.down_ms / 1000)
            world.start_server()


@dataclass(frozen=True, slots=True)
class ClockJump:
    """A clock jumps: that of ``who``, or the server's."""

    who: str
    ms: int

    async def happen(self, world: World, promises: Promises) -> None:
        del promises
        if self.who == "server":
            world.server_offset_ms += self.ms
        else:
            world.people[self.who].clock_offset_ms += self.ms


Operation = (
    Send
    | Update
    | Rejoin
    | Leave
    | GiveRole
    | Read
    | Wait
    | Trouble
    | TroubleWithRequests
    | Disconnect
    | CrashClient
    | CrashServer
    | ClockJump
)

_DAY_MS = 86_400_000
_client_points = [point for point in CLIENT_POINTS if point.startswith(("send", "build", "receive", "commit", "leave"))]
_server_points = [point for point in SERVER_POINTS if point.startswith(("batch", "handshake", "ack"))]
_deeds = st.lists(st.sampled_from(Deed), min_size=1, max_size=3).map(tuple)

operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Send, names, st.integers(1, 4)),
    st.builds(Wait, st.sampled_from([0, 1, 50, 1_000, 7_000])),
    st.builds(Update, st.lists(names, min_size=1, max_size=3, unique=True).map(tuple)),
    st.builds(Trouble, names, st.booleans(), _deeds),
    st.builds(Disconnect, names),
    st.builds(CrashClient, names, st.none() | st.sampled_from(_client_points)),
    st.builds(CrashServer, st.none() | st.sampled_from(_server_points), st.sampled_from([0, 2_000])),
    st.builds(TroubleWithRequests, names, _deeds),
    st.builds(ClockJump, st.sampled_from([*NAMES, "server"]), st.sampled_from([-_DAY_MS, -3_000, 3_000, _DAY_MS])),
    st.builds(Read, names),
    st.builds(Rejoin),
    st.builds(Leave),
    st.builds(GiveRole, st.sampled_from([Role.MEMBER, Role.ADMIN])),
)


async def play(world: World, story: Sequence[Operation]) -> None:
    """The operations happen one after the other, the network becomes well, and everything promised has come true."""
    promises = Promises()
    for operation in story:
        await operation.happen(world, promises)
        await asyncio.sleep(0)
    world.disarm()
    for person in world.people.values():
        person.link.heal()
    await world.until(lambda: world.server is not None, "the server is back")
    for person in world.people.values():
        person.link.cut()
    await world.until(lambda: all(person.client is not None for person in world.people.values()), "all are back")
    for commit in promises.commits:
        await world.until(commit.done, "a commit is over")
    await _bring_back_juno(world)
    await world.until(lambda: _quiet(world), "everything is sent and told")
    _check(world, promises)


async def _bring_back_juno(world: World) -> None:
    """Where she has left, or a power failure came between removing and adding her, Mira adds her now."""
    mira, juno = world.client("mira"), world.client("juno")
    await juno.wait_online()
    await world.until(lambda: not juno._store.outbox(world.room), "Juno's commits are over")
    await world.until(lambda: not mira._store.outbox(world.room), "Mira's commits are over")
    await mira.wait_online()
    await world.until(lambda: _record(world, "mira").cursor == _record(world, "tomas").cursor, "Mira is up to date")
    if URIS["juno"] not in next(summary.members for summary in mira.rooms() if summary.room == world.room):
        await mira.add(world.room, [URIS["juno"]])
    await world.until_joined("juno", world.room)


def _quiet(world: World) -> bool:
    """Nothing waits to be sent, told or processed, and everyone has reached the same place."""
    clients = [world.client(name) for name in NAMES]
    records = [client._store.room(world.room) for client in clients]
    return (
        all(client._connection.is_online for client in clients)
        and not any(client._store.outbox(world.room) for client in clients)
        and not any(client._connection.device.owes_receipts() for client in clients)
        and len({record.cursor for record in records if record}) == 1
    )


def _check(world: World, promises: Promises) -> None:
    shown = {name: world.client(name).messages(world.room, limit=100_000) for name in NAMES}
    sent = {name: [message for message in shown[name] if message.state is not MessageState.FAILED] for name in NAMES}
    orders = {name: [message.message_id for message in messages] for name, messages in sent.items()}
    assert orders["mira"] == orders["tomas"]
    assert orders["juno"] == [message_id for message_id in orders["mira"] if message_id in set(orders["juno"])]
    assert len(set(orders["mira"])) == len(orders["mira"])
    for name in NAMES:
        failed = {message.text for message in shown[name] if message.state is MessageState.FAILED}
        assert not failed or name == "juno"
        texts = [message.text for message in sent["mira"] if message.sender == world.client(name).user]
        assert texts == [text for text in promises.sent[name] if text not in failed]
        missed = len(orders["mira"]) - len(orders["juno"])
        _check_person(world, name, orders[name], missed=missed, left=name in promises.left)
    epochs = {world.client(name)._connection.device.groups.get(world.room).epoch for name in NAMES}
    assert len(epochs) == 1
    assert len({tuple(_record(world, name).roles.items()) for name in NAMES}) == 1


def _record(world: World, name: str) -> RoomRecord:
    record = world.client(name)._store.room(world.room)
    assert record is not None
    return record


def _check_person(world: World, name: str, order: list[MessageId], *, missed: int, left: bool) -> None:
    person, client = world.people[name], world.client(name)
    assert person.faults == []
    told = [message.message_id for life in person.shown for message in life]
    places = [order.index(message_id) for message_id in told]
    assert len(set(places)) == len(places)
    assert missed or places == sorted(places)
    for message_id in order:
        client.verify(message_id)
    if not missed and not left:
        own = [message for message in client.messages(world.room, limit=100_000) if message.own]
        told_states = {MessageState.DELIVERED, MessageState.READ} if world.receipts else {MessageState.SENT}
        assert {message.state for message in own} <= told_states | {MessageState.FAILED}
