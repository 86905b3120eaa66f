"""Showing a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nightlight.cli.arguments import Conversation, Json, examples
from nightlight.cli.conversation import find_room, go_online, settle
from nightlight.cli.message_line import message_cells
from nightlight.cli.output import print_json, print_line, say
from nightlight.cli.profile import DEFAULT_WHO, Who
from nightlight.client.sdk import Message

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
        cells = [message_cells(message, client.message) for message in messages]
        await client.mark_read(uri)
        if online:
            await settle(client)
    if json:
        print_json([_plain(message) for message in messages])
        return
    _print([([_identifier(message)] if ids else []) + list(row) for message, row in zip(messages, cells, strict=True)])


def _plain(message: Message) -> dict[str, Any]:
    """The message as JSON has it, its ids in hexadecimal."""
    reply_to = None if message.reply_to is None else message.reply_to.hex()
    return {**msgspec.to_builtins(message), "message_id": message.message_id.hex(), "reply_to": reply_to}


def _identifier(message: Message) -> Text:
    return Text(message.message_id.hex()[:ID_DIGITS], style="dim")


def _print(rows: Sequence[Sequence[Text]]) -> None:
    """In a terminal, texts wrap under themselves; elsewhere, a message's further lines are indented."""
    console = Console(highlight=False, soft_wrap=True)
    table = Table.grid(padding=(0, 1, 0, 0))
    for cells in rows:
        table.add_row(*cells)
        if not console.is_terminal:
            print_line(" ".join(cell.plain for cell in cells).replace("\n", "\n      "))
    if console.is_terminal:
        console.print(table)
