"""Which message a command is about, and saying something about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from cyclopts import Parameter

from nightlight.cli.conversation import go_online
from nightlight.cli.faults import InputError
from nightlight.cli.output import print_json, print_line
from nightlight.cli.profile import Who
from nightlight.client.sdk import Client, Message, MessageState
from nightlight.protocol.ids import MessageId

Id = Annotated[str, Parameter(help="The beginning of the message's id; see nightlight read --ids.")]
MANY = 1_000_000
SENT_SECONDS = 10


def find_message(client: Client, beginning: str) -> Message:
    """The one shown message whose id begins so. Raises ``InputError``."""
    messages = (message for room in client.rooms() for message in client.messages(room.room, limit=MANY))
    match [message for message in messages if message.message_id.hex().startswith(beginning.lower())]:
        case [message]:
            return message
        case []:
            raise InputError(f"this device has no message {beginning!r}; see nightlight read --ids")
        case several:
            raise InputError(f"{len(several)} messages begin with {beginning!r}; write more of it")


async def wait_sent(client: Client, message_id: MessageId) -> MessageState:
    """How far the message has come within ten seconds. Raises ``RefusedError``."""
    try:
        async with asyncio.timeout(SENT_SECONDS):
            await client.wait_sent(message_id)
    except TimeoutError:
        return MessageState.QUEUED
    return MessageState.SENT


async def say_about(
    who: Who, beginning: str, say: Callable[[Client, Message], Awaitable[MessageId | None]], *, done: str, json: bool
) -> None:
    """What ``say`` says of the message is sent, and ``done`` printed."""
    async with who.device() as client:
        online = await go_online(client)
        message = find_message(client, beginning)
        said = await say(client, message)
        state = MessageState.QUEUED
        if said is not None and online:
            state = await wait_sent(client, said)
    if json:
        print_json({"message": message.message_id.hex(), "said": said and said.hex(), "state": said and state})
    elif said is None:
        print_line("It is so already.")
    else:
        print_line(done if state is MessageState.SENT else "Queued: it goes out when the server can be reached.")
