"""What may go wrong around a browser's device, and what happens then: the browser's part of docs/operations.md."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error

from nightlight.client.sdk import Client
from nightlight.protocol.ids import RoomUri, UserUri
from tests.support.people import MIRA, texts, until
from tests.support.people import newcomer as python_newcomer
from tests.support.server import ServerProcess
from tests.web.people import Person, Refused, newcomer, sdk_file, visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

ILSE = UserUri("mimi://courier.example/u/ilse")
NADIA = UserUri("mimi://courier.example/u/nadia")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MISSED = 300
OBJECT_STORES = ["keys", "records", "groups", "messages", "evidence"]
LITTLE_SPACE = 1_000_000
CLEAR = """(stores) => new Promise((resolve, reject) => {
  const opening = indexedDB.open('nightlight');
  opening.onerror = reject;
  opening.onsuccess = () => {
    const writing = opening.result.transaction(stores, 'readwrite');
    for (const store of stores) writing.objectStore(store).clear();
    writing.oncomplete = () => { opening.result.close(); resolve(); };
  };
})"""
DELETE = """() => new Promise((resolve, reject) => {
  const deleting = indexedDB.deleteDatabase('nightlight');
  deleting.onsuccess = resolve;
  deleting.onerror = reject;
})"""


@dataclass
class Friends:
    """Ilse has a browser, Mira the Python SDK; they share a room."""

    server: ServerProcess
    ilse: Person
    mira: Client
    room: RoomUri

    async def talk(self, word: str) -> None:
        """Each says something, and each reads all of it, once."""
        await insist(self.ilse, "send", self.room, f"{word} from Ilse")
        await self.mira.send(self.room, f"{word} from Mira")
        await self.both_read(f"{word} from Ilse", f"{word} from Mira")

    async def both_read(self, *expected: str) -> None:
        """Both show these once, and both show the same in the same order."""

        async def alike() -> bool:
            theirs, ours = texts(self.mira, self.room), await self.ilse.texts(self.room)
            return theirs == ours and all(ours.count(text) == 1 for text in expected)

        try:
            await self.ilse.until(alike, f"both read {expected}")
        except AssertionError:
            seen = texts(self.mira, self.room), await self.ilse.texts(self.room)
            raise AssertionError(f"Mira and Ilse read {seen}, not {expected}") from None


async def insist(person: Person, method: str, *args: Any) -> Any:
    """What ``method`` answers, asked again while the server cannot be reached, as a person would."""
    for _ in range(1_000):
        try:
            return await person.call(method, *args)
        except Refused as refused:
            if not refused.reason.startswith("UnavailableError"):
                raise
        await asyncio.sleep(0.05)
    raise AssertionError("never answered")


@pytest_asyncio.fixture(loop_scope="session")
async def own_server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server that a test may stop."""
    with ServerProcess(tmp_path / "server", "purge_seconds = 1\n").until_done() as server:
        await server.start()
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def friends(own_server: ServerProcess, browser: Browser, tmp_path: Path) -> AsyncIterator[Friends]:
    """Ilse and Mira have said hello."""
    friends = await befriended(own_server, await newcomer(browser, own_server, ILSE), tmp_path)
    yield friends
    await friends.mira.close()
    await friends.ilse.context.close()


async def befriended(server: ServerProcess, ilse: Person, folder: Path) -> Friends:
    """Ilse and Mira have said hello in their room."""
    mira = await python_newcomer(server.url, MIRA, folder)
    await mira.request_contact(ILSE)
    await ilse.accept(MIRA)
    friends = Friends(server, ilse, mira, await mira.room_with(ILSE))
    await ilse.in_room(friends.room)
    await friends.talk("hello")
    return friends


# --- tabs


async def test_two_tabs_are_one_device(friends: Friends) -> None:
    ilse, room = friends.ilse, friends.room
    first = ilse.page
    second = await ilse.open_tab()
    await ilse.call("send", room, "from the first tab", tab=first)
    await ilse.call("send", room, "from the second tab", tab=second)
    await friends.mira.send(room, "from Mira")
    await friends.both_read("from the first tab", "from the second tab", "from Mira")
    for tab in (first, second):
        ilse.page = tab
        await ilse.until_heard("message_shown")
        shown = [event["message"]["text"] for event in await ilse.heard("message_shown")]
        assert len(shown) == len(set(shown)), "each tab is told of each message once"
    assert await ilse.call("me", tab=first) == await ilse.call("me", tab=second)


async def test_a_leader_killed_while_another_tab_sends_sends_everything_once(friends: Friends) -> None:
    ilse, room = friends.ilse, friends.room
    for life in range(3):
        leader = ilse.page
        await ilse.open_tab()
        said = [f"life {life}, message {number}" for number in range(10)]
        sending = [asyncio.ensure_future(ilse.call("send", room, text)) for text in said]
        await asyncio.sleep(0.01 * life)
        await ilse.crash(leader)
        await asyncio.gather(*sending)
        await friends.both_read(*said)
        await ilse.until_heard("device_opened")


