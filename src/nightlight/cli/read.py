"""Showing a conversation."""

from __future__ import annotations

from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.text import Text

from nightlight.cli.arguments import Conversation, Json, examples
from nightlight.cli.conversation import find_room, go_online, settle
from nightlight.cli.message_line import message_line
from nightlight.cli.output import print_json, say
from nightlight.cli.profile import DEFAULT_WHO, Who

ID_DIGITS = 12
app = App(
    name="read",
    help_epilogue=examples(
        "nightlight read bob@gallery.example",
        "nightlight read bob@gallery.example --limit 100 --json",
    ),
)


@app.default
async def read(
    room: Conversation,
    /,
    *,
    limit: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000), help="How many messages at most.")] = 20,
    ids: Annotated[bool, Parameter(negative="", help="Show message ids, for nightlight verify message.")] = False,
    json: Json = False,
    who: Who = DEFAULT_WHO,
) -> None:
    """The newest messages are shown, oldest first, and count as read."""
    async with who.device() as client:
        online = await go_online(client)
        if not online:
            say("Offline: this is what this device has.")
        uri = find_room(client, room).room
        messages = client.messages(uri, limit=limit)
        await client.mark_read(uri)
        if online:
            await settle(client)
    if json:
        print_json([{**msgspec.to_builtins(message), "message_id": message.message_id.hex()} for message in messages])
        return
    console = Console(soft_wrap=True, highlight=False)
    for message in messages:
        prefix = Text(f"{message.message_id.hex()[:ID_DIGITS]} ", style="dim") if ids else Text()
        console.print(prefix + message_line(message))
