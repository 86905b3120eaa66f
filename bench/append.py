"""Growth: acknowledged messages a second into a database with a million messages, beside one with none."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console

from bench import load
from bench.community import settle
from bench.effort import Effort
from bench.figure import Figure
from bench.hub import create_hub, database_of, start_hub
from bench.load import PAIRS, Pair
from bench.pinned import Server
from bench.rooms import Couple, make_couples, make_person
from bench.websocket import connect_frame_pairs
from nightlight.server.main import STREAM_PATH

_ROOMS = 50_000
_MESSAGES = 1_000_000
_WINDOW = 8


async def measure(_names: Collection[str], effort: Effort, folder: Path, _console: Console) -> list[Figure]:
    """``append.million_vs_empty``: 50 senders, each writing to its thousand rooms in turns, in both databases."""
    full, empty = folder / "million", folder / "empty"
    full.mkdir()
    couples = make_couples(
        PAIRS, await create_hub(full), rooms_each=_ROOMS // PAIRS, messages_each=1, absent=[make_person("carla")]
    )
    shutil.copytree(full, empty)
    per_room = _MESSAGES // _ROOMS
    settle(database_of(full), couples, messages_each=per_room)
    settle(database_of(empty), couples)
    async with _entered(full, couples, 1 + per_room) as million, _entered(empty, couples, 1) as none:
        for server, pairs in (million, none):
            await _visit_all_rooms(server, pairs)
        turns = [(await _turn(*million, effort), await _turn(*none, effort)) for _ in range(effort.rounds)]
    return [
        Figure(
            "append.million_vs_empty",
            statistics.median(mine for mine, _ in turns),
            "messages/s",
            peer="the same rooms without messages",
            peer_value=statistics.median(theirs for _, theirs in turns),
            ratio=statistics.median(mine / theirs for mine, theirs in turns),
        )
    ]


@asynccontextmanager
async def _entered(folder: Path, couples: Sequence[Couple], head: int) -> AsyncIterator[tuple[Server, Sequence[Pair]]]:
    server = await start_hub(folder)
    try:
        yield server, await connect_frame_pairs(server.port, STREAM_PATH, couples, head=head)
    finally:
        await server.stop()


async def _visit_all_rooms(server: Server, pairs: Sequence[Pair]) -> None:
    """Every room has had a message, so that no turn is about loading rooms that nobody has used since the start."""
    while min(pair.done for pair in pairs) < _ROOMS // PAIRS:
        await load.run(pairs, server, window=_WINDOW, warm_up_s=0, measure_s=1)


async def _turn(server: Server, pairs: Sequence[Pair], effort: Effort) -> float:
    rate = await load.run(pairs, server, window=_WINDOW, warm_up_s=effort.warm_up_s, measure_s=effort.seconds)
    return rate.messages_per_s
