"""One person with a browser and a Python client: each links the other, and a removed one reads no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from nightlight.client.identity import open_or_create
from nightlight.client.new_device import NewDevice
from nightlight.client.sdk import Client
from nightlight.client.surroundings import Surroundings
from nightlight.client.transport import NetworkTransport
from nightlight.protocol.ids import DeviceUri, RoomUri, UserUri
from nightlight.protocol.linking import LinkCode
from tests.support.people import KEY_PACKAGES, STORE_KEY, befriend, texts, until
from tests.support.people import newcomer as python_newcomer
from tests.support.server import ServerProcess
from tests.web.people import Person, Refused, newcomer, visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


def courier(name: str) -> UserUri:
    return UserUri(f"mimi://courier.example/u/{name}")


async def everywhere(old: Client, device: DeviceUri) -> None:
    """``device`` is in every room of ``old``."""
    await until(lambda: len(set(old.rooms_of(device))) == 1, f"{device} is in every room")


async def in_browser(old: Client, browser: Browser, server: ServerProcess, *, may_sign: bool = False) -> Person:
    """A browser that ``old`` has taken in as another device of its person."""
    tablet = await visitor(browser, server, old.user)
    shown = await tablet.call("showLink", old.user)
    assert await tablet.call("showLink", old.user) == shown
    code = LinkCode.read(shown["text"])
    assert code.number == shown["number"]
    device = await old.accept_device(code, may_sign=may_sign)
    assert (await tablet.call("linked"))["device"] == device
    await tablet.wait_online()
    await everywhere(old, device)
    return tablet


async def in_python(old: Person, server: ServerProcess, folder: Path) -> Client:
    """A Python client that a browser has taken in as another device of its person."""
    surroundings = Surroundings(receipts=False, key_packages=KEY_PACKAGES)
    store = open_or_create(folder / "tablet.store", STORE_KEY, surroundings)
    new = NewDevice(store, NetworkTransport(server.url), surroundings, server.url, old.user)
    text = new.code.text()
    assert await old.call("linkNumber", text) == new.code.number
    device = await old.call("acceptDevice", text)
    client = await Client.link(new)
    assert client.device == device
    await client.connect()
    await client.wait_online()
    return client


async def shows(client: Client, room: RoomUri, text: str) -> None:
    await until(lambda: text in texts(client, room), f"{client.device} shows {text!r}")


async def test_a_browser_linked_by_a_python_device_reads_and_writes_until_it_is_removed(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-a"), tmp_path)
    tomas = await python_newcomer(server.url, courier("tomas-a"), tmp_path)
    await befriend(mira, tomas)
    room = await mira.room_with(tomas.user)
    tablet = await in_browser(mira, browser, server)
    await tablet.in_room(room)

    await tomas.send(room, "hello, both of you")
    await tablet.reads(room, "hello, both of you")
    await tablet.call("send", room, "from the browser")
    for client in (mira, tomas):
        await shows(client, room, "from the browser")
    assert [entry["maySign"] for entry in await tablet.call("devices") if entry["this"]] == [False]
    with pytest.raises(Refused, match="not_allowed"):
        await tablet.call("removeDevice", mira.device)

    await mira.remove_device(DeviceUri((await tablet.call("me"))["device"]))
    await tomas.wait_sent(await tomas.send(room, "hello, Mira alone"))
    await shows(mira, room, "hello, Mira alone")
    assert "hello, Mira alone" not in await tablet.texts(room)
    assert mira.faults() == tomas.faults() == []
    for client in (mira, tomas):
        await client.close()


async def test_a_python_device_linked_by_a_browser_is_added_to_its_rooms_and_removed_from_them(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await newcomer(browser, server, courier("mira-b"))
    tomas = await python_newcomer(server.url, courier("tomas-b"), tmp_path)
    await tomas.request_contact(mira.user)
    await mira.accept(tomas.user)
    room = RoomUri(await mira.call("roomWith", tomas.user))
    tablet = await in_python(mira, server, tmp_path)
    await until(lambda: room in {summary.room for summary in tablet.rooms()}, "the tablet is in the room")

    await tablet.send(room, "from the tablet")
    await mira.reads(room, "from the tablet")
    await mira.call("send", room, "from the browser")
    await shows(tablet, room, "from the browser")
    assert len(await mira.call("devices")) == 2

    await mira.call("removeDevice", tablet.device)
    await until(lambda: tomas.rooms_of(tablet.device) == (0, 1), "the tablet is out of the room")
    await mira.call("waitSent", await mira.call("send", room, "hello, Tomas"))
    await shows(tomas, room, "hello, Tomas")
    assert "hello, Tomas" not in texts(tablet, room)
    assert await mira.call("faults") == []
    for client in (tablet, tomas):
        await client.close()


async def test_a_member_in_a_browser_removes_a_device_before_it_says_anything(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-c"), tmp_path)
    tomas = await newcomer(browser, server, courier("tomas-c"))
    await mira.request_contact(tomas.user)
    await tomas.accept(mira.user)
    room = await mira.room_with(tomas.user)
    await tomas.in_room(room)
    tablet = await in_browser(mira, browser, server, may_sign=True)
    await tablet.in_room(room)
    phone = mira.device
    await mira._connection.stop()  # so that it cannot see to its rooms itself
    await tablet.call("removeDevice", phone)
    await tomas.call("waitSent", await tomas.call("send", room, "hello, tablet"))
    await tablet.reads(room, "hello, tablet")
    devices = (await tomas.call("agreement", room))["devices"]
    assert phone not in devices
    assert await tomas.call("faults") == await tablet.call("faults") == []
    await mira.close()


async def test_a_browser_s_code_is_for_one_person_and_not_where_somebody_is_registered(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    mira = await python_newcomer(server.url, courier("mira-d"), tmp_path)
    tablet = await visitor(browser, server, courier("tomas-d"))
    shown = await tablet.call("showLink", courier("tomas-d"))
    await mira.accept_device(LinkCode.read(shown["text"]))
    with pytest.raises(Refused, match="NL-354"):
        await tablet.call("linked")
    assert await tablet.call("me") is None
    juno = await newcomer(browser, server, courier("juno-d"))
    with pytest.raises(Refused, match="occupied"):
        await juno.call("showLink", courier("juno-d"))
    await mira.close()