async def test_a_tab_killed_while_it_sends_loses_nothing_that_was_said_to_be_kept(friends: Friends) -> None:
    ilse, room = friends.ilse, friends.room
    for life in range(3):
        kept = [f"life {life}, message {number}" for number in range(3)]
        for text in kept:
            await ilse.call("send", room, text)
        cut_off = asyncio.ensure_future(ilse.call("send", room, f"life {life}, cut off"))
        await asyncio.sleep(0.005 * life)
        await ilse.crash()
        with suppress(Error):
            await cut_off
        await ilse.open_tab()
        await friends.both_read(*kept)
        assert (await ilse.texts(room)).count(f"life {life}, cut off") <= 1


async def test_a_worker_that_ends_is_replaced(friends: Friends) -> None:
    ilse = friends.ilse
    for life in range(2):
        (worker,) = ilse.page.workers
        with suppress(Error):
            await worker.evaluate("() => self.close()")
        await friends.talk(f"life {life}")


# --- the browser's storage


async def test_the_browser_is_asked_to_keep_what_it_holds(own_server: ServerProcess, browser: Browser) -> None:
    ilse = await visitor(browser, own_server, NADIA)
    await ilse.page.evaluate(
        "() => { navigator.storage.persist = async () => { globalThis.asked = true; return true; }; }"
    )
    assert await ilse.call("storage") == "evictable"
    await ilse.call("register", NADIA)
    assert await ilse.page.evaluate("() => globalThis.asked")


async def test_wiped_while_open_it_says_so_and_one_can_start_anew(friends: Friends) -> None:
    ilse = friends.ilse
    debugger = await ilse.context.new_cdp_session(ilse.page)
    origin = ilse.address.rstrip("/")
    await debugger.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "indexeddb"})
    await ilse.until_heard("storage_changed", state="wiped")
    await ilse.until_heard("connection_changed", state="offline")
    for method, args in [("me", []), ("rooms", []), ("send", [friends.room, "hello"])]:
        await ilse.refuses("wiped", method, *args)
    assert await ilse.call("storage") == "wiped"
    await anew(friends)


async def test_wiped_while_closed_it_says_so_and_one_can_start_anew(friends: Friends) -> None:
    ilse = friends.ilse
    await without_a_worker(ilse, DELETE)
    await ilse.open_tab()
    await ilse.refuses("wiped", "me")
    await anew(friends)


@pytest.mark.parametrize("part", OBJECT_STORES)
async def test_wiped_in_part_it_is_refused_and_one_can_start_anew(friends: Friends, part: str) -> None:
    ilse = friends.ilse
    await without_a_worker(ilse, CLEAR, [part])
    await ilse.open_tab()
    for method, args in [("me", []), ("send", [friends.room, "hello"])]:
        await ilse.refuses("damaged", method, *args)
    assert await ilse.call("storage") == "damaged"
    await anew(friends)


async def without_a_worker(person: Person, script: str, argument: Any = None) -> None:
    """``script`` runs at the origin of ``person``'s app while the device does not."""
    await person.close_tabs()
    page = await person.context.new_page()
    await page.goto(f"{person.address}v1/directory")
    await page.evaluate(script, argument)
    await page.close()


async def anew(friends: Friends) -> None:
    """The browser's person starts anew as somebody else, and talks."""
    ilse = friends.ilse
    await ilse.call("startAnew")
    assert await ilse.call("me") is None
    await ilse.refuses("handle_taken", "register", ILSE)
    assert (await ilse.call("register", NADIA))["user"] == NADIA
    await friends.mira.request_contact(NADIA)
    await ilse.accept(MIRA)
    friends.room = await friends.mira.room_with(NADIA)
    await ilse.in_room(friends.room)
    await friends.talk("hello again")


