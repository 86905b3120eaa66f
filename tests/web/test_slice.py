"""A page in Chromium joins a room made by the Python SDK, and each reads the other's message."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from nightlight.protocol.ids import UserUri
from tests.support.people import newcomer as python_newcomer
from tests.support.people import texts, until
from tests.support.server import ServerProcess
from tests.web.people import newcomer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MIRA = UserUri("mimi://courier.example/u/mira")
TOMAS = UserUri("mimi://gallery.example/u/tomas")


async def test_a_browser_joins_a_room_made_in_python_and_each_reads_the_other(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    tomas = await newcomer(browser, server, TOMAS)
    mira = await python_newcomer(server.url, MIRA, tmp_path, receipts=True)
    await mira.request_contact(TOMAS)
    await tomas.accept(MIRA)

    room = await mira.room_with(TOMAS)
    await tomas.in_room(room)
    await mira.send(room, "The lake is frozen over.")
    await tomas.reads(room, "The lake is frozen over.")
    await tomas.call("send", room, "Then bring the skates!")
    await until(lambda: texts(mira, room)[1:] == ["Then bring the skates!"], "Mira reads the answer")

    assert await tomas.call("faults") == []
    assert mira.faults() == []
    assert await tomas.call("safetyNumber", MIRA) == await mira.safety_number(TOMAS)
    await mira.close()
