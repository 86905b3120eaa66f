"""A live conversation in the terminal."""

from __future__ import annotations

import sys

from cyclopts import App

from nightlight.cli.arguments import Conversation, examples
from nightlight.cli.conversation import find_room, go_online, open_room
from nightlight.cli.faults import INTERRUPTED, InputError
from nightlight.cli.profile import DEFAULT_WHO, Who

app = App(
    name="chat",
    help_epilogue=(
        "◷ waits on this device, ✓ sent, ✓✓ delivered, ✓✓ read in colour. Without a connection you go on writing, and "
        "it is sent later. Arrow keys choose a message: Enter answers it, /react ❤, /unreact ❤, /edit TEXT, /delete "
        "and /forward PERSON do what they say; /expire 1h lets what you write vanish. Page Up and Page Down scroll, "
        "Escape leaves.\n\n"
        + examples("nightlight chat bob@gallery.example", "nightlight chat 3f2a --as alice@courier.example")
    ),
)


@app.default
async def chat(room: Conversation, /, *, who: Who = DEFAULT_WHO) -> int:
    """Both sides see each other's messages as they come."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("chat needs a terminal; use nightlight send and nightlight read")
    from nightlight.cli.chat_app import ChatApp  # noqa: PLC0415  Textual takes its time to load

    async with who.device() as client:
        try:
            uri = find_room(client, room).room
        except InputError:
            await go_online(client)
            uri = await open_room(client, room)
        await client.connect()
        view = ChatApp(client, uri)
        await view.run_async()
        return INTERRUPTED if view.return_code == INTERRUPTED else 0
