"""The demonstration's links: two browsers and a terminal, three people on three apps, one room."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from nightlight.protocol.ids import UserUri
from tests.support.terminal import Terminal
from tests.web.app import Guest, address_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")
WILMA = UserUri("mimi://ring.example/u/wilma")


@pytest.fixture
def links() -> Iterator[list[str]]:
    """What ``nightlight demo`` prints for browsers."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nightlight.cli.main", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C ends" in line:
            break
    yield re.findall(r"^  (http://\S+\.localhost:\d+/)$", "".join(lines), re.MULTILINE)
    process.terminate()  # not killed: it has a server to stop and files to remove
    process.communicate()


async def open_link(browser: Browser, link: str, user: UserUri) -> Guest:
    """``user`` has registered at ``link``, in a browser of their own."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(link)
    await page.get_by_label("Your name at").fill(user.rpartition("/")[2])
    await page.get_by_role("button", name="Create account").click()
    guest = Guest(user, context, page, [])
    await expect(guest.standing).to_have_text("Online")
    return guest


async def test_three_people_on_three_apps_talk_in_one_room(links: list[str], browser: Browser, tmp_path: Path) -> None:
    courier, gallery, ring = links
    assert "ring" in ring
    mira, tomas = await open_link(browser, courier, MIRA), await open_link(browser, gallery, TOMAS)
    wilma = Terminal(tmp_path, f"http://127.0.0.1:{urlsplit(courier).port}")
    wilma.ok("register", address_of(WILMA))
    for friend in (TOMAS, WILMA):
        await mira.ask(friend)
    await tomas.accept(MIRA)
    wilma.ok("contacts", "accept", address_of(MIRA))

    await mira.go("new")
    for friend in (TOMAS, WILMA):
        await mira.page.get_by_label(address_of(friend)).check()
    await mira.page.get_by_role("button", name="Start group with 2 people").click()
    await mira.say("Hello from a browser.")
    await tomas.open("mira, wilma")
    await tomas.say("Hello from another.")
    (room,) = wilma.json("rooms", "list")
    name = room["room"].rpartition("/")[2]
    wilma.ok("send", name, "Hello from a terminal.")
    for guest in (mira, tomas):
        await expect(guest.messages).to_have_count(3)
        await expect(guest.messages.last).to_contain_text("Hello from a terminal.")
    assert [message["text"] for message in wilma.json("read", name)] == [
        "Hello from a browser.",
        "Hello from another.",
        "Hello from a terminal.",
    ]
