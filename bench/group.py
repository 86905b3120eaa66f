"""Rooms of 2, 10, 100 and 500: what a message costs hub, wire and client, and what it costs to come in."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from bench.community import settle
from bench.crypto import BareLoop, build_bare_loop, run_bare_loop
from bench.delivery import Contestant
from bench.effort import Effort
from bench.figure import Figure, absent
from bench.hub import create_hub, database_of, start_hub
from bench.load import CONTENT_BYTES
from bench.pinned import AbsentError
from bench.rooms import HUB, Couple, Person, key_package, make_couples, make_person, now_s
from bench.sample import DEVICE, ROOM
from bench.websocket import connect_frame_pairs
from nightlight.mls.group import Group
from nightlight.protocol.franking import TAG_BYTES, FrankingAgent
from nightlight.protocol.messages import Delivery, EntryKind, SubmitMessage, encode_frame
from nightlight.server.main import STREAM_PATH

T = TypeVar("T")
SIZES = (2, 10, 100, 500)
_PAIRS = 10
_WINDOW = 8
_MESSAGES = 200
_CONTENT = bytes(CONTENT_BYTES)
_TAG = bytes(TAG_BYTES)
_SOME_FRANK = bytes(100)
_SOME_ID = bytes(16)


async def measure(names: Collection[str], effort: Effort, folder: Path, console: Console) -> list[Figure]:
    """``group.hub_flat`` and ``group.wire_flat`` compare the largest with the least; the others have a row a size."""
    people = [make_person(f"dora{number}") for number in range(SIZES[-1])]
    figures: list[Figure] = []
    if "group.hub_flat" in names:
        figures.append(await _hub_flat(people, effort, folder, console))
    if "group.wire_flat" in names:
        figures.append(_wire_flat(people))
    measured = {name for name in names if name not in {"group.hub_flat", "group.wire_flat"}}
    if measured:
        figures += await _client(measured, people, effort)
    return figures


# --- the hub ----------------------------------------------------------------------------------------------


async def _hub_flat(people: Sequence[Person], effort: Effort, folder: Path, console: Console) -> Figure:
    """The hub's processor time a message, one sender and one recipient connected in each room, the others away."""
    async with AsyncExitStack() as running:
        hubs: dict[int, Contestant] = {}
        for size in SIZES:
            own = folder / str(size)
            own.mkdir()
            couples = make_couples(_PAIRS, await create_hub(own), absent=people[: size - 2])
            hubs[size] = await _running(running, own, couples)
        for _ in range(effort.rounds):
            for hub in hubs.values():
                await hub.turn(_WINDOW, effort)
    costs = {
        size: [rate.server_share / rate.messages_per_s for rate in hub.rates[_WINDOW]] for size, hub in hubs.items()
    }
    _print_costs(costs, console)
    least, most = (pick(costs, key=lambda size: statistics.median(costs[size])) for pick in (min, max))
    return Figure(
        "group.hub_flat",
        statistics.median(costs[most]) * 1e6,
        f"µs of the hub a message, room of {most}",
        peer=f"room of {least}",
        peer_value=statistics.median(costs[least]) * 1e6,
        ratio=statistics.median(costly / cheap for costly, cheap in zip(costs[most], costs[least], strict=True)),
    )


async def _running(running: AsyncExitStack, folder: Path, couples: Sequence[Couple]) -> Contestant:
    settle(database_of(folder), couples)
    server = await start_hub(folder)
    running.push_async_callback(server.stop)
    return Contestant(server, await connect_frame_pairs(server.port, STREAM_PATH, couples))


def _print_costs(costs: dict[int, list[float]], console: Console) -> None:
    table = Table("members", title=f"Hub: {_PAIRS} rooms of each size, 1 KiB, closed loop", title_justify="left")
    for heading in ("µs a message", "least", "most"):
        table.add_column(heading, justify="right")
    for size, each in costs.items():
        table.add_row(
            str(size), *(f"{1e6 * seconds:,.0f}" for seconds in (statistics.median(each), min(each), max(each)))
        )
    console.print(table)


# --- the wire ---------------------------------------------------------------------------------------------


def _wire_flat(people: Sequence[Person]) -> Figure:
    """Bytes from the sender to the hub, and from there to one recipient."""
    costs = {size: _wire_bytes(_begin(people[:size]).mine.encrypt(_CONTENT, _TAG)) for size in SIZES}
    least, most = min(costs, key=costs.__getitem__), max(costs, key=costs.__getitem__)
    return Figure(
        "group.wire_flat",
        costs[most],
        f"bytes up and down a message, room of {most}",
        peer=f"room of {least}",
        peer_value=costs[least],
        ratio=costs[most] / costs[least],
    )


