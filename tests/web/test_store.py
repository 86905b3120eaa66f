"""What a browser's device keeps: whole at every moment, for one device at a time, and readable to nobody else."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import Browser, Error, async_playwright

from nightlight.cli.canary import Canaries, forms_of
from nightlight.cli.search import search_folder
from nightlight.protocol.ids import UserUri
from tests.support.people import MIRA, texts
from tests.support.people import newcomer as python_newcomer
from tests.support.server import ServerProcess
from tests.web.conftest import FLAGS
from tests.web.people import Person, app_address, newcomer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ILSE = UserUri("mimi://courier.example/u/ilse")
BRUNHILDE = UserUri("mimi://gallery.example/u/brunhilde")
WRITES = 8
"""Sending, hearing that it arrived, receiving, telling receipts, a commit: a step of the story has about as many."""
MESSAGES = 5
SEED = 20_261_125
DIE = """globalThis.dieAt = null;
const die = () => {
  // What still runs of this task is not heard.
  globalThis.postMessage = WebSocket.prototype.send = () => undefined;
  self.close();
};
const begin = IDBDatabase.prototype.transaction;
IDBDatabase.prototype.transaction = function (names, mode, options) {
  const transaction = begin.call(this, names, mode, options);
  if (mode !== 'readwrite' || dieAt === null || (dieAt.writes -= 1) > 0) return transaction;
  if (dieAt.when === 'before') {
    transaction.abort();
    die();
  } else {
    transaction.addEventListener('complete', (event) => { event.stopImmediatePropagation(); die(); });
  }
  return transaction;
}"""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_dying_at_any_write_loses_nothing_and_shows_nothing_twice(
    server: ServerProcess, browser: Browser, tmp_path: Path, when: str
) -> None:
    """MLS state, message, cursor and outbox are one transaction: a device opened again goes on where it was."""
    ilse = await newcomer(browser, server, UserUri(f"mimi://courier.example/u/ilse-{when}"))
    mira = await python_newcomer(server.url, UserUri(f"mimi://gallery.example/u/mira-{when}"), tmp_path)
    await mira.request_contact(ilse.user)
    await ilse.accept(mira.user)
    room = await mira.room_with(ilse.user)
    await ilse.in_room(room)
    await ilse.begin_worker_with(DIE)
    await ilse.open_again()
    await ilse.wait_online()

    expected: list[str] = []

    async def alike() -> bool:
        ours = await ilse.texts(room)
        return sorted(ours) == sorted(expected) and ours == texts(mira, room)

    deaths = 0
    for writes in range(1, WRITES + 1):
        (worker,) = ilse.page.workers
        await worker.evaluate(f"() => {{ dieAt = {{ when: '{when}', writes: {writes} }}; }}")
        said = [f"{writes}: {word}" for word in ("from Ilse", "from Mira", "from Ilse again")]
        expected += said
        await ilse.call("send", room, said[0])
        await mira.send(room, said[1])
        await asyncio.gather(ilse.call("update", room), ilse.call("markRead", room), ilse.call("send", room, said[2]))
        await mira.wait_settled()
        await ilse.until(alike, "everything is there once, and in the same order")
        deaths += worker not in ilse.page.workers
        if worker in ilse.page.workers:
            with suppress(Error):
                await worker.evaluate("() => { dieAt = null; }")
        await ilse.wait_online()
    assert deaths >= WRITES // 2
    assert await ilse.call("faults") == []
    assert mira.faults() == []
    await mira.close()
    await ilse.context.close()


async def test_nothing_in_the_profile_folder_names_anybody_or_says_anything(
    server: ServerProcess, tmp_path: Path
) -> None:
    """Everything that Chromium has written, cache and history and logs included, is searched in every usual form."""
    canaries = Canaries.seeded(SEED)
    folder = tmp_path / "profile"
    mira = await python_newcomer(server.url, MIRA, tmp_path)
    chromium = shutil.which("chromium")
    assert chromium is not None
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(folder, executable_path=chromium, args=FLAGS)
        brunhilde = Person(BRUNHILDE, context, context.pages[0], app_address(server, BRUNHILDE))
        await brunhilde.open_tab()
        await brunhilde.call("register", BRUNHILDE)
        await mira.request_contact(BRUNHILDE)
        await brunhilde.accept(MIRA)
        room = await mira.room_with(BRUNHILDE)
        await brunhilde.in_room(room)
        for number in range(MESSAGES):
            await mira.send(room, canaries.text(2 * number))
            await brunhilde.call("send", room, canaries.text(2 * number + 1))

        async def everything() -> bool:
            return len(await brunhilde.texts(room)) == 2 * MESSAGES

        await brunhilde.until(everything, "the conversation is there")
        await mira.wait_settled()
        agreement = await brunhilde.call("agreement", room)
        await context.close()

    device = mira._connection.device
    pinned = device.trust.device_list(BRUNHILDE)
    assert pinned is not None
    secret = {
        "text": canaries.mark,
        "handle": "brunhilde",
        "contact": "u/mira",
        "room": room.rpartition("/")[2],
    }
    forms = {f"{name}, {form}": data for name, text in secret.items() for form, data in forms_of(text).items()}
    forms |= keys(
        {
            "account key": pinned.account_key,
            "signature key": pinned.devices[0].signature_key,
            "franking key": device.trust.directory().franking_keys[0],
            "epoch authenticator": bytes.fromhex(agreement["authenticator"]),
        }
    )
    found = {place.name: dict(place.found) for place in search_folder(folder, forms) if place.hits}
    assert found == {}
    control = search_folder(folder, {"the store": "nightlight".encode("utf-16-be"), "the app": b"gallery.localhost"})
    assert {form for place in control for form in place.found} == {"the store", "the app"}
    await mira.close()


def keys(named: dict[str, bytes]) -> dict[str, bytes]:
    """Bytes as they are, and in hexadecimal."""
    return named | {f"{name}, hex": data.hex().encode() for name, data in named.items()}
