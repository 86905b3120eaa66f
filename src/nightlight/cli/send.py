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
from nightlight.client.sdk import Client, MessageState
from nightlight.protocol.ids import MessageId

Text = Annotated[str, Parameter(help="What to say; - reads it from standard input.", allow_leading_hyphen=True)]
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
    text = sys.stdin.read().removesuffix("\n") if text == "-" else text
    if not text.strip():
        raise InputError("there is nothing to send")
    async with who.device() as client:
        online = await go_online(client)
        room = await open_room(client, to)
        message_id = await client.send(room, text)
        state = await _wait_sent(client, message_id) if online else MessageState.QUEUED
    if json:
        print_json({"message": message_id.hex(), "room": room, "state": state})
    else:
        print_line("Sent." if state is MessageState.SENT else "Queued: it goes out when the server can be reached.")


async def _wait_sent(client: Client, message_id: MessageId) -> MessageState:
    try:
        async with asyncio.timeout(SENT_SECONDS):
            await client.wait_sent(message_id)
    except TimeoutError:
        return MessageState.QUEUED
    return MessageState.SENT
