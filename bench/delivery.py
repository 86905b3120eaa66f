"""Delivery: messages a second from 50 senders to their 50 recipients, beside the bare limit and the peers."""

from __future__ import annotations

import statistics
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import load
from bench.community import settle
from bench.effort import Effort
from bench.ejabberd import start_ejabberd
from bench.figure import Figure, absent
from bench.hub import create_hub, database_of, start_hub
from bench.load import PAIRS, Pair, Rate
from bench.pinned import AbsentError, Server, free_port, start
from bench.prosody import start_prosody
from bench.rooms import Couple, make_couples
from bench.websocket import connect_frame_pairs
from bench.xmpp import connect_xmpp_pairs
from nightlight.server.main import STREAM_PATH

WINDOWS = (8, 1)
UNIT = "messages/s"
OURS = "ours"


@dataclass(slots=True)
class Contestant:
    """A running server with its 50 pairs signed in, and the rates of its turns by window."""

    server: Server
    pairs: Sequence[Pair]
    rates: dict[int, list[Rate]] = field(default_factory=lambda: {window: [] for window in WINDOWS})

    async def turn(self, window: int, effort: Effort) -> None:
        """One more rate is known."""
        rate = await load.run(
            self.pairs, self.server, window=window, warm_up_s=effort.warm_up_s, measure_s=effort.seconds
        )
        self.rates[window].append(rate)

    def median(self, window: int) -> float:
        """Messages a second."""
        return statistics.median(rate.messages_per_s for rate in self.rates[window])


Enter = Callable[[Path, Sequence[Couple]], AbstractAsyncContextManager[Contestant]]


@asynccontextmanager
async def _hub(folder: Path, couples: Sequence[Couple]) -> AsyncIterator[Contestant]:
    settle(database_of(folder), couples)
    server = await start_hub(folder)
    try:
        yield Contestant(server, await connect_frame_pairs(server.port, STREAM_PATH, couples))
    finally:
        await server.stop()


@asynccontextmanager
async def _limit(folder: Path, couples: Sequence[Couple]) -> AsyncIterator[Contestant]:
    port = free_port()
    program = Path(__file__).with_name("limit_server.py")
    server = await start([sys.executable, str(program), str(port), "limit.sqlite"], port=port, folder=folder)
    try:
        yield Contestant(server, await connect_frame_pairs(server.port, "/", couples))
    finally:
        await server.stop()


@asynccontextmanager
async def _ejabberd(folder: Path, _: Sequence[Couple], *, archive: bool) -> AsyncIterator[Contestant]:
    server = await start_ejabberd(folder, archive=archive)
    try:
        yield Contestant(server, await connect_xmpp_pairs(server.port, PAIRS))
    finally:
        await server.stop()


@asynccontextmanager
async def _prosody(folder: Path, _: Sequence[Couple]) -> AsyncIterator[Contestant]:
    server = await start_prosody(folder)
    try:
        yield Contestant(server, await connect_xmpp_pairs(server.port, PAIRS))
    finally:
        await server.stop()


PEERS: dict[str, tuple[str, Enter]] = {
    "delivery.vs_limit": ("bare limit", _limit),
    "delivery.vs_ejabberd_archive": ("ejabberd, archive on SQLite", partial(_ejabberd, archive=True)),
    "delivery.vs_prosody_archive": ("Prosody, archive on SQLite", _prosody),
    "delivery.vs_ejabberd_no_archive": ("ejabberd, no archive: not durable", partial(_ejabberd, archive=False)),
}


async def measure(names: Collection[str], effort: Effort, folder: Path, console: Console) -> list[Figure]:
    """The figures of ``names`` with window 8, then with window 1."""
    reasons: dict[str, str] = {}
    couples = make_couples(PAIRS, await create_hub(_new(folder / OURS)))
    async with AsyncExitStack() as running:
        contestants = {OURS: await running.enter_async_context(_hub(folder / OURS, couples))}
        for name in names:
            try:
                entering = PEERS[name][1](_new(folder / name), couples)
                contestants[name] = await running.enter_async_context(entering)
            except AbsentError as reason:
                reasons[name] = str(reason)
        for window in WINDOWS:
            for _ in range(effort.rounds):
                for contestant in contestants.values():
                    await contestant.turn(window, effort)
    _print_rates(contestants, console)
    ours = contestants.pop(OURS)
    return [
        _figure(name, window, ours, contestants[name])
        if name in contestants
        else absent(_named(name, window), UNIT, reasons[name], peer=PEERS[name][0])
        for window in WINDOWS
        for name in names
    ]


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _named(name: str, window: int) -> str:
    return name if window == WINDOWS[0] else f"{name}.window_{window}"


def _figure(name: str, window: int, ours: Contestant, peer: Contestant) -> Figure:
    turns = zip(ours.rates[window], peer.rates[window], strict=True)
    return Figure(
        _named(name, window),
        ours.median(window),
        UNIT,
        peer=PEERS[name][0],
        peer_value=peer.median(window),
        ratio=statistics.median(mine.messages_per_s / theirs.messages_per_s for mine, theirs in turns),
    )


def _print_rates(contestants: Mapping[str, Contestant], console: Console) -> None:
    table = Table("server", title="Delivery: 50 pairs, 1 KiB, closed loop", title_justify="left")
    for heading in ("window", "messages/s", "least", "most", "server's core", "load's core", "server's µs a message"):
        table.add_column(heading, justify="right")
    for name, contestant in contestants.items():
        for window, rates in contestant.rates.items():
            per_s = [rate.messages_per_s for rate in rates]
            table.add_row(
                "Nightlight" if name == OURS else PEERS[name][0],
                str(window),
                *(f"{number:,.0f}" for number in (statistics.median(per_s), min(per_s), max(per_s))),
                f"{statistics.median(rate.server_share for rate in rates):.0%}",
                f"{statistics.median(rate.load_share for rate in rates):.0%}",
                f"{statistics.median(rate.server_share / rate.messages_per_s for rate in rates) * 1e6:,.0f}",
            )
    console.print(table)
