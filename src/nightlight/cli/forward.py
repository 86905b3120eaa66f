"""Forwarding a message."""

from __future__ import annotations

from cyclopts import App

from nightlight.cli.arguments import Conversation, Json, examples
from nightlight.cli.conversation import go_online, open_room, settle
from nightlight.cli.faults import InputError
from nightlight.cli.one_message import Id, find_message
from nightlight.cli.output import print_json, print_line
from nightlight.cli.profile import DEFAULT_WHO, Who

app = App(name="forward", help_epilogue=examples("nightlight forward 01f3a9c2 bob@gallery.example carol@ring.example"))


@app.default
async def forward(message: Id, /, *to: Conversation, json: Json = False, who: Who = DEFAULT_WHO) -> None:
    """What a message says is sent to others, five conversations at most, with a count of how often it was forwarded."""
    if not to:
        raise InputError("name at least one person or room")
    async with who.device() as client:
        online = await go_online(client)
        found = find_message(client, message)
        rooms = [await open_room(client, conversation) for conversation in to]
        sent = await client.forward(found.message_id, rooms)
        if online:
            await settle(client)
    if json:
        print_json({"messages": [message_id.hex() for message_id in sent], "rooms": rooms})
    else:
        print_line(f"Forwarded to {len(sent)}.")
