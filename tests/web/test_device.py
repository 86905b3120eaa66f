"""What a browser's device does when the server's answers get lost, or are no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route

from nightlight.client.sdk import Client
from nightlight.protocol.ids import UserUri
from tests.support.people import newcomer as python_newcomer
from tests.support.people import until
from tests.support.server import ServerProcess
from tests.web.people import Person, Refused, newcomer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://gallery.example/u/mira")
NAMES = (f"ilse-{number}" for number in count())


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mira(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    mira = await python_newcomer(server.url, MIRA, tmp_path_factory.mktemp("mira"))
    yield mira
    await mira.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ilse(server: ServerProcess, browser: Browser, mira: Client) -> Person:
    """Somebody new in a browser, and a contact of Mira's."""
    ilse = await newcomer(browser, server, UserUri(f"mimi://courier.example/u/{next(NAMES)}"))
    await mira.request_contact(ilse.user)
    await ilse.accept(MIRA)
    return ilse


async def lose_an_answer(server: ServerProcess, person: Person, path: str) -> None:
    """The next request to ``path`` arrives at the server, and its answer nowhere."""

    async def lose(route: Route) -> None:
        request = route.request
        headers = await request.all_headers() | {"host": urlsplit(request.url).netloc}
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            answer = await http.request(request.method, path, content=request.post_data_buffer, headers=headers)
        assert answer.is_success, answer.text
        await route.abort()

    await person.context.route(f"**{path}", lose, times=1)


async def test_a_room_whose_announcement_was_lost_is_announced_again(
    server: ServerProcess, ilse: Person, mira: Client
) -> None:
    await lose_an_answer(server, ilse, "/v1/rooms")
    with pytest.raises(Refused, match="UnavailableError"):
        await ilse.call("roomWith", MIRA)
    room = await ilse.call("roomWith", MIRA)
    await until(lambda: room in {summary.room for summary in mira.rooms()}, "Mira joins the same room")
    assert [summary["room"] for summary in await ilse.call("rooms")] == [room]


async def test_a_room_whose_announcement_was_lost_is_completed_by_itself(
    server: ServerProcess, ilse: Person, mira: Client
) -> None:
    await lose_an_answer(server, ilse, "/v1/rooms")
    with pytest.raises(Refused, match="UnavailableError"):
        await ilse.call("createRoom", [MIRA])
    (summary,) = await ilse.call("rooms")
    await until(lambda: summary["room"] in {ours.room for ours in mira.rooms()}, "Mira joins it all the same")


async def test_a_refused_commit_shows_the_members_as_they_are(ilse: Person, mira: Client) -> None:
    """Mira blocks Ilse while Ilse adds her: the room is Ilse's alone."""

    async def block_first(route: Route) -> None:
        await mira.block(ilse.user)
        await route.continue_()

    await ilse.context.route("**/v1/rooms", block_first)
    with pytest.raises(Refused, match="not_allowed"):
        await ilse.call("createRoom", [MIRA])
    (summary,) = await ilse.call("rooms")
    assert summary["members"] == [ilse.user]
    assert (await ilse.heard("room_changed"))[-1]["members"] == [ilse.user]


async def test_a_commit_to_a_room_that_was_left_is_refused(ilse: Person, mira: Client) -> None:
    room = await mira.create_room([ilse.user])
    await ilse.in_room(room)
    await mira.remove(room, [ilse.user])

    async def left() -> bool:
        return not await ilse.call("rooms")

    await ilse.until(left, "Ilse has left")
    await ilse.refuses("not_found", "update", room)
    await ilse.refuses("not_found", "add", room, [MIRA])
    await ilse.refuses("not_found", "send", room, "hello")
    await ilse.open_again()
    await ilse.wait_online()
    await mira.add(room, [ilse.user])
    await ilse.in_room(room)