def _wire_bytes(message: bytes) -> int:
    up = SubmitMessage(_SOME_ID, ROOM, message)
    down = Delivery(ROOM, 2, EntryKind.APPLICATION, DEVICE, now_s() * 1000, message, _SOME_FRANK)
    return len(encode_frame(up)) + len(encode_frame(down))


# --- the client -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Begun:
    """A group of one who added all others in one commit, and of the last of them. Seconds; bytes on the wire."""

    mine: Group
    theirs: Group
    add_s: float
    join_s: float
    commit_bytes: int
    welcome_bytes: int


def _begin(people: Sequence[Person]) -> _Begun:
    first, *others = people
    packages = [key_package(person) for person in others]
    mine = first.member.create_group(os.urandom(16), FrankingAgent(bytes(32), HUB).encode())
    add_s, staged = _timed(lambda: mine.commit(add=packages, now_s=now_s()))
    accept_s, _ = _timed(mine.accept)
    assert staged.welcome is not None
    welcome = staged.welcome
    join_s, theirs = _timed(lambda: others[-1].member.join(welcome))
    mine.take_writes()
    theirs.take_writes()
    return _Begun(mine, theirs, add_s + accept_s, join_s, len(staged.commit), len(welcome))


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


async def _client(names: Collection[str], people: Sequence[Person], effort: Effort) -> list[Figure]:
    """What a client does, in turns with the bare loop of the library."""
    try:
        await build_bare_loop()
    except AbsentError as reason:
        return [absent(name, "", str(reason)) for name in sorted(names)]
    figures: list[Figure] = []
    for size in SIZES:
        begun, bare, costs = [], [], []
        for _ in range(effort.rounds):
            begun.append(_begin(people[:size]))
            costs.append(_message_cost(begun[-1]))
            bare.append(await run_bare_loop(_MESSAGES, members=size))
        if "group.client_us" in names:
            figures.append(_times(f"group.client_us.{size}", "µs there and back", 1e6, _per_message(costs, bare)))
        if "group.stored_bytes" in names:
            stored = statistics.median(cost.stored_bytes for cost in costs)
            figures.append(Figure(f"group.stored_bytes.{size}", stored, "bytes written a message, mean of both sides"))
        if "group.join_500" in names and size == SIZES[-1]:
            pairs = [(ours.join_s, peer.join_ns / 1e9) for ours, peer in zip(begun, bare, strict=True)]
            unit = f"ms to join; Welcome of {begun[-1].welcome_bytes:,} bytes"
            figures.append(_times("group.join_500", unit, 1e3, pairs))
    if "group.add_100" in names:
        figures.append(await _add_100(people, effort))
    return figures


async def _add_100(people: Sequence[Person], effort: Effort) -> Figure:
    begun = [_begin(people[:101]) for _ in range(effort.rounds)]
    bare = [await run_bare_loop(1, members=101) for _ in range(effort.rounds)]
    pairs = [(ours.add_s, peer.add_ns / 1e9) for ours, peer in zip(begun, bare, strict=True)]
    unit = f"ms for one commit that adds 100; {begun[-1].commit_bytes:,} bytes, Welcome {begun[-1].welcome_bytes:,}"
    return _times("group.add_100", unit, 1e3, pairs)


@dataclass(frozen=True, slots=True)
class _Cost:
    """Of one message. ``stored_bytes``: keys and values that the store is given to write, mean of both sides."""

    seconds: float
    stored_bytes: float


def _message_cost(begun: _Begun) -> _Cost:
    """As in the bare loop: all are encrypted, then decrypted; what is to be stored is taken after each, and counted."""
    stored, messages = 0, []
    began = time.perf_counter()
    for _ in range(_MESSAGES):
        messages.append(begun.mine.encrypt(_CONTENT, _TAG))
        stored += _size(begun.mine)
    for message in messages:
        begun.theirs.receive(message)
        stored += _size(begun.theirs)
    return _Cost((time.perf_counter() - began) / _MESSAGES, stored / _MESSAGES / 2)


def _size(group: Group) -> int:
    return sum(len(key) + len(value or b"") for key, value in group.take_writes())


def _per_message(costs: Sequence[_Cost], bare: Sequence[BareLoop]) -> list[tuple[float, float]]:
    return [(cost.seconds, (peer.encrypt_ns + peer.decrypt_ns) / 1e9) for cost, peer in zip(costs, bare, strict=True)]


def _times(name: str, unit: str, scale: float, pairs: Sequence[tuple[float, float]]) -> Figure:
    """``pairs``: seconds, ours and the bare loop's, of each round."""
    return Figure(
        name,
        statistics.median(ours for ours, _ in pairs) * scale,
        unit,
        peer="bare OpenMLS loop in Rust",
        peer_value=statistics.median(peer for _, peer in pairs) * scale,
        ratio=statistics.median(ours / peer for ours, peer in pairs),
    )
