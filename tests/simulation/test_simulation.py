"""Whatever happens to network, devices and server: what was promised comes true. See ``operations`` for what is failure."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nightlight.protocol.ids import RoomUri
from tests.simulation.operations import Operation, operations, play
from tests.simulation.world import NAMES, World, make_friends, run

MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory, where the system has one
SEED = 20


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Where worlds are kept."""
    made = Path(tempfile.mkdtemp(prefix="nightlight-", dir=MEMORY if MEMORY.is_dir() else None))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def friends(folder: Path) -> tuple[Path, RoomUri]:
    """A world in which three friends share a room, to begin every run from."""
    world = World(folder / "friends", SEED)

    async def meet(world: World) -> None:
        world.room = await make_friends(world)

    world.folder.mkdir()
    run(world, meet)
    return world.folder, world.room


def play_from(friends: tuple[Path, RoomUri], story: list[Operation], *, receipts: bool) -> None:
    """``story`` happens to the friends, in a world of its own."""
    template, room = friends
    copy = template.with_name("copy")
    shutil.copytree(template, copy)
    world = World(copy, SEED + 1, receipts=receipts)
    world.room = room

    async def happen(world: World) -> None:
        for name in NAMES:
            await world.open_client(name)
        await play(world, story)

    try:
        run(world, happen)
    finally:
        shutil.rmtree(copy)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    print_blob=True,
)
@given(story=st.lists(operations, max_size=25), receipts=st.booleans())
def test_what_was_promised_comes_true(friends: tuple[Path, RoomUri], story: list[Operation], receipts: bool) -> None:  # noqa: FBT001 - drawn
    play_from(friends, story, receipts=receipts)
