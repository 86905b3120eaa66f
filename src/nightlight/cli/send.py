"""Sending one message."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter

from nightlight.cli.arguments import Conversation, Expires, Json, examples, read_duration
from nightlight.cli.conversation import go_online, open_room
from nightlight.cli.faults import InputError
from nightlight.cli.one_message import find_message, wait_sent
from nightlight.cli.output import print_json, print_line
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import MessageState

Text = Annotated[str, Parameter(help="What to say; - reads it from standard input.", allow_leading_hyphen=True)]
app = App(
    name="send",
    help_epilogue=examples(
        "nightlight send bob@gallery.example 'hello from the lake'",
        "date | nightlight send bob@gallery.example -",
        "nightlight send bob@gallery.example 'where?' --reply-to 01f3a9c2 --expires 1h",
    ),
)


@app.default
async def send(  # noqa: PLR0913 - all that can be said of a message
    to: Conversation,
    text: Text,
    /,
    *,
    reply_to: Annotated[str | None, Parameter(help="The beginning of the id of the message you answer.")] = None,
    expires: Expires = None,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """The message is sent; without a connection it waits on this device, and goes out with the next command."""
    text = sys.stdin.read().removesuffix("\n") if text == "-" else text
    if not text.strip():
        raise InputError("there is nothing to send")
    lifetime_s = None if expires is None else read_duration(expires)
    async with who.device() as client:
        online = await go_online(client)
        room = await open_room(client, to)
        answered = None if reply_to is None else find_message(client, reply_to).message_id
        message_id = await client.send(room, text, reply_to=answered, lifetime_s=lifetime_s)
        state = await wait_sent(client, message_id) if online else MessageState.QUEUED
    if json:
        print_json({"message": message_id.hex(), "room": room, "state": state})
    else:
        print_line("Sent." if state is MessageState.SENT else "Queued: it goes out when the server can be reached.")
