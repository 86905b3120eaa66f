"""``kill -9`` of real processes under load: nothing acknowledged is lost, nothing is shown twice or out of order."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import MIRA, TOMAS, befriend, newcomer, returning, settled, share_room, texts
from tests.support.server import ServerProcess

ROOT = Path(__file__).parents[2]
ROUNDS = int(os.environ.get("NIGHTLIGHT_FAULT_ROUNDS", "20"))
SEED = int(os.environ.get("NIGHTLIGHT_FAULT_SEED", "20261123"))
MOST_BETWEEN_KILLS = 40


class Talker:
    """A client process under load, over as many lives as the test needs; remembers what was acknowledged."""

    def __init__(self, folder: Path, user: UserUri, room: RoomUri) -> None:
        self._command = [sys.executable, "-m", "tests.faults.talker", str(folder), user, room]
        self._complaints = folder / f"{user.rpartition('/')[2]}.log"
        self.user = user
        self.acknowledged: set[int] = set()
        self._process: subprocess.Popen[bytes]
        self._listening: asyncio.Task[None]

    async def start(self) -> None:
        """The process runs, and its lines are heard."""
        with self._complaints.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)  # noqa: ASYNC220
        self._listening = asyncio.create_task(asyncio.to_thread(self._listen))

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a killed process may leave half a line: we never heard that number
                    self.acknowledged.add(int(line.split()[1]))

    async def end(self, how: signal.Signals) -> int:
        """The process is gone and every line of it heard; its exit status."""
        self._process.send_signal(how)
        await self._listening
        return await asyncio.to_thread(self._process.wait)

    async def progress(self, count: int) -> None:
        """``count`` more messages are acknowledged."""
        goal = len(self.acknowledged) + count
        while len(self.acknowledged) < goal:
            assert self._process.poll() is None, self._complaints.read_text()[-2000:]
            await asyncio.sleep(0.01)


@asynccontextmanager
async def talking(*talkers: Talker) -> AsyncIterator[None]:
    """The talkers talk inside; none is left behind."""
    for talker in talkers:
        await talker.start()
    try:
        yield
    finally:
        for talker in talkers:
            await talker.end(signal.SIGKILL)


async def test_killing_server_and_clients_under_load_loses_and_doubles_nothing(
    server_process: ServerProcess, tmp_path: Path
) -> None:
    chance = random.Random(SEED)  # noqa: S311
    await server_process.start()
    mira, tomas = [await newcomer(server_process.url, user, tmp_path) for user in (MIRA, TOMAS)]
    await befriend(mira, tomas)
    room = await share_room(mira, tomas)
    await mira.close()
    await tomas.close()

    talkers = [Talker(tmp_path, user, room) for user in (MIRA, TOMAS)]
    async with talking(*talkers):
        for _ in range(ROUNDS):
            await chance.choice(talkers).progress(chance.randint(1, MOST_BETWEEN_KILLS))
            victim = chance.choice([None, *talkers])
            if victim is None:
                await server_process.kill()
                await server_process.start()
            else:
                await victim.end(signal.SIGKILL)
                await victim.start()
        for talker in talkers:
            await talker.progress(1)

    mira, tomas = [await returning(user, tmp_path) for user in (MIRA, TOMAS)]
    await settled(room, mira, tomas)
    shown = texts(tomas, room)
    for talker in talkers:
        numbers = [int(text.split()[1]) for text in shown if text.startswith(talker.user)]
        assert numbers == list(range(1, len(numbers) + 1)), "each once, in the order sent"
        assert talker.acknowledged <= set(numbers), "nothing acknowledged is lost"
    await mira.close()
    await tomas.close()
