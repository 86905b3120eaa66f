"""Rooms of Python and browser clients, mixed: whatever either does, both see the same."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from itertools import combinations
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import JUNO, MIRA, TOMAS
from tests.support.server import ServerProcess
from tests.web.community import Community
from tests.web.fellows import Fellow, PythonFellow, agreed, in_browser, in_python

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPERATIONS = int(os.environ.get("NIGHTLIGHT_FAULT_ROUNDS", "200"))
SEED = int(os.environ.get("NIGHTLIGHT_FAULT_SEED", "20261123"))
BROWSERS = [
    UserUri(f"mimi://{app}.example/u/{name}")
    for app, name in [("courier", "ilse"), ("gallery", "bruno"), ("ring", "nadia")]
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fellows(
    server: ServerProcess, browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[Fellow]]:
    """Three people with the Python SDK and three with browsers, all contacts of each other."""
    folder: Path = tmp_path_factory.mktemp("people")
    fellows = [await in_python(server, user, folder) for user in (MIRA, TOMAS, JUNO)]
    fellows += [await in_browser(browser, server, user) for user in BROWSERS]
    for asking, asked in combinations(fellows, 2):
        await asking.befriend(asked)
    yield fellows
    for fellow in fellows:
        await fellow.close()


async def everyone_says_something(room: RoomUri, members: list[Fellow], what: str) -> None:
    """Each member says it, and every other member reads it."""
    await agreed(room, members)
    for author in members:
        text = f"{what}, says {author.name}"
        await author.send(room, text)
        for reader in members:

            async def reads(reader: Fellow = reader, text: str = text) -> bool:
                return [said.text for said in await reader.conversation(room)].count(text) == 1

            await reader.until(reads, f"reads {text!r}")


@pytest.mark.parametrize("maker", [0, 3], ids=["python", "browser"])
async def test_a_mixed_room_talks_at_every_epoch_whoever_commits(fellows: list[Fellow], maker: int) -> None:
    """Create, join, add, update, remove, from both sides; and being added again."""
    made, friend, later = fellows[maker], fellows[3 - maker], fellows[maker + 1]
    last = fellows[4 - maker]
    room = await made.create([friend.user])
    await friend.joined(room)
    members = [made, friend]
    await everyone_says_something(room, members, "hello")

    for member, newcomer in [(made, last), (friend, later)]:
        await member.add(room, [newcomer.user])
        await newcomer.joined(room)
        members.append(newcomer)
        await everyone_says_something(room, members, f"{newcomer.name} is here")
    for member in members:
        await member.update(room)
        await everyone_says_something(room, members, f"{member.name} has fresh keys")
    for leaver in (later, last):
        await made.remove(room, [leaver.user])
        members.remove(leaver)
        await everyone_says_something(room, members, f"{leaver.name} has left")
    await friend.add(room, [later.user])
    await later.joined(room)
    await everyone_says_something(room, [*members, later], f"{later.name} is back")
    for fellow in fellows:
        assert await fellow.faults() == []


@pytest.mark.parametrize("first", [0, 3], ids=["python", "browser"])
async def test_whoever_leaves_a_mixed_room_is_removed_by_either_client(fellows: list[Fellow], first: int) -> None:
    made, friend, third = fellows[first], fellows[3 - first], fellows[first + 1]
    room = await made.create([friend.user, third.user])
    for fellow in (friend, third):
        await fellow.joined(room)
    await everyone_says_something(room, [made, friend, third], "hello")
    await third.leave(room)
    await third.left(room)
    await everyone_says_something(room, [made, friend], "the third has left")
    await made.leave(room)
    await made.left(room)
    await friend.send(room, "alone")
    await friend.told_everything(room)
    assert [said.text for said in await friend.conversation(room)][-1] == "alone"
    assert "alone" not in [said.text for said in await made.conversation(room)]
    await friend.add(room, [made.user, third.user])
    for fellow in (made, third):
        await fellow.joined(room)
    await everyone_says_something(room, [friend, made, third], "all are back")
    for fellow in fellows:
        assert await fellow.faults() == []


async def test_a_browser_adds_a_lost_device_anew(fellows: list[Fellow]) -> None:
    lost, helper = fellows[0], fellows[3]
    assert isinstance(lost, PythonFellow)
    room = await helper.create([lost.user])
    await lost.joined(room)
    await everyone_says_something(room, [helper, lost], "hello")
    before = await helper.agreement(room)
    await lost.say_lost(room)

    async def moved() -> bool:
        return await helper.agreement(room) != before

    await helper.until(moved, "adds it anew")
    await everyone_says_something(room, [helper, lost], "still here")
    for fellow in (lost, helper):
        assert await fellow.faults() == []


async def test_whatever_mixed_clients_do_everyone_agrees(fellows: list[Fellow]) -> None:
    community = Community(fellows, SEED)
    try:
        await community.live(OPERATIONS)
        await community.agree()
    finally:
        print(f"seed {SEED}\n" + "\n".join(community.told))  # noqa: T201 - pytest shows it where the test fails