async def test_a_full_storage_loses_nothing_and_says_so(
    own_server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    ilse = await visitor(browser, own_server, ILSE)
    await ilse.close_tabs()
    debugger = await ilse.context.new_cdp_session(await ilse.context.new_page())
    origin = ilse.address.rstrip("/")
    # Before the store is opened: a browser counts for half a minute on the space that it has seen.
    await debugger.send("Storage.overrideQuotaForOrigin", {"origin": origin, "quotaSize": LITTLE_SPACE})
    await ilse.open_tab()
    await ilse.call("register", ILSE)
    friends = await befriended(own_server, ilse, tmp_path)
    mira, room = friends.mira, friends.room

    said: list[str] = []
    while not await ilse.heard("storage_changed"):
        said.append(f"{len(said)} {'the lake is wide ' * 1_000}")
        await mira.send(room, said[-1])
        await mira.wait_settled()
    await ilse.until_heard("storage_changed", state="full")
    await ilse.refuses("full", "send", room, "refused " + said[-1])
    assert await ilse.call("storage") == "full"

    await debugger.send("Storage.overrideQuotaForOrigin", {"origin": origin})
    await friends.both_read(*said)
    await ilse.until_heard("storage_changed", state="evictable")
    await friends.talk("there is room again")
    assert not any(text.startswith("refused") for text in await ilse.texts(room))
    await mira.close()


async def test_a_storage_that_is_refused_is_a_clear_error(own_server: ServerProcess, browser: Browser) -> None:
    nadia = await visitor(browser, own_server, NADIA)
    refuse = "IDBFactory.prototype.open = () => { throw new DOMException('not here', 'SecurityError'); }"
    await nadia.begin_worker_with(refuse)
    await nadia.open_again()
    for method, args in [("me", []), ("register", [NADIA])]:
        await nadia.refuses("refused", method, *args)
    assert await nadia.call("storage") == "refused"


async def test_errors_reach_the_page_as_what_they_are(friends: Friends) -> None:
    ilse = friends.ilse
    of_another = RoomUri("mimi://courier.example/r/nowhere")
    caught = """async ([path, room]) => {
      const { StoreError, RefusedError } = await import(path);
      const error = await globalThis.device.send(room, 'hello').catch((error) => error);
      return [error instanceof RefusedError, error instanceof StoreError, error.problem];
    }"""
    assert await ilse.page.evaluate(caught, [f"/{sdk_file()}", of_another]) == [True, False, "not_found"]


# --- time, server, absence


@pytest.mark.parametrize("ahead_ms", [-DAY_MS, -3 * HOUR_MS, 3 * HOUR_MS, DAY_MS])
async def test_a_clock_that_is_hours_or_a_day_wrong_keeps_nobody_from_talking(friends: Friends, ahead_ms: int) -> None:
    ilse = friends.ilse
    await ilse.begin_worker_with(f"const now = Date.now; Date.now = () => now() + {ahead_ms}")
    await ilse.open_again()
    await friends.talk("with a wrong clock")
    await ilse.call("update", friends.room)
    await friends.mira.update(friends.room)
    await friends.talk("at the next epoch")
    room = await ilse.call("createRoom", [MIRA])
    await until(lambda: room in {summary.room for summary in friends.mira.rooms()}, "Mira joins Ilse's room")


@pytest.mark.parametrize("ahead_ms", [-400 * DAY_MS, 400 * DAY_MS])
async def test_a_clock_that_is_a_year_wrong_loses_nothing(friends: Friends, ahead_ms: int) -> None:
    ilse = friends.ilse
    await ilse.begin_worker_with(f"const now = Date.now; Date.now = () => now() + {ahead_ms}")
    await ilse.open_again()
    await ilse.call("send", friends.room, "from another year")
    await friends.mira.send(friends.room, "from this year")
    await ilse.begin_worker_with("")
    await ilse.open_again()
    await friends.both_read("from another year", "from this year")
    await friends.talk("with the right clock")


async def test_a_server_that_restarts_is_found_again(friends: Friends) -> None:
    ilse, room = friends.ilse, friends.room
    assert await friends.server.stop() == 0
    await ilse.until_heard("connection_changed", state="waiting")
    await ilse.call("send", room, "while the server is away")
    await friends.server.start()
    await friends.both_read("while the server is away")
    await friends.talk("the server is back")


async def test_after_a_day_away_everything_arrives_in_order(friends: Friends) -> None:
    await friends.ilse.close_tabs()
    missed = [f"missed {number}" for number in range(MISSED)]
    for text in missed:
        await friends.mira.send(friends.room, text)
    await friends.mira.update(friends.room)
    await friends.mira.wait_settled()
    await friends.ilse.open_tab()
    await friends.both_read(*missed)
    assert (await friends.ilse.texts(friends.room))[-MISSED:] == missed
    await friends.talk("back")


async def test_after_more_than_a_month_away_what_was_purged_is_missed_and_the_room_goes_on(friends: Friends) -> None:
    ilse, mira, room = friends.ilse, friends.mira, friends.room
    await ilse.close_tabs()
    for number in range(5):
        await mira.send(room, f"missed {number}")
    await mira.wait_settled()
    await friends.server.stop()
    with closing(sqlite3.connect(friends.server.data / "nightlight.db")) as database, database:
        database.execute("UPDATE entries SET accepted_at_ms = accepted_at_ms - ?", (31 * DAY_MS,))
    await friends.server.start()

    def purged() -> bool:
        with closing(sqlite3.connect(friends.server.data / "nightlight.db")) as database:
            (kept,) = database.execute("SELECT COUNT(*) FROM payloads").fetchone()
        return bool(kept == 0)

    await until(purged, "the log is purged")
    await mira.send(room, "are you there?")
    await ilse.open_tab()

    async def back() -> bool:
        return bool((await ilse.texts(room))[-1] == "are you there?")

    await ilse.until(back, "Ilse reads on after what is missing")
    assert {(fault["check"], fault["culprit"]) for fault in await ilse.call("faults")} == {("NL-514", "hub")}
    assert not any(text.startswith("missed") for text in await ilse.texts(room))
    await ilse.call("send", room, "now I am")
    await until(lambda: texts(mira, room)[-1] == "now I am", "Mira reads the answer")
