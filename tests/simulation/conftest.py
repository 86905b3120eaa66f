"""Three friends in one room, to begin every story from."""

import shutil
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from nightlight.protocol.ids import RoomUri
from tests.simulation.operations import Operation, play
from tests.simulation.world import NAMES, World, make_friends, run

MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory, where the system has one
SEED = 20


@dataclass(frozen=True)
class Friends:
    """The files of a world in which Mira, Tomas and Juno share ``room``."""

    folder: Path
    room: RoomUri

    def play(self, story: Sequence[Operation], *, receipts: bool = False) -> None:
        """``story`` happens to them in a world of its own, and what was promised has come true."""
        self.run(lambda world: play(world, story), receipts=receipts)

    def run(self, story: Callable[[World], Coroutine[object, object, None]], *, receipts: bool = False) -> None:
        """``story`` is told of a world of its own, in which everybody's client has just been opened."""
        copy = self.folder.with_name("copy")
        shutil.copytree(self.folder, copy)
        world = World(copy, SEED + 1, receipts=receipts)
        world.room = self.room

        async def happen(world: World) -> None:
            for name in NAMES:
                await world.open_client(name)
            await story(world)

        try:
            run(world, happen)
        finally:
            shutil.rmtree(copy)


@pytest.fixture(scope="session")
def friends() -> Iterator[Friends]:
    """They have met."""
    folder = Path(tempfile.mkdtemp(prefix="nightlight-", dir=MEMORY if MEMORY.is_dir() else None))
    world = World(folder / "friends", SEED)
    world.folder.mkdir()

    async def meet(world: World) -> None:
        world.room = await make_friends(world)

    run(world, meet)
    yield Friends(world.folder, world.room)
    shutil.rmtree(folder)
