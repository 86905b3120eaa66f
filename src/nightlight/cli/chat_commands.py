"""What a line in ``nightlight chat`` asks for: a message, or a command such as ``/react ❤``."""

from __future__ import annotations

from nightlight.cli.arguments import read_duration
from nightlight.cli.conversation import open_room
from nightlight.cli.faults import InputError
from nightlight.client.sdk import Client, Message
from nightlight.protocol.ids import RoomUri

HELP = "Enter answers it; /react ❤, /unreact ❤, /edit TEXT, /delete, /forward PERSON; Escape lets go of it"
"""What can be done with a chosen message."""


async def carry_out(client: Client, room: RoomUri, line: str, chosen: Message | None) -> None:
    """The line is sent to ``room``, in reply to ``chosen`` if there is one, or its command is carried out.

    ``//`` begins a message with a slash. Raises ``InputError``, ``RefusedError``.
    """
    if not line.startswith("/") or line.startswith("//"):
        text = line.removeprefix("/") if line.startswith("//") else line
        await client.send(room, text, reply_to=None if chosen is None else chosen.message_id)
        return
    name, _, argument = line.partition(" ")
    argument = argument.strip()
    if name == "/expire" and argument:
        await client.set_lifetime(room, None if argument == "off" else read_duration(argument))
        return
    if name not in {"/react", "/unreact", "/edit", "/delete", "/forward"}:
        raise InputError("commands: /react ❤, /unreact ❤, /edit TEXT, /delete, /forward PERSON, /expire 1h or off")
    if chosen is None:
        raise InputError("choose a message first, with the arrow keys")
    if not argument and name != "/delete":
        raise InputError(f"{name} needs something after it")
    message_id = chosen.message_id
    match name:
        case "/react":
            await client.react(message_id, argument)
        case "/unreact":
            await client.unreact(message_id, argument)
        case "/edit":
            await client.edit(message_id, argument)
        case "/delete":
            await client.delete(message_id)
        case _:
            await client.forward(message_id, [await open_room(client, each) for each in argument.split()])
