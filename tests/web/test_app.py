"""What a person does in the app, with somebody who uses the Python client."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from nightlight.client.sdk import MessageState
from nightlight.protocol.ids import UserUri
from tests.support.people import conversation, newcomer, texts, until
from tests.support.server import ServerProcess
from tests.web.app import join

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOMAS = UserUri("mimi://gallery.example/u/tomas")
MIRA = UserUri("mimi://courier.example/u/mira")


async def test_somebody_registers_in_the_page_and_talks_with_a_python_client(
    server: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    tomas = await newcomer(server.url, TOMAS, tmp_path, receipts=True)
    mira = await join(browser, server, MIRA)
    await mira.ask(TOMAS)
    await tomas.accept_contact(MIRA)
    await mira.write_to(TOMAS)
    await mira.say("The lake is frozen over.")
    await until(lambda: len(tomas.rooms()) == 1, "Tomas is in the room")
    room = tomas.rooms()[0].room
    await until(lambda: texts(tomas, room) == ["The lake is frozen over."], "Tomas reads")
    await tomas.mark_read(room)
    await expect(mira.messages.first).to_contain_text("Read")
    await tomas.send(room, "Then bring the skates!")
    await expect(mira.messages.last).to_contain_text("Then bring the skates!")
    await until(lambda: conversation(tomas, room)[-1].state is MessageState.READ, "Tomas sees that it is read")
    assert mira.complaints == []
    await tomas.close()
