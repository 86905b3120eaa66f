"""Replaced account keys and recovery keys, between browsers and Python clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from nightlight.client.events import NoticeKind
from nightlight.client.sdk import Client
from nightlight.protocol.ids import DeviceUri, UserUri
from tests.support.people import befriend, texts, until
from tests.support.people import newcomer as python_newcomer
from tests.support.server import ServerProcess
from tests.web.people import Person, newcomer
from tests.web.test_devices import courier, in_browser, shows

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def is_told(person: Person, notice: str, user: UserUri) -> None:
    """The browser keeps such a notice."""

    async def told() -> bool:
        return any((row["notice"], row["user"]) == (notice, user) for row in await person.call("notices"))

    await person.until(told, f"told {notice} of {user}")


def key_of(client: Client, user: UserUri) -> bytes:
    listed = client._connection.device.trust.device_list(user)
    assert listed is not None
    return listed.account_key


async def test_a_browser_follows_a_key_that_a_python_device_replaces(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-e"), tmp_path)
    tomas = await newcomer(browser, server, courier("tomas-e"))
    await mira.request_contact(tomas.user)
    await tomas.accept(mira.user)
    room = await mira.room_with(tomas.user)
    await tomas.in_room(room)
    tablet = await in_browser(mira, browser, server)
    await tablet.in_room(room)
    laptop = await in_browser(mira, browser, server, may_sign=True)
    await laptop.in_room(room)
    await tomas.call("compare", mira.user)
    number = await tomas.call("safetyNumber", mira.user)

    words = await mira.recovery.make_key()
    await is_told(tablet, "recovery_key_changed", mira.user)
    await mira.recovery.remove_device(DeviceUri((await laptop.call("me"))["device"]), words)
    await is_told(tomas, "key_replaced", mira.user)
    await is_told(tablet, "key_replaced", mira.user)
    assert not await tomas.call("isCompared", mira.user)
    assert await tomas.call("safetyNumber", mira.user) != number
    assert await tomas.call("safetyNumber", mira.user) == await tablet.call("safetyNumber", tomas.user)
    fresh = key_of(mira, mira.user)

    def moved() -> bool:
        leaves = mira._connection.device.groups.get(room).members
        mine = [leaf for leaf in leaves if b"/d/mira-e/" in leaf.credential]
        return len(mine) == 2 and all(fresh in leaf.credential for leaf in mine)

    await until(moved, "both of Mira's leaves are under the new key")
    await tablet.call("send", room, "from the tablet")
    await shows(mira, room, "from the tablet")
    await tomas.call("waitSent", await tomas.call("send", room, "hello, both of you"))
    await shows(mira, room, "hello, both of you")
    await tablet.reads(room, "from the tablet", "hello, both of you")
    assert await laptop.texts(room) == []
    for person in (tomas, tablet):
        assert await person.call("faults") == []
    assert mira.faults() == []
    await mira.close()


async def test_a_browser_replaces_its_key_and_python_follows(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-f"), tmp_path)
    tomas = await python_newcomer(server.url, courier("tomas-f"), tmp_path)
    await befriend(mira, tomas)
    room = await mira.room_with(tomas.user)
    laptop = await in_browser(mira, browser, server, may_sign=True)
    await laptop.in_room(room)
    before = key_of(tomas, mira.user)
    words = await laptop.call("makeRecoveryKey")
    assert len(words.split()) == 24
    assert await laptop.call("hasRecoveryKey")
    await laptop.refuses("not_allowed", "removeDevice", mira.device)
    await laptop.refuses("NL-134", "removeDevice", mira.device, "lake")
    await laptop.call("removeDevice", mira.device, words.upper())
    await until(lambda: key_of(tomas, mira.user) != before, "Tomas follows")
    assert NoticeKind.KEY_REPLACED in {notice.kind for notice in tomas.people.notices()}
    await laptop.call("waitSent", await laptop.call("send", room, "from the browser, alone"))
    await shows(tomas, room, "from the browser, alone")
    await tomas.send(room, "hello, browser")
    await laptop.reads(room, "from the browser, alone", "hello, browser")
    assert "hello, browser" not in texts(mira, room)
    assert await laptop.call("faults") == tomas.faults() == []
    await laptop.open_again()
    await laptop.wait_online()
    assert [entry["maySign"] for entry in await laptop.call("devices")] == [True]
    for client in (mira, tomas):
        await client.close()


async def test_a_browser_that_was_removed_is_told_why_it_is_offline(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-g"), tmp_path)
    tablet = await in_browser(mira, browser, server)
    await mira.remove_device(DeviceUri((await tablet.call("me"))["device"]))
    await tablet.until_heard("connection_changed", state="offline", reason="device_removed")
    assert await tablet.call("faults") == []
    await mira.close()
