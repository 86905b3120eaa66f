"""Sending one message."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Conversation, Json, examples
from nightlight.cli.conversation import go_online, open_room
from nightlight.cli.faults import InputError
from nightlight.cli.output import print_json, print_line
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import MessageState

Text = Annotated[str, Parameter(help="What to say; - reads it from standard input.")]
SENT_SECONDS = 10
app = App(
    name="send",
    help_epilogue=examples(
        "nightlight send bob@gallery.example 'hello from the lake'",
        "date | nightlight send bob@gallery.example -",
    ),
)


@app.default
async def send(
    to: Conversation,
    text: Text,
    /,
    *,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """The message is sent; without a connection it waits on this device, and goes out with the next command."""
    text = sys.stdin.read() if text == "-" else text
    if not text.strip():
        raise InputError("there is nothing to send")
    async with who.device() as client:
        await go_online(client)
        room = await open_room(client, to)
        message_id = await client.send(room, text)
        state = MessageState.SENT
        try:
            async with asyncio.timeout(SENT_SECONDS):
                await client.wait_sent(message_id)
        except TimeoutError:
            state = MessageState.QUEUED
    if json:
        print_json({"message": message_id.hex(), "room": room, "state": state})
    else:
        print_line("Sent." if state is MessageState.SENT else "Queued: it goes out when the server can be reached.")
