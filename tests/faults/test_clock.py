"""Clocks that jump, the server's and a client's."""

import time
from pathlib import Path

import pytest

from nightlight.protocol.ids import TimestampMs
from nightlight.server.main import compose
from nightlight.server.settings import Settings
from tests.support.people import (
    JUNO,
    MIRA,
    TOMAS,
    befriend,
    conversation,
    newcomer,
    offline,
    settled,
    share_room,
    texts,
    until,
)
from tests.support.server import ServerProcess, free_port
from tests.support.serving import serving

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class JumpingClock:
    """The right time, and ``off_ms``."""

    def __init__(self) -> None:
        self.off_ms = 0

    def __call__(self) -> TimestampMs:
        return TimestampMs(time.time_ns() // 1_000_000 + self.off_ms)


@pytest.mark.parametrize("jumps_ms", [[-HOUR_MS], [2 * DAY_MS], [-5 * DAY_MS, DAY_MS, -1, 0]])
async def test_a_clock_that_jumps_changes_no_order(tmp_path: Path, jumps_ms: list[int]) -> None:
    port, clock = free_port(), JumpingClock()
    url = f"http://127.0.0.1:{port}"
    settings = Settings(
        hub="mimi://hub.example", providers=["courier.example", "gallery.example"], data=tmp_path / "server"
    )
    async with serving(compose(settings, origins=[url], clock=clock), port, lifespan=True):
        mira = await newcomer(url, MIRA, tmp_path)
        tomas = await newcomer(url, TOMAS, tmp_path, clock=clock)
        await befriend(mira, tomas)
        room = await share_room(mira, tomas)
        said = []
        for jump_ms in [0, *jumps_ms]:
            clock.off_ms = jump_ms
            for client in (mira, tomas):
                said.append(f"{client.user} {jump_ms}")
                await client.wait_sent(await client.send(room, said[-1]))
            await tomas.update(room)
        await settled(room, mira, tomas)
        assert texts(mira, room) == said
        times = [message.accepted_at_ms or 0 for message in conversation(mira, room)]
        assert times == sorted(set(times))
        await mira.close()
        await tomas.close()


@pytest.mark.parametrize("off_days", [-20, -3, 29])
async def test_a_client_s_clock_that_is_wrong_ends_no_room(tmp_path: Path, off_days: int) -> None:
    """It comes back to somebody who is new there, whose device list it cannot date."""
    clock = JumpingClock()
    with ServerProcess(tmp_path / "server").until_done() as server:
        await server.start()
        mira, juno = [await newcomer(server.url, user, tmp_path) for user in (MIRA, JUNO)]
        tomas = await newcomer(server.url, TOMAS, tmp_path, clock=clock)
        await befriend(mira, tomas)
        await befriend(mira, juno)
        room = await share_room(mira, tomas)
        await tomas.close()
        await mira.add(room, [JUNO])
        await until(lambda: [summary.room for summary in juno.rooms()] == [room], "Juno is in the room")
        await juno.send(room, "good evening")
        await until(lambda: texts(mira, room) == ["good evening"], "Mira reads it")

        clock.off_ms = off_days * DAY_MS
        tomas = offline(TOMAS, tmp_path, clock=clock)
        await tomas.connect()
        await until(lambda: texts(tomas, room) == ["good evening"], "Tomas reads it")
        assert [summary.room for summary in tomas.rooms()] == [room]
        assert {fault.culprit for fault in tomas.faults()} <= {TOMAS}
        for client in (mira, tomas, juno):
            await client.close()
